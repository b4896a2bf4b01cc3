"""Oaktrees behind an oaktree: their clouds under their names, one stream, one summary; loops end."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.haproxy.world import Authority
from tests.oaktree.failures import refused
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.people import OTHER, Cloud, token
from tests.oaktree.serving import Oaktree, oaktree

from oaktree.v1 import cloud_pb2, common_pb2, compute_pb2, operation_pb2, resource_pb2
from oaktree.v1.common_pb2 import Condition, CreateOptions, ListOptions
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.access.callers import PATH

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


@pytest.fixture
def clouds() -> Iterator[dict[str, Cloud]]:
    """Two of site A, two of site B, one of site C."""
    made = {name: Cloud() for name in ("A/One", "A/Two", "B/One", "B/Two", "C/One")}
    yield made
    for cloud in made.values():
        cloud.close()


class World:
    """Site A has site B among its own, and B has C."""

    def __init__(self, folder: Path, clouds: dict[str, Cloud]) -> None:
        self.folder = folder
        self.clouds = clouds

    def address(self, site: str) -> str:
        return f"unix:{self.folder}/{site}/s/oaktree.sock"

    def site(
        self, name: str, *behind: str, shown: grpc.ChannelCredentials | None = None, **more: Any
    ) -> contextlib.AbstractAsyncContextManager[Oaktree]:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        mine = {each.partition("/")[2]: cloud for each, cloud in self.clouds.items() if each.startswith(f"{name}/")}
        settings = {
            "listen": [self.address(name)],
            "id": name,
            "oaktrees": [{"name": f"Site{each}", "target": self.address(each)} for each in behind],
            **more,
        }
        return oaktree(clouds_yaml(folder, mine), settings, shown)


@pytest.fixture
def world(tmp_path: Path, clouds: dict[str, Cloud]) -> World:
    return World(tmp_path, clouds)


@pytest.fixture
async def chain(world: World) -> AsyncIterator[Oaktree]:
    for name, cloud in world.clouds.items():
        cloud.boot(f"server-{name}")
    async with world.site("C"), world.site("B", "C"), world.site("A", "B") as first:
        yield first


ALL = {
    ("One", "server-A/One"),
    ("Two", "server-A/Two"),
    ("SiteB/One", "server-B/One"),
    ("SiteB/Two", "server-B/Two"),
    ("SiteB/SiteC/One", "server-C/One"),
}


async def test_a_list_is_of_all_with_one_summary(chain: Oaktree) -> None:
    found, summary = await chain.servers()
    assert found == ALL
    assert {each.location.cloud: each.items for each in summary.results} == {cloud: 1 for cloud, _ in ALL}
    assert set(await chain.names()) == {cloud for cloud, _ in ALL}


@pytest.mark.parametrize("cloud", ["SiteB", "SiteB/One", "SiteB/SiteC", "SiteB/SiteC/One"])
async def test_locations_are_passed_on(chain: Oaktree, cloud: str) -> None:
    found, summary = await chain.servers(locations=[{"cloud": cloud}])
    expected = {each for each in ALL if each[0] == cloud or each[0].startswith(f"{cloud}/")}
    assert found == expected
    assert {each.location.cloud for each in summary.results} == {each for each, _ in expected}


async def test_here_and_there(chain: Oaktree) -> None:
    found, _ = await chain.servers(locations=[{"cloud": "Two"}, {"cloud": "SiteB/Two", "region": "RegionOne"}])
    assert {cloud for cloud, _ in found} == {"Two", "SiteB/Two"}


async def test_locations_that_nobody_has(chain: Oaktree) -> None:
    for cloud in ("SiteC", "One/One"):
        code, message, _ = await refused(chain.servers(locations=[{"cloud": cloud}]))
        assert (code, cloud in message) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    _, summary = await chain.servers(locations=[{"cloud": "SiteB/Nine"}])
    assert summary.results[0].location.cloud == "SiteB"
    assert summary.results[0].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


async def test_sorted_and_in_pages(chain: Oaktree, clouds: dict[str, Cloud]) -> None:
    for index, cloud in enumerate(clouds.values()):
        for number in range(3):
            cloud.boot(f"{number}-{index}")
    expected = sorted([f"{number}-{index}" for number in range(3) for index in range(5)] + [name for _, name in ALL])
    names, page = [], ""
    while True:
        request = compute_pb2.ListServersRequest(options=ListOptions(order_by="name", page_size=3, page_token=page))
        async for answer in chain.compute.ListServers(request, timeout=30):
            names += [each.name for each in answer.servers]
            page = answer.summary.next_page_token
        if not page:
            break
    assert names == expected
    seen: list[str] = []
    while True:
        request = compute_pb2.ListServersRequest(options=ListOptions(page_size=2, page_token=page))
        async for answer in chain.compute.ListServers(request, timeout=30):
            seen += [each.name for each in answer.servers]
            page = answer.summary.next_page_token
        if not page:
            break
    assert sorted(set(seen)) == expected


@pytest.mark.parametrize("text", ["x", "e30=", "bnVsbA==", "eyJzIjogMSwgIm8iOiAxfQ=="])
async def test_page_tokens_that_are_none(chain: Oaktree, text: str) -> None:
    code, message, _ = await refused(chain.servers(options={"page_token": text}))
    assert (code, "page_token" in message) == (grpc.StatusCode.INVALID_ARGUMENT, True)


async def test_get_finds_it_wherever_it_is(chain: Oaktree, clouds: dict[str, Cloud]) -> None:
    for cloud, name in ALL:
        found = await chain.compute.GetServer(compute_pb2.GetServerRequest(id=name), timeout=30)
        assert found.server.location.cloud == cloud
    generic = resource_pb2.GetResourceRequest(kind="compute.server", id="server-C/One")
    path = "/oaktree.v1.ResourceService/GetResource"
    call = chain.channel.unary_unary(
        path,
        request_serializer=generic.__class__.SerializeToString,
        response_deserializer=resource_pb2.GetResourceResponse.FromString,
    )
    assert (await call(generic, timeout=30)).resource.location.cloud == "SiteB/SiteC/One"
    clouds["C/One"].boot("twice")
    clouds["A/One"].boot("twice")
    code, message, info = await refused(chain.compute.GetServer(compute_pb2.GetServerRequest(id="twice"), timeout=30))
    assert (code, info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NAME_AMBIGUOUS")
    assert "SiteB/SiteC/One/RegionOne" in message
    code, _, _ = await refused(chain.compute.GetServer(compute_pb2.GetServerRequest(id="nowhere"), timeout=30))
    assert code is grpc.StatusCode.NOT_FOUND


async def test_delete_goes_to_the_one_that_has_it(chain: Oaktree, clouds: dict[str, Cloud]) -> None:
    server_id = clouds["B/Two"].boot("away-with-it")
    answer = await chain.compute.DeleteServer(compute_pb2.DeleteServerRequest(id="away-with-it"), timeout=30)
    assert (answer.location.cloud, answer.id) == ("SiteB/Two", server_id)
    deleted = {name: [each.target for each in cloud.seen if each.method == "DELETE"] for name, cloud in clouds.items()}
    assert {name for name, targets in deleted.items() if targets} == {"B/Two"}
    missing = compute_pb2.DeleteServerRequest(id="nowhere", allow_missing=True)
    assert not (await chain.compute.DeleteServer(missing, timeout=30)).id


async def test_update_goes_to_the_one_that_has_it(chain: Oaktree, clouds: dict[str, Cloud]) -> None:
    request = compute_pb2.UpdateServerRequest(id="server-C/One", server=compute_pb2.Server(name="other"))
    answer = await chain.compute.UpdateServer(request, timeout=30)
    assert answer.server.location.cloud == "SiteB/SiteC/One"
    assert {name for name, cloud in clouds.items() if any(each.method == "PUT" for each in cloud.seen)} == {"C/One"}


async def test_create_everywhere(chain: Oaktree, clouds: dict[str, Cloud]) -> None:
    for _ in range(2):  # nothing is created twice
        request = compute_pb2.CreateServerRequest(
            server=compute_pb2.Server(name="new"), options=CreateOptions(idempotency_key="one")
        )
        answers = [each async for each in chain.compute.CreateServer(request, timeout=30)]
        assert {each.location.cloud for each in answers[-1].summary.results} == {cloud for cloud, _ in ALL}
        assert not [each.error for each in answers[-1].summary.results if each.error.code]
        made = {each.server.location.cloud for each in answers if each.HasField("server")}
        assert made == {cloud for cloud, _ in ALL}
        for cloud in clouds.values():
            assert len([each for each in cloud.servers.values() if each["name"] == "new"]) == 1
    ids = {each.progress.operation_id for each in answers if each.HasField("progress")}
    assert {each.rpartition("/")[0] for each in ids} == {"", "SiteB", "SiteB/SiteC"}
    for each in ids:
        found = await chain.operations.GetOperation(operation_pb2.GetOperationRequest(id=each), timeout=30)
        assert (found.operation.id, found.operation.done) == (each, True)
        assert {part.location.cloud for part in found.operation.parts} <= {cloud for cloud, _ in ALL}
    nowhere = operation_pb2.GetOperationRequest(id="SiteB/nowhere")
    assert (await refused(chain.operations.GetOperation(nowhere, timeout=30)))[0] is grpc.StatusCode.NOT_FOUND


async def test_watches(chain: Oaktree, clouds: dict[str, Cloud]) -> None:
    server_id = clouds["C/One"].boot("watched")
    request = compute_pb2.WatchServerRequest(id="watched", until=Condition(status="ACTIVE"))
    words = []
    async for each in chain.compute.WatchServer(request, timeout=30):
        words.append((each.change, each.server.location.cloud, each.server.status))
        clouds["C/One"].change(server_id, status="ACTIVE")
    assert words[0] == (common_pb2.CHANGE_CURRENT, "SiteB/SiteC/One", "BUILD")
    assert words[-1] == (common_pb2.CHANGE_REACHED, "SiteB/SiteC/One", "ACTIVE")
    seen = set()
    call = chain.compute.WatchServer(compute_pb2.WatchServerRequest(), timeout=30)
    async for each in call:
        seen.add((each.server.location.cloud, each.server.name))
        if seen >= ALL:
            call.cancel()
            break
    assert seen >= ALL


async def test_rest_info(chain: Oaktree, clouds: dict[str, Cloud]) -> None:
    request = cloud_pb2.GetRestInfoRequest(location=Location(cloud="SiteB/SiteC/One"), service="compute")
    answer = await chain.clouds.GetRestInfo(request, timeout=30)
    assert (answer.root_url, answer.location.cloud) == (f"{clouds['C/One'].url}/compute/v2.1", "SiteB/SiteC/One")
    code, _, _ = await refused(chain.clouds.GetRestInfo(cloud_pb2.GetRestInfoRequest(service="compute"), timeout=30))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_one_that_is_away_harms_its_own_part_only(world: World) -> None:
    world.clouds["A/One"].boot("here")
    async with world.site("A", "B") as first:
        found, summary = await first.servers()
        assert found == {("One", "here")}
        lost = [each for each in summary.results if each.location.cloud == "SiteB"]
        assert [each.error.code for each in lost] == [grpc.StatusCode.UNAVAILABLE.value[0]]


async def test_loops_end(world: World) -> None:
    for name, cloud in world.clouds.items():
        cloud.boot(f"server-{name}")
    async with world.site("B", "A"), world.site("A", "B") as first:
        found, summary = await first.servers()
        assert found == {each for each in ALL if "SiteC" not in each[0]}
        (result,) = [each for each in summary.results if each.error.code]
        assert result.location.cloud == "SiteB/SiteA"
        assert (result.error.code, "before" in result.error.message) == (
            grpc.StatusCode.FAILED_PRECONDITION.value[0],
            True,
        )
        assert len(summary.results) == len(found) + 1
        answer = await first.compute.GetServer(compute_pb2.GetServerRequest(id="server-A/One"), timeout=30)
        assert answer.server.location.cloud == "One"
        code, message, info = await refused(first.servers([(PATH, "x,A")]))
        assert (code, info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LOOP")
        code, message, info = await refused(first.servers([(PATH, ",".join("12345678"))]))
        assert (info.reason, "8 oaktrees" in message) == ("LOOP", True)
        code, _, _ = await refused(first.servers([(PATH, "a b")]))
        assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_users_credentials_go_to_their_oaktree_and_no_further(world: World) -> None:
    for name, cloud in world.clouds.items():
        cloud.boot(f"alice-{name}")
        cloud.boot(f"bob-{name}", tenant_id=OTHER)
    tokens: dict[str, Any] = {"callers": {"tokens": True, "local": True}}
    async with world.site("B", **tokens), world.site("A", "B", **tokens) as first:
        bob = world.clouds["B/Two"].token("bob", OTHER)
        found, summary = await first.servers([token("SiteB/Two", bob)])
        assert found == {("SiteB/Two", "bob-B/Two")}
        assert [each.location.cloud for each in summary.results] == ["SiteB/Two"]
        both = [token("SiteB/Two", bob), token("One", world.clouds["A/One"].token())]
        assert (await first.servers(both))[0] == {("SiteB/Two", "bob-B/Two"), ("One", "alice-A/One")}
        # Without one for clouds there, nobody asks there: it would take A's word for the caller.
        here = [token("One", world.clouds["A/One"].token())]
        assert (await first.servers(here))[0] == {("One", "alice-A/One")}
        assert set(await first.names(here)) == {"One"}
        code, _, _ = await refused(first.servers(here, locations=[{"cloud": "SiteB/One"}]))
        assert code is grpc.StatusCode.PERMISSION_DENIED
        wrong = [token("SiteB/Two", "gAAAAABforged"), *here]
        found, summary = await first.servers(wrong)
        errors = {each.location.cloud: each.error.code for each in summary.results}
        assert errors == {"One": 0, "SiteB": grpc.StatusCode.UNAUTHENTICATED.value[0]}
    for name in ("A/One", "A/Two", "B/One"):
        heads = [str(each.headers) for each in world.clouds[name].seen]
        assert not any(bob in each for each in heads)


async def test_a_policy_narrows_what_is_asked_elsewhere(world: World, tmp_path: Path) -> None:
    for name, cloud in world.clouds.items():
        cloud.boot(f"server-{name}")
    authority = Authority(tmp_path)
    server, ops = authority.pair("localhost", "127.0.0.1"), authority.pair("ops.example")
    root, key, chain = (Path(each).read_bytes() for each in (authority.file, ops["key"], ops["certificate"]))
    settings: dict[str, Any] = {
        "listen": ["127.0.0.1:0"],
        "tls": {**server, "client_ca": str(authority.file)},
        "callers": {"certificates": [{"name": "ops", "san": "ops.example", "policy": "part"}]},
        "policies": {"part": {"locations": [{"cloud": "One"}, {"cloud": "SiteB/Two", "region": "RegionOne"}]}},
    }
    shown = grpc.ssl_channel_credentials(root, key, chain)
    async with world.site("C"), world.site("B", "C"), world.site("A", "B", shown=shown, **settings) as first:
        found, summary = await first.servers()
        assert found == {("One", "server-A/One"), ("SiteB/Two", "server-B/Two")}
        assert len(summary.results) == 2
        assert (await first.servers(locations=[{"region": "RegionOne"}]))[0] == found
        assert (await first.servers(locations=[{"cloud": "SiteB"}]))[0] == {("SiteB/Two", "server-B/Two")}
        for name in ("SiteB/One", "SiteB/SiteC", "SiteB/SiteC/One", "SiteB/Twofold"):
            code, _, info = await refused(first.servers(locations=[{"cloud": name}]))
            assert (code, info.reason) == (grpc.StatusCode.PERMISSION_DENIED, "POLICY_FORBIDDEN")
        code, _, _ = await refused(first.servers(locations=[{"cloud": "SiteB/Two", "region": "RegionTwo"}]))
        assert code is grpc.StatusCode.PERMISSION_DENIED
        get = compute_pb2.GetServerRequest(id="server-B/One")
        assert (await refused(first.compute.GetServer(get, timeout=30)))[0] is grpc.StatusCode.NOT_FOUND
    assert not world.clouds["C/One"].asked
    assert not world.clouds["B/One"].asked


async def test_one_oaktree_knows_another_by_its_certificate(world: World, tmp_path: Path) -> None:
    for name, cloud in world.clouds.items():
        cloud.boot(f"server-{name}")
    authority = Authority(tmp_path)
    server, here = authority.pair("localhost", "127.0.0.1"), authority.pair("site-a.example")
    behind: dict[str, Any] = {
        "listen": ["127.0.0.1:0"],
        "tls": {**server, "client_ca": str(authority.file)},
        "callers": {"certificates": [{"name": "SiteA", "san": "site-a.example", "policy": "part"}]},
        "policies": {"part": {"locations": [{"cloud": "Two"}]}},
    }
    async with world.site("B", **behind) as second:
        there = {"name": "SiteB", "target": second.addresses[0], "ca": str(authority.file), **here}
        async with world.site("A", oaktrees=[there]) as first:
            assert {cloud for cloud, _ in (await first.servers())[0]} == {"One", "Two", "SiteB/Two"}
            code, _, info = await refused(
                first.compute.DeleteServer(
                    compute_pb2.DeleteServerRequest(location=Location(cloud="SiteB/Two"), id="x")
                )
            )
            assert (code, info.metadata["cloud"]) == (grpc.StatusCode.PERMISSION_DENIED, "SiteB")
