"""Groups: resources of several kinds that refer to each other, in every cloud of a request, undone together."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.oaktree.creator import DONE, UNDONE, Oaktree, held
from tests.oaktree.failures import refused
from tests.oaktree.installed import example
from tests.oaktree.making import Cloud
from tests.oaktree.upstream import eventually, reply
from tests.oaktree.whole_cloud import World, two_clouds

from oaktree.v1.common_pb2 import CreateOptions
from oaktree.v1.group_pb2 import BuildGroupRequest, BuildGroupResponse, Member
from oaktree.v1.location_pb2 import Location
from oaktree.v1.resource_pb2 import Resource
from openstackoid.oaktree import errors, statuses
from openstackoid.oaktree.creates import groups

SERVER = {"name": "web", "flavor_id": "1", "image_id": "2", "networks": [{"uuid": "${net.id}"}]}


def member(name: str, kind: str, attributes: Mapping[str, Any], count: int = 0) -> Member:
    made = Member(name=name, resource=Resource(kind=kind), count=count)
    made.resource.attributes.update(attributes)
    return made


def request(*members: Member, places: tuple[str, ...] = (), **options: Any) -> BuildGroupRequest:
    locations = [Location(cloud=each) for each in places]
    return BuildGroupRequest(members=members, locations=locations, options=CreateOptions(**options))


NET = member("net", "network.network", {"name": "private"})
WEB = member("web", "compute.server", {**SERVER, "name": "web-${index}"}, count=3)
DISK = member("disk", "block_storage.volume", {"name": "of-${web.name}", "size": 1}, count=3)


async def built(tree: Oaktree, asked: BuildGroupRequest) -> list[BuildGroupResponse]:
    async with asyncio.timeout(60):
        return [each async for each in tree.groups.BuildGroup(asked)]


def failures(answers: list[BuildGroupResponse]) -> dict[str, tuple[str, str]]:
    results = answers[-1].summary.results
    found = [each for each in results if each.HasField("error")]
    return {each.location.cloud: (statuses.reason(each.error), each.error.message) for each in found}


# Members and references.


def parsed(*members: Member) -> list[groups.Member]:
    return groups.parse(members)


def test_a_member_comes_after_those_that_it_refers_to() -> None:
    assert [each.name for each in parsed(DISK, WEB, NET)] == ["net", "web", "disk"]
    assert [each.count for each in parsed(DISK, WEB, NET)] == [1, 3, 3]


def test_values_take_the_place_of_references() -> None:
    texts = {
        "whole": "${web.id}",
        "inside": "${net.mtu}/${index}: ${net.up}",
        "nested": [{"address": "${web.addresses.private[0].addr}"}],
        "text": "$${web.id} $ {} ${index}",
        "number": 3,
    }
    [*_, last] = parsed(NET, WEB, member("last", "compute.server", texts))
    made: dict[str, list[dict[str, Any]]] = {
        "net": [{"mtu": 1500, "up": True}],
        "web": [{"id": each, "addresses": {"private": [{"addr": f"10.0.0.{each}"}]}} for each in "123"],
    }
    assert groups.resolved(last, 1, made) == {
        "whole": ["1", "2", "3"],
        "inside": "1500/1: true",
        "nested": [{"address": ["10.0.0.1", "10.0.0.2", "10.0.0.3"]}],
        "text": "${web.id} $ {} 1",
        "number": 3,
    }
    # Of as many, each has its own.
    [*_, disk] = parsed(NET, WEB, member("disk", "block_storage.volume", {"name": "${web.id}"}, count=3))
    assert [groups.resolved(disk, number, made) for number in (1, 2, 3)] == [{"name": each} for each in "123"]
    for attribute in ("${net.nothing}", "x ${web.id}"):
        [*_, wrong] = parsed(NET, WEB, member("wrong", "compute.server", {"name": attribute}))
        with pytest.raises(errors.InvalidError):
            groups.resolved(wrong, 1, made)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ((), "members"),
        ((member("1st", "k", {}),), "members[0].name"),
        ((member("index", "k", {}),), "members[0].name"),
        ((NET, NET), "members[1].name"),
        ((member("a", "k", {}, count=-1),), "members[0].count"),
        ((member("a", "k", {}, count=150), member("b", "k", {}, count=150)), "members"),
        ((member("a", "k", {"name": ["${b.id}"]}),), "members[0].resource.attributes"),
        ((member("a", "k", {"name": "${a}"}),), "members[0].resource.attributes"),
        ((member("a", "k", {"name": "${a.[}"}),), "members[0].resource.attributes"),
        ((member("a", "k", {"name": "${b.id}"}), member("b", "k", {"name": "${a.id}"})), "members"),
        ((member("a", "k", {"name": "${a.id}"}),), "members"),
    ],
)
def test_what_cannot_be_built_names_its_field(members: tuple[Member, ...], field: str) -> None:
    with pytest.raises(errors.InvalidError) as caught:
        groups.parse(members)
    assert caught.value.field == field


# Clouds.


async def test_each_cloud_has_a_group_of_its_own(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    for each in ours.values():
        each.statuses = ["BUILD", "ACTIVE"]
    answers = await built(tree, request(DISK, WEB, NET))
    assert not failures(answers)
    assert {each.location.cloud: each.items for each in answers[-1].summary.results} == {"One": 7, "Two": 7}
    for cloud in ours.values():
        [network] = cloud.made["networks"]
        assert cloud.creates[0]["name"] == "private"
        assert {each["name"] for each in cloud.servers.values()} == {"web-1", "web-2", "web-3"}
        assert all(each["networks"] == [{"uuid": network}] for each in cloud.servers.values())
        assert {each["name"] for each in cloud.made["volumes"].values()} == {"of-web-1", "of-web-2", "of-web-3"}
    steps = {(each.member, each.index, each.progress.location.cloud) for each in answers if each.progress.stage == DONE}
    assert len(steps) == 14


async def test_what_failed_anywhere_is_undone_everywhere_the_last_first(tree: Oaktree, ours: dict[str, Cloud]) -> None:
    refusal = reply(403, {"forbidden": {"code": 403, "message": "Quota exceeded for volumes"}})
    ours["Two"].before = lambda seen: refusal if "/volumes" in seen.target else None
    answers = await built(tree, request(NET, WEB, DISK, undo_on_failure=True))
    found = failures(answers)
    assert found["Two"][0] == "QUOTA_EXCEEDED"
    assert found["Two"][1].startswith("disk[")
    assert "deleted again" in found["One"][1]
    for cloud in ours.values():
        assert not any(cloud.made.values())
        assert len(cloud.deletes) == (7 if cloud is ours["One"] else 4)
    networks = [each.progress for each in answers if each.member == "net" and each.progress.stage == UNDONE]
    assert {each.location.cloud for each in networks} == {"One", "Two"}
    assert {each.progress.stage for each in answers[-3:-1]} == {UNDONE}
    assert [each.items for each in answers[-1].summary.results] == [0, 0]


async def test_without_undo_the_rest_stays_and_what_refers_to_the_failed_is_not_created(
    tree: Oaktree, ours: dict[str, Cloud]
) -> None:
    ours["One"].before = lambda seen: (
        reply(400, {"NeutronError": {"message": "no"}}) if "/networks" in seen.target else None
    )
    lonely = member("lonely", "block_storage.volume", {"name": "lonely", "size": 1})
    answers = await built(tree, request(NET, WEB, lonely))
    assert set(failures(answers)) == {"One"}
    assert not ours["One"].servers
    assert len(ours["One"].made["volumes"]) == 1
    assert len(ours["Two"].servers) == 3


async def test_the_same_key_goes_on_where_it_ended_and_creates_nothing_twice(
    tree: Oaktree, ours: dict[str, Cloud]
) -> None:
    go = asyncio.Event()
    hold = held(go)
    ours["One"].before = lambda seen: hold(seen) if "/servers" in seen.target else None
    call = tree.groups.BuildGroup(request(NET, WEB, places=("One",), idempotency_key="mine"))
    await eventually(lambda: any("/servers" in each.target and each.method == "POST" for each in ours["One"].seen))
    call.cancel()
    go.set()
    for _ in range(2):
        answers = await built(tree, request(NET, WEB, places=("One",), idempotency_key="mine"))
        assert not failures(answers)
    assert (len(ours["One"].made["networks"]), len(ours["One"].servers)) == (1, 3)
    assert not ours["Two"].creates


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (request(member("a", "no.kind", {})), "resource.kind"),
        (request(NET, places=("Nowhere",)), "locations[0].cloud"),
        (request(NET, detach=True), "options.detach"),
        (BuildGroupRequest(members=[NET], locations=[Location(cloud="One", zone="z")]), "locations[0].zone"),
    ],
)
async def test_a_request_that_is_wrong_creates_nothing(
    tree: Oaktree, ours: dict[str, Cloud], asked: BuildGroupRequest, field: str
) -> None:
    code, message, _ = await refused(built(tree, asked))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert message.startswith(f"{field}: ")
    assert not ours["One"].creates


# The example, as a program of its own.


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with two_clouds(tmp_path) as made:
        yield made


def test_the_example_builds_a_group_everywhere(world: World) -> None:
    done = example("group_everywhere.py", OAKTREE_TARGET=world.address)
    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, ["one 5 ", "two 5 "]), done.stderr
    for cloud in world.clouds.values():
        mine = cloud.id("networks", "mine")
        assert [each["networks"] for _, each in cloud.posted if "flavorRef" in each] == [[{"uuid": mine}]] * 4
