"""Invalidates cached answers after a write.

Every identity and kind has a generation, a random word. An answer is cached with the generation that was current when its request began, and is
valid only while that generation is current: so a list that began before a write is never used after it, however slow it was. A
generation that was lost (Redis restarted, or evicted it) is replaced by another word: the answers become invalid, and never valid again.
"""

import contextlib
import secrets
import threading
from collections import OrderedDict
from typing import Any, Final, Protocol

from cachetools import LRUCache

from openstackoid.rates.shared import AwayError, Shared

_LENGTH: Final = 16
_MOST: Final = 100_000
# Lifetime of a generation in Redis, renewed at each read: much longer than the lifetime of answers and the duration of requests.
_SECONDS: Final = 86_400


class Generations(Protocol):
    """The current generation of each name. Thread-safe."""

    def current(self, name: str) -> bytes:
        """Get the current generation."""
        ...

    def renew(self, name: str) -> None:
        """Start a new generation: invalidates all cached answers of the name."""
        ...


class LocalGenerations:
    """Generations in this process."""

    def __init__(self) -> None:
        """Create it without generations."""
        self._lock: Final = threading.Lock()
        self._words: Final[LRUCache[str, bytes]] = LRUCache(_MOST)

    def current(self, name: str) -> bytes:
        """See `Generations`."""
        with self._lock:
            return self._words.get(name) or self._set(name)

    def renew(self, name: str) -> None:
        """See `Generations`."""
        with self._lock:
            self._set(name)

    def _set(self, name: str) -> bytes:
        self._words[name] = word = secrets.token_bytes(_LENGTH)
        return word


class SharedGenerations:
    """Generations in a Redis that workers share.

    A write while Redis is unavailable is sent to it as soon as it is back; until then, other workers may use answers from before the write.
    """

    def __init__(self, shared: Shared) -> None:
        """Use a Redis."""
        self._shared: Final = shared
        self._lock: Final = threading.Lock()
        self._untold: Final[OrderedDict[str, object]] = OrderedDict()

    def current(self, name: str) -> bytes:
        """See `Generations`.

        Raises:
            AwayError: Redis is unavailable.
        """
        self._tell()
        key = _key(name)
        word = self._shared.ask(lambda: self._shared.redis.getex(key, ex=_SECONDS))
        if word is None:
            fresh = secrets.token_bytes(_LENGTH)
            self._shared.ask(lambda: self._shared.redis.set(key, fresh, nx=True, ex=_SECONDS))
            word = self._shared.ask(lambda: self._shared.redis.get(key))
        return _bytes(word)

    def renew(self, name: str) -> None:
        """See `Generations`."""
        with contextlib.suppress(AwayError):
            self._set(name)

    def _tell(self) -> None:
        while True:
            with self._lock:
                if not self._untold:
                    return
                name, write = next(iter(self._untold.items()))
            self._set(name)
            with self._lock:
                # A later pending write of the same name stays.
                if self._untold.get(name) is write:
                    del self._untold[name]

    def _set(self, name: str) -> None:
        try:
            self._shared.ask(lambda: self._shared.redis.set(_key(name), secrets.token_bytes(_LENGTH), ex=_SECONDS))
        except AwayError:
            with self._lock:
                self._untold[name] = object()
                if len(self._untold) > _MOST:
                    self._untold.popitem(last=False)
            raise


def _key(name: str) -> str:
    return f"oaktree:generation:{name}"


def _bytes(word: Any) -> bytes:
    return word if isinstance(word, bytes) else b""
