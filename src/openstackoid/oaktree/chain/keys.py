"""Whose a create is, at an oaktree that may know all our callers by one name: told by the idempotency key that it is passed on with. Pure.

Each oaktree puts a mark of the caller before the key, `MARK=KEY`, or makes one where the caller gave none, `MARK~RANDOM`. So keys of two callers never
meet, however many oaktrees a create passes; and who passed it on knows its operation again, and the key that the caller gave.
"""

import hashlib
import secrets
from typing import Final

from openstackoid.oaktree import errors
from openstackoid.oaktree.creates.plans import LONGEST_KEY

_DIGITS: Final = 24  # of the mark
_GIVEN: Final = "="
_MADE: Final = "~"


def passed(caller: str, key: str) -> str:
    """The key that a create is passed on with; the same for the same caller and key.

    Args:
        caller: the caller's name here.
        key: the caller's own; empty for none, which makes a new one each time.

    Raises:
        errors.InvalidError: it gets longer than keys may be.
    """
    if not key:
        return f"{_mark(caller)}{_MADE}{secrets.token_hex(16)}"
    found = f"{_mark(caller)}{_GIVEN}{key}"
    if len(found) > LONGEST_KEY:
        most = LONGEST_KEY - _DIGITS - len(_GIVEN)
        raise errors.invalid(
            "options.idempotency_key", f"expected at most {most} characters where it is passed on to another oaktree"
        )
    return found


def own(caller: str, key: str) -> str | None:
    """The key that a caller gave, from the one that their create was passed on with: empty if they gave none. None if it is another's."""
    mark = _mark(caller)
    if key.startswith(mark + _MADE):
        return ""
    return key.removeprefix(mark + _GIVEN) if key.startswith(mark + _GIVEN) else None


def _mark(caller: str) -> str:
    return hashlib.sha256(caller.encode()).hexdigest()[:_DIGITS]
