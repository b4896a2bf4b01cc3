"""What tests of the cache ask, and how."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from openstackoid.oaktree.cache.answers import CachedAnswer, Lifetimes

LONG = Lifetimes(fresh=1000, stale=1000)
STALE = Lifetimes(fresh=0.05, stale=1000)


class Cloud:
    """Counts how often it is asked; answers with the count."""

    def __init__(self) -> None:
        self.asked = 0
        self._lock = threading.Lock()
        self._going = threading.Event()
        self._going.set()
        self.error: Exception | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nobody is answered before this ends."""
        self._going.clear()
        try:
            yield
        finally:
            self._going.set()

    def __call__(self) -> bytes:
        with self._lock:
            self.asked += 1
            number = self.asked
        assert self._going.wait(30)
        if self.error:
            raise self.error
        return str(number).encode()


def together(count: int, what: Callable[[], CachedAnswer]) -> list[Future[CachedAnswer]]:
    """Begins in as many threads, which all run when this returns; they end with the futures."""
    begun = threading.Barrier(count + 1)

    def one() -> CachedAnswer:
        begun.wait(60)
        return what()

    executor = ThreadPoolExecutor(count)
    futures = [executor.submit(one) for _ in range(count)]
    begun.wait(60)
    executor.shutdown(wait=False)
    return futures
