"""Few threads compute at a time; the others wait for their clouds, or for their turn.

The interpreter runs one thread at a time. A hundred threads that want it slow each other down, and the event loop most of all, which
tells callers what has come. Who comes back with a cloud's answer goes before who has not asked yet.

Nothing depends on it: who waits too long for a turn goes on without one, so that a thread that blocks unnoticed holds nobody up for long.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from typing import Final


class Turns:
    """A number of turns. From any thread."""

    def __init__(self, number: int = 1, *, patience: float = 0.1, start: float = 2.0) -> None:
        """Begin with all of them free.

        Args:
            number: how many compute.
            patience: seconds to wait for a turn, with an answer.
            start: seconds to wait for the first one: there may be hundreds before.
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
        """Compute in turn."""
        self._held.turn = self._take(self._new, self._start)
        try:
            yield
        finally:
            if self._held.turn:
                self._give()
            self._held.turn = None

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Block meanwhile, and let others run; does nothing in a thread that is not `running`."""
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
        return True  # it was given just now

    def _give(self) -> None:
        with self._lock:
            queue = self._back or self._new
            if queue:
                queue.popleft().release()
            else:
                self._free += 1


# The process has one interpreter.
TURNS: Final = Turns()
