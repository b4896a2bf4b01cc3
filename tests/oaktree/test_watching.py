"""Watches, from gRPC streams to the wire of clouds: what is told, what is asked for it, and what is left when callers go."""

import asyncio
import contextlib
import dataclasses
import functools
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode
from tests.oaktree.nova import Nova
from tests.oaktree.upstream import RedisServer
from tests.oaktree.watched import (
    INTERVAL,
    KINDS,
    PACE,
    Reader,
    Stage,
    details,
    polling,
    reason,
    staged,
    until,
    violation,
    words,
)

from oaktree.v1 import common_pb2, compute_pb2, resource_pb2
from oaktree.v1.common_pb2 import Condition
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.memory.cache import Cache, Lifetimes
from openstackoid.oaktree.upstream.shared import Shared
from openstackoid.oaktree.watches import conditions

# openstacksdk warns its own code of what it will drop.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path, "One") as made:
        yield made


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path, "One", "Two") as made:
        yield made


# What is told.


async def test_a_watch_tells_what_is_then_what_changes_then_that_it_is_reached(stage: Stage) -> None:
    server = stage.cloud.boot()
    reader = stage.watch(server, status="active")
    assert await reader.word() == ("CURRENT", server, "BUILD")
    stage.cloud.change(server, progress=50)
    assert await reader.word() == ("UPDATED", server, "BUILD")
    stage.cloud.change(server, status="ACTIVE")
    assert await reader.rest() == [("UPDATED", server, "ACTIVE"), ("REACHED", server, "ACTIVE")]


async def test_what_holds_already_is_reached_at_once(stage: Stage) -> None:
    server = stage.cloud.boot(status="ACTIVE")
    assert await stage.watch(server, status="ACTIVE").rest() == [
        ("CURRENT", server, "ACTIVE"),
        ("REACHED", server, "ACTIVE"),
    ]


async def test_a_query_is_waited_for(stage: Stage) -> None:
    server = stage.cloud.boot(status="ACTIVE")
    reader = stage.watch(server, query="metadata.ready == 'yes' && contains(name, 'server')")
    assert await reader.word() == ("CURRENT", server, "ACTIVE")
    stage.cloud.change(server, metadata={"ready": "yes"})
    assert [word for word, _, _ in await reader.rest()] == ["UPDATED", "REACHED"]


async def test_a_watch_for_the_end_of_a_server(stage: Stage) -> None:
    server = stage.cloud.boot(status="ERROR")
    reader = stage.watch(server, gone=True)
    assert await reader.word() == ("CURRENT", server, "ERROR")
    stage.cloud.delete(server)
    assert await reader.rest() == [("DELETED", server, "ERROR"), ("REACHED", server, "ERROR")]


async def test_a_watch_without_a_condition_ends_with_its_server(stage: Stage) -> None:
    server = stage.cloud.boot()
    reader = stage.watch(server)
    await reader.next()
    stage.cloud.delete(server)
    assert await reader.rest() == [("DELETED", server, "BUILD")]


async def test_what_is_gone_already_is_reached_at_once(stage: Stage) -> None:
    assert await stage.watch("nobody", gone=True).rest() == [("REACHED", "", "")]


async def test_what_does_not_exist_is_not_found(stage: Stage) -> None:
    error = await stage.watch("nobody", status="ACTIVE").end()
    assert error.code() is StatusCode.NOT_FOUND
    assert "nobody" in (error.details() or "")


async def test_an_error_ends_the_wait_for_a_status_and_tells_the_fault(stage: Stage) -> None:
    server = stage.cloud.boot()
    reader = stage.watch(server, status="ACTIVE")
    await reader.next()
    stage.cloud.change(server, status="ERROR", fault={"code": 500, "message": "No valid host was found"})
    assert await reader.word() == ("UPDATED", server, "ERROR")
    error = await reader.end()
    assert error.code() is StatusCode.FAILED_PRECONDITION
    assert "No valid host was found" in (error.details() or "")
    assert reason(error) == "RESOURCE_FAILED"


async def test_a_deleted_server_ends_the_wait_for_a_status(stage: Stage) -> None:
    server = stage.cloud.boot()
    reader = stage.watch(server, status="ACTIVE")
    await reader.next()
    stage.cloud.delete(server)
    assert await reader.word() == ("DELETED", server, "BUILD")
    error = await reader.end()
    assert (error.code(), reason(error)) == (StatusCode.FAILED_PRECONDITION, "RESOURCE_DELETED")


async def test_an_error_can_be_waited_for(stage: Stage) -> None:
    server = stage.cloud.boot(status="ERROR")
    assert (await stage.watch(server, status="error").rest())[-1] == ("REACHED", server, "ERROR")


async def test_any_kind_can_be_watched_by_its_name(stage: Stage) -> None:
    server = stage.cloud.boot(name="web")
    request = resource_pb2.WatchResourceRequest(
        kind="compute.server", id="web", until=Condition(query="attributes.status == 'ACTIVE'")
    )
    reader = Reader(stage.generic.WatchResource(request))
    first = await reader.next()
    assert (first.change, first.resource.id, first.resource.location.cloud) == (
        common_pb2.CHANGE_CURRENT,
        server,
        "One",
    )
    stage.cloud.change(server, status="ACTIVE")
    assert (await reader.next()).change == common_pb2.CHANGE_UPDATED
    last = await reader.next()
    assert (last.change, last.resource.attributes["status"]) == (common_pb2.CHANGE_REACHED, "ACTIVE")


async def test_a_name_of_several_is_ambiguous(two: Stage) -> None:
    one = two.clouds["One"].boot(name="web")
    assert (await two.watch("web").word())[1] == one
    two.clouds["Two"].boot(name="web")
    error = await two.watch("web").end()
    assert reason(error) == "NAME_AMBIGUOUS"
    assert "One/RegionOne, Two/RegionOne" in (error.details() or "")


# All of a kind.


async def test_all_servers_of_all_clouds(two: Stage) -> None:
    one, other = two.clouds["One"].boot(), two.clouds["Two"].boot(name="other")
    reader = two.watch()
    assert {await reader.word(), await reader.word()} == words("CURRENT", [one, other], "BUILD")
    new = two.clouds["Two"].boot(status="ACTIVE")
    assert await reader.word() == ("CREATED", new, "ACTIVE")
    two.clouds["One"].change(one, status="ACTIVE")
    assert await reader.word() == ("UPDATED", one, "ACTIVE")
    two.clouds["Two"].delete(other)
    assert await reader.word() == ("DELETED", other, "BUILD")


async def test_all_of_one_zone(stage: Stage) -> None:
    here = stage.cloud.boot(**{"OS-EXT-AZ:availability_zone": "east"})
    there = stage.cloud.boot(**{"OS-EXT-AZ:availability_zone": "west"})
    reader = Reader(stage.compute.WatchServer(compute_pb2.WatchServerRequest(location=Location(zone="east"))))
    assert await reader.word() == ("CURRENT", here, "BUILD")
    stage.cloud.change(there, **{"OS-EXT-AZ:availability_zone": "east"})
    assert await reader.word() == ("CREATED", there, "BUILD")
    stage.cloud.change(here, **{"OS-EXT-AZ:availability_zone": "west"})
    assert (await reader.word())[:2] == ("DELETED", here)


async def test_until_all_have_a_status(two: Stage) -> None:
    servers = [(cloud, cloud.boot()) for cloud in two.clouds.values() for _ in range(2)]
    # Ids are the clouds' own, and the same here.
    reader = two.watch(status="ACTIVE")
    for _ in servers:
        assert (await reader.word())[0] == "CURRENT"
    for cloud, server in servers:
        cloud.change(server, status="ACTIVE")
        assert await reader.word() == ("UPDATED", server, "ACTIVE")
    assert await reader.rest() == [("REACHED", "", "")]


async def test_until_all_are_gone(stage: Stage) -> None:
    servers = [stage.cloud.boot() for _ in range(3)]
    reader = stage.watch(gone=True)
    assert {await reader.word() for _ in servers} == words("CURRENT", servers, "BUILD")
    for server in servers:
        stage.cloud.delete(server)
    rest = await reader.rest()
    assert set(rest[:-1]) == words("DELETED", servers, "BUILD")
    assert rest[-1] == ("REACHED", "", "")


async def test_a_cloud_that_is_away_at_first_is_told_when_it_answers(two: Stage) -> None:
    one, other = two.clouds["One"].boot(), two.clouds["Two"].boot(name="other")
    two.clouds["Two"].broken = True
    reader = two.watch()
    assert await reader.word() == ("CURRENT", one, "BUILD")
    two.clouds["Two"].broken = False
    assert await reader.word() == ("CURRENT", other, "BUILD")


async def test_no_cloud_at_all_is_an_error(two: Stage) -> None:
    for cloud in two.clouds.values():
        cloud.broken = True
    assert (await two.watch().end()).code() is StatusCode.UNAVAILABLE


# What is refused, before anything is asked.


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"status": ""}, "until.status"),
        ({"status": "ACTIVE\n"}, "until.status"),
        ({"gone": False}, "until.gone"),
        ({"query": ""}, "until.query"),
        ({"query": "name =="}, "until.query"),
        ({"query": "x" * 3000}, "until.query"),
    ],
)
async def test_conditions_that_cannot_be_meant_name_their_field(stage: Stage, condition: Any, field: str) -> None:
    error = await stage.watch(stage.cloud.boot(), **condition).end()
    assert error.code() is StatusCode.INVALID_ARGUMENT
    assert violation(error) == field
    assert stage.cloud.asked == []


async def test_a_status_needs_a_kind_that_has_one(stage: Stage) -> None:
    request = resource_pb2.WatchResourceRequest(kind="compute.keypair", id="x", until=Condition(status="ACTIVE"))
    assert violation(await Reader(stage.generic.WatchResource(request)).end()) == "until.status"


async def test_all_of_a_kind_without_lists_needs_an_id(stage: Stage) -> None:
    request = resource_pb2.WatchResourceRequest(kind="compute.limits")
    assert violation(await Reader(stage.generic.WatchResource(request)).end()) == "id"


# What is asked.


async def test_a_thousand_watchers_cost_one_poll_an_interval(stage: Stage) -> None:
    started = time.monotonic()
    servers = [stage.cloud.boot() for _ in range(1000)]
    readers = [stage.watch(server, status="ACTIVE") for server in servers]
    assert {await each.word() for each in readers} == words("CURRENT", servers, "BUILD")
    await until(lambda: stage.cloud.lists > 5)
    [poll] = stage.watches.polls
    assert len(poll.watchers) == 1000
    for server in servers:
        stage.cloud.change(server, status="ACTIVE")
    assert {(await each.rest())[-1] for each in readers} == words("REACHED", servers, "ACTIVE")
    # The first and the last may be asked for alone.
    assert len(stage.cloud.asked) - stage.cloud.lists <= 3
    assert len(stage.cloud.asked) <= (time.monotonic() - started) / INTERVAL + 3


async def test_one_watcher_asks_for_its_server_alone(stage: Stage) -> None:
    server, _ = stage.cloud.boot(), stage.cloud.boot()
    readers = [stage.watch(server) for _ in range(3)]
    for each in readers:
        await each.next()
    await until(lambda: len(stage.cloud.asked) > 5)
    assert stage.cloud.lists == 0


async def test_few_of_very_many_are_asked_for_by_themselves(tmp_path: Path) -> None:
    async with staged(tmp_path, "One") as stage:
        servers = [stage.cloud.boot() for _ in range(2001)]
        readers = [stage.watch(each) for each in servers[:2]]
        for each in readers:
            await each.next()
        before = stage.cloud.lists
        await until(lambda: len(stage.cloud.asked) > before + 20)
        lists = stage.cloud.lists
        await until(lambda: len(stage.cloud.asked) > lists + 40)
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
    await until(lambda: stage.cloud.lists > hidden + 3)
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
            await until(lambda: cloud.lists > 4)
            cloud.change(server, status="ACTIVE")
            for each in readers:
                assert await each.word() == ("UPDATED", server, "ACTIVE")
            assert cloud.lists <= (time.monotonic() - started) / interval + 1
    finally:
        cloud.close()


# What goes wrong.


async def test_a_cloud_that_fails_for_a_while_is_waited_for(stage: Stage) -> None:
    server = stage.cloud.boot()
    reader = stage.watch(server, status="ACTIVE")
    await reader.next()
    stage.cloud.faults += [503, 500, 502, 429]
    stage.cloud.change(server, status="ACTIVE")
    assert await reader.word() == ("UPDATED", server, "ACTIVE")
    assert stage.cloud.faults == []


async def test_a_cloud_that_is_silent_for_too_long_ends_its_watches(tmp_path: Path) -> None:
    async with staged(tmp_path, "One", pace=dataclasses.replace(PACE, patience=0.2)) as stage:
        reader = stage.watch(stage.cloud.boot())
        await reader.next()
        stage.cloud.broken = True
        error = await reader.end()
        assert (error.code(), reason(error)) == (StatusCode.UNAVAILABLE, "CLOUD_SILENT")
        assert "One/RegionOne" in (error.details() or "")
        assert details(error, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0


async def test_what_may_not_be_seen_any_more_ends_its_watches(stage: Stage) -> None:
    reader = stage.watch()
    await until(lambda: stage.watches.polls and stage.watches.polls[0].watchers)
    stage.cloud.faults.append(403)
    assert (await reader.end()).code() is StatusCode.PERMISSION_DENIED


async def test_who_may_not_list_still_watches_one(stage: Stage) -> None:
    servers = [stage.cloud.boot() for _ in range(2)]
    first = stage.watch(servers[0])
    await first.next()
    stage.cloud.forbidden.add("/servers/detail")
    second = stage.watch(servers[1])
    assert (await second.word())[:2] == ("CURRENT", servers[1])
    stage.cloud.change(servers[0], status="ACTIVE")
    assert await first.word() == ("UPDATED", servers[0], "ACTIVE")


async def test_who_may_not_list_at_all_is_told_so_and_many_still_watch_single_servers(stage: Stage) -> None:
    stage.cloud.forbidden.add("/servers/detail")
    servers = [stage.cloud.boot() for _ in range(20)]
    readers = [stage.watch(each) for each in servers]
    assert {await each.word() for each in readers} == words("CURRENT", servers, "BUILD")
    assert (await stage.watch().end()).code() is StatusCode.PERMISSION_DENIED
    for server in servers:
        stage.cloud.change(server, status="ACTIVE")
    assert {await each.word() for each in readers} == words("UPDATED", servers, "ACTIVE")


async def test_who_comes_in_the_middle_hears_each_state_once(stage: Stage) -> None:
    """Watchers come and go while servers change: nobody hears of a state twice, of an older one, or of an end that was none."""
    servers = [stage.cloud.boot() for _ in range(700)]
    readers: list[Reader] = []
    for progress in range(1, 6):
        for server in servers:
            stage.cloud.change(server, progress=progress)
        readers += [stage.watch(each) for each in servers[progress::7]] + [stage.watch()]
        await asyncio.sleep(0.02 * progress)
    for server in servers:
        stage.cloud.change(server, progress=100)
    for reader in readers:
        seen: dict[str, int] = {}
        while not seen or set(seen.values()) != {100}:
            answer = await reader.next()
            assert answer.change in {common_pb2.CHANGE_CURRENT, common_pb2.CHANGE_UPDATED, common_pb2.CHANGE_SKIPPED}
            assert answer.change != common_pb2.CHANGE_CURRENT or answer.server.id not in seen
            assert answer.server.progress > seen.get(answer.server.id, 0)
            seen[answer.server.id] = answer.server.progress


async def test_rubbish_ends_nothing_while_it_passes(stage: Stage) -> None:
    server = stage.cloud.boot()
    reader = stage.watch()
    await reader.next()
    stage.cloud.rubbish = [b"<html>", b'{"servers": [7]}', b'{"servers": 1}', b"{}", b"[]"]
    stage.cloud.change(server, status="ACTIVE")
    assert await reader.word() == ("UPDATED", server, "ACTIVE")
    assert stage.cloud.rubbish == []


async def test_a_slow_reader_is_bounded_and_gets_the_newest_state(stage: Stage) -> None:
    # Larger than what gRPC and the kernel keep for a reader that does not read.
    server = stage.cloud.boot(metadata={"bulk": "x" * 400_000})
    slow, quick = stage.watch(server), stage.watch(server)
    assert await slow.word() == await quick.word() == ("CURRENT", server, "BUILD")
    [poll] = stage.watches.polls
    most = 0
    for progress in range(1, 60):
        stage.cloud.change(server, progress=progress)
        assert (await quick.next()).server.progress == progress
        most = max(most, *(each.waiting for each in poll.watchers))
    assert 1 < most <= 8
    seen = [await slow.next()]
    while seen[-1].server.progress < 59:
        seen.append(await slow.next())
    assert [each.server.progress for each in seen] == sorted({each.server.progress for each in seen})
    assert common_pb2.CHANGE_SKIPPED in {each.change for each in seen}
    assert len(seen) < 59


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
    await until(lambda: len(poll.watchers) == 1)
    assert polling()
    asked = len(stage.cloud.asked)
    await until(lambda: len(stage.cloud.asked) > asked + 2)
    readers[2].call.cancel()
    await until(lambda: not stage.watches.polls and not polling())
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
        await until(functools.partial(_went_on, stage, asked))
    await until(lambda: not stage.watches.polls)
    assert (await reader.rest())[-1][0] == "REACHED"


async def test_deadlines_end_watches(stage: Stage) -> None:
    server = stage.cloud.boot()
    call = stage.compute.WatchServer(compute_pb2.WatchServerRequest(id=server), timeout=0.3)
    assert (await Reader(call).end()).code() is StatusCode.DEADLINE_EXCEEDED
    await until(lambda: not stage.watches.polls and not polling())


# For creates.


async def test_a_create_follows_what_it_made(stage: Stage) -> None:
    server = stage.cloud.boot()
    kind = KINDS.get("compute.server")
    assert kind is not None
    [region] = stage.local.regions()
    wanted = conditions.parse(kind, Condition(status="ACTIVE"))
    seen = []
    async for change, message in stage.watches.follow(kind, kind.codec(compute_pb2.Server), region, server, wanted):
        seen.append((change, message.status))  # type: ignore[attr-defined]
        stage.cloud.change(server, status="ACTIVE")
    assert seen == [
        (common_pb2.CHANGE_CURRENT, "BUILD"),
        (common_pb2.CHANGE_UPDATED, "ACTIVE"),
        (common_pb2.CHANGE_REACHED, "ACTIVE"),
    ]
    assert stage.watches.polls == []


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("r"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _went_on(stage: Stage, asked: int) -> bool:
    return len(stage.cloud.asked) > asked + 1 or not stage.watches.polls
