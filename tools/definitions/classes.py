"""Reads openstacksdk's resource classes: what they are called, what can be done with them, and their attributes."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import openstack
from openstack import fields, resource

from tools.definitions.comments import said_type
from tools.definitions.tables import KIND_NAMES, UNDOABLE

# A class's switch, and the verb that it stands for here.
_VERBS: Final = {
    "allow_list": "list",
    "allow_fetch": "get",
    "allow_create": "create",
    "allow_commit": "update",
    "allow_patch": "update",
    "allow_delete": "delete",
}
# Not resources of a cloud: what several services' classes are derived from.
_BASES: Final = {"openstack.resource", "openstack.common.quota_set"}
_PAGING: Final = {"limit", "marker"}


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a resource class.

    Attributes:
        name: in openstacksdk.
        wire: in the API.
        place: "body", "header" or "uri".
        declared: the type that the class declares; None if it declares none.
        element: the type of a list's elements; None if it is not declared.
        said: the type that the comment above it says; empty if it says none.
        deprecated: openstacksdk warns of its use.
        filter: the API filters lists by it.
        parent: part of the resource's path.
    """

    name: str
    wire: str
    place: str
    declared: type | None = None
    element: type | None = None
    said: str = ""
    deprecated: bool = False
    filter: bool = False
    parent: bool = False


@dataclass(frozen=True, slots=True)
class ResourceClass:
    """A resource class.

    Attributes:
        kind: "service.kind".
        sdk_class: the class with its module.
        verbs: of "list", "get", "create", "update", "delete".
        attributes: in the order of the class, those that it inherits last; "id" and "name" first.
    """

    kind: str
    sdk_class: str
    verbs: tuple[str, ...]
    attributes: tuple[Attribute, ...]


def read() -> list[ResourceClass]:
    """Every public resource class of openstacksdk, sorted by kind.

    Raises:
        ValueError: two classes would have the same kind.
    """
    classes = list(_public())
    newest: dict[tuple[str, str], str] = {}
    for found in classes:
        service, version, name = _parts(found)
        newest[service, name] = max(version, newest.get((service, name), ""))
    kinds: dict[str, ResourceClass] = {}
    for found in classes:
        service, version, name = _parts(found)
        kind = f"{service}.{name}" if version == newest[service, name] else f"{service}.{version}.{name}"
        if kind in kinds:
            raise ValueError(f"{kind} would be {kinds[kind].sdk_class} and {_full_name(found)}: name one in KIND_NAMES")
        kinds[kind] = ResourceClass(kind, _full_name(found), _verbs(kind, found), tuple(_attributes(found)))
    return [kinds[kind] for kind in sorted(kinds)]


def _public() -> Iterator[type[resource.Resource]]:
    for module in pkgutil.walk_packages(openstack.__path__, "openstack."):
        path = module.name.split(".")[1:]
        # "cloud", "config", "test" and the like are openstacksdk's own; services have versions, and one module beside them.
        if any(part.startswith("_") for part in path) or path[0] in {"tests", "test", "fixture", "cloud", "config"}:
            continue
        if module.name in _BASES:
            continue
        # Some classes have a second name in their module.
        for value in dict.fromkeys(
            v for v in vars(importlib.import_module(module.name)).values() if isinstance(v, type)
        ):
            if issubclass(value, resource.Resource) and value.__module__ == module.name:
                yield value


def _parts(found: type) -> tuple[str, str, str]:
    """Service, version of its API, empty if it has none, and name of a class."""
    service, *rest = found.__module__.removeprefix("openstack.").split(".")
    version = rest[0] if re.fullmatch(r"v\d+", rest[0]) else ""
    return service, version, KIND_NAMES.get((service, found.__name__), snake(found.__name__))


def snake(name: str) -> str:
    """A class's name in snake_case: "FloatingIP" is "floating_ip"."""
    for word in ("QoS", "IPSec", "VMove"):  # Written as one word elsewhere.
        name = name.replace(word, word.capitalize())
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def _full_name(found: type) -> str:
    return f"{found.__module__}.{found.__qualname__}"


def _verbs(kind: str, found: type[resource.Resource]) -> tuple[str, ...]:
    allowed = [verb for switch, verb in _VERBS.items() if getattr(found, switch)]
    return tuple(verb for verb in dict.fromkeys(allowed) if (kind, verb) not in UNDOABLE)


def _attributes(found: type[resource.Resource]) -> list[Attribute]:
    filters = set(found._query_mapping._mapping) - _PAGING  # noqa: SLF001 - openstacksdk has no other way to ask
    in_path = re.findall(r"%\((\w+)\)", found.base_path or "")
    parents = {_parent(found, name): name for name in in_path}
    attributes = {
        # A path's part that the class has no attribute for is given by its name in the path.
        name: Attribute(name, wire, "uri", parent=True)
        for name, wire in parents.items()
    }
    for owner in found.__mro__:
        for name, component in vars(owner).items():
            own = isinstance(component, fields.Body | fields.Header | fields.URI)
            if not own or name.startswith("_") or (name in attributes and attributes[name].place != "uri"):
                continue
            if name in attributes and not (name in parents and isinstance(component, fields.URI)):
                continue
            attributes[name] = Attribute(
                name,
                component.name,
                type(component).__name__.lower(),
                component.data_type,
                component.list_type,
                said_type(owner, name),
                component.deprecated,
                name in filters,
                name in parents,
            )
    return sorted(attributes.values(), key=lambda attribute: {"id": 0, "name": 1}.get(attribute.name, 2))


def _parent(found: type, in_path: str) -> str:
    """The attribute that fills a part of the path."""
    uris = {
        name: component.name
        for owner in found.__mro__
        for name, component in vars(owner).items()
        if isinstance(component, fields.URI)
    }
    if in_path in uris:
        return in_path
    return next((name for name, wire in uris.items() if wire == in_path), in_path)
