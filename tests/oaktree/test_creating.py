"""Creates in many clouds, from gRPC streams to the wire of clouds."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.protobuf import duration_pb2
from grpc import StatusCode
from grpc_status import rpc_status
from tests.oaktree.creator import (
    ACCEPTED,
    CANCELLED,
    CREATED,
    DONE,
    FAILED,
    SENT,
    UNDONE,
    UNKNOWN,
    Oaktree,
    all_of,
    oaktree,
    request,
)
from tests.oaktree.making import Cloud, Hook, clouds, clouds_yaml
from tests.oaktree.upstream import free_port, reply

from oaktree.v1 import common_pb2, compute_pb2, network_pb2, operation_pb2, resource_pb2
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import errors

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
SLOW = 60.0


@pytest.fixture
async def ours() -> AsyncIterator[dict[str, Cloud]]:
    with clouds("One", "Two") as made:
        yield made


@pytest.fixture
async def tree(tmp_path: Path, ours: dict[str, Cloud]) -> AsyncIterator[Oaktree]:
    async with oaktree(tmp_path, clouds_yaml(tmp_path, {name: each.url for name, each in ours.items()})) as made:
        yield made


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(SLOW):
        while not what():
            await asyncio.sleep(0.01)


def held(go: asyncio.Event) -> Hook:
    """A cloud that waits."""
    loop = asyncio.get_running_loop()

    def wait(_: Any) -> None:
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result()

    return wait


async def refused(call: Any, field: str = "server") -> tuple[StatusCode, str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await all_of(call, field)
    status = rpc_status.from_call(cast("Any", error.value))
    return error.value.code(), errors.reason(status), error.value.details() or ""


async def test_everywhere_is_every_cloud_with_each_step_told(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    told = await all_of(tree.compute.CreateServer(request()))
    assert told.progress[0].stage == ACCEPTED
    assert told.progress[0].operation_id
    assert told.progress[0].location == Location()
    for name, cloud in ours.items():
        assert told.stages(name) == [SENT, CREATED]
        [server] = cloud.servers.values()
        [message] = [each for each in told.resources if each.location.cloud == name]
        assert (message.id, message.name, message.status) == (server["id"], "web", "ACTIVE")
        assert message.location.project == "demo"
        # What a server's create tells once, and no later question.
        assert message.admin_password == "made-up-Secret"
        assert server["metadata"] == {"oaktree_operation": f"{told.operation}.{list(ours).index(name)}"}
    assert not told.errors()
    assert [each.items for each in told.summary.results] == [1, 1]


async def test_the_first_word_comes_before_anything_is_sent(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    call = tree.compute.CreateServer(request())
    first = await call.read()
    assert first.progress.operation_id
    found = await tree.operations.GetOperation(operation_pb2.GetOperationRequest(id=first.progress.operation_id))
    assert {each.location.cloud for each in found.operation.parts} == {"One", "Two"}
    await all_of(call)


async def test_one_cloud_that_refuses_harms_no_other(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ours["One"].before = lambda _: reply(403, {"forbidden": {"code": 403, "message": "Quota exceeded for cores"}})
    told = await all_of(tree.compute.CreateServer(request()))
    assert told.stages("One")[-1] == FAILED
    assert told.stages("Two")[-1] == CREATED
    assert errors.reason(told.errors()["One"]) == "QUOTA_EXCEEDED"
    assert len(ours["Two"].servers) == 1


async def test_undo_deletes_what_was_created_elsewhere(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ours["One"].before = lambda _: reply(400, {"badRequest": {"code": 400, "message": "no"}})
    ours["Two"].statuses = ["BUILD"]
    told = await all_of(tree.compute.CreateServer(request(undo_on_failure=True)))
    assert told.stages("Two")[-1] == UNDONE
    assert not ours["Two"].servers
    assert len(ours["Two"].deletes) == 1
    assert set(told.errors()) == {"One", "Two"}


async def test_a_wait_ends_when_all_are_ready(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    for each in ours.values():
        each.statuses = ["BUILD", "BUILD", "ACTIVE"]
    told = await all_of(tree.compute.CreateServer(request(wait=True)))
    for name in ours:
        assert told.stages(name)[-1] == DONE
        assert [each.status for each in told.resources if each.location.cloud == name][-1] == "ACTIVE"
    assert not told.errors()


async def test_a_server_that_goes_wrong_fails_with_its_own_words(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ours["One"].statuses = ["BUILD", "BUILD", "ERROR"]
    told = await all_of(tree.compute.CreateServer(request(wait=True)))
    assert told.stages("One")[-1] == FAILED
    assert told.stages("Two")[-1] == DONE
    assert errors.reason(told.errors()["One"]) == "RESOURCE_FAILED"
    # It is still there, and its id is told, so that it can be looked at.
    assert [each.resource_id for each in told.progress if each.location.cloud == "One"][-1] in ours["One"].servers


async def test_a_wait_has_an_end(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ours["One"].statuses = ["BUILD"]
    told = await all_of(
        tree.compute.CreateServer(request("web", "One", wait=True, timeout=duration_pb2.Duration(seconds=1)))
    )
    assert errors.reason(told.errors()["One"]) == "DEADLINE_EXCEEDED"
    assert told.stages("One")[-1] == CREATED


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
    await until(
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
    port = free_port()
    file = clouds_yaml(tmp_path, {"One": ours["One"].url, "Two": f"http://127.0.0.1:{port}"})
    async with oaktree(tmp_path, file) as tree:
        told = await all_of(tree.compute.CreateServer(request(key="k4")))
        assert told.stages("Two")[-1] == FAILED
    file = clouds_yaml(tmp_path, {name: each.url for name, each in ours.items()})
    async with oaktree(tmp_path, file) as tree:
        told = await all_of(tree.compute.CreateServer(request(key="k4")))
        assert not told.errors()
    assert all(len(each.creates) == 1 for each in ours.values())


async def test_an_answer_that_breaks_off_is_looked_for_by_its_mark(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ours["One"].after = lambda _: b""
    told = await all_of(tree.compute.CreateServer(request()))
    assert told.stages("One")[-1] == CREATED
    assert len(ours["One"].servers) == 1
    assert not told.errors()


async def test_a_request_that_breaks_off_is_in_doubt_until_its_cloud_cannot_be_at_it(
    tmp_path: Path, ours: dict[str, Cloud]
) -> None:
    file = clouds_yaml(tmp_path, {name: each.url for name, each in ours.items()})
    async with oaktree(tmp_path, file, settle=1.0) as tree:
        ours["One"].before = lambda _: b""
        told = await all_of(tree.compute.CreateServer(request(key="k5")))
        assert told.stages("One")[-1] == UNKNOWN
        assert errors.reason(told.errors()["One"]) == "OUTCOME_UNKNOWN"
        ours["One"].before = lambda _: None
        told = await all_of(tree.compute.CreateServer(request(key="k5")))
        assert told.stages("One")[-1] == CREATED
    assert all(len(each.servers) == 1 for each in ours.values())
    assert len(ours["Two"].creates) == 1


async def test_what_is_in_doubt_is_not_sent_again_while_nobody_can_look(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    file = clouds_yaml(tmp_path, {name: each.url for name, each in ours.items()})
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


async def test_an_error_of_the_service_itself_is_a_failure(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ours["One"].before = lambda _: reply(500, {"computeFault": {"code": 500, "message": "Unexpected"}})
    ours["Two"].after = lambda _: reply(500, {"computeFault": {"code": 500, "message": "after it was made"}})
    told = await all_of(tree.compute.CreateServer(request()))
    assert told.stages("One")[-1] == FAILED
    assert told.stages("Two")[-1] == CREATED


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
    await until(lambda: any(each.method == "POST" and "servers" in each.target for each in ours["One"].seen))
    call.cancel()
    await until(lambda: all(run.is_leaving for run, _ in tree.creates._runs.values()))
    go.set()

    async def parts() -> dict[str, int]:
        found = await tree.operations.GetOperation(operation_pb2.GetOperationRequest(id=operation))
        return {each.location.cloud: each.stage for each in found.operation.parts} if found.operation.done else {}

    async with asyncio.timeout(SLOW):
        while not (found := await parts()):
            await asyncio.sleep(0.01)
    assert found == {"One": CREATED, "Two": CANCELLED}
    # The same key brings the rest.
    told = await all_of(tree.compute.CreateServer(request(key="k6")))
    assert not told.errors()
    assert all(len(each.creates) == 1 for each in ours.values())


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


async def test_a_zone_of_a_location_is_where_it_is_created(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ask = request()
    ask.locations.extend(
        [Location(cloud="One", zone="az1"), Location(cloud="One", zone="az2"), Location(cloud="One", zone="az1")]
    )
    told = await all_of(tree.compute.CreateServer(ask))
    assert sorted(each["availability_zone"] for each in ours["One"].creates) == ["az1", "az2"]
    assert sorted(each.location.zone for each in told.summary.results) == ["az1", "az2"]
    keypair = compute_pb2.CreateKeypairRequest(keypair=compute_pb2.Keypair(name="k"), locations=[Location(zone="az1")])
    code, reason, text = await refused(tree.compute.CreateKeypair(keypair), "keypair")
    assert (code, reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert "locations[0].zone" in text


async def test_one_that_was_got_from_a_cloud_can_be_created_in_another(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    told = await all_of(
        tree.network.CreateNetwork(
            network_pb2.CreateNetworkRequest(network=network_pb2.Network(name="net"), locations=[Location(cloud="One")])
        ),
        "network",
    )
    copy = network_pb2.CreateNetworkRequest(locations=[Location(cloud="Two")])
    copy.network.CopyFrom(told.resources[0])
    await all_of(tree.network.CreateNetwork(copy), "network")
    assert {"id", "status", "location", "created_at"}.isdisjoint(ours["Two"].creates[0])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda each: each.server.other.update({"nosuch": 1}), "server.other.nosuch"),
        (lambda each: setattr(each.options, "idempotency_key", "with space"), "options.idempotency_key"),
        (lambda each: setattr(each.options, "idempotency_key", "x" * 256), "options.idempotency_key"),
        (lambda each: each.options.timeout.FromSeconds(-1), "options.timeout"),
        (lambda each: setattr(each.server, "max_count", 2), "server.max_count"),
        (lambda each: each.locations.append(Location(cloud="Nowhere")), "locations[0].cloud"),
    ],
)
async def test_bad_requests_name_the_field(
    tree: Oaktree, ours: dict[str, Cloud], change: Callable[[Any], Any], field: str
) -> None:
    ask = request()
    change(ask)
    code, _, text = await refused(tree.compute.CreateServer(ask))
    assert code == StatusCode.INVALID_ARGUMENT
    assert field in text
    assert not any(each.creates for each in ours.values())


async def test_the_generic_service_creates_any_kind(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ask = resource_pb2.CreateResourceRequest(
        resource=resource_pb2.Resource(kind="block_storage.volume", name="disk"),
        options=common_pb2.CreateOptions(wait=True),
    )
    ask.resource.attributes.update({"size": 1, "metadata": {"a": "b"}})
    told = await all_of(tree.generic.CreateResource(ask), "resource")
    assert not told.errors()
    for cloud in ours.values():
        [volume] = cloud.made["volumes"].values()
        assert volume["size"] == 1
        assert volume["metadata"]["a"] == "b"
        assert volume["metadata"]["oaktree_operation"].startswith(told.operation)
    ask.resource.attributes.update({"nosuch": 1})
    code, _, text = await refused(tree.generic.CreateResource(ask), "resource")
    assert code == StatusCode.INVALID_ARGUMENT
    assert "resource.attributes.nosuch" in text


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


async def test_an_answer_without_sense_harms_its_own_part(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ours["One"].after = lambda _: reply(200, {"server": ["rubbish"]})
    ours["Two"].after = lambda _: reply(200, json.dumps({"server": {}}).encode(), {"Content-Type": "application/json"})
    told = await all_of(tree.compute.CreateServer(request()))
    # Both were made, and are found.
    assert [told.stages(name)[-1] for name in ours] == [CREATED, CREATED]
