"""Locks that let one caller send a request while others wait for its answer: in this process, and over all workers by a lock in Redis."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from openstackoid.oaktree.upstream.calls import CALL, Call
from openstackoid.rates.shared import AwayError, Shared

# Intervals, in seconds, at which a waiting caller checks that its call is not over, and whether Redis's lock is free.
_LOOK: Final = 0.5
_LOOK_AT_REDIS: Final = 0.05


@dataclass
class StampedAnswer:
    """A cached answer, with its time and generation."""

    value: bytes
    asked_at: float
    generation: bytes


class Flight:
    """Shared by the threads of this process that wait for the same answer; garbage collected after the last of them."""

    def __init__(self, _: str) -> None:
        self.lock: Final = threading.Lock()
        self.last: StampedAnswer | None = None


class SharedLock:
    """Redis's lock of one question. While Redis is unavailable, every caller gets it."""

    def __init__(self, shared: Shared, lock: Any) -> None:
        self._shared: Final = shared
        self._lock: Final = lock
        self._held = False

    def acquire(self) -> bool:
        """Try to get the lock. Returns whether it was free."""
        try:
            self._held = bool(self._shared.ask(lambda: self._lock.acquire(False)))
        except AwayError:
            return True
        return self._held

    def release(self) -> None:
        """Release the lock."""
        # The lock may have expired, and belong to another caller: then it is not released.
        if self._held:
            self._held = False
            with contextlib.suppress(AwayError):
                self._shared.ask(self._let_go)

    def _let_go(self) -> None:
        from redis.exceptions import LockError  # noqa: PLC0415 - programs without a Redis start faster

        with contextlib.suppress(LockError):
            self._lock.release()


class Mutex:
    """A mutex for dogpile's `Lock`: one caller in this process, then one over all workers. Waiting ends with the call."""

    def __init__(self, flight: Flight, shared: Callable[[], SharedLock] | None) -> None:
        self._flight: Final = flight
        self._make: Final = shared
        self._shared: SharedLock | None = None

    def acquire(self, wait: bool = True) -> bool:
        """Get the mutex, waiting for it if `wait`. Returns whether this caller holds it."""
        call = CALL.get() or Call()
        while not self._flight.lock.acquire(blocking=wait, timeout=_LOOK if wait else -1):
            if not wait:
                return False
            call.check()
        try:
            self._shared = self._make() if self._make else None
            while self._shared is not None and not self._shared.acquire():
                if not wait:
                    self._flight.lock.release()
                    return False
                call.wait(_LOOK_AT_REDIS)
        except BaseException:
            self._flight.lock.release()
            raise
        return True

    def release(self) -> None:
        """Release the mutex."""
        if self._shared is not None:
            self._shared.release()
        self._flight.lock.release()
