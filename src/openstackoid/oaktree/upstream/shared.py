"""Redis, as workers and machines share it: never waited for long, and left alone for a while when it is away."""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

T = TypeVar("T")


class AwayError(Exception):
    """Redis did not answer, now or a moment ago."""


class Shared:
    """One Redis, from any thread.

    A failure costs `timeout` seconds at most to those who are asking at that time; then nobody asks it for `pause` seconds.
    """

    def __init__(self, redis: "Redis", *, pause: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Use a client; `Shared.at()` makes one that gives up soon enough.

        Args:
            redis: a client that answers bytes (no `decode_responses`) and has short timeouts.
            pause: seconds after a failure in which it is not asked.
            clock: seconds that never go back.
        """
        self.redis: Final = redis
        self._pause: Final = pause
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._until = float("-inf")

    @classmethod
    def at(cls, url: str, *, timeout: float = 0.25, pause: float = 2.0, connections: int = 64) -> "Shared":
        """Redis at a URL (`redis://`, `rediss://`, `unix://`); connects when it is first asked.

        Args:
            url: as redis-py reads it; may hold a password.
            timeout: seconds for connecting, and for each answer.
            pause: as above.
            connections: the most at a time; more than the threads that ask.
        """
        redis = Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            max_connections=connections,
            # redis-py's own retries would wait seconds.
            retry=Retry(NoBackoff(), 0),
        )
        return cls(redis, pause=pause)

    @property
    def away(self) -> bool:
        """It failed a moment ago, and is not asked."""
        with self._lock:
            return self._clock() < self._until

    def ask(self, question: Callable[[], T]) -> T:
        """What a function that talks to Redis returns.

        Raises:
            AwayError: Redis is away, or answered with an error.
        """
        if self.away:
            raise AwayError
        try:
            return question()
        except (RedisError, OSError) as error:
            with self._lock:
                self._until = self._clock() + self._pause
            raise AwayError from error
