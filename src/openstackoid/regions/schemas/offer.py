"""A virtual region as its provider offers it to peers: without its domain, and without ids of the provider's resources."""

from typing import Final

from openstackoid.regions.schemas.common import (
    DIALECT,
    ID,
    NAME,
    NUMBER,
    OWNERS,
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
from openstackoid.regions.schemas.metadata import METADATA

_PROPERTIES: Final[Schema] = {
    "virtual_region": ID,
    "version": NUMBER,
    "name": NAME,
    "description": REASON,
    "services": SERVICES,
    "rules": RULES,
    "quota": QUOTA,
    "metadata": {name: value for name, value in METADATA.items() if name != "$schema"},
    "offered_at": TIME,
}
_REQUIRED: Final = tuple(_PROPERTIES)
_PROPERTIES["owners"] = OWNERS  # of a region that its provider has from others
OFFER: Final[Schema] = {"$schema": DIALECT, **closed(_PROPERTIES, *_REQUIRED)}
# What a peer answers: hostile until it fits.
COMPARED: Final[Schema] = {
    "$schema": DIALECT,
    **closed(
        {"offers": listed(TEXT, 16), "differences": {"type": "object", "additionalProperties": {"type": "array"}}}, "*"
    ),
}
OFFERS: Final[Schema] = {
    "$schema": DIALECT,
    **closed({"provider": NAME, "offers": listed(closed(_PROPERTIES, *_REQUIRED))}, "*"),
}
