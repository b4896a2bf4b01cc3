"""Caches the answers of clouds per caller: in memory, or in a Redis that workers and machines share.

For `fresh` seconds a cached answer is returned as it is. For `stale` seconds more it is still returned at once, and renewed in the background:
once over all workers, by dogpile's lock in Redis. After that a new request is sent: one caller sends it, the others with the same key wait for
the answer. If Redis is unavailable, requests are sent to the clouds, one for all waiting callers of this process, and nothing is cached.

A key contains the caller's identity, down to the project, and the question; only its hash leaves the process: a user's answer is never found
with another user's key. Values are our bytes after our header; nothing from Redis is unpickled. They are not encrypted: whoever can
read Redis can read the answers.

Ages go by the clocks of the machines, which must agree to a second or so.
"""

import contextlib
import logging
import math
import struct
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from dogpile import Lock, NeedRegenerationException
from dogpile.cache import CacheRegion, make_region
from dogpile.cache.api import NO_VALUE, CantDeserializeException
from dogpile.util import NameRegistry

from openstackoid.oaktree.cache import backends
from openstackoid.oaktree.cache.generations import Generations, LocalGenerations, SharedGenerations
from openstackoid.oaktree.cache.keys import Key
from openstackoid.oaktree.cache.locks import Flight, Mutex, SharedLock, StampedAnswer
from openstackoid.oaktree.upstream.calls import Call, run
from openstackoid.rates.shared import AwayError, Shared

_LOG: Final = logging.getLogger(__name__)
# Header of a value: format, time of the request (seconds since the epoch), generation.
_HEADER: Final = struct.Struct(">4sd16s")
_FORMAT: Final = b"oak1"
# An answer whose time is further in the future than this many seconds is invalid.
_AHEAD: Final = 60.0


@dataclass(frozen=True)
class CachedAnswer:
    """An answer, cached or new.

    Attributes:
        value: the result of `ask`.
        asked_at: time of the request, in seconds since the epoch.
        fresh: whether the answer is within `fresh` seconds; if not, a renewal is in progress.
    """

    value: bytes
    asked_at: float
    fresh: bool = True


@dataclass(frozen=True)
class Lifetimes:
    """Lifetimes (seconds) and sizes (bytes) of the cache."""

    fresh: float = 10.0
    stale: float = 50.0
    largest: int = 8 * 1024 * 1024  # of one answer; a larger one is returned but not cached
    memory: int = 256 * 1024 * 1024  # of all answers, in memory
    renewal: float = 60.0  # timeout of a request in the background
    lease: float = 15.0  # after it, the worker that sends the request counts as dead, and another may send it


class Cache:
    """The cache. Thread-safe."""

    def __init__(
        self, lifetimes: Lifetimes | None = None, shared: Shared | None = None, *, background: Executor | None = None
    ) -> None:
        """Create the cache.

        Args:
            lifetimes: lifetimes and sizes.
            shared: the Redis. Without one, answers are cached in this process's memory, and writes of other workers do not invalidate them.
            background: the executor of renewals; by default a few own threads.
        """
        self._lifetimes: Final = lifetimes or Lifetimes()
        self._shared: Final = shared
        self._generations: Final[Generations] = SharedGenerations(shared) if shared else LocalGenerations()
        self._alone: Final = LocalGenerations()
        self._region: Final = _region(self._lifetimes, shared)
        self._flights: Final = NameRegistry(Flight)
        self._background: Final = background or ThreadPoolExecutor(4, thread_name_prefix="oaktree-renewal")

    def get(
        self, key: Key, ask: Callable[[], bytes], *, max_age: float | None = None, refresh: bool = False
    ) -> CachedAnswer:
        """Get the answer to a question from the cache, or from the cloud.

        Args:
            key: the key of the question.
            ask: sends the request to the cloud; also called later, in another thread, to renew the answer.
            max_age: maximum age of a cached answer, in seconds; it never extends the lifetimes `fresh` and `stale`.
            refresh: use only an answer to a request that is sent from now on.

        Raises:
            errors.OaktreeError: the call (`CALL`) ended while it waited for the request of another caller.
            Exception: the error of `ask`, if it was called.
        """
        started = time.time()
        wanted = self._lifetimes
        oldest = -math.inf if refresh else min(wanted.fresh + wanted.stale, math.inf if max_age is None else max_age)
        flight: Flight = self._flights.get(key.digest)

        def known() -> tuple[CachedAnswer, float]:
            answer = self._known(key, flight)
            if answer is None or (answer.asked_at < started and time.time() - answer.asked_at > oldest):
                raise NeedRegenerationException
            fresh = time.time() - answer.asked_at <= wanted.fresh
            return CachedAnswer(answer.value, answer.asked_at, fresh), answer.asked_at

        def asked() -> tuple[CachedAnswer, float]:
            answer = self._ask(key, flight, ask)
            return CachedAnswer(answer.value, answer.asked_at), answer.asked_at

        mutex = Mutex(flight, self._lock_of(key))
        renew = self._renewal(known, asked)
        with Lock(mutex, asked, known, wanted.fresh, renew) as found:  # type: ignore[no-untyped-call]
            answer: CachedAnswer = found
        return answer

    def forget(self, identity: str, kind: str) -> None:
        """Invalidate all answers for a kind after a write, including those of requests in progress."""
        name = Key(identity, kind).generation
        self._alone.renew(name)
        self._generations.renew(name)

    def close(self) -> None:
        """Start no more renewals."""
        if isinstance(self._background, ThreadPoolExecutor):
            self._background.shutdown(wait=False, cancel_futures=True)

    def _generation(self, key: Key) -> bytes:
        try:
            return self._generations.current(key.generation)
        except AwayError:
            # A random word is enough for the waiting callers of this process; it never equals a generation in Redis.
            return self._alone.current(key.generation)

    def _known(self, key: Key, flight: Flight) -> StampedAnswer | None:
        generation = self._generation(key)
        answers = [answer for answer in (flight.last, self._read(key)) if answer and answer.generation == generation]
        return max(answers, key=lambda answer: answer.asked_at, default=None)

    def _ask(self, key: Key, flight: Flight, ask: Callable[[], bytes]) -> StampedAnswer:
        generation = self._generation(key)
        asked_at = time.time()
        answer = StampedAnswer(ask(), asked_at, generation)
        flight.last = answer
        if len(answer.value) <= self._lifetimes.largest:
            packed = _HEADER.pack(_FORMAT, asked_at, generation) + answer.value
            with contextlib.suppress(AwayError):
                self._at_store(lambda: self._region.set(key.digest, packed))
        return answer

    def _read(self, key: Key) -> StampedAnswer | None:
        try:
            packed = self._at_store(lambda: self._region.get(key.digest, ignore_expiration=True))
        except (
            AwayError,
            ValueError,
            KeyError,
        ):  # dogpile reads JSON before the value: if it is malformed, there is no cached answer
            return None
        if packed is NO_VALUE:
            return None
        _, asked_at, generation = _HEADER.unpack_from(packed)
        if not asked_at <= time.time() + _AHEAD:  # also true for NaN
            return None
        return StampedAnswer(packed[_HEADER.size :], asked_at, generation)

    def _at_store(self, question: Callable[[], Any]) -> Any:
        return self._shared.ask(question) if self._shared else question()

    def _lock_of(self, key: Key) -> Callable[[], Any] | None:
        """A function that makes the Redis lock of a question; None without Redis."""
        shared = self._shared
        if shared is None:
            return None
        return lambda: SharedLock(shared, self._region.backend.get_mutex(key.digest))

    def _renewal(
        self, known: Callable[[], tuple[CachedAnswer, float]], asked: Callable[[], object]
    ) -> Callable[["Mutex"], None]:
        def again() -> None:
            # Another worker may have renewed the answer before we got the lock.
            with contextlib.suppress(NeedRegenerationException):
                if known()[0].fresh:
                    return
            asked()

        def renew(mutex: "Mutex") -> None:
            try:
                run(Call(time.monotonic() + self._lifetimes.renewal), again)
            except Exception as error:  # noqa: BLE001 - a later request reports the error itself
                _LOG.info("an answer could not be renewed in the background: %s", type(error).__name__)
            finally:
                mutex.release()

        def start(mutex: "Mutex") -> None:
            try:
                self._background.submit(renew, mutex)
            except RuntimeError:  # the executor was shut down
                mutex.release()

        return start


def _region(lifetimes: Lifetimes, shared: Shared | None) -> CacheRegion:
    region = make_region(serializer=bytes, deserializer=_checked)
    if shared is None:
        return region.configure(backends.MEMORY, arguments={"most_bytes": lifetimes.memory})
    arguments: dict[str, Any] = {
        "connection_pool": shared.redis.connection_pool,
        "redis_expiration_time": math.ceil(lifetimes.fresh + lifetimes.stale) + 1,
        "distributed_lock": True,
        "thread_local_lock": False,
        "lock_timeout": lifetimes.lease,
        "lock_prefix": "oaktree:l:",
    }
    return region.configure(backends.SHARED, arguments=arguments)


def _checked(packed: bytes) -> bytes:
    if len(packed) < _HEADER.size or not packed.startswith(_FORMAT):
        raise CantDeserializeException
    return packed
