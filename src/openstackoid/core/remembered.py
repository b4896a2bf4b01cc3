"""A cache of functions of a name, for short names only: an untrusted sender chooses the length, and a thousand long names would fill the memory."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, TypeVar

SHORT: Final = 128  # characters: no known header has a longer name
_T = TypeVar("_T")


def remembered(function: Callable[[str], _T]) -> Callable[[str], _T]:
    """Cache a pure function of a name, for the last 1024 short names."""
    known = lru_cache(maxsize=1024)(function)

    @wraps(function)
    def look(name: str) -> _T:
        return known(name) if len(name) <= SHORT else function(name)

    return look
