"""A cache per token: its headers, the endpoints of its catalog, and the recorded requests (`Question`) made with it.

keystoneauth searches the catalog and checks the token's expiry several times for each request: a quarter of the cost of a list of
few servers. Failed discoveries are not cached, so that they are repeated.
"""

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, TypeVar

from cachetools import LRUCache
from keystoneauth1.access import AccessInfo
from keystoneauth1.identity.base import BaseIdentityPlugin

from openstackoid.oaktree.upstream.ahead import Question

T = TypeVar("T")

# keystoneauth renews a token this many seconds before it expires.
_EARLY: Final = BaseIdentityPlugin.MIN_TOKEN_LIFE_SECONDS
# The server chooses the lookups: a handful for each service.
_MOST: Final = 1024
_QUESTIONS: Final = 256


class Led:
    """The cache of one token. Thread-safe.

    Attributes:
        access: the token's document.
    """

    def __init__(self, access: AccessInfo) -> None:
        """Create an empty cache."""
        self.access: Final = access
        expires = access.expires
        self._until: Final = expires.timestamp() - _EARLY if expires else float("inf")
        self._found: Final[dict[str, Any]] = {}
        self._questions: Final[LRUCache[Hashable, Question | None]] = LRUCache(_QUESTIONS)
        self._lock: Final = threading.Lock()

    @property
    def current(self) -> bool:
        """Whether the token is valid for long enough that keystoneauth would use it."""
        return time.time() < self._until

    def get(self, what: str, wanted: Mapping[str, Any], ask: Callable[[], T], holds: Callable[[T], object]) -> T:
        """The cached result, or else the result of `ask`, which is cached if `holds` is true for it."""
        key = f"{what} {wanted}"
        if key in self._found:
            endpoint: T = self._found[key]
            return endpoint
        answer = ask()
        if holds(answer) and len(self._found) < _MOST:
            self._found[key] = answer
        return answer

    def question(self, key: Hashable) -> Question | None:
        """The question stored under this key, or None."""
        with self._lock:
            return self._questions.get(key)

    def drop(self, key: Hashable) -> None:
        """Store that the request is not to be repeated with this token."""
        with self._lock:
            self._questions[key] = None

    def learn(self, key: Hashable, ask: Callable[[], Question | None]) -> None:
        """Store the question that `ask` returns, or None if the request cannot be recorded. Does nothing if the key is known.

        Callers choose filters, so the number is bounded: the least recently used questions are dropped.
        """
        with self._lock:
            if key in self._questions:
                return
        question = ask()
        with self._lock:
            self._questions[key] = question
