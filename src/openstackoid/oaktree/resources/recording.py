"""Single resources of openstacksdk's that keep the JSON that they were made of: so nothing is lost that openstacksdk has no attribute for."""

import functools
from collections.abc import Mapping, MutableMapping
from typing import Any

from openstack import resource


@functools.cache
def recording(cls: type[resource.Resource]) -> type[resource.Resource]:
    """The class, but its resources keep what the cloud's last answer said of them: see `recorded`."""

    def translate(self: Any, *args: Any, **options: Any) -> None:
        self.is_answered = True
        try:
            cls._translate_response(self, *args, **options)
        finally:
            self.is_answered = False

    def consume(self: Any, attrs: MutableMapping[str, Any]) -> dict[str, Any]:
        # Each class takes its part of an answer in its own way, and then has it read here; so are the constructor's arguments.
        if self.is_answered:
            self.recorded = dict(attrs)
        return cls._consume_body_attrs(self, attrs)

    # openstacksdk looks for the name of an id in the class itself, not in those that it is made of (Resource._alternate_id).
    own = {
        "_translate_response": translate,
        "_consume_body_attrs": consume,
        "_alternate_id": cls._alternate_id,
        "is_answered": False,
        "recorded": None,
    }
    return type(f"Recording{cls.__name__}", (cls,), own)


def existing(cls: type[resource.Resource], json: Mapping[str, Any], connection: Any) -> resource.Resource:
    """A resource of which a list told this."""
    found: Any = recording(cls).existing(connection=connection, **json)
    found.recorded = dict(json)
    return found  # type: ignore[no-any-return]


def recorded(found: resource.Resource) -> dict[str, Any] | None:
    """What the cloud's last answer said of a resource, as a list gives it; None for one that no answer was read for."""
    return getattr(found, "recorded", None)


def as_raw(found: resource.Resource) -> dict[str, Any]:
    """All that is known of a resource, by the names of the wire: what was asked for, and what the cloud said, which counts more."""
    answered = recorded(found)
    if answered is None:
        parts = [found.to_dict(computed=False, original_names=True, ignore_none=True), found._uri.attributes]  # noqa: SLF001 - to_dict leaves them out
    else:
        # Not to_dict, which has empty lists of what nobody said.
        parts = [found._body.attributes, found._header.attributes, found._uri.attributes, answered]  # noqa: SLF001 - as it reads them
    return {name: value for part in parts for name, value in part.items() if value is not None}
