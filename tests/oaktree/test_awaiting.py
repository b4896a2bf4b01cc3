"""Operations that are awaited after their caller has gone: what goes on without it, and what a watch of an operation tells."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.oaktree.creator import (
    CANCELLED,
    CREATED,
    DONE,
    FAILED,
    SENT,
    UNDONE,
    Oaktree,
    all_of,
    held,
    oaktree,
    request,
)
from tests.oaktree.failures import refused
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.making import Cloud
from tests.oaktree.upstream import eventually, reply

from oaktree.v1.location_pb2 import Location
from oaktree.v1.operation_pb2 import GetOperationRequest, Operation, WatchOperationRequest


async def watched(tree: Oaktree, name: str) -> list[Operation]:
    """All states of an operation until it is done."""
    async with asyncio.timeout(60):
        return [each.operation async for each in tree.operations.WatchOperation(WatchOperationRequest(id=name))]


async def begun(call: Any) -> str:
    return (await call.read()).progress.operation_id  # type: ignore[no-any-return]


async def test_a_detached_create_goes_on_to_the_end_it_was_asked_for(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    go = asyncio.Event()
    for each in ours.values():
        each.statuses = ["BUILD", "BUILD", "ACTIVE"]
    ours["One"].before = held(go)
    call = tree.compute.CreateServer(request(wait=True, detach=True, key="mine"))
    operation = await begun(call)
    call.cancel()
    watch = asyncio.create_task(watched(tree, "mine"))
    await eventually(lambda: ours["Two"].creates)
    go.set()
    states = await watch
    assert {each.id for each in states} == {operation}
    assert [each.done for each in states] == [False] * (len(states) - 1) + [True]
    assert len(states) > 1
    assert {(part.location.cloud, part.stage, part.status) for part in states[-1].parts} == {
        ("One", DONE, "ACTIVE"),
        ("Two", DONE, "ACTIVE"),
    }
    # What is done is told at once, and ends.
    assert await watched(tree, operation) == states[-1:]


async def test_what_a_detached_create_was_to_undo_is_undone(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    go = asyncio.Event()
    hold = held(go)
    ours["One"].before = lambda seen: hold(seen) or reply(400, {"badRequest": {"code": 400, "message": "no"}})
    call = tree.compute.CreateServer(request(undo_on_failure=True, detach=True))
    operation = await begun(call)
    await eventually(lambda: ours["Two"].servers)
    call.cancel()
    go.set()
    last = (await watched(tree, operation))[-1]
    assert {part.location.cloud: part.stage for part in last.parts} == {"One": FAILED, "Two": UNDONE}
    assert not ours["Two"].servers


async def test_the_same_key_follows_a_detached_create(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    go = asyncio.Event()
    ours["One"].before = held(go)
    call = tree.compute.CreateServer(request("web", "One", detach=True, key="k"))
    await begun(call)
    await eventually(lambda: any("/servers" in each.target and each.method == "POST" for each in ours["One"].seen))
    call.cancel()
    again = asyncio.create_task(all_of(tree.compute.CreateServer(request("web", "One", key="k"))))
    go.set()
    told = await again
    assert len(ours["One"].servers) == 1
    assert [each.id for each in told.resources] == list(ours["One"].servers)


async def test_without_it_what_was_not_sent_is_given_up(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    go = asyncio.Event()
    ours["One"].before = held(go)
    call = tree.compute.CreateServer(request("web", "One", wait=True))
    operation = await begun(call)
    asked = GetOperationRequest(id=operation)
    async with asyncio.timeout(60):
        while (await tree.operations.GetOperation(asked)).operation.parts[0].stage != SENT:
            await asyncio.sleep(0.01)
    ours["One"].statuses = ["BUILD"]
    call.cancel()
    go.set()
    last = (await watched(tree, operation))[-1]
    assert last.parts[0].stage == CREATED


async def test_a_watch_looks_for_what_a_dead_worker_left(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    async with oaktree(tmp_path, clouds_yaml(tmp_path, ours), lease=0.5) as tree:
        places = [Location(cloud="One", region="RegionOne")]
        dead, _ = tree.records.begin("alice", None, "d" * 64, "compute.server", places)
        last = (await watched(tree, dead.id))[-1]
    assert (last.done, last.parts[0].stage) == (True, CANCELLED)


@pytest.mark.parametrize("name", ["", "nothing"])
async def test_only_its_caller_awaits_an_operation(tree: Oaktree, ours: dict[str, Cloud], name: str) -> None:
    told = await all_of(tree.compute.CreateServer(request("web", "One")))
    bob = (("x-test-caller", "bob"),)
    asked = WatchOperationRequest(id=name or told.operation)
    code, _, info = await refused(all_of(tree.operations.WatchOperation(asked, metadata=bob)))
    assert (code.name, info.reason) == ("NOT_FOUND", "NOT_FOUND")
