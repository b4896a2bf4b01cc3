"""The operations that are in progress at once: fair between callers, over workers with a Redis, and what a create does with its ticket."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import duration_pb2
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from tests.oaktree.creator import CANCELLED, CREATED, DONE, FAILED, Oaktree, all_of, held, oaktree, request
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.making import Cloud
from tests.oaktree.upstream import eventually
from tests.redis_server import RedisServer, redis_server

from oaktree.v1 import operation_pb2
from openstackoid.oaktree import statuses
from openstackoid.oaktree.config import Config
from openstackoid.oaktree.upstream.admission import Admission, Entry, admissible, turn_of
from openstackoid.rates.shared import Shared

BOB = (("x-test-caller", "bob"),)


@given(
    st.dictionaries(st.text("abc", min_size=1), st.builds(Entry, st.sampled_from("ABC"), st.integers(0, 5), st.floats(0, 9), admitted=st.booleans())),
    st.integers(1, 5),
)  # fmt: skip
def test_places_go_to_the_caller_with_the_fewest(entries: dict[str, Entry], most: int) -> None:
    running = Counter(each.caller for each in entries.values() if each.admitted)
    waiting = {name: each for name, each in entries.items() if not each.admitted}
    chosen = admissible(entries, most)
    assert len(chosen) == max(0, min(len(waiting), most - running.total()))
    for name in chosen:
        assert running[entries[name].caller] == min(running[each.caller] for each in waiting.values())
        running[waiting.pop(name).caller] += 1


@pytest.mark.parametrize("most", [1, 3])
def test_a_thousand_of_one_caller_delay_another_by_one_place(most: int) -> None:
    entries: dict[str, Entry] = {}

    def join(name: str) -> None:
        entries[name] = Entry(name[0], turn_of(entries, name[0]), len(entries))

    def admit() -> list[str]:
        chosen = admissible(entries, most)
        entries.update({name: replace(entries[name], admitted=True) for name in chosen})
        return chosen

    for number in range(1000):
        join(f"a{number}")
    order = admit()
    assert order == [f"a{number}" for number in range(most)]
    for name in ("b0", "b1", "c0"):
        join(name)
    assert admit() == []
    for number in range(6):
        del entries[order[number]]
        order += admit()
    assert order[most : most + 2] == ["b0", "c0"]
    assert {"a", "b"} <= {name[0] for name in order[most + 2 :]}


def limits(**settings: object) -> Config:
    return Config.model_validate({"limits": settings})


def test_the_configuration_has_one_limit_for_each_cloud_region() -> None:
    found = limits(default={"operations": 9}, clouds={"One": {"rate": 5}, "One/R": {"rate": 5, "operations": 3}}).limits
    assert [found.of(*key).operations for key in (("One", "R"), ("One", "S"), ("Two", ""))] == [3, None, 9]
    assert found.of("Two", "").rate is None
    for wrong in ({}, {"burst": 3}, {"operations": 1, "burst": 3}, {"operations": 0}):
        with pytest.raises(ValueError, match=r"expected|greater"):
            limits(default=wrong)


# Over workers.


class Work:
    """Operations that count how many of them are in progress."""

    def __init__(self) -> None:
        self.now = self.most = self.done = 0

    async def one(self, admission: Admission, caller: str) -> None:
        async with admission.ticket("One", "R", caller) as ticket:
            await ticket.admitted
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.01)
            self.now -= 1
            self.done += 1


async def test_workers_with_a_redis_have_one_limit(redis: RedisServer) -> None:
    Redis.from_url(redis.url).flushall()
    workers = [Admission(lambda *_: 3, Shared.at(redis.url), workers=4) for _ in range(4)]
    work = Work()
    async with asyncio.timeout(60):
        await asyncio.gather(*(work.one(each, caller) for each in workers for caller in "abc" for _ in range(4)))
    assert work.done == 48
    assert 1 < work.most <= 3
    # Nothing stays behind.
    await eventually(lambda: not Redis.from_url(redis.url).exists("oaktree:operations:One/R"))


async def test_a_dead_workers_tickets_end(redis: RedisServer) -> None:
    client = Redis.from_url(redis.url)
    client.flushall()
    rows = {
        "alive": json.dumps(["alice", 0, 0, time.time() + 9999, True]),
        "dead": json.dumps(["alice", 0, 0, 1, True]),
    }
    for name, row in [*rows.items(), ("rubbish", "\ufffd")]:
        client.hset("oaktree:operations:One/R", name, row)
    async with Admission(lambda *_: 1, Shared.at(redis.url)).ticket("One", "R", "bob") as ticket:
        await eventually(lambda: client.hlen("oaktree:operations:One/R") == 2)
        assert not ticket.admitted.done()
        client.hdel("oaktree:operations:One/R", "alive")
        await asyncio.wait_for(ticket.admitted, 60)


async def test_without_a_redis_each_worker_has_its_share() -> None:
    work = Work()
    alone = Admission(lambda *_: 8, workers=4)
    await asyncio.gather(*(work.one(alone, "alice") for _ in range(9)))
    assert (work.most, work.done) == (2, 9)
    with redis_server() as own:
        own.stop()
        work = Work()
        lost = Admission(lambda *_: 3, Shared.at(own.url), workers=4)
        async with asyncio.timeout(60):
            await asyncio.gather(*(work.one(lost, "alice") for _ in range(3)))
        assert (work.most, work.done) == (1, 3)


async def test_without_a_limit_nobody_waits() -> None:
    async with Admission().ticket("One", "R", "alice") as ticket:
        assert ticket.admitted.done()


# Creates.


@contextlib.asynccontextmanager
async def one_at_once(tmp_path: Path, ours: dict[str, Cloud]) -> AsyncIterator[Oaktree]:
    async with oaktree(tmp_path, clouds_yaml(tmp_path, ours), at_once=1) as made:
        yield made


async def accepted(tree: Oaktree, call: object) -> str:
    """Go on when a create is on record. Returns the id of its operation."""
    return (await call.read()).progress.operation_id  # type: ignore[attr-defined, no-any-return]


async def test_a_place_is_held_until_the_resource_is_ready_and_goes_to_the_other_caller(
    tmp_path: Path, ours: dict[str, Cloud]
) -> None:
    cloud = ours["One"]
    cloud.statuses = ["BUILD"]
    async with one_at_once(tmp_path, ours) as tree:
        create = tree.compute.CreateServer
        alices = [create(request("a1", "One", wait=True))]
        await eventually(lambda: len(cloud.creates) == 1)
        alices += [create(request(name, "One", wait=True)) for name in ("a2", "a3")]
        for each in alices:
            await accepted(tree, each)
        bobs = create(request("b1", "One", wait=True), metadata=BOB)
        await accepted(tree, bobs)
        # Another cloud-region has places of its own.
        assert (await all_of(create(request("a4", "Two")))).stages("Two")[-1] == CREATED
        assert [each["name"] for each in cloud.creates] == ["a1"]
        cloud._left = {}
        cloud.statuses = ["ACTIVE"]
        for server in cloud.servers.values():
            server["status"] = "ACTIVE"
        for each in [*alices, bobs]:
            assert (await all_of(each)).stages("One")[-1] == DONE
    assert [each["name"] for each in cloud.creates][:2] == ["a1", "b1"]
    assert len(cloud.creates) == 4


async def test_who_goes_while_it_waits_leaves_nothing(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    go = asyncio.Event()
    ours["One"].before = held(go)
    async with one_at_once(tmp_path, ours) as tree:
        first = tree.compute.CreateServer(request("a1", "One"))
        await eventually(lambda: tree.creates._runs)
        second = tree.compute.CreateServer(request("a2", "One"))
        operation = await accepted(tree, second)
        second.cancel()
        asked = operation_pb2.GetOperationRequest(id=operation)

        async def ended() -> bool:
            return (await tree.operations.GetOperation(asked)).operation.done  # type: ignore[no-any-return]

        async with asyncio.timeout(60):
            while not await ended():
                await asyncio.sleep(0.02)
        [part] = (await tree.operations.GetOperation(asked)).operation.parts
        assert part.stage == CANCELLED
        go.set()
        await all_of(first)
    assert [each["name"] for each in ours["One"].creates] == ["a1"]


async def test_a_create_that_waited_too_long_can_be_repeated(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    go = asyncio.Event()
    ours["One"].before = held(go)
    async with one_at_once(tmp_path, ours) as tree:
        first = tree.compute.CreateServer(request("a1", "One"))
        await eventually(lambda: any(each.method == "POST" and "servers" in each.target for each in ours["One"].seen))
        again = request("a2", "One", key="k", timeout=duration_pb2.Duration(nanos=300_000_000))
        told = await all_of(tree.compute.CreateServer(again))
        assert told.stages("One")[-1] == FAILED
        error = told.errors()["One"]
        assert (statuses.reason(error), error.code) == ("OPERATIONS_LIMITED", StatusCode.RESOURCE_EXHAUSTED.value[0])
        go.set()
        await all_of(first)
        assert (await all_of(tree.compute.CreateServer(request("a2", "One", key="k")))).stages("One")[-1] == CREATED
