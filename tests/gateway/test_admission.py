"""Places of requests to several clouds, and of copies: whom a free one is given to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from openstackoid.core.errors import FanOutsError
from openstackoid.gateway.fanout.admission import Admission


class Users:
    """Users who take places and hold them until they are told."""

    def __init__(self, total: int, per_user: int) -> None:
        self.places = Admission(total, per_user)
        self.running: list[str] = []
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}

    async def _hold(self, who: str) -> None:
        async with self.places.place(who, None):
            self.running.append(who)
            try:
                await asyncio.Event().wait()
            finally:
                self.running.remove(who)

    async def come(self, *users: str) -> str:
        for who in users:
            self._tasks.setdefault(who, []).append(asyncio.create_task(self._hold(who)))
            await settled()
        return "".join(sorted(self.running))

    async def go(self, who: str, number: int = 0) -> str:
        """The first of a user's requests ends, or another one."""
        self._tasks[who].pop(number).cancel()
        await settled()
        return "".join(sorted(self.running))


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def users(total: int, per_user: int) -> AsyncIterator[Users]:
    made = Users(total, per_user)
    yield made
    for tasks in made._tasks.values():
        for task in tasks:
            task.cancel()
    await settled()
    assert not made.running
    async with made.places.place("after", None):  # all places are there again
        pass


def test_who_has_places_leaves_some_to_others() -> None:
    async def scenario() -> None:
        async with users(8, 4) as made:
            assert await made.come(*"aaaaaa") == "aaaa"
            assert await made.come(*"bbbb") == "aaaabb"
            assert await made.come(*"ccdd") == "aaaabbcd"
            assert await made.come("e") == "aaaabbcd"
            # The one with the fewest is next, whoever came first.
            assert await made.go("a") == "aaabbcde"
            assert await made.go("d") == "aaabbcde", "d's second took its place"
            assert await made.go("d") == "aaabbce", "who has places already leaves the last one free"

    asyncio.run(scenario())


def test_one_user_alone_and_one_place() -> None:
    async def scenario() -> None:
        async with users(1, 1) as made:
            assert await made.come(*"ab") == "a"
            assert await made.go("a") == "b"

    asyncio.run(scenario())


def test_who_no_longer_waits_gets_none() -> None:
    async def scenario() -> None:
        async with users(1, 1) as made:
            assert await made.come(*"abc") == "a"
            assert await made.go("b") == "a"
            assert await made.go("a") == "c"
            with pytest.raises(FanOutsError, match="all users"):
                async with made.places.place("d", asyncio.get_running_loop().time()):
                    pass
            with pytest.raises(FanOutsError, match="this user"):
                async with made.places.place("c", asyncio.get_running_loop().time()):
                    pass

    asyncio.run(scenario())


def test_a_place_that_comes_with_a_cancellation_is_given_on() -> None:
    async def scenario() -> None:
        async with users(1, 1) as made:
            assert await made.come(*"abc") == "a"
            # Both at once: b's place is there, and b is gone before it runs.
            made._tasks["a"][0].cancel()
            await asyncio.sleep(0)
            assert await made.go("b") == "c"

    asyncio.run(scenario())
