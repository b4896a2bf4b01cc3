"""Variants of openstacksdk's resource classes that keep the cloud's JSON, so that values without an attribute in openstacksdk are not lost."""

import functools
from collections.abc import Mapping, MutableMapping
from typing import Any

from openstack import fields, resource


@functools.cache
def recording(cls: type[resource.Resource]) -> type[resource.Resource]:
    """Make a subclass whose resources keep the JSON of the cloud's last answer: see `recorded`."""

    def translate(self: Any, *args: Any, **options: Any) -> None:
        self.is_answered = True
        try:
            cls._translate_response(self, *args, **options)
        finally:
            self.is_answered = False

    def consume(self: Any, attrs: MutableMapping[str, Any]) -> dict[str, Any]:
        # Each class extracts the resource from an answer in its own way, and then calls this method; the constructor calls it as well.
        if self.is_answered:
            self.recorded = dict(attrs)
        return cls._consume_body_attrs(self, attrs)

    # openstacksdk looks for the alternate id in the class itself, not in its base classes (Resource._alternate_id).
    own = {
        "_translate_response": translate,
        "_consume_body_attrs": consume,
        "_alternate_id": cls._alternate_id,
        "is_answered": False,
        "recorded": None,
    }
    return type(f"Recording{cls.__name__}", (cls,), own)


def existing(cls: type[resource.Resource], json: Mapping[str, Any], connection: Any) -> resource.Resource:
    """Make a resource from the JSON of a list."""
    resource_: Any = recording(cls).existing(connection=connection, **json)
    resource_.recorded = dict(json)
    return resource_  # type: ignore[no-any-return]


def recorded(resource_: resource.Resource) -> dict[str, Any] | None:
    """The JSON of a resource in the cloud's last answer, as in a list; None if there was no answer."""
    return getattr(resource_, "recorded", None)


def as_raw(resource_: resource.Resource) -> dict[str, Any]:
    """All known values of a resource, by the names of the API: those of the request, overridden by those of the cloud's answer."""
    answered = recorded(resource_)
    if answered is None:
        # to_dict leaves the parameters of the path out.
        parts = [resource_.to_dict(computed=False, original_names=True, ignore_none=True), _kept(resource_, fields.URI)]
    else:
        # Not to_dict, which adds empty lists for missing values.
        parts = [*(_kept(resource_, part) for part in (fields.Body, fields.Header, fields.URI)), answered]
    return {name: value for part in parts for name, value in part.items() if value is not None}


def _kept(resource_: resource.Resource, part: type[fields.Body | fields.Header | fields.URI]) -> Mapping[str, Any]:
    """The values of one part of a resource as openstacksdk keeps them, read as its fields read them."""
    kept: Mapping[str, Any] = getattr(resource_, part.key).attributes
    return kept
