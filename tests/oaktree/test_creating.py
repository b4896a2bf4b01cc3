"""Creates in many clouds, from gRPC streams to the wire of clouds: what is sent, what is told, and what is waited for."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import duration_pb2
from grpc import StatusCode
from tests.oaktree.creator import ACCEPTED, CREATED, DONE, FAILED, SENT, UNDONE, Oaktree, all_of, refused, request
from tests.oaktree.making import Cloud
from tests.oaktree.upstream import reply

from oaktree.v1 import common_pb2, compute_pb2, network_pb2, operation_pb2, resource_pb2
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


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
    assert statuses.reason(told.errors()["One"]) == "QUOTA_EXCEEDED"
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
    assert statuses.reason(told.errors()["One"]) == "RESOURCE_FAILED"
    # It is still there, and its id is told, so that it can be looked at.
    assert [each.resource_id for each in told.progress if each.location.cloud == "One"][-1] in ours["One"].servers


async def test_a_wait_has_an_end(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ours["One"].statuses = ["BUILD"]
    # On a busy machine the create itself may take longer than the first of them.
    for seconds in (1, 5, 30):
        wait = duration_pb2.Duration(seconds=seconds)
        told = await all_of(tree.compute.CreateServer(request("web", "One", wait=True, timeout=wait)))
        if told.stages("One")[-1] == CREATED:
            break
    assert told.stages("One")[-1] == CREATED
    assert statuses.reason(told.errors()["One"]) == "DEADLINE_EXCEEDED"


async def test_an_error_of_the_service_itself_is_a_failure(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ours["One"].before = lambda _: reply(500, {"computeFault": {"code": 500, "message": "Unexpected"}})
    ours["Two"].after = lambda _: reply(500, {"computeFault": {"code": 500, "message": "after it was made"}})
    told = await all_of(tree.compute.CreateServer(request()))
    assert told.stages("One")[-1] == FAILED
    assert told.stages("Two")[-1] == CREATED


async def test_an_answer_without_sense_harms_its_own_part(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    ours["One"].after = lambda _: reply(200, {"server": ["rubbish"]})
    ours["Two"].after = lambda _: reply(200, json.dumps({"server": {}}).encode(), {"Content-Type": "application/json"})
    told = await all_of(tree.compute.CreateServer(request()))
    # Both were made, and are found.
    assert [told.stages(name)[-1] for name in ours] == [CREATED, CREATED]


# What is asked for.


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
