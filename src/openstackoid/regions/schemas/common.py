"""Parts that the schemas share, and the check of a document against one."""

import re
from collections.abc import Iterator
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend

from openstackoid.core import limits
from openstackoid.core.region_quota import QUOTAS
from openstackoid.regions.errors import DocumentError

Schema = dict[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SHOWN: Final = 300  # characters of a message, which may quote what a peer sent

ID: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
DIGEST: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
NAME: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}
KEYSTONE_ID: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
TEXT: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 255}
REASON: Final[Schema] = {"type": "string", "maxLength": 1024}
TIME: Final[Schema] = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"}
AMOUNT: Final[Schema] = {"type": "string", "pattern": "^[0-9]{1,12}([.][0-9]{1,9})?$"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
NUMBER: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
CURRENCY: Final[Schema] = {"type": "string", "pattern": "^[A-Z]{3}$"}


def listed(items: Schema, most: int = 1000) -> Schema:
    """A list of so many items at most."""
    return {"type": "array", "items": items, "maxItems": most}


def closed(properties: Schema, *required: str) -> Schema:
    """An object with these properties and no others.

    Args:
        properties: name -> schema.
        *required: names that must be there; "*" for all.
    """
    names = list(properties) if required == ("*",) else list(required)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


OWNERS: Final[Schema] = listed(NAME, 8)
SERVICES: Final[Schema] = listed({"type": "string", "maxLength": 64}, limits.SERVICES)
RULES: Final[Schema] = listed(
    closed(
        {
            "service": {"type": "string", "maxLength": 64},
            "method": {"type": "string", "maxLength": 16},
            "path": {"type": "string", "maxLength": 256},
        },
        "*",
    ),
    256,
)
QUOTA: Final[Schema] = closed(dict.fromkeys(QUOTAS, COUNT))
PRICE: Final[Schema] = listed(closed({"sku": TEXT, "unit": TEXT, "currency": CURRENCY, "amount": AMOUNT}, "*"))


def _pattern(_: Any, pattern: str, instance: object, __: Any) -> Iterator[ValidationError]:
    """As JSON Schema has it: `$` is the end alone, while that of Python is also before a line feed at the end."""
    strict = pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
    if isinstance(instance, str) and re.search(strict, instance) is None:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator: Final = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


def check(document: object, schema: Schema) -> None:
    """Compare a document with a schema.

    Raises:
        DocumentError: it is another; names the place, and what was expected there.
    """
    error = best_match(_Validator(schema).iter_errors(document))
    if error is not None:
        message = error.message if len(error.message) <= _SHOWN else f"{error.message[:_SHOWN]}..."
        raise DocumentError(error.json_path[:_SHOWN], message)
