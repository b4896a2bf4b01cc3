"""The payload of a statement about projects, and the answer to it."""

from typing import Final

from openstackoid.regions.objects.project_states import LONGEST, MOST, ProjectState
from openstackoid.regions.schemas.common import DIALECT, ID, KEYSTONE_ID, NAME, Schema, closed, listed

_SAID: Final = [ProjectState.ENABLED.value, ProjectState.DISABLED.value, ProjectState.DELETED.value]
PAYLOAD: Final[Schema] = {
    "$schema": DIALECT,
    **closed(
        {
            "iss": NAME,
            "aud": NAME,
            "contract": ID,
            "serial": {"type": "integer", "minimum": 1, "maximum": 2**53 - 1},
            "states": {
                "type": "object",
                "propertyNames": KEYSTONE_ID,
                "additionalProperties": {"enum": _SAID},
                "maxProperties": MOST,
            },
        },
        "*",
    ),
}
SENT: Final[Schema] = {
    "$schema": DIALECT,
    **closed({"statement": {"type": "string", "maxLength": LONGEST}}, "*"),
}
ANSWER: Final[Schema] = {"$schema": DIALECT, **closed({"projects": listed(KEYSTONE_ID, 100_000)}, "*")}
