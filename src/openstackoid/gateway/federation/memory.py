"""Caches of values from untrusted input: bounded in bytes, since a sender chooses the length of its texts, and keyed by digests of tokens.

A bound on the number of entries would not bound memory: 8192 tokens of 20 KB are 160 MB. The least recently used entry is evicted first.
"""

import contextlib
import hashlib
from collections.abc import Callable
from typing import Final, TypeVar

from cachetools import LRUCache

MIB: Final = 1 << 20
_ENTRY: Final = 256  # bytes of overhead of an entry: key, slots in two dictionaries, the value's object header
_K = TypeVar("_K")
_V = TypeVar("_V")


class Memory(LRUCache[_K, _V]):
    """A dictionary that evicts the least recently used entries.

    Args:
        most: bytes.
        weigh: about how many bytes a value takes; keys are digests or names, and count as part of the overhead.
    """

    def __init__(self, most: int, weigh: Callable[[_V], int]) -> None:
        super().__init__(most, getsizeof=lambda value: _ENTRY + weigh(value))

    def keep(self, key: _K, value: _V) -> None:
        """Store a value, unless it alone is larger than the bound."""
        with contextlib.suppress(ValueError):
            self[key] = value


def digest(text: str) -> bytes:
    """The cache key of a token or any other text: a digest of 32 bytes, from which the text cannot be recovered."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
