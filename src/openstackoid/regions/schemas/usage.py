"""Use of contracts, and statements of it."""

from typing import Final

from openstackoid.regions.objects.statement import ANSWER, STATEMENT
from openstackoid.regions.schemas.common import (
    DIALECT,
    DIGEST,
    ID,
    KEYSTONE_ID,
    NAME,
    NUMBER,
    REASON,
    TEXT,
    TIME,
    Schema,
    closed,
    listed,
)

MOST_LINES: Final = 10_000
_DAY: Final[Schema] = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_QUANTITY: Final[Schema] = {"type": "string", "pattern": "^[0-9]{1,12}([.][0-9]{1,9})?$"}
# Of all lines together.
_SUM: Final[Schema] = {"type": "string", "pattern": "^[0-9]{1,32}([.][0-9]{1,9})?$"}
_CURRENCIES: Final[Schema] = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Z]{3}$"},
    "additionalProperties": _SUM,
    "maxProperties": 16,
}
_COMPACT: Final[Schema] = {
    "type": "array",
    "prefixItems": [KEYSTONE_ID, _DAY, TEXT, TEXT, _QUANTITY],
    "minItems": 5,
    "maxItems": 5,
}
_LINE: Final = {"project": KEYSTONE_ID, "day": _DAY, "sku": TEXT, "unit": TEXT, "quantity": _QUANTITY}
_PRICED: Final = _LINE | {"name": {"type": "string"}, "cost": _CURRENCIES}
_HEAD: Final = {"iss": NAME, "aud": NAME, "contract": ID, "number": NUMBER, "time": TIME}

# Between control planes.
PAYLOAD_STATEMENT: Final[Schema] = {
    "$schema": DIALECT,
    **closed(
        _HEAD
        | {
            "kind": {"const": STATEMENT},
            "from": _DAY,
            "until": _DAY,
            "lines": listed(_COMPACT, MOST_LINES),
            "totals": _CURRENCIES,
        },
        "*",
    ),
}
PAYLOAD_ANSWER: Final[Schema] = {
    "$schema": DIALECT,
    **closed(
        _HEAD | {"kind": {"const": ANSWER}, "digest": DIGEST, "accepted": {"type": "boolean"}, "reason": REASON}, "*"
    ),
}
ASK: Final[Schema] = {"$schema": DIALECT, **closed({"contract": ID, "from": _DAY, "until": _DAY}, "*")}
LINES: Final[Schema] = {"$schema": DIALECT, **closed({"lines": listed(closed(_LINE, "*"), 200_000)}, "*")}

# Of operators.
USAGE: Final[Schema] = {
    "$schema": DIALECT,
    **closed({"lines": listed(closed(_PRICED, "*"), 200_000), "totals": _CURRENCIES}, "*"),
}
SIGN: Final[Schema] = {"$schema": DIALECT, **closed({"from": _DAY, "until": _DAY}, "*")}
RESPOND: Final[Schema] = {
    "$schema": DIALECT,
    **closed({"accepted": {"type": "boolean"}, "reason": REASON}, "accepted"),
}
_SUMMARY: Final = {
    "number": NUMBER,
    "from": _DAY,
    "until": _DAY,
    "time": TIME,
    "digest": DIGEST,
    "totals": _CURRENCIES,
    "answer": {"enum": ["", "accepted", "refused"]},
    "reason": REASON,
    "unacknowledged": {"type": "boolean"},
}
LIST: Final[Schema] = {"$schema": DIALECT, **closed({"statements": listed(closed(_SUMMARY, "*"), 10_000)}, "*")}
SHOWN: Final[Schema] = {
    "$schema": DIALECT,
    **closed(
        _SUMMARY
        | {
            "lines": listed(closed(_PRICED, "*"), MOST_LINES),
            "signed": {"type": "string"},
            "signed_answer": {"type": "string"},
        },
        "*",
    ),
}
_WORD: Final[Schema] = {"type": "string", "maxLength": 255}
COMPARED: Final[Schema] = {
    "$schema": DIALECT,
    **closed(
        {
            "differences": listed(
                closed(dict.fromkeys(("what", "project", "day", "sku", "unit", "stated", "own"), _WORD), "*"),
                200_000,
            )
        },
        "*",
    ),
}
