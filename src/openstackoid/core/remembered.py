"""What was decided of a text is remembered, if the text is short: who sends it chooses its length, and a thousand long ones are all the memory."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, TypeVar

SHORT: Final = 128  # characters: no header that anybody knows has a longer name
_T = TypeVar("_T")


def remembered(function: Callable[[str], _T]) -> Callable[[str], _T]:
    """A pure function of a name that remembers the last 1024 short ones."""
    known = lru_cache(maxsize=1024)(function)

    @wraps(function)
    def look(name: str) -> _T:
        return known(name) if len(name) <= SHORT else function(name)

    return look
