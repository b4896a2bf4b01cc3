"""Limiters of requests per second, for each key: of this process, or of all workers and machines that share a Redis.

Both limiters implement the generic cell rate algorithm: one number for each key, the theoretical arrival time of the next request. In no
window of N seconds are there more than `rate * N + burst` requests. The cloud counts when they arrive, some time after their slots, and not
all equally late: what may arrive in `late` seconds is kept back from the burst, so that the sum holds there too (if the burst is large
enough to keep it back; with a burst of 1, two requests may come closer together than their slots). A reserved slot is used up even if the request is then
cancelled: the cloud sees fewer requests, never more. A slot that the request cannot wait for is not reserved, so that requests
that cannot wait do not delay those that can. No request waits more than a minute.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from openstackoid.rates.shared import AwayError, Shared

# Maximum wait for a slot, in seconds.
LONGEST_WAIT: Final = 60.0
# Maximum difference between the delays of two requests, in seconds: mostly the time to make a connection.
LATE: Final = 0.1
# When there are more keys, those whose time has passed are dropped.
_MANY_KEYS: Final = 10_000


class Limiter(Protocol):
    """Computes how long to wait before a request. Thread-safe.

    Attributes:
        blocks: whether `reserve` waits for another process.
    """

    blocks: bool

    def reserve(self, key: str, longest: float = math.inf) -> float:
        """Reserve a slot for the next request of a key. Returns the seconds to wait for it.

        Nothing is reserved if the wait would be more than `longest` seconds, or more than a minute.
        """
        ...


def _at_once(rate: float, burst: int, late: float) -> int:
    if not (0 < rate < math.inf and burst >= 1):
        raise ValueError(f"expected a rate above 0 and a burst of 1 or more, got {rate} and {burst}")
    return max(1, burst - math.ceil(rate * late))


class Unlimited:
    """No limit."""

    blocks = False

    def reserve(self, key: str, longest: float = math.inf) -> float:  # noqa: ARG002 - the protocol's signature
        """Returns 0: no wait."""
        return 0.0


class LocalLimiter:
    """A rate limit for this process alone."""

    blocks = False

    def __init__(
        self, rate: float, burst: int = 1, *, late: float = LATE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep the limit.

        Args:
            rate: requests a second.
            burst: number of requests at once after a pause, with those that are late; at least 1.
            late: maximum difference between the delays of two requests to the cloud, in seconds.
            clock: a monotonic clock, in seconds.
        """
        self._tolerance: Final = (_at_once(rate, burst, late) - 1) / rate
        self._interval: Final = 1 / rate
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._next: Final[dict[str, float]] = {}

    def reserve(self, key: str, longest: float = math.inf) -> float:
        """See `Limiter`."""
        with self._lock:
            now = self._clock()
            due = max(self._next.get(key, now), now)
            wait = max(0.0, due - self._tolerance - now)
            if wait <= min(longest, LONGEST_WAIT):
                self._next[key] = due + self._interval
            if len(self._next) > _MANY_KEYS:
                for stale_key in [stale_key for stale_key, at in self._next.items() if at < now]:
                    del self._next[stale_key]
            return wait


# Times are microseconds of Redis's own clock, so that those of the machines do not matter. Lua's tostring() keeps 14 digits: too few. A wait
# longer than any that can be reserved means that Redis's clock was set back.
_SCRIPT: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, tolerance, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait = math.max(0, due - tolerance - now)
if wait > tonumber(ARGV[4]) + 2 * interval then
  due, wait = now, 0
end
if wait <= longest then
  local following = due + interval
  redis.call('SET', KEYS[1], string.format('%.0f', following), 'PX', math.ceil((following - now) / 1000) + 1000)
end
return math.ceil(wait)
"""
_MICRO: Final = 1_000_000
_LONGEST: Final = int(LONGEST_WAIT * _MICRO)


class RedisLimiter:
    """A rate limit for all workers that share a Redis.

    While Redis is unavailable, each worker limits itself to its share: rate and burst divided by `workers`. If only one worker has lost
    Redis, its share is added to the requests of the others until Redis is back.
    """

    blocks = True

    def __init__(
        self,
        shared: Shared,
        rate: float,
        burst: int = 1,
        *,
        late: float = LATE,
        workers: int = 1,
        prefix: str = "oaktree:rate:",
    ) -> None:
        """Keep the limit.

        Args:
            shared: the Redis.
            rate: requests a second, of all workers together.
            burst: number of requests at once after a pause, with those that are late.
            late: as for `LocalLimiter`.
            workers: number of workers that share the Redis, on all machines.
            prefix: of the keys in Redis.
        """
        self._prefix: Final = prefix
        self._alone: Final = LocalLimiter(rate / workers, max(1, burst // workers), late=late)
        self._shared: Final = shared
        # Rounded up, so that the rate is never exceeded.
        self._interval: Final = math.ceil(_MICRO / rate)
        self._tolerance: Final = math.floor((_at_once(rate, burst, late) - 1) * _MICRO / rate)
        self._script: Final = shared.redis.register_script(_SCRIPT)

    def reserve(self, key: str, longest: float = math.inf) -> float:
        """See `Limiter`; waits for Redis no longer than the timeouts of the Redis client."""
        most = int(min(longest * _MICRO, _LONGEST))
        arguments = [self._interval, self._tolerance, most, _LONGEST]
        try:
            wait = self._shared.ask(lambda: self._script(keys=[f"{self._prefix}{key}"], args=arguments))
        except AwayError:
            return self._alone.reserve(key, longest)
        return int(wait) / _MICRO
