"""What clouds are asked for watches: one question for all who watch, and none when they have gone."""

import asyncio
import contextlib
import dataclasses
import functools
import threading
import time
from pathlib import Path

import pytest
from grpc import StatusCode
from tests.oaktree.nova import Nova
from tests.oaktree.upstream import eventually
from tests.oaktree.watched import INTERVAL, PACE, Reader, Stage, polling, staged, words
from tests.redis_server import RedisServer
from tests.volume import volume

from oaktree.v1 import compute_pb2
from openstackoid.oaktree.cache.answers import Cache, Lifetimes
from openstackoid.rates.shared import Shared

# openstacksdk warns its own code of what it will drop.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


async def test_very_many_watchers_cost_one_poll_an_interval(tmp_path: Path) -> None:
    # Longer than a list of all takes, or there would be nothing but lists.
    interval, many = 0.5, volume(1000)
    async with staged(tmp_path, "One", pace=dataclasses.replace(PACE, interval=interval, longest=interval)) as stage:
        started = time.monotonic()
        servers = [stage.cloud.boot() for _ in range(many)]
        readers = [stage.watch(server, status="ACTIVE") for server in servers]
        assert {await each.word() for each in readers} == words("CURRENT", servers, "BUILD")
        lists = stage.cloud.lists
        await eventually(lambda: stage.cloud.lists > lists + 2)
        [poll] = stage.watches.polls
        assert len(poll.watchers) == many
        for server in servers:
            stage.cloud.change(server, status="ACTIVE")
        assert {(await each.rest())[-1] for each in readers} == words("REACHED", servers, "ACTIVE")
        # Lists of all, or questions for the one that is left: together no more than there were intervals.
        assert len(stage.cloud.asked) <= (time.monotonic() - started) / interval + 3


async def test_one_watcher_asks_for_its_server_alone(stage: Stage) -> None:
    server, _ = stage.cloud.boot(), stage.cloud.boot()
    readers = [stage.watch(server) for _ in range(3)]
    for each in readers:
        await each.next()
    await eventually(lambda: len(stage.cloud.asked) > 5)
    assert stage.cloud.lists == 0


async def test_few_of_very_many_are_asked_for_by_themselves(tmp_path: Path) -> None:
    async with staged(tmp_path, "One") as stage:
        servers = [stage.cloud.boot() for _ in range(2001)]
        readers = [stage.watch(each) for each in servers[:2]]
        for each in readers:
            await each.next()
        before = stage.cloud.lists
        await eventually(lambda: len(stage.cloud.asked) > before + 20)
        lists = stage.cloud.lists
        await eventually(lambda: len(stage.cloud.asked) > lists + 40)
        assert stage.cloud.lists == lists
        stage.cloud.change(servers[1], status="ACTIVE")
        assert await readers[1].word() == ("UPDATED", servers[1], "ACTIVE")


async def test_what_a_list_leaves_out_is_asked_for_before_it_is_called_gone(stage: Stage) -> None:
    servers = [stage.cloud.boot() for _ in range(2)]
    readers = [stage.watch(each) for each in servers]
    for each in readers:
        await each.next()
    stage.cloud.hidden.add(servers[0])
    hidden = stage.cloud.lists
    await eventually(lambda: stage.cloud.lists > hidden + 3)
    stage.cloud.change(servers[0], status="ACTIVE")
    assert await readers[0].word() == ("UPDATED", servers[0], "ACTIVE")
    stage.cloud.delete(servers[0])
    assert await readers[0].rest() == [("DELETED", servers[0], "ACTIVE")]


async def test_many_who_name_a_server_share_one_list(stage: Stage) -> None:
    servers = [stage.cloud.boot(name=f"web-{number}") for number in range(50)]
    readers = [stage.watch(f"web-{number}") for number in range(50)]
    assert {await each.word() for each in readers} == words("CURRENT", servers, "BUILD")
    # Who came first asked for an id of this name.
    assert len(stage.cloud.asked) - stage.cloud.lists <= 2


async def test_lists_of_several_pages(tmp_path: Path) -> None:
    cloud = Nova(page=3)
    try:
        async with staged(tmp_path, clouds={"One": cloud}) as stage:
            servers = [cloud.boot() for _ in range(10)]
            reader = stage.watch()
            assert {await reader.word() for _ in servers} == words("CURRENT", servers, "BUILD")
            cloud.change(servers[-1], status="ACTIVE")
            assert await reader.word() == ("UPDATED", servers[-1], "ACTIVE")
    finally:
        cloud.close()


async def test_two_workers_with_one_redis_ask_once_an_interval(tmp_path: Path, redis: RedisServer) -> None:
    cloud = Nova()
    interval = 0.3
    pace = dataclasses.replace(PACE, interval=interval)
    server = cloud.boot()
    try:
        async with contextlib.AsyncExitStack() as stack:
            stages = [
                await stack.enter_async_context(
                    staged(
                        tmp_path,
                        clouds={"One": cloud},
                        pace=pace,
                        cache=Cache(Lifetimes(fresh=interval, stale=0), Shared.at(redis.url)),
                    )
                )
                for _ in range(3)
            ]
            started = time.monotonic()
            readers = [stage.watch() for stage in stages]
            for each in readers:
                assert await each.word() == ("CURRENT", server, "BUILD")
            await eventually(lambda: cloud.lists > 4)
            cloud.change(server, status="ACTIVE")
            for each in readers:
                assert await each.word() == ("UPDATED", server, "ACTIVE")
            assert cloud.lists <= (time.monotonic() - started) / interval + 1
    finally:
        cloud.close()


# Who goes.


async def test_the_last_who_leaves_ends_the_poll(stage: Stage) -> None:
    servers = [stage.cloud.boot() for _ in range(3)]
    await stage.watch(servers[0], status="BUILD").rest()  # threads and connections are there now
    before = threading.active_count()
    readers = [stage.watch(each) for each in servers]
    for each in readers:
        await each.next()
    [poll] = stage.watches.polls
    for each in readers[:2]:
        each.call.cancel()
    await eventually(lambda: len(poll.watchers) == 1)
    assert polling()
    asked = len(stage.cloud.asked)
    await eventually(lambda: len(stage.cloud.asked) > asked + 2)
    readers[2].call.cancel()
    await eventually(lambda: not stage.watches.polls and not polling())
    assert poll.task is not None
    await asyncio.wait({poll.task})
    asked = len(stage.cloud.asked)
    await asyncio.sleep(4 * INTERVAL)
    assert len(stage.cloud.asked) <= asked + 1  # one that was on its way
    assert threading.active_count() <= before + 16


async def test_who_ends_unread_is_not_polled_for(stage: Stage) -> None:
    server = stage.cloud.boot(metadata={"bulk": "x" * 400_000})
    reader = stage.watch(server, query="progress > `5`")
    await reader.next()
    for progress in range(1, 7):
        stage.cloud.change(server, progress=progress)
        asked = len(stage.cloud.asked)
        await eventually(functools.partial(_went_on, stage, asked))
    await eventually(lambda: not stage.watches.polls)
    assert (await reader.rest())[-1][0] == "REACHED"


async def test_deadlines_end_watches(stage: Stage) -> None:
    server = stage.cloud.boot()
    call = stage.compute.WatchServer(compute_pb2.WatchServerRequest(id=server), timeout=0.3)
    assert (await Reader(call).end()).code() is StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: not stage.watches.polls and not polling())


def _went_on(stage: Stage, asked: int) -> bool:
    return len(stage.cloud.asked) > asked + 1 or not stage.watches.polls
