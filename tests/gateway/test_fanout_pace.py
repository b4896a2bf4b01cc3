"""How many clouds one request asks at a time: all that it may, but no more than are used as fast as they answer."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from multidict import CIMultiDict

from openstackoid.core.errors import PeerUnreachableError
from openstackoid.core.plans import Target
from openstackoid.core.scope import Scope
from openstackoid.gateway.fanout.asking import Leg, Reply, Turns, ask_all
from openstackoid.gateway.fanout.pace import Pace

MIB = 1 << 20


class World:
    """Clouds that answer after some turns of the event loop.

    Attributes:
        asked: the number of clouds under way, each time that one is asked.
        held: the number of answers that waited or were parsed, each time that one arrived.
    """

    def __init__(self, most: int) -> None:
        self.turns = Turns(Pace(most), asyncio.Lock())
        self.asked: list[int] = []
        self.held: list[int] = []
        self._asked = 0
        self._held = 0

    async def all(self, number: int, answer: Callable[[Target], Awaitable[Reply]], seconds: float = 60) -> list[Leg]:
        """Ask so many clouds."""

        async def ask(target: Target, _path: str) -> Reply:
            self._asked += 1
            self.asked.append(self._asked)
            try:
                return await answer(target)
            finally:
                self._asked -= 1

        questions = [(Target(f"Cloud{place}", Scope()), "/") for place in range(number)]
        return await ask_all(ask, questions, asyncio.get_running_loop().time() + seconds, self.turns)

    async def parsed(self, size: int) -> Reply:
        """An answer of so many bytes, which are parsed more slowly than clouds answer."""
        await passed(3)
        with self.turns.pace.arrived(size):
            self._held += 1
            self.held.append(self._held)
            async with self.turns.parsing:
                await passed(20)
            self._held -= 1
        return OK


OK = Reply(200, CIMultiDict(), b"")


async def passed(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_clouds_that_have_a_place_each_are_asked_all_at_once() -> None:
    world = World(16)

    async def answer(_target: Target) -> Reply:
        await passed(20)
        return OK

    assert len(await world.all(16, answer)) == 16
    assert max(world.asked) == 16


async def test_of_more_clouds_few_are_asked_at_first_and_all_that_may_be_soon() -> None:
    world = World(16)

    async def answer(_target: Target) -> Reply:
        await passed(20)
        return OK

    assert {leg.code for leg in await world.all(200, answer)} == {None}
    assert world.asked[:4] == [1, 2, 3, 4]
    assert world.asked[4] <= 4  # one of the first has answered
    assert max(world.asked) == 16
    assert world.asked.index(16) < 60
    await world.all(17, answer)
    assert max(world.asked) == 16


async def test_answers_that_come_faster_than_they_are_parsed_do_not_pile_up() -> None:
    small, large = World(64), World(64)
    await small.all(300, lambda _: small.parsed(1000))
    await large.all(300, lambda _: large.parsed(MIB))
    assert max(small.held) > 60
    assert max(large.held) <= 16  # a quarter at first, and some that were under way when 8 MiB waited
    assert len(large.held) == 300


@pytest.mark.parametrize("size", [0, 100 * MIB])
async def test_clouds_that_fail_or_are_late_keep_no_place(size: int) -> None:
    world = World(4)

    async def answer(target: Target) -> Reply:
        if target.cloud.endswith("1"):
            raise PeerUnreachableError("gone")
        return await world.parsed(size)

    legs = await world.all(60, answer)
    assert [leg.code for leg in legs if leg.cloud.endswith("1")] == ["peer.unreachable"] * 6
    assert [leg.code for leg in legs if not leg.cloud.endswith("1")] == [None] * 54

    async def late(_target: Target) -> Reply:
        with world.turns.pace.arrived(size):
            await asyncio.Event().wait()
        return OK

    assert {leg.code for leg in await world.all(9, late, seconds=0.05)} == {"peer.timeout"}
    world.asked.clear()
    assert {leg.code for leg in await world.all(60, lambda _: world.parsed(0))} == {None}
    assert max(world.asked) == 4
