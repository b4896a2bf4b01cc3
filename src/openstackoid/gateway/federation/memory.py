"""What is remembered of strangers' texts: bounded in bytes, since who sends a text chooses its length, and by digests of tokens.

A number of entries bounds nothing: 8192 tokens of 20 KB are 160 MB. Of two that want the same room the one that was used last stays.
"""

import contextlib
import hashlib
from collections.abc import Callable
from typing import Final, TypeVar

from cachetools import LRUCache

MIB: Final = 1 << 20
_ENTRY: Final = 256  # bytes of an entry itself: key, places in two dictionaries, the head of its value
_K = TypeVar("_K")
_V = TypeVar("_V")


class Memory(LRUCache[_K, _V]):
    """A dictionary that forgets what was not used for longest.

    Args:
        most: bytes.
        weigh: about how many bytes a value takes; keys are digests or names, and count as part of the entry.
    """

    def __init__(self, most: int, weigh: Callable[[_V], int]) -> None:
        super().__init__(most, getsizeof=lambda value: _ENTRY + weigh(value))

    def keep(self, key: _K, value: _V) -> None:
        """Remember a value, unless it alone would take all the room."""
        with contextlib.suppress(ValueError):
            self[key] = value


def digest(text: str) -> bytes:
    """What a token, or any other text of any length, is remembered by: 32 bytes, from which nobody can tell it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
