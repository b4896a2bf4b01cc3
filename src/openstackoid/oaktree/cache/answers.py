"""What clouds answered, remembered for those who asked: in memory, or in a Redis that workers and machines share.

For `fresh` seconds an answer counts as it is. For `stale` seconds more it is still given at once, and one renewal goes on in the background;
one over all workers, by dogpile's lock in Redis. After that it is asked again: one asks, the others who want the same wait for it. When
Redis is away, the clouds are asked, once for all who wait in this process, and nothing is remembered.

A key holds who asks, down to the project, and what is asked, and only its hash leaves the process: one user's answer is never found with
another's key. Values are bytes of ours behind a header of ours; nothing that comes from Redis is unpickled. They are not encrypted: who may
read Redis reads the answers.

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
from openstackoid.oaktree.upstream.shared import AwayError, Shared

_LOG: Final = logging.getLogger(__name__)
# Format of what is remembered, when it was asked (seconds since the epoch), in which generation.
_HEADER: Final = struct.Struct(">4sd16s")
_FORMAT: Final = b"oak1"
# An answer from further in the future than this many seconds is rubbish.
_AHEAD: Final = 60.0


@dataclass(frozen=True)
class CachedAnswer:
    """An answer.

    Attributes:
        value: what `ask` returned.
        asked_at: when it was asked, in seconds since the epoch.
        fresh: it is not older than answers may be; else one that is new is being fetched.
    """

    value: bytes
    asked_at: float
    fresh: bool = True


@dataclass(frozen=True)
class Lifetimes:
    """How long, and how much, is remembered. Seconds and bytes."""

    fresh: float = 10.0
    stale: float = 50.0
    largest: int = 8 * 1024 * 1024  # of one answer; a larger one is given and not remembered
    memory: int = 256 * 1024 * 1024  # of all, in memory
    renewal: float = 60.0  # for a question in the background
    lease: float = 15.0  # after it, a worker that asks is taken for dead, and another may ask the same


class Cache:
    """Answers, remembered. From any thread."""

    def __init__(
        self, lifetimes: Lifetimes | None = None, shared: Shared | None = None, *, background: Executor | None = None
    ) -> None:
        """Begin.

        Args:
            lifetimes: how long answers count.
            shared: the Redis; without one, answers are kept in this process's memory, and what another worker writes is not known here.
            background: where renewals run; a few threads of its own if not given.
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
        """The answer to a question: remembered, or asked now.

        Args:
            key: the question.
            ask: asks the cloud; also called later, in another thread, to renew the answer.
            max_age: the oldest answer that will do, in seconds; it never makes an answer last longer than `fresh` and `stale` do.
            refresh: only an answer that is asked from now on will do.

        Raises:
            errors.OaktreeError: the call (`CALL`) ended while it waited for another who was asking.
            Exception: what `ask` raises, if it had to be asked.
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
        """Everything that was asked of a kind until now is old: after a write. Also what is just being asked."""
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
            # Enough for those who wait together in this process; never what Redis would say.
            return self._alone.current(key.generation)

    def _known(self, key: Key, flight: Flight) -> StampedAnswer | None:
        generation = self._generation(key)
        found = [each for each in (flight.last, self._read(key)) if each and each.generation == generation]
        return max(found, key=lambda each: each.asked_at, default=None)

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
        ):  # dogpile reads JSON before the value: whatever stands there instead counts as nothing
            return None
        if packed is NO_VALUE:
            return None
        _, asked_at, generation = _HEADER.unpack_from(packed)
        if not asked_at <= time.time() + _AHEAD:  # nor is it, if it is no number
            return None
        return StampedAnswer(packed[_HEADER.size :], asked_at, generation)

    def _at_store(self, question: Callable[[], Any]) -> Any:
        return self._shared.ask(question) if self._shared else question()

    def _lock_of(self, key: Key) -> Callable[[], Any] | None:
        """How to make Redis's lock of a question."""
        shared = self._shared
        if shared is None:
            return None
        return lambda: SharedLock(shared, self._region.backend.get_mutex(key.digest))

    def _renewal(
        self, known: Callable[[], tuple[CachedAnswer, float]], asked: Callable[[], object]
    ) -> Callable[["Mutex"], None]:
        def again() -> None:
            # Another may have renewed it between our look and our lock.
            with contextlib.suppress(NeedRegenerationException):
                if known()[0].fresh:
                    return
            asked()

        def renew(mutex: "Mutex") -> None:
            try:
                run(Call(time.monotonic() + self._lifetimes.renewal), again)
            except Exception as error:  # noqa: BLE001 - whoever asks when the answer is too old hears of it
                _LOG.info("an answer could not be renewed in the background: %s", type(error).__name__)
            finally:
                mutex.release()

        def start(mutex: "Mutex") -> None:
            try:
                self._background.submit(renew, mutex)
            except RuntimeError:  # it was closed
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
