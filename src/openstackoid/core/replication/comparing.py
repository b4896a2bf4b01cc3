"""Whether members of a replica are alike, and what makes them so again: one table. Pure.

    changed   fields that an update sets: members get those of the member that was written last
    fixed     fields that no update sets: members that differ there stay as they are, and are named
    anew      whether a member that a cloud has lost can be created from what another cloud shows of its own

What the members are made alike to says `last_write`.
An image that is lost is copied (`copying`). Servers and volumes are not created anew: what is in them is in no other cloud.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from openstackoid.core.replication.kinds import Kind

_TIMES: Final = ("updated_at", "updated", "created_at", "created")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Compared:
    """What is compared of one kind."""

    changed: tuple[str, ...]
    fixed: tuple[str, ...] = ()
    references: tuple[str, ...] = ()  # fields of a create that name other resources: they differ in each cloud
    anew: bool = True
    nulls: tuple[
        str, ...
    ] = ()  # fields in which null is a choice of its own: without the field a create would set a default


_NAMED: Final = ("name", "description")
_SWITCHED: Final = (*_NAMED, "admin_state_up")
COMPARED: Final[Mapping[str, Compared]] = {
    "image.image": Compared(
        ("name", "min_disk", "min_ram", "tags"), ("disk_format", "container_format", "os_hash_algo", "os_hash_value")
    ),
    "network.network": Compared(_SWITCHED),
    "network.subnet": Compared(
        (*_NAMED, "enable_dhcp", "gateway_ip", "dns_nameservers", "host_routes"),
        ("cidr", "ip_version"),
        ("network_id",),
        nulls=("gateway_ip",),
    ),
    "network.port": Compared(_SWITCHED, anew=False),
    "network.router": Compared(_SWITCHED, anew=False),
    "network.security-group": Compared(_NAMED),
    "network.security-group-rule": Compared(
        (),
        ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix"),
        ("security_group_id", "remote_group_id"),
    ),
    "compute.keypair": Compared((), ("name", "public_key", "type")),
    "compute.flavor": Compared(
        (), ("name", "ram", "vcpus", "disk", "swap", "OS-FLV-EXT-DATA:ephemeral", "rxtx_factor")
    ),
    "compute.server": Compared(_NAMED, anew=False),
    "block-storage.volume": Compared(_NAMED, ("size",), anew=False),
}


def newest(members: Mapping[str, Mapping[str, Any]], entry: str) -> str:
    """The cloud whose member was written last, as the clouds show it; of equal times the entry cloud, then the first by name.

    Args:
        members: cloud -> the resource there.
        entry: the entry cloud.
    """
    return max(sorted(members, reverse=True), key=lambda cloud: (written_at(members[cloud]), cloud == entry))


def differing(kind: Kind, model: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The fields in which a member is not as the model: those that an update sets, and the fixed ones.

    Args:
        kind: of both.
        model: the member that was written last.
        other: another member.
    """
    compared = COMPARED[kind.name]

    def unlike(names: tuple[str, ...]) -> list[str]:
        # A cloud that does not show a field does not have it.
        return [
            name for name in names if name in model and name in other and _value(model[name]) != _value(other[name])
        ]

    return unlike(compared.changed), unlike(compared.fixed)


def written(kind: Kind, document: Any) -> dict[str, Any]:
    """What an update sets of the fields that are compared.

    Args:
        kind: of the resource.
        document: of the update.
    """
    fields = COMPARED[kind.name].changed
    if kind.item:
        inner = document.get(kind.item) if isinstance(document, dict) else None
        return {name: inner[name] for name in fields if name in inner} if isinstance(inner, dict) else {}
    steps = [step for step in document if isinstance(step, dict)] if isinstance(document, list) else []
    given = {str(step.get("path")).removeprefix("/"): step.get("value") for step in steps}
    return {name: given[name] for name in fields if name in given}


def shows(resource: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether a resource has these values."""
    return all(_value(resource.get(name)) == _value(value) for name, value in values.items())


def to_mend(kind: Kind, model: Mapping[str, Any], fields: list[str]) -> Any:
    """The update that makes a member as the model.

    Args:
        kind: of both.
        model: the member that was written last.
        fields: that are to be set.
    """
    if not kind.item:
        return [{"op": "replace", "path": f"/{field}", "value": model[field]} for field in fields]
    return {kind.item: {field: model[field] for field in fields}}


def to_create(kind: Kind, model: Mapping[str, Any]) -> Any | None:
    """The create of a member as the model, with the ids of the model's cloud; None if there can be none."""
    compared = COMPARED[kind.name]
    if not compared.anew or not kind.item:
        return None
    names = (*compared.changed, *compared.fixed, *compared.references)
    return {
        kind.item: {
            name: model[name]
            for name in names
            if model.get(name) is not None or (name in compared.nulls and name in model)
        }
    }


def _value(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, list) else value or None


def written_at(resource: Mapping[str, Any]) -> datetime:
    """When a resource was written last, as its cloud shows it; 1970 if it shows no time."""
    for name in _TIMES:
        value = resource.get(name)
        if isinstance(value, str):
            try:
                time = datetime.fromisoformat(value)
            except ValueError:
                continue
            return time if time.tzinfo else time.replace(tzinfo=UTC)
    return _EPOCH
