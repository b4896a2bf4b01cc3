"""Creates that are asked for again, or whose answers are lost: nothing is created twice, and nobody guesses."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode
from tests.oaktree.creator import CANCELLED, CREATED, FAILED, UNKNOWN, Oaktree, all_of, held, oaktree, refused, request
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.making import Cloud, clouds
from tests.oaktree.process import SLOW
from tests.oaktree.upstream import eventually, reply

from oaktree.v1 import network_pb2, operation_pb2
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


# The same key.


async def test_the_same_key_creates_nothing_twice(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    first = await all_of(tree.compute.CreateServer(request(key="k1")))
    again = await all_of(tree.compute.CreateServer(request(key="k1")))
    assert again.operation == first.operation
    assert {each.id for each in again.resources} == {each.id for each in first.resources}
    assert all(len(each.creates) == 1 for each in ours.values())
    assert not again.errors()


async def test_calls_at_once_with_one_key_create_once(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    go = asyncio.Event()
    for each in ours.values():
        each.before = held(go)
    calls = [asyncio.create_task(all_of(tree.compute.CreateServer(request(key="k2")))) for _ in range(6)]
    await eventually(
        lambda: all(
            any(seen.method == "POST" and "servers" in seen.target for seen in each.seen) for each in ours.values()
        )
    )
    go.set()
    told = await asyncio.gather(*calls)
    assert len({each.operation for each in told}) == 1
    assert all(len(each.creates) == 1 for each in ours.values())
    assert all(len({one.id for one in each.resources}) == 2 for each in told)


async def test_a_key_of_another_request_is_refused(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    await all_of(tree.compute.CreateServer(request(key="k3")))
    code, reason, text = await refused(tree.compute.CreateServer(request("other", key="k3")))
    assert (code, reason) == (StatusCode.FAILED_PRECONDITION, "IDEMPOTENCY_KEY_REUSED")
    assert "idempotency_key" in text
    assert all(len(each.creates) == 1 for each in ours.values())
    # Another caller's keys are another caller's.
    metadata = (("x-test-caller", "bob"),)
    await all_of(tree.compute.CreateServer(request("other", key="k3"), metadata=metadata))
    assert all(len(each.creates) == 2 for each in ours.values())


async def test_a_cloud_that_was_away_gets_its_part_with_the_same_key(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    with clouds("Two") as away:
        file = clouds_yaml(tmp_path, ours | away)
    async with oaktree(tmp_path, file) as tree:
        told = await all_of(tree.compute.CreateServer(request(key="k4")))
        assert told.stages("Two")[-1] == FAILED
    file = clouds_yaml(tmp_path, ours)
    async with oaktree(tmp_path, file) as tree:
        told = await all_of(tree.compute.CreateServer(request(key="k4")))
        assert not told.errors()
    assert all(len(each.creates) == 1 for each in ours.values())


# What is in doubt.


async def test_an_answer_that_breaks_off_is_looked_for_by_its_mark(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ours["One"].after = lambda _: b""
    told = await all_of(tree.compute.CreateServer(request()))
    assert told.stages("One")[-1] == CREATED
    assert len(ours["One"].servers) == 1
    assert not told.errors()


async def test_a_request_that_breaks_off_is_in_doubt_until_its_cloud_cannot_be_at_it(
    tmp_path: Path, ours: dict[str, Cloud]
) -> None:
    file = clouds_yaml(tmp_path, ours)
    async with oaktree(tmp_path, file, settle=1.0) as tree:
        ours["One"].before = lambda _: b""
        told = await all_of(tree.compute.CreateServer(request(key="k5")))
        assert told.stages("One")[-1] == UNKNOWN
        assert statuses.reason(told.errors()["One"]) == "OUTCOME_UNKNOWN"
        ours["One"].before = lambda _: None
        told = await all_of(tree.compute.CreateServer(request(key="k5")))
        assert told.stages("One")[-1] == CREATED
    assert all(len(each.servers) == 1 for each in ours.values())
    assert len(ours["Two"].creates) == 1


async def test_what_is_in_doubt_is_not_sent_again_while_nobody_can_look(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    file = clouds_yaml(tmp_path, ours)
    async with oaktree(tmp_path, file, settle=0.0) as tree:
        cloud = ours["One"]
        whole = cloud._upstream.handler

        def half(seen: Any, sock: Any) -> bytes | None:
            if seen.method == "GET" and "/servers" in seen.target:
                return reply(503, {"error": {"message": "later"}})
            return whole(seen, sock)

        cloud.after = lambda _: b""
        cloud._upstream.handler = half
        for _ in range(2):
            told = await all_of(tree.compute.CreateServer(request("web", "One", key="k")))
            assert told.stages("One")[-1] == UNKNOWN
            assert told.errors()["One"].message
        found = await tree.operations.GetOperation(operation_pb2.GetOperationRequest(id="k"))
        assert [each.stage for each in found.operation.parts] == [UNKNOWN]
        cloud._upstream.handler = whole
        told = await all_of(tree.compute.CreateServer(request("web", "One", key="k")))
        assert told.stages("One")[-1] == CREATED
    assert len(cloud.creates) == 1


async def test_kinds_without_a_mark_are_told_by_what_was_there_before(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ask = network_pb2.CreateNetworkRequest(network=network_pb2.Network(name="net"), locations=[Location(cloud="One")])
    await all_of(tree.network.CreateNetwork(ask), "network")
    [first] = ours["One"].made["networks"]
    ours["One"].after = lambda _: b""
    told = await all_of(tree.network.CreateNetwork(ask), "network")
    assert told.stages("One")[-1] == CREATED
    assert [each.id for each in told.resources] == [each for each in ours["One"].made["networks"] if each != first]


async def test_nobody_guesses_between_two(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    cloud = ours["One"]

    def somebody_else(_: Any) -> bytes:
        cloud.made["networks"]["theirs"] = {"id": "theirs", "name": "net", "status": "ACTIVE"}
        return b""

    cloud.after = somebody_else
    ask = network_pb2.CreateNetworkRequest(network=network_pb2.Network(name="net"), locations=[Location(cloud="One")])
    told = await all_of(tree.network.CreateNetwork(ask), "network")
    assert told.stages("One")[-1] == UNKNOWN
    assert "theirs" in told.errors()["One"].message
    assert len(cloud.creates) == 1


# Who goes.


async def test_what_was_sent_is_finished_when_the_caller_goes_and_the_rest_is_not_sent(
    tree: Oaktree, ours: dict[str, Cloud]
) -> None:
    go = asyncio.Event()
    ours["One"].before = hold = held(go)
    answered = ours["Two"]._upstream.handler
    # It does not get past its Keystone before the caller has gone.

    def slow(seen: Any, sock: Any) -> bytes | None:
        hold(seen)
        return answered(seen, sock)

    ours["Two"]._upstream.handler = slow
    call = tree.compute.CreateServer(request(key="k6"))
    operation = (await call.read()).progress.operation_id
    await eventually(lambda: any(each.method == "POST" and "servers" in each.target for each in ours["One"].seen))
    call.cancel()

    async def parts() -> dict[str, int]:
        found = await tree.operations.GetOperation(operation_pb2.GetOperationRequest(id=operation))
        return {each.location.cloud: each.stage for each in found.operation.parts} if found.operation.done else {}

    # What is asked on a connection is heard after what was said on it before.
    assert await parts() == {}
    go.set()
    async with asyncio.timeout(SLOW):
        while not (found := await parts()):
            await asyncio.sleep(0.01)
    assert found == {"One": CREATED, "Two": CANCELLED}
    # The same key brings the rest.
    told = await all_of(tree.compute.CreateServer(request(key="k6")))
    assert not told.errors()
    assert all(len(each.creates) == 1 for each in ours.values())
