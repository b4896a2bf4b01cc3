"""Backends of dogpile.cache: this process's memory, bounded by bytes, or a Redis."""

import contextlib
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cachetools import LRUCache
from dogpile.cache import register_backend
from dogpile.cache.api import NO_VALUE, BytesBackend
from dogpile.cache.backends.redis import RedisBackend

MEMORY: Final = "openstackoid.oaktree.cache"
SHARED: Final = "openstackoid.oaktree.shared"
# Approximate overhead of an entry, with its key, in bytes.
_OVERHEAD: Final = 480


class MemoryBackend(BytesBackend):
    """An LRU cache in memory. Argument: `most_bytes`."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        """Create it from dogpile.cache's arguments."""
        self._lock: Final = threading.Lock()
        self._entries: Final[LRUCache[str, bytes]] = LRUCache(
            arguments["most_bytes"], lambda value: len(value) + _OVERHEAD
        )

    @property
    def size(self) -> int:
        """Bytes in use."""
        return int(self._entries.currsize)

    def get_serialized(self, key: str) -> Any:
        """The value, or NO_VALUE."""
        with self._lock:
            return self._entries.get(key, NO_VALUE)

    def get_serialized_multi(self, keys: Iterable[str]) -> list[Any]:
        """As `get_serialized`, for each."""
        return [self.get_serialized(key) for key in keys]

    def set_serialized(self, key: str, value: bytes) -> None:
        """Store a value, unless it is larger than the whole cache."""
        with self._lock:
            self._entries.pop(key, None)
            with contextlib.suppress(ValueError):  # it is too large
                self._entries[key] = value

    def set_serialized_multi(self, mapping: Mapping[str, bytes]) -> None:
        """As `set_serialized`, for each."""
        for key, value in mapping.items():
            self.set_serialized(key, value)

    def delete(self, key: str) -> None:
        """Delete a value."""
        with self._lock:
            self._entries.pop(key, None)

    def delete_multi(self, keys: Iterable[str]) -> None:
        """Delete several values."""
        for key in keys:
            self.delete(key)


class SharedBackend(RedisBackend):
    """dogpile's Redis backend, without the command that redis-py deprecates. Takes the same arguments."""

    def set_serialized(self, key: str, value: bytes) -> None:
        """Store a value for `redis_expiration_time` seconds."""
        self.writer_client.set(key, value, ex=self.redis_expiration_time)


register_backend(MEMORY, __name__, MemoryBackend.__name__)  # type: ignore[no-untyped-call]
register_backend(SHARED, __name__, SharedBackend.__name__)  # type: ignore[no-untyped-call]
