"""Which answers a write has made old.

Every identity and kind has a generation, a random word. An answer is remembered with the generation in which its question began, and counts
only as long as that is the newest: so a list that began before a write is never taken for one that came after it, however slow it was. A
generation that was lost (Redis restarted, or needed the room) is replaced by another word: answers are forgotten then, and never revived.
"""

import contextlib
import secrets
import threading
from collections import OrderedDict
from typing import Any, Final, Protocol

from cachetools import LRUCache

from openstackoid.oaktree.upstream.shared import AwayError, Shared

_LENGTH: Final = 16
_MOST: Final = 100_000
# Much longer than an answer is remembered, and than a question takes; each look at a generation gives it that time again.
_SECONDS: Final = 86_400


class Generations(Protocol):
    """The newest generation of each name; from any thread."""

    def current(self, name: str) -> bytes:
        """The newest generation."""
        ...

    def renew(self, name: str) -> None:
        """What was remembered until now is old."""
        ...


class LocalGenerations:
    """Those of this process."""

    def __init__(self) -> None:
        """Begin without any."""
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
    """Those of all who share a Redis.

    A write while Redis is away is told to it as soon as it is back; others may take what was remembered before for new until then.
    """

    def __init__(self, shared: Shared) -> None:
        """Use a Redis."""
        self._shared: Final = shared
        self._lock: Final = threading.Lock()
        self._untold: Final[OrderedDict[str, object]] = OrderedDict()

    def current(self, name: str) -> bytes:
        """See `Generations`.

        Raises:
            AwayError: Redis is away.
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
                # A later write of the same name that could not be told either stays.
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
