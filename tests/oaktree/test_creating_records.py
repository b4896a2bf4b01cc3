"""What is on record of creates, for whom, and what is not."""

import asyncio
import sqlite3
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode
from tests.oaktree.creator import UNDONE, Oaktree, all_of, held, refused, request
from tests.oaktree.making import Cloud

from oaktree.v1 import compute_pb2, operation_pb2
from oaktree.v1.location_pb2 import Location

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


async def test_operations_are_listed_shown_and_undone_for_their_caller_alone(
    tree: Oaktree, ours: dict[str, Cloud]
) -> None:
    bob = (("x-test-caller", "bob"),)
    told = [await all_of(tree.compute.CreateServer(request(f"web{number}", key=f"key{number}"))) for number in range(3)]
    page = await tree.operations.ListOperations(operation_pb2.ListOperationsRequest(page_size=2))
    assert [each.idempotency_key for each in page.operations] == ["key2", "key1"]
    rest = await tree.operations.ListOperations(
        operation_pb2.ListOperationsRequest(page_size=2, page_token=page.next_page_token)
    )
    assert [each.id for each in rest.operations] == [told[0].operation]
    assert not rest.next_page_token
    by_key = await tree.operations.GetOperation(operation_pb2.GetOperationRequest(id="key1"))
    assert by_key.operation.id == told[1].operation
    assert by_key.operation.done
    assert by_key.operation.kind == "compute.server"
    assert not (await tree.operations.ListOperations(operation_pb2.ListOperationsRequest(), metadata=bob)).operations
    for rpc, ask in (
        (tree.operations.GetOperation, operation_pb2.GetOperationRequest(id=told[0].operation)),
        (tree.operations.UndoOperation, operation_pb2.UndoOperationRequest(id=told[0].operation)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await rpc(ask, metadata=bob)
        assert error.value.code() == StatusCode.NOT_FOUND
    undone = await tree.operations.UndoOperation(operation_pb2.UndoOperationRequest(id=told[0].operation))
    assert {each.stage for each in undone.operation.parts} == {UNDONE}
    assert all(sorted(each["name"] for each in cloud.servers.values()) == ["web1", "web2"] for cloud in ours.values())
    # An undone one is not made again under its key.
    await all_of(tree.compute.CreateServer(request("web0", key="key0")))
    assert all(len(each.creates) == 3 for each in ours.values())


async def test_one_under_way_is_not_undone(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    go = asyncio.Event()
    ours["One"].before = held(go)
    call = tree.compute.CreateServer(request("web", "One"))
    operation = (await call.read()).progress.operation_id
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await tree.operations.UndoOperation(operation_pb2.UndoOperationRequest(id=operation))
    assert error.value.code() == StatusCode.FAILED_PRECONDITION
    go.set()
    await all_of(call)


async def test_nothing_is_sent_while_the_records_are_away(
    tree: Oaktree, ours: dict[str, Cloud], tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "operations.sqlite") as database:
        database.execute("DROP TABLE oaktree_operations")
    code, reason, _ = await refused(tree.compute.CreateServer(request(key="k")))
    assert (code, reason) == (StatusCode.UNAVAILABLE, "RECORDS_FAILED")
    assert not any(each.creates for each in ours.values())


async def test_secrets_are_sent_and_told_and_kept_nowhere(
    tree: Oaktree, ours: dict[str, Cloud], tmp_path: Path
) -> None:
    ask = request("web", "One", key="k7")
    ask.server.admin_password = "Sesame-Secret-1"
    ask.server.user_data = "U2VzYW1lLVNlY3JldC0y"
    told = await all_of(tree.compute.CreateServer(ask))
    assert ours["One"].creates[0]["adminPass"] == "Sesame-Secret-1"
    assert ours["One"].creates[0]["user_data"] == "U2VzYW1lLVNlY3JldC0y"
    assert told.resources[0].admin_password == "Sesame-Secret-1"
    keys = compute_pb2.CreateKeypairRequest(keypair=compute_pb2.Keypair(name="key"), locations=[Location(cloud="One")])
    made = await all_of(tree.compute.CreateKeypair(keys), "keypair")
    assert made.resources[0].private_key == "made-up-private-key"
    with sqlite3.connect(tmp_path / "operations.sqlite") as database:
        kept = "\n".join(database.iterdump())
    assert "web" in kept
    for secret in ("Sesame", "U2VzYW1l", "made-up", "secret-of-alice", "gAAAA"):
        assert secret not in kept
