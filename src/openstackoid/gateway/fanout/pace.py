"""How many clouds one request asks at a time: all that it may, or fewer while their answers come faster than they are parsed.

Answers that wait to be parsed are in memory as a whole. On a fast network, all clouds that are asked at the same time answer at the same time, so a
list of more clouds than that begins with a quarter of them. Each cloud that is done makes room for two others, as long as little waits. Clouds
that are slow never wait for each other by that: as long as nothing waits to be parsed, as many are asked as may be.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_BEGIN: Final = 4  # one of so many places is given at first
_WAITING: Final = 8 << 20  # bytes of answers that wait: as long as there are more, no other cloud is asked


class Pace:
    """The places of one request.

    Args:
        most: clouds that are asked at a time.
    """

    def __init__(self, most: int) -> None:
        given = max(1, most // _BEGIN)
        self._most = most
        self._kept = most - given
        self._places = asyncio.Semaphore(given)
        self._waiting = 0

    def begin(self, count: int) -> None:
        """So many clouds are going to be asked."""
        if count <= self._most:
            self._give(self._kept)

    async def __aenter__(self) -> None:
        """Take a place, while a cloud is asked and its answer is used."""
        await self._places.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._kept += 1
        # With more bytes than that, another cloud's answer waits, and gives places when it was used.
        if self._waiting <= _WAITING:
            self._give(min(self._kept, 2))

    @contextmanager
    def arrived(self, size: int) -> Iterator[None]:
        """While an answer of so many bytes waits to be parsed, and is parsed."""
        self._waiting += size
        try:
            yield
        finally:
            self._waiting -= size

    def _give(self, number: int) -> None:
        self._kept -= number
        for _ in range(number):
            self._places.release()
