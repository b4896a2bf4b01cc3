"""Writes the generic service's catalog of kinds: a file of JSON in the package, read by the server."""

import json
from collections.abc import Iterable
from typing import Final

from openstack import version

from tools.definitions.choosing import catalog_type
from tools.definitions.classes import Attribute, ResourceClass
from tools.definitions.tables import SECRETS, TYPED
from tools.definitions.words import sentence

_MESSAGES: Final = {typed.kind: f"oaktree.v1.{typed.message}" for typed in TYPED}


def render(classes: Iterable[ResourceClass]) -> str:
    """The catalog, a line for each attribute. What is absent there is false, or empty, or the same as the name (`wire`)."""
    kinds = []
    for found in classes:
        head: dict[str, object] = {"kind": found.kind, "sdk_class": found.sdk_class, "verbs": found.verbs}
        if found.kind in _MESSAGES:
            head["message"] = _MESSAGES[found.kind]
        attributes = ",\n      ".join(json.dumps(_attribute(found.kind, a)) for a in found.attributes)
        kinds.append(json.dumps(head)[:-1] + f', "attributes": [\n      {attributes}]}}')
    listed = ",\n    ".join(kinds)
    return f'{{"openstacksdk": "{version.__version__}",\n  "kinds": [\n    {listed}]}}\n'


def _attribute(kind: str, attribute: Attribute) -> dict[str, object]:
    facts: dict[str, object] = {"name": attribute.name, "type": catalog_type(kind, attribute, typed=kind in _MESSAGES)}
    if attribute.wire != attribute.name:
        facts["wire"] = attribute.wire
    if attribute.place != "body":
        facts["place"] = attribute.place
    for flag in ("parent", "filter", "deprecated"):
        if getattr(attribute, flag):
            facts[flag] = True
    if attribute.name in SECRETS:
        facts["secret"] = True
    description = sentence(kind, attribute, typed=kind in _MESSAGES)
    if description:
        facts["description"] = description
    return facts
