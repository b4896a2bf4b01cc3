"""Where dogpile.cache keeps answers: this process's memory, bounded by bytes, or a Redis."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dogpile.cache import register_backend
from dogpile.cache.api import NO_VALUE, BytesBackend
from dogpile.cache.backends.redis import RedisBackend

MEMORY: Final = "openstackoid.oaktree.cache"
SHARED: Final = "openstackoid.oaktree.upstream.shared"
# What an entry costs beside its bytes, about.
_OVERHEAD: Final = 400


class MemoryBackend(BytesBackend):
    """What was used longest ago goes first. Argument: `most_bytes`."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        """As dogpile.cache makes it."""
        self._most: Final[int] = arguments["most_bytes"]
        self._lock: Final = threading.Lock()
        self._entries: Final[OrderedDict[str, bytes]] = OrderedDict()
        self._bytes = 0

    @property
    def size(self) -> int:
        """Bytes in use."""
        return self._bytes

    def get_serialized(self, key: str) -> Any:
        """The value, or NO_VALUE."""
        with self._lock:
            if key not in self._entries:
                return NO_VALUE
            self._entries.move_to_end(key)
            return self._entries[key]

    def get_serialized_multi(self, keys: Iterable[str]) -> list[Any]:
        """As `get_serialized`, for each."""
        return [self.get_serialized(key) for key in keys]

    def set_serialized(self, key: str, value: bytes) -> None:
        """Remember it, unless it is larger than all that may be."""
        with self._lock:
            self._drop(key)
            cost = len(value) + len(key) + _OVERHEAD
            if cost > self._most:
                return
            self._entries[key] = value
            self._bytes += cost
            while self._bytes > self._most:
                self._drop(next(iter(self._entries)))

    def set_serialized_multi(self, mapping: Mapping[str, bytes]) -> None:
        """As `set_serialized`, for each."""
        for key, value in mapping.items():
            self.set_serialized(key, value)

    def delete(self, key: str) -> None:
        """Forget it."""
        with self._lock:
            self._drop(key)

    def delete_multi(self, keys: Iterable[str]) -> None:
        """Forget them."""
        for key in keys:
            self.delete(key)

    def _drop(self, key: str) -> None:
        value = self._entries.pop(key, None)
        if value is not None:
            self._bytes -= len(value) + len(key) + _OVERHEAD


class SharedBackend(RedisBackend):
    """dogpile's own, without the command that redis-py calls deprecated. Its arguments."""

    def set_serialized(self, key: str, value: bytes) -> None:
        """Remember it for `redis_expiration_time` seconds."""
        self.writer_client.set(key, value, ex=self.redis_expiration_time)


register_backend(MEMORY, __name__, MemoryBackend.__name__)  # type: ignore[no-untyped-call]
register_backend(SHARED, __name__, SharedBackend.__name__)  # type: ignore[no-untyped-call]
