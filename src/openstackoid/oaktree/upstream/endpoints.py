"""What a token leads to, looked up once for each token: its headers, the endpoints of its catalog, and questions that were asked with it.

keystoneauth looks through the catalog, and at the time when the token ends, several times for each request: a quarter of what a list of
few servers costs. What discovery did not find is not kept, so that it is looked for again.
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

# keystoneauth asks for another token so many seconds before the end of one.
_EARLY: Final = BaseIdentityPlugin.MIN_TOKEN_LIFE_SECONDS
# What is asked for is the server's own choice: a handful for each service.
_MOST: Final = 1024
_QUESTIONS: Final = 256


class Led:
    """What one token led to. From any thread.

    Attributes:
        access: the token's document.
    """

    def __init__(self, access: AccessInfo) -> None:
        """Begin with nothing."""
        self.access: Final = access
        expires = access.expires
        self._until: Final = expires.timestamp() - _EARLY if expires else float("inf")
        self._found: Final[dict[str, Any]] = {}
        self._questions: Final[LRUCache[Hashable, Question | None]] = LRUCache(_QUESTIONS)
        self._lock: Final = threading.Lock()

    @property
    def current(self) -> bool:
        """It lasts: keystoneauth would use it as well."""
        return time.time() < self._until

    def get(self, what: str, wanted: Mapping[str, Any], ask: Callable[[], T], holds: Callable[[T], object]) -> T:
        """What was found before, or what `ask` finds; kept if it `holds`."""
        key = f"{what} {wanted}"
        if key in self._found:
            found: T = self._found[key]
            return found
        answer = ask()
        if holds(answer) and len(self._found) < _MOST:
            self._found[key] = answer
        return answer

    def question(self, key: Hashable) -> Question | None:
        """The question that was kept by this key, if there is one."""
        with self._lock:
            return self._questions.get(key)

    def learn(self, key: Hashable, ask: Callable[[], Question | None]) -> None:
        """Keep a question that is asked with the token, or that there is none to keep.

        Callers choose filters, so those that were not asked for longest are forgotten.
        """
        with self._lock:
            if key in self._questions:
                return
        question = ask()
        with self._lock:
            self._questions[key] = question
