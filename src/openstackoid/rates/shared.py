"""The Redis that workers and machines share: short timeouts, and no requests for a while after a failure."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from redis import Redis

T = TypeVar("T")


class AwayError(Exception):
    """Redis did not answer, now or a moment ago."""


class Shared:
    """One Redis. Thread-safe; a circuit breaker.

        closed     every request is sent; one that fails opens it
        open       for `pause` seconds no request is sent
        half-open  then one caller tries, while all others still do without: it closes if Redis answers, and is open again if not

    A failure costs the callers of that moment at most `timeout` seconds, and after that one caller in each `pause`.
    """

    def __init__(self, redis: "Redis", *, pause: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Use a Redis client; `Shared.at()` makes one with short timeouts.

        Args:
            redis: a client that returns bytes (no `decode_responses`) and has short timeouts.
            pause: seconds without requests after a failure.
            clock: a monotonic clock, in seconds.
        """
        from redis.exceptions import RedisError  # noqa: PLC0415 - programs without a Redis start faster

        self.redis: Final = redis
        self._failures: Final = (RedisError, OSError)
        self._pause: Final = pause
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._until = float("-inf")  # while it is open
        self._open = False
        self._trying = False

    @classmethod
    def at(cls, url: str, *, timeout: float = 0.25, pause: float = 2.0, connections: int = 64) -> "Shared":
        """Redis at a URL (`redis://`, `rediss://`, `unix://`); connects at the first request.

        Args:
            url: a URL in redis-py's form; may contain a password.
            timeout: seconds for connecting, and for each answer.
            pause: see `__init__`.
            connections: maximum number of connections; more than the number of threads that use it.
        """
        from redis import Redis  # noqa: PLC0415 - programs without a Redis start faster
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

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
        """Whether Redis failed less than `pause` seconds ago."""
        with self._lock:
            return self._open and self._clock() < self._until

    def ask(self, question: Callable[[], T]) -> T:
        """Call a function that sends commands to Redis. Returns its result.

        Raises:
            AwayError: Redis is unavailable, or answered with an error.
        """
        trial = self._begin()
        try:
            answer = question()
        except self._failures as error:
            with self._lock:
                self._open = True
                self._until = self._clock() + self._pause
            raise AwayError from error
        else:
            if trial:  # an answer to an older request says nothing of Redis as it is now
                with self._lock:
                    self._open = False
            return answer
        finally:
            if trial:
                with self._lock:
                    self._trying = False

    def _begin(self) -> bool:
        """Whether this request is the one that tries whether Redis is back.

        Raises:
            AwayError: it is not to be asked now.
        """
        with self._lock:
            if not self._open:
                return False
            if self._trying or self._clock() < self._until:
                raise AwayError
            self._trying = True
            return True
