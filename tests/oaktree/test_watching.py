"""Watches, from gRPC streams to the wire of clouds: what is told of one resource and of all, and what cannot be watched."""

import asyncio
from typing import Any

import pytest
from grpc import StatusCode
from tests.oaktree.failures import reason, violation
from tests.oaktree.watched import INTERVAL, KINDS, Reader, Stage, words

from oaktree.v1 import common_pb2, compute_pb2, resource_pb2
from oaktree.v1.common_pb2 import Condition
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.watches import conditions

# openstacksdk warns its own code of what it will drop.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


# Of one.


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
    await asyncio.sleep(2 * INTERVAL)  # for so long Two may be known not to have it
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
