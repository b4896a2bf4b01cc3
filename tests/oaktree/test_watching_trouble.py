"""What watchers hear when things go wrong: clouds that fail or forbid, rubbish, and readers who come late or read slowly."""

import asyncio
import dataclasses
from pathlib import Path

import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode
from tests.oaktree.failures import detail, reason, status
from tests.oaktree.upstream import eventually
from tests.oaktree.watched import PACE, Reader, Stage, staged, words

from oaktree.v1 import common_pb2

# openstacksdk warns its own code of what it will drop.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


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
        assert detail(status(error), error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0


async def test_what_may_not_be_seen_any_more_ends_its_watches(stage: Stage) -> None:
    reader = stage.watch()
    await eventually(lambda: stage.watches.polls and stage.watches.polls[0].watchers)
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
