"""Leases of a contract's quota."""

from typing import Final

from openstackoid.regions.schemas.common import COUNT, DIALECT, KEYSTONE_ID, TEXT, TIME, Schema, closed, listed

_LEASE: Final[Schema] = closed(
    {
        "project": KEYSTONE_ID,
        "name": TEXT,
        "granted": COUNT,
        "used": COUNT,
        "counted_at": {"anyOf": [TIME, {"type": "null"}]},
        "in_force": {"type": "boolean"},
    },
    "*",
)
LIST: Final[Schema] = {"$schema": DIALECT, **closed({"leases": listed(_LEASE, 100_000)}, "*")}
