"""Columns of tables: JMESPath expressions over a resource as JSON, and the default columns of each kind. Pure."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import jmespath
from jmespath import exceptions as jmespath_exceptions

from openstackoid.oaktree.call.arguments import WrongError

_NAMED: Final = re.compile(r"([\w .-]+)=(?!=)(.+)", re.DOTALL)
_LONGEST: Final = 60  # maximum length of a value without a form of its own

_USUAL: Final = "id", "name", "status", "state=provisioning_status"
_OF_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "block_storage.snapshot": ("id", "name", "status", "size", "volume_id"),
    "block_storage.volume": ("id", "name", "status", "size", "volume_type", "zone=availability_zone"),
    "compute.availability_zone": ("name", "available=state.available"),
    "compute.flavor": ("id", "name", "vcpus", "ram", "disk", "is_public"),
    "compute.keypair": ("name", "type", "fingerprint"),
    "compute.server": (
        "id",
        "name",
        "status",
        "addresses=addresses.*[].addr",
        "flavor=flavor.original_name || flavor.name || flavor.id",
        "zone=availability_zone",
    ),
    "compute.server_group": ("id", "name", "policy"),
    "dns.recordset": ("id", "name", "type", "records", "status"),
    "dns.zone": ("id", "name", "type", "status"),
    "identity.domain": ("id", "name", "is_enabled"),
    "identity.project": ("id", "name", "domain_id", "is_enabled"),
    "identity.user": ("id", "name", "domain_id", "is_enabled"),
    "image.image": ("id", "name", "status", "disk_format", "size", "visibility"),
    "load_balancer.load_balancer": ("id", "name", "vip_address", "provisioning_status", "operating_status"),
    "network.availability_zone": ("name", "resource", "state"),
    "network.floating_ip": ("id", "floating_ip_address", "fixed_ip_address", "port_id", "status"),
    "network.network": ("id", "name", "status", "is_shared", "external=is_router_external", "subnets=subnet_ids"),
    "network.port": ("id", "name", "status", "mac_address", "addresses=fixed_ips[].ip_address", "device_owner"),
    "network.router": ("id", "name", "status", "is_admin_state_up"),
    "network.security_group": ("id", "name", "description"),
    "network.security_group_rule": (
        "id",
        "direction",
        "ether_type",
        "protocol",
        "from=port_range_min",
        "to=port_range_max",
        "remote=remote_ip_prefix || remote_group_id",
        "security_group_id",
    ),
    "network.subnet": ("id", "name", "cidr", "gateway_ip", "network_id"),
    "orchestration.stack": ("id", "name", "status", "created_at"),
}


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    expression: Any = field(repr=False)

    def of(self, document: Mapping[str, Any]) -> Any:
        """The value for a resource; None if there is none, or if its type does not fit the expression."""
        try:
            return self.expression.search(document)
        except jmespath_exceptions.JMESPathError:
            return None


def column(text: str) -> Column:
    """Parse a column: EXPRESSION, or NAME=EXPRESSION.

    Raises:
        WrongError: the expression is not JMESPath.
    """
    match = _NAMED.fullmatch(text)
    name, expression = match.groups() if match else (text, text)
    try:
        return Column(name.strip(), jmespath.compile(expression))
    except (jmespath_exceptions.JMESPathError, RecursionError) as error:
        raise WrongError(f"-c {text}: expected a JMESPath expression: {str(error).splitlines()[0]}") from error


def usual(kind: str, documents: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The default columns of a kind, without those that are empty for all resources, and with the location."""
    columns = [column(name) for name in _OF_KINDS.get(kind, _USUAL)]
    kept = [shown for shown in columns if any(shown.of(document) not in (None, "") for document in documents)]
    return [*(kept if documents else columns), column("location")]


def cell(value: object) -> object:
    """Format a value for people."""
    match value:
        case bool():
            return "yes" if value else "no"
        case {"cloud": str(cloud), **rest}:
            return "/".join(filter(None, (cloud, str(rest.get("region") or ""))))
        case []:
            return None
        case list() if all(isinstance(item, str | int | float) for item in value):
            return ", ".join(map(str, value))
        case list() | dict():
            text = json.dumps(value, ensure_ascii=False)
            return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return value


def rows(columns: Iterable[Column], documents: Iterable[Mapping[str, Any]]) -> list[list[object]]:
    """The cells of a table."""
    kept = list(columns)
    return [[cell(column_.of(document)) for column_ in kept] for document in documents]
