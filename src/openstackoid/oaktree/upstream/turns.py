"""Limits the number of threads that compute at a time; the others wait for their clouds, or for a turn.

The interpreter runs one thread at a time. A hundred runnable threads slow each other down, and most of all the event loop, which
sends responses to callers. A thread that returns with a cloud's answer has priority over one that has not sent its request yet.

Correctness does not depend on turns: a thread that waits too long continues without one, so that a thread that blocks during its turn delays the
others only for a short time.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from typing import Final


class Turns:
    """A fixed number of turns. Thread-safe."""

    def __init__(self, number: int = 1, *, patience: float = 0.1, start: float = 2.0) -> None:
        """Create it with all turns free.

        Args:
            number: number of threads that compute at a time.
            patience: maximum wait, in seconds, of a thread that returns with an answer.
            start: maximum wait, in seconds, for a thread's first turn: there may be hundreds in the queue.
        """
        self._free = number
        self._patience: Final = patience
        self._start: Final = start
        self._lock: Final = threading.Lock()
        self._back: Final[deque[threading.Lock]] = deque()
        self._new: Final[deque[threading.Lock]] = deque()
        self._held: Final = threading.local()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Context of a thread's work: computes with a turn."""
        self._held.turn = self._take(self._new, self._start)
        try:
            yield
        finally:
            if self._held.turn:
                self._give()
            self._held.turn = None

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Context of a blocking operation: releases the turn meanwhile. Does nothing in a thread that is not `running`."""
        held = getattr(self._held, "turn", None)
        if held:
            self._give()
            self._held.turn = False
        try:
            yield
        finally:
            if held is not None:
                self._held.turn = self._take(self._back, self._patience)

    def _take(self, queue: deque[threading.Lock], patience: float) -> bool:
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            mine = threading.Lock()
            mine.acquire()
            queue.append(mine)
        if mine.acquire(timeout=patience):
            return True
        with self._lock:
            if mine in queue:
                queue.remove(mine)
                return False
        return True  # the turn was given at the moment of the timeout

    def _give(self) -> None:
        with self._lock:
            queue = self._back or self._new
            if queue:
                queue.popleft().release()
            else:
                self._free += 1


# The process has one interpreter.
TURNS: Final = Turns()
