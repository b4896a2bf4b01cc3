"""A virtual region, as its provider's operators write it and read it."""

from typing import Final

from openstackoid.regions.objects.states import RegionEvent, RegionState
from openstackoid.regions.schemas.common import (
    COUNT,
    DIALECT,
    ID,
    KEYSTONE_ID,
    NAME,
    NUMBER,
    QUOTA,
    REASON,
    RULES,
    SERVICES,
    TEXT,
    TIME,
    Schema,
    closed,
    listed,
)
from openstackoid.regions.schemas.metadata import METADATA, SOURCES

_METADATA: Final[Schema] = {name: value for name, value in METADATA.items() if name != "$schema"}
RESOURCES: Final[Schema] = closed(
    dict.fromkeys(("flavors", "images", "external_networks"), listed(KEYSTONE_ID))
    | {"zones": listed(TEXT), "region": NAME}
)
_WRITTEN: Final[Schema] = {
    "name": {**NAME, "not": ID},  # a region is found by either
    "description": REASON,
    "domain_id": KEYSTONE_ID,
    "services": SERVICES,
    "rules": RULES,
    "resources": RESOURCES,
    "quota": QUOTA,
    "metadata": _METADATA,
}
CREATE: Final[Schema] = {"$schema": DIALECT, **closed(_WRITTEN, "name", "domain_id", "services")}
# A change names the version that it was made of, so that two operators do not overwrite each other.
UPDATE: Final[Schema] = {
    "$schema": DIALECT,
    **closed({"version": NUMBER, **{name: value for name, value in _WRITTEN.items() if name != "name"}}, "version"),
}
# Plain values: the control plane adds where they come from, and when.
METADATA_CHANGE: Final[Schema] = {
    "$schema": DIALECT,
    **closed({"source": {"enum": list(SOURCES)}, "values": {"type": "object"}}, "*"),
}
OFFER: Final[Schema] = {"$schema": DIALECT, **closed({"peers": listed(NAME)})}
_REGION: Final[Schema] = closed(
    {
        "id": ID,
        **_WRITTEN,
        "state": {"enum": [state.value for state in RegionState]},
        "version": NUMBER,
        "offered_to": listed(NAME),
        "contracts": COUNT,
        "created_at": TIME,
        "updated_at": TIME,
    },
    "*",
)
SHOWN: Final[Schema] = {"$schema": DIALECT, **_REGION}
LIST: Final[Schema] = {"$schema": DIALECT, **closed({"virtual_regions": listed(_REGION, 100_000)}, "*")}
_CHANGE: Final[Schema] = closed(
    {"version": NUMBER, "event": {"enum": [event.value for event in RegionEvent]}, "operator": REASON, "time": TIME},
    "*",
)
HISTORY: Final[Schema] = {"$schema": DIALECT, **closed({"events": listed(_CHANGE, 100_000)}, "*")}
