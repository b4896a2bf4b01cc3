"""Resources under a contract."""

from typing import Final

from openstackoid.regions.schemas.common import DIALECT, ID, Schema, closed, listed

_SHORT: Final[Schema] = {"type": "string", "maxLength": 255}
ASK: Final[Schema] = {"$schema": DIALECT, **closed({"contract": ID}, "*")}
_RESOURCE: Final[Schema] = closed(dict.fromkeys(("project", "service", "kind", "id", "name"), _SHORT), "*")
LIST: Final[Schema] = {"$schema": DIALECT, **closed({"resources": listed(_RESOURCE, 1_000_000)}, "*")}
