"""What was written last of a replica, by the record of this cloud's gateways: what members are made alike to. Pure.

    the cloud that a user names for this repair      as it shows its member
    field by field:
      set by creates and updates through the         the value on record
      gateway
      the same, changed later in the entry cloud     as the entry cloud shows it: it is the gateway's own cloud, and so is its clock
      others                                         of the member of the entry cloud, else of the cloud that shows what is on record,
                                                     else of the one that was written last

A field was changed later in the entry cloud only if its last write had reached the member there, and the member is of a later time: one that
an update has not reached may be of a later time for another field.

Another cloud says itself when its member was written, so it could have its values win everywhere: its time decides only between other clouds.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from openstackoid.core.replication.comparing import COMPARED, newest, shows, written, written_at
from openstackoid.core.replication.kinds import Kind
from openstackoid.core.replication.references import body_of

_SLACK: Final = 2.0  # seconds by which the clocks of one cloud differ
_LONGEST: Final = 16_384  # characters of values on record


@dataclass(frozen=True, slots=True)
class Written:
    """What creates and updates through this cloud's gateways have set.

    Attributes:
        values: field -> value, of the fields that are compared.
        reached: field -> when its value reached the entry cloud's member, in seconds since 1970; without those that have not.
    """

    values: Mapping[str, Any]
    reached: Mapping[str, float]


def model(
    members: Mapping[str, Mapping[str, Any]], entry: str, record: Written | None, source: str | None = None
) -> tuple[str, dict[str, Any]]:
    """The member that the others are made alike to: its cloud, and the resource.

    Args:
        members: cloud -> the resource there.
        entry: the entry cloud.
        record: what was written last; None if nothing is on record.
        source: the cloud that a user names; one of the members.
    """
    if source is not None:
        return source, dict(members[source])
    if record is None:
        base = entry if entry in members else newest(members, entry)
        return base, dict(members[base])
    having = {cloud: one for cloud, one in members.items() if shows(one, record.values)}
    base = entry if entry in members else newest(having or members, entry)
    shown = dict(members[base])
    later = written_at(shown).timestamp() - _SLACK if base == entry else -math.inf
    changed = {name for name, at in record.reached.items() if at < later}
    values = {name: value for name, value in record.values.items() if name not in changed}
    return base, shown | {name: _as(value, shown.get(name)) for name, value in values.items()}


def set_by_create(kind: Kind, document: Any) -> dict[str, Any]:
    """What a create sets of the fields that are compared and that an update can set.

    Args:
        kind: of the resource.
        document: of the create.
    """
    inner = body_of(kind, document) or {}
    return bounded({name: inner[name] for name in COMPARED[kind.name].changed if name in inner})


def set_by_update(kind: Kind, before: Mapping[str, Any], document: Any, rest: str) -> dict[str, Any]:
    """What is on record after an update.

    Args:
        kind: of the resource.
        before: what was on record.
        document: of the update.
        rest: of its path, behind the resource: tags are changed there, too.
    """
    if rest:
        return {name: value for name, value in before.items() if name != "tags" or not rest.startswith("/tags")}
    return bounded({**before, **written(kind, document)})


def bounded(values: dict[str, Any]) -> dict[str, Any]:
    """The values, without those that are too long for a record."""
    return {name: value for name, value in values.items() if len(str(value)) <= _LONGEST}


def _as(value: Any, shown: Any) -> Any:
    """A value in the form in which the service shows it: neutron takes "true" for a boolean."""
    if isinstance(shown, bool) and not isinstance(value, bool):
        return str(value).lower() in {"true", "1"}
    return value
