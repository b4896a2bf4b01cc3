"""What a virtual region is like: one document, whose every value says where it comes from and when.

    {"location": {"country": {"value": "FR", "source": "declared", "at": "2026-12-01T10:00:00Z"}},
     "flavors": {"value": [{"name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 20}], "source": "probed", "at": "..."}}

`probed`: asked of the cloud's own APIs; `declared`: written by an operator, where no API tells. The table below is the one place that says
which fields there are and which of the two each may be; the schema of the document and that of a file of declarations are made of it.

Names follow the SCS standards 0100, 0102, 0114, 0121 and 0123, GLUE 2.1, FOCUS (prices) and ISO 3166-2 (places).
"""

from collections.abc import Mapping
from typing import Any, Final

from openstackoid.core import limits
from openstackoid.regions.schemas.common import (
    AMOUNT,
    COUNT,
    CURRENCY,
    DIALECT,
    QUOTA,
    TEXT,
    TIME,
    Schema,
    check,
    closed,
    listed,
)

SOURCES: Final = ("probed", "declared")
_YES: Final[Schema] = {"type": "boolean"}
_TEXTS: Final[Schema] = listed(TEXT, 256)
_PROPERTIES: Final[Schema] = {
    "type": "object",
    "additionalProperties": {"type": "string", "maxLength": 1024},
    "maxProperties": 64,
}
_BENCHMARK: Final[Schema] = closed(
    {"name": TEXT, "per_vcpu": {"type": "number"}, "measured": TIME, "flavor": TEXT}, "name", "per_vcpu"
)
_SERVICE: Final[Schema] = closed({"minimum": TEXT, "maximum": TEXT, "extensions": listed(TEXT, 512)})
_IMAGE: Final[Schema] = closed(
    {"name": TEXT, "os_distro": TEXT, "os_version": TEXT, "architecture": TEXT, "properties": _PROPERTIES}, "name"
)
_FLAVOR: Final[Schema] = closed(
    {"name": TEXT, "vcpus": COUNT, "ram": COUNT, "disk": COUNT, "extra_specs": _PROPERTIES},
    "name",
    "vcpus",
    "ram",
    "disk",
)
_NETWORK: Final[Schema] = closed({"name": TEXT, "mtu": COUNT}, "name")
_VOLUME_TYPE: Final[Schema] = closed({"name": TEXT, "encrypted": _YES, "replicated": _YES}, "name")
_ZONE: Final[Schema] = closed({"name": TEXT, "failure_independent": _YES}, "name")
_CERTIFICATE: Final[Schema] = closed(
    {"scheme": TEXT, "id": TEXT, "url": {"type": "string", "maxLength": 2048}, "until": TIME}, "scheme"
)
_BY_SERVICE: Final[Schema] = {
    "type": "object",
    "propertyNames": {"pattern": "^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$", "maxLength": 64},
    "additionalProperties": _SERVICE,
    "maxProperties": limits.SERVICES,
}

_P, _D = "probed", "declared"
# Group -> field -> (schema of its value, which sources it may have). A group that is one value has the field "".
FIELDS: Final[Mapping[str, Mapping[str, tuple[Schema, tuple[str, ...]]]]] = {
    "services": {"": (_BY_SERVICE, (_P,))},
    "images": {
        "formats": (_TEXTS, (_P,)),
        "import_methods": (_TEXTS, (_P,)),
        "upload": (_YES, (_D,)),
        "largest": (COUNT, (_D,)),
        "catalogue": (listed(_IMAGE), (_P,)),
    },
    "flavors": {"": (listed(_FLAVOR), (_P,))},
    "cpu": {
        "benchmarks": (listed(_BENCHMARK, 64), (_D,)),
        "overcommit": ({"type": "number", "exclusiveMinimum": 0}, (_D,)),
        "architecture": (TEXT, (_D,)),
    },
    "network": {
        "external": (listed(_NETWORK), (_P,)),
        "floating_ips": (_YES, (_P,)),
        "ipv4": (_YES, (_P,)),
        "ipv6": (_YES, (_P,)),
        "port_security": (_YES, (_P,)),
        "qos": (_YES, (_P,)),
        "trunks": (_YES, (_P,)),
        "load_balancers": (_YES, (_P,)),
    },
    "guests": {
        "config_drive": ({"enum": ["none", "supported", "forced"]}, (_D,)),
        "metadata_service": (_YES, (_D,)),
        "data_source": (TEXT, (_D,)),
    },
    "storage": {
        "volume_types": (listed(_VOLUME_TYPE), (_P,)),
        "backup": (_YES, (_P,)),
        "object_store": (TEXT, (_D,)),
    },
    "zones": {"": (listed(_ZONE), (_P, _D))},
    "location": {
        "country": ({"type": "string", "pattern": "^[A-Z]{2}$"}, (_D,)),
        "subdivision": ({"type": "string", "pattern": "^[A-Z]{2}-[A-Z0-9]{1,3}$"}, (_D,)),
        "city": (TEXT, (_D,)),
        "latitude": ({"type": "number", "minimum": -90, "maximum": 90}, (_D,)),
        "longitude": ({"type": "number", "minimum": -180, "maximum": 180}, (_D,)),
        "legal_entity": (TEXT, (_D,)),
        "data_residency": (_TEXTS, (_D,)),
    },
    "quota": {"total": (QUOTA, (_D,)), "project_default": (QUOTA, (_D,)), "project_cap": (QUOTA, (_D,))},
    "price": {
        "currency": (CURRENCY, (_D,)),
        "items": (listed(closed({"sku": TEXT, "unit": TEXT, "amount": AMOUNT}, "*")), (_D,)),
        "minimum_term_days": (COUNT, (_D,)),
    },
    "sla": {
        "availability": ({"type": "number", "minimum": 0, "maximum": 100}, (_D,)),
        "window_days": (COUNT, (_D,)),
        "notice_days": (COUNT, (_D,)),
        "grace_days": (COUNT, (_D,)),
        "support": (TEXT, (_D,)),
    },
    "certifications": {"": (listed(_CERTIFICATE, 64), (_D,))},
    "credential": {"": ({"type": "string", "maxLength": 2048, "pattern": "^https://"}, (_D,))},
}


def _document(*sources: str, plain: bool) -> Schema:
    """The schema of the fields that may have one of the sources, with or without it beside each value."""
    groups: Schema = {}
    for group, fields in FIELDS.items():
        parts: Schema = {}
        for field, (value, allowed) in fields.items():
            fitting = [source for source in allowed if source in sources]
            if fitting:
                parts[field] = (
                    value if plain else closed({"value": value, "source": {"enum": fitting}, "at": TIME}, "*")
                )
        if parts:
            groups[group] = parts[""] if "" in parts else closed(parts)
    return {"$schema": DIALECT, **closed(groups)}


METADATA: Final[Schema] = _document(*SOURCES, plain=False)
DECLARED: Final[Schema] = _document("declared", plain=True)
PROBED: Final[Schema] = _document("probed", plain=True)


def dated(document: Mapping[str, Any], source: str, at: str) -> dict[str, Any]:
    """Metadata of plain values: what an operator's file says, or what a probe found.

    Args:
        document: as `DECLARED` or `PROBED` has it.
        source: `declared` or `probed`.
        at: when.

    Raises:
        DocumentError: a value is wrong, or of a field that has another source; names the place.
    """
    check(document, PROBED if source == "probed" else DECLARED)
    result: dict[str, Any] = {}
    for group, content in document.items():
        if "" in FIELDS[group]:
            result[group] = {"value": content, "source": source, "at": at}
        else:
            result[group] = {field: {"value": value, "source": source, "at": at} for field, value in content.items()}
    return result


def merge(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with newer values; what the newer document does not name stays."""
    result = dict(before)
    for group, content in after.items():
        result[group] = content if "" in FIELDS[group] else {**result.get(group, {}), **content}
    return result


def plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The values alone: `{"location": {"country": "FR"}, "flavors": [...]}`."""
    return {
        group: content["value"] if "" in FIELDS[group] else {field: entry["value"] for field, entry in content.items()}
        for group, content in metadata.items()
    }


def is_path(path: str) -> bool:
    """Whether a dotted path, such as `flavors.vcpus`, leads to something that metadata may hold."""
    group, *rest = path.split(".")
    fields = FIELDS.get(group)
    if fields is None:
        return False
    if "" in fields:
        return _leads(fields[""][0], rest)
    if not rest:
        return True
    return rest[0] in fields and _leads(fields[rest[0]][0], rest[1:])


def _leads(schema: Schema, path: list[str]) -> bool:
    if not path:
        return True
    if "items" in schema:
        return _leads(schema["items"], path)
    inner = schema.get("properties", {}).get(path[0], schema.get("additionalProperties"))
    return isinstance(inner, dict) and _leads(inner, path[1:])
