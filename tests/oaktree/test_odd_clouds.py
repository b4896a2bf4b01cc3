"""Entries of clouds.yaml as people write them (odd_clouds.yaml), beside a good one: each is its own line, and none harms another."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.rpc import error_details_pb2, status_pb2
from tests.oaktree.failures import detail, status
from tests.oaktree.keystone import entry
from tests.oaktree.nova import Nova
from tests.oaktree.silent import dead
from tests.oaktree.world import Oaktree

from oaktree.client import Oaktree as Client
from oaktree.v1 import cloud_pb2, compute_pb2
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses

CORPUS = Path(__file__).with_name("odd_clouds.yaml")
LONG = 120.0
SERVERS = 2
SECRETS = ("secret-of-demo", "not-a-secret", "not-a-token", "secret-of-alice")


@dataclass
class World:
    """A server over all of them, and what it was given."""

    client: Client
    server: Oaktree
    groups: dict[str, dict[Any, Any]]

    def names(self, group: str) -> list[str]:
        """Those that are text: the others are shown as YAML takes them."""
        return [each for each in self.groups[group] if isinstance(each, str)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with contextlib.closing(Nova()) as cloud:
        for _ in range(SERVERS):
            cloud.boot(status="ACTIVE")
        text = CORPUS.read_text().replace("@GOOD@", cloud.url).replace("@DEAD@", dead())
        groups = yaml.safe_load(text)
        del groups["common"]
        clouds = {"good": entry(cloud.url)}
        for group in groups.values():
            assert not clouds.keys() & group.keys()
            clouds |= group
        folder = tmp_path_factory.mktemp("odd")
        file = folder / "clouds.yaml"
        file.write_text(yaml.safe_dump({"clouds": clouds}, allow_unicode=True))
        server = Oaktree(folder, file, timeout=60)
        try:
            with server.channel() as channel:
                yield World(Client(channel), server, groups)
        finally:
            assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="module")
def listed(world: World) -> dict[str, tuple[int, status_pb2.Status]]:
    """cloud -> how many servers came, and what went wrong."""
    answers = list(world.client.compute.ListServers(compute_pb2.ListServersRequest(), timeout=LONG))
    results = answers[-1].summary.results
    assert len({(each.location.cloud, each.location.region) for each in results}) == len(results)
    return {each.location.cloud: (each.items, each.error) for each in results}


def reason(error: status_pb2.Status) -> str:
    return statuses.reason(error)


def test_there_are_two_hundred(world: World) -> None:
    assert sum(len(each) for each in world.groups.values()) >= 200


def test_each_is_a_line_of_its_own(world: World, listed: dict[str, Any]) -> None:
    assert (
        len(listed) >= 1 + sum(len(each) for each in world.groups.values()) - 2
    )  # 1 and true, for example, are one key
    found = {each.location.cloud for each in world.client.clouds.ListClouds(cloud_pb2.ListCloudsRequest(), timeout=LONG).clouds}  # fmt: skip
    assert found == listed.keys()


def test_the_good_one_is_harmed_by_none(listed: dict[str, Any]) -> None:
    assert listed["good"] == (SERVERS, status_pb2.Status())


def test_what_openstacksdk_can_use_is_served_whatever_its_name(world: World, listed: dict[str, Any]) -> None:
    assert {name: listed[name] for name in world.names("served")} == dict.fromkeys(
        world.names("served"), (SERVERS, status_pb2.Status())
    )


def test_what_is_served_can_be_addressed(world: World) -> None:
    places = [Location(cloud=each) for each in world.names("served")]
    answers = list(world.client.compute.ListServers(compute_pb2.ListServersRequest(locations=places), timeout=LONG))
    assert sum(each.items for each in answers[-1].summary.results) == SERVERS * len(places)
    for place in places[:8]:
        wanted = compute_pb2.GetServerRequest(id="server-1", location=place)
        assert world.client.compute.GetServer(wanted, timeout=LONG).server.location.cloud == place.cloud


def test_where_nobody_is_there_is_no_connection(world: World, listed: dict[str, Any]) -> None:
    found = {name: reason(listed[name][1]) for name in world.names("unreachable")}
    assert set(found.values()) <= {"CLOUD_UNREACHABLE", "CLOUD_LEFT_ALONE"}, found


def test_what_cannot_be_used_says_so_and_why(world: World, listed: dict[str, Any]) -> None:
    names = [each for each in world.names("invalid") if each in listed]
    found = {name: (reason(listed[name][1]), listed[name][1].message) for name in names}
    assert {name: each for name, each in found.items() if each[0] != "CLOUD_CONFIG_INVALID"} == {}
    assert all(message for _, message in found.values())
    for name in names:
        info = detail(listed[name][1], error_details_pb2.ErrorInfo)
        assert info.metadata["cloud"] == name
    # Those whose names are none are shown as they can be.
    others = {
        name for name in listed if name not in {"good", *world.names("served"), *world.names("unreachable"), *names}
    }
    assert {reason(listed[each][1]) for each in others} == {"CLOUD_CONFIG_INVALID"}
    assert {"2023", "3.14", "16", "True", "2024-01-31"} <= others


def test_a_single_call_to_one_says_the_same(world: World) -> None:
    for name in ("auth-null", "cacert-missing", "regions-text", "dead-profile", "password-missing-for-v3"):
        with pytest.raises(grpc.RpcError) as caught:
            world.client.compute.GetServer(
                compute_pb2.GetServerRequest(id="x", location=Location(cloud=name)), timeout=LONG
            )
        info = detail(status(caught.value), error_details_pb2.ErrorInfo)
        assert (info.reason, info.metadata["cloud"]) == ("CLOUD_CONFIG_INVALID", name)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_the_start_tells_operators_and_nothing_tells_secrets(world: World, listed: dict[str, Any]) -> None:
    log = world.server.log.read_text()
    assert "clouds.yaml: auth-null: auth: expected a mapping" in log
    told = log + "".join(error.message for _, error in listed.values())
    assert not [each for each in SECRETS if each in told]
