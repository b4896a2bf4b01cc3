"""The payload of a message between two control planes, and the answer to it."""

from typing import Final

from openstackoid.regions.objects import statement
from openstackoid.regions.objects.contract import MOST_MESSAGES
from openstackoid.regions.objects.message import LONGEST
from openstackoid.regions.objects.states import ContractEvent
from openstackoid.regions.schemas.common import COUNT, DIALECT, DIGEST, ID, NAME, REASON, TIME, Schema, closed
from openstackoid.regions.schemas.contract import TERMS

PAYLOAD: Final[Schema] = {
    "$schema": DIALECT,
    **closed(
        {
            "iss": NAME,
            "aud": NAME,
            "contract": ID,
            "number": {"type": "integer", "minimum": 1, "maximum": MOST_MESSAGES},
            "seen": {"type": "integer", "minimum": 0, "maximum": MOST_MESSAGES},
            "previous": {"anyOf": [{"const": ""}, DIGEST]},
            "event": {"enum": [event.value for event in ContractEvent]},
            "time": TIME,
            "terms": {"anyOf": [{"type": "null"}, TERMS]},
            "digest": {"anyOf": [{"type": "null"}, DIGEST]},
            "reason": REASON,
        },
        "*",
    ),
}
SENT: Final[Schema] = {
    "$schema": DIALECT,
    **closed({"message": {"type": "string", "maxLength": max(LONGEST, statement.LONGEST)}}, "*"),
}
ANSWER: Final[Schema] = {"$schema": DIALECT, **closed({"contract": ID, "acknowledged": COUNT}, "*")}
