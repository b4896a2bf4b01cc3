"""Idempotency keys of creates at another oaktree, which may know all our callers by one name: the key identifies the caller. Pure.

Each oaktree prefixes the key with a mark of the caller, `MARK=KEY`, or makes a key if the caller gave none, `MARK~RANDOM`. So keys of two callers never
collide, however many oaktrees a create passes, and each oaktree recognises the operations that it passed on, and the caller's own key.
"""

import hashlib
import secrets
from typing import Final

from openstackoid.oaktree import errors
from openstackoid.oaktree.creates.plans import LONGEST_KEY

_DIGITS: Final = 24  # length of the mark
_GIVEN: Final = "="
_MADE: Final = "~"


def passed(caller: str, key: str) -> str:
    """The idempotency key for the other oaktree; the same for the same caller and key.

    Args:
        caller: the caller's name here.
        key: the caller's own key; if it is empty, a new key is made each time.

    Raises:
        errors.InvalidError: the new key is too long.
    """
    if not key:
        return f"{_mark(caller)}{_MADE}{secrets.token_hex(16)}"
    key_ = f"{_mark(caller)}{_GIVEN}{key}"
    if len(key_) > LONGEST_KEY:
        most = LONGEST_KEY - _DIGITS - len(_GIVEN)
        raise errors.invalid(
            "options.idempotency_key", f"expected at most {most} characters where it is passed on to another oaktree"
        )
    return key_


def own(caller: str, key: str) -> str | None:
    """The caller's own key, from the key for the other oaktree; empty if the caller gave none. None if the key is another caller's."""
    mark = _mark(caller)
    if key.startswith(mark + _MADE):
        return ""
    return key.removeprefix(mark + _GIVEN) if key.startswith(mark + _GIVEN) else None


def _mark(caller: str) -> str:
    return hashlib.sha256(caller.encode()).hexdigest()[:_DIGITS]
