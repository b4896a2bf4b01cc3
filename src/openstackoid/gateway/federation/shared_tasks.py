"""One task for all who wait for the same result; it goes on when they are gone."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class SharedTasks(Generic[K, T]):
    """The tasks under way, by what they find out."""

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[T]] = {}

    async def run(self, key: K, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the task for a key, which is started if none is under way.

        Raises:
            Exception: of the task; the next caller starts another one.
        """
        if key not in self._running:
            task = self._running[key] = asyncio.create_task(make())
            task.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(self._running[key])
