"""Marks that resources carry, so that a create whose answer was lost is found again; and what an answer proves about a create. Pure.

A mark is the operation's id, a dot, and the part's number; a create that is tried anew after it certainly failed gets the number of the try behind a
second dot. Where an API lets clients choose an id, the id is derived from the mark.
"""

import uuid
from typing import Final

_NAMESPACE: Final = uuid.UUID("0d2c9a4e-6a1b-5c39-9a35-2c7a6c1f6f0e")
# Responses after which nothing was or will be created. With every other response, and with none, the outcome is open.
_REFUSED: Final = frozenset({501, 503, 505})
_CLIENT: Final = 4
_TIMED_OUT: Final = 408
_OF_PROXIES: Final = frozenset({_TIMED_OUT, 502, 504})


def mark_of(operation: str, number: int, last: str, *, anew: bool) -> str:
    """The mark of a part.

    Args:
        operation: the id of the operation.
        number: the number of the part.
        last: the mark of the previous create request of the part; empty if there was none.
        anew: make a new mark, since the previous create is over: Glance, for example, never accepts an id a second time.
    """
    first = f"{operation}.{number}"
    if not last or not anew:
        return last or first
    tries = last.removeprefix(first).removeprefix(".")
    return f"{first}.{int(tries or 1) + 1}"


def own_id(mark: str) -> str:
    """The id of a resource whose API lets clients choose it."""
    return str(uuid.uuid5(_NAMESPACE, mark))


def refused(status: int) -> bool:
    """Whether an answer with this status proves that nothing was or will be created."""
    return (status // 100 == _CLIENT and status != _TIMED_OUT) or status in _REFUSED


def answered(status: int) -> bool:
    """Whether the service itself answered, so that it no longer processes the request. A proxy's 502 or 504 does not prove that."""
    return status not in _OF_PROXIES
