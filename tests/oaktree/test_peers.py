"""Peers of a gateway as clouds of an oaktree: which requests go where, for whom, and what is told of a gateway that does not answer."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from tests.oaktree.failures import refused
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.people import OTHER, Cloud, token
from tests.oaktree.serving import Oaktree, oaktree
from tests.oaktree.upstream import TOKEN, Seen, reply

from oaktree.v1 import cloud_pb2, compute_pb2, identity_pb2, identity_pb2_grpc
from oaktree.v1.location_pb2 import Location
from openstackoid.commands.listing import COMMANDS
from openstackoid.core.errors import ConfigError
from openstackoid.oaktree import statuses
from openstackoid.oaktree.serving import configured
from openstackoid.oaktree.upstream import peers

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")

SCOPES = {name: f'{{"*":"{name}","identity":"Home"}}' for name in ("CloudTwo", "CloudThree")}
WHY = "CloudThree's agreement with Home has no rule that allows GET compute /v2.1/servers/detail."


class Gateway(Cloud):
    """A cloud behind a gateway: under a scope, servers are those of a peer, where they have the names of who asks and of the peer.

    Attributes:
        peers: what it tells, by name.
        instead: what it answers when it is asked for them.
        cut: peers that break off connections.
    """

    def __init__(self) -> None:
        self.peers: dict[str, dict[str, Any]] = {
            "CloudTwo": {"services": ["compute", "identity", "image"]},
            "CloudThree": {"services": ["compute"], "agreement": {"offered_there": ["image"]}},
        }
        self.instead: Callable[[], bytes | None] | None = None
        self.cut: set[str] = set()
        self.posted: list[tuple[str | None, str]] = []
        super().__init__()

    def scopes(self, path: str) -> set[str | None]:
        """Those under which a path was asked for."""
        return {each.headers.get("x-scope") for each in self.seen if path in each.target}

    def _answer(self, seen: Seen, sock: socket.socket) -> bytes | None:
        if seen.target == "/openstackoid/v1/peers":
            if self.instead is not None:
                return self.instead()
            told = [{"name": name, "state": "up", **each} for name, each in self.peers.items()]
            return reply(200, {"cloud": "Home", "peers": told})
        if seen.target == "/.well-known/openstackoid":
            return reply(200, {"cloud": "Home", "services": {}})
        scope = json.loads(seen.headers.get("x-scope", "{}"))
        peer = scope.get("*")
        if peer is None or "/servers" not in seen.target:
            return super()._answer(seen, sock)
        if peer in self.cut:
            return None
        if peer == "CloudThree":
            return reply(403, {"forbidden": {"code": 403, "message": WHY}})
        if seen.method == "POST":
            self.posted.append((seen.headers.get("x-scope"), json.loads(seen.body)["server"]["name"]))
        if "/servers/detail" not in seen.target:
            return reply(202, {"server": {"id": OTHER, "name": self.posted[-1][1], "status": "ACTIVE"}})
        asker = seen.headers.get("x-auth-token", "")
        user = self._tokens[asker]["user"]["name"] if asker in self._tokens else "file" if asker == TOKEN else "nobody"
        return reply(200, {"servers": [{"id": OTHER, "name": f"{user}-{peer}", "status": "ACTIVE"}]})


@pytest.fixture
def home() -> Iterator[Gateway]:
    made = Gateway()
    made.boot("at-home")
    yield made
    made.close()


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    return {"listen": [f"unix:{folder}/s/oaktree.sock"], "peers": {"of": ["CloudOne"], "refresh": 1}, **more}


def told(error: Any) -> tuple[str, str]:
    """The reason and the message of a status."""
    info = error_details_pb2.ErrorInfo()
    assert error.details[0].Unpack(info)
    return info.reason, error.message


def results(summary: Any) -> dict[str, Any]:
    return {each.location.cloud: each for each in summary.results}


async def listed(server: Oaktree, *metadata: tuple[str, str]) -> dict[str, Any]:
    found = await server.clouds.ListClouds(cloud_pb2.ListCloudsRequest(), metadata=metadata, timeout=30)
    return {each.location.cloud: each for each in found.clouds}


async def comes(holds: Callable[[], Any]) -> None:
    """Ask again until it holds."""
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.05)


async def test_peers_are_clouds_by_their_homes_name_and_theirs(tmp_path: Path, home: Gateway) -> None:
    async with oaktree(clouds_yaml(tmp_path, {"CloudOne": home}), settings(tmp_path)) as server:
        found, summary = await server.servers()
        assert found == {("CloudOne", "at-home"), ("CloudOne:CloudTwo", "file-CloudTwo")}
        by_cloud = results(summary)
        assert list(by_cloud) == ["CloudOne", "CloudOne:CloudThree", "CloudOne:CloudTwo"]
        assert by_cloud["CloudOne:CloudTwo"].location.region == "RegionOne"
        assert told(by_cloud["CloudOne:CloudThree"].error) == ("CLOUD_FORBIDDEN", f"the cloud answered HTTP 403: {WHY}")
        # All of what peers are asked is scoped, discovery and the login as well; nothing of home's is.
        assert home.scopes("/servers") == {None, *SCOPES.values()}
        assert {*SCOPES.values()} < home.scopes("/compute/v2.1")
        assert home.scopes("/auth/tokens") == {None, *SCOPES.values()}
        clouds = await listed(server)
        assert [*clouds["CloudOne:CloudTwo"].services] == ["compute", "image"]
        assert [*clouds["CloudOne:CloudThree"].services] == ["image"]
        assert (await server.servers(locations=[{"cloud": "CloudOne:CloudTwo"}]))[0] == {
            ("CloudOne:CloudTwo", "file-CloudTwo")
        }
        assert (await server.servers(locations=[{"cloud": "CloudOne"}]))[0] == {("CloudOne", "at-home")}
        code, message, _ = await refused(server.servers(locations=[{"cloud": "CloudTwo"}]))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "CloudOne:CloudTwo" in message


async def test_a_cloud_of_the_file_is_no_peer_of_the_same_name(tmp_path: Path, home: Gateway) -> None:
    two = Cloud()
    two.boot("mine")
    try:
        entries = {"CloudOne": home, "CloudTwo": two}
        async with oaktree(clouds_yaml(tmp_path, entries), settings(tmp_path)) as server:
            found, _ = await server.servers()
            assert found >= {("CloudTwo", "mine"), ("CloudOne:CloudTwo", "file-CloudTwo")}
            assert (await server.servers(locations=[{"cloud": "CloudTwo"}]))[0] == {("CloudTwo", "mine")}
    finally:
        two.close()


async def test_what_is_created_at_a_peer_is_created_there(tmp_path: Path, home: Gateway) -> None:
    async with oaktree(clouds_yaml(tmp_path, {"CloudOne": home}), settings(tmp_path)) as server:
        request = compute_pb2.CreateServerRequest(
            locations=[Location(cloud="CloudOne:CloudTwo")], server=compute_pb2.Server(name="there")
        )
        answers = [each async for each in server.compute.CreateServer(request, timeout=30)]
        made = [each.server for each in answers if each.HasField("server")]
        assert [(each.name, each.location.cloud) for each in made] == [("there", "CloudOne:CloudTwo")]
    assert home.posted == [(SCOPES["CloudTwo"], "there")]
    assert not any(each["name"] == "there" for each in home.servers.values())


async def test_identity_is_asked_at_home_alone(tmp_path: Path, home: Gateway) -> None:
    async with oaktree(clouds_yaml(tmp_path, {"CloudOne": home}), settings(tmp_path)) as server:
        identity: Any = identity_pb2_grpc.IdentityServiceStub(server.channel)
        answers = [each async for each in identity.ListUsers(identity_pb2.ListUsersRequest(), timeout=30)]
        by_cloud = results(answers[-1].summary)
        reason, message = told(by_cloud["CloudOne:CloudTwo"].error)
        assert (reason, "those of CloudOne" in message) == ("SERVICE_MISSING", True)
        info = cloud_pb2.GetRestInfoRequest(location=Location(cloud="CloudOne:CloudTwo"), service="identity")
        code, _, _ = await refused(server.clouds.GetRestInfo(info, timeout=30))
        assert code is grpc.StatusCode.UNIMPLEMENTED
    assert home.scopes("/users") == {None}


async def test_the_way_past_the_api_leads_to_the_peer(tmp_path: Path, home: Gateway) -> None:
    async with oaktree(clouds_yaml(tmp_path, {"CloudOne": home}), settings(tmp_path)) as server:
        for cloud, scope in (("CloudOne", None), ("CloudOne:CloudTwo", SCOPES["CloudTwo"])):
            request = cloud_pb2.GetRestInfoRequest(location=Location(cloud=cloud), service="compute")
            info = await server.clouds.GetRestInfo(request, timeout=30)
            assert info.location.cloud == cloud
            assert info.headers.get("X-Scope") == scope
            assert info.headers["X-Auth-Token"] == TOKEN


@pytest.mark.parametrize("cache", [None, {"fresh": 60}], ids=["asked", "remembered"])
async def test_users_see_the_peers_of_their_cloud_as_themselves(tmp_path: Path, home: Gateway, cache: Any) -> None:
    two = Cloud()
    entries = {"CloudOne": home, "CloudTwo": two}
    alice, bob = ([token("CloudOne", home.token(name))] for name in ("alice", "bob"))
    more = settings(tmp_path, callers={"tokens": True}, cache=cache)
    try:
        async with oaktree(clouds_yaml(tmp_path, entries), more) as server:
            for who, name in ((alice, "alice"), (bob, "bob")) * 3:
                assert (await server.servers(who))[0] == {
                    ("CloudOne", "at-home"),
                    ("CloudOne:CloudTwo", f"{name}-CloudTwo"),
                }
            assert await server.names([token("CloudTwo", two.token())]) == ["CloudTwo"]
            peer = [{"cloud": "CloudOne:CloudTwo"}]
            code, message, _ = await refused(server.servers([token("CloudTwo", two.token())], locations=peer))
            assert (code, "no credential for CloudOne " in message) == (grpc.StatusCode.PERMISSION_DENIED, True)
            code, _, _ = await refused(server.names([token("CloudOne:CloudTwo", home.token())]))
            assert code is grpc.StatusCode.INVALID_ARGUMENT
    finally:
        two.close()


async def test_policies_name_peers(tmp_path: Path, home: Gateway) -> None:
    more = settings(
        tmp_path,
        callers={"tokens": {"policy": "there"}},
        policies={"there": {"locations": [{"cloud": "CloudOne:CloudTwo"}]}},
    )
    async with oaktree(clouds_yaml(tmp_path, {"CloudOne": home}), more) as server:
        who = [token("CloudOne", home.token())]
        assert await server.names(who) == ["CloudOne:CloudTwo"]
        assert (await server.servers(who))[0] == {("CloudOne:CloudTwo", "alice-CloudTwo")}


async def test_a_gateway_that_does_not_answer_is_told_until_it_does(tmp_path: Path, home: Gateway) -> None:
    home.instead = lambda: reply(503, {"error": {"message": "later"}})
    async with oaktree(clouds_yaml(tmp_path, {"CloudOne": home}), settings(tmp_path)) as server:
        found, summary = await server.servers()
        assert found == {("CloudOne", "at-home")}
        reason, message = told(results(summary)["CloudOne:"].error)
        assert (reason, "the gateway of CloudOne" in message) == ("PEERS_UNKNOWN", True)
        lost = (await listed(server))["CloudOne:"]
        assert (lost.available, told(lost.last_error)[0]) == (False, "PEERS_UNKNOWN")
        # Nobody can say that there is no such peer.
        _, summary = await server.servers(locations=[{"cloud": "CloudOne:CloudTwo"}])
        assert told(results(summary)["CloudOne:CloudTwo"].error)[0] == "PEERS_UNKNOWN"
        home.instead = None

        async def known() -> bool:
            return "CloudOne:CloudTwo" in await server.names()

        await comes(known)
        assert "CloudOne:" not in await server.names()
        # What was known stays while it is away, and peers come and go with what it tells.
        home.instead = lambda: reply(503, {"error": {"message": "later"}})
        asked = len([each for each in home.seen if "v1/peers" in each.target])

        async def asked_again() -> bool:
            assert "CloudOne:CloudTwo" in await server.names()
            return len([each for each in home.seen if "v1/peers" in each.target]) > asked + 1

        await comes(asked_again)
        del home.peers["CloudTwo"]
        home.instead = None

        async def gone() -> bool:
            return await server.names() == ["CloudOne", "CloudOne:CloudThree"]

        await comes(gone)


async def test_a_call_waits_for_a_silent_gateway_with_half_of_its_time(tmp_path: Path, home: Gateway) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang() -> None:
        asyncio.run_coroutine_threadsafe(ended.wait(), loop).result(60)

    home.instead = hang
    async with oaktree(clouds_yaml(tmp_path, {"CloudOne": home}), settings(tmp_path)) as server:
        request = cloud_pb2.ListCloudsRequest()
        for _ in range(2):
            found = await server.clouds.ListClouds(request, timeout=3)
            assert [each.location.cloud for each in found.clouds] == ["CloudOne", "CloudOne:"]
        ended.set()


@pytest.mark.parametrize("before", [True, False], ids=["any more", "at all"])
async def test_what_is_no_gateway_leads_nowhere(tmp_path: Path, home: Gateway, before: bool) -> None:
    """It would not read scopes: home's own servers would look like the peer's."""

    def missing() -> bytes:
        return reply(404, {"error": {"code": 404, "message": "Not Found"}})

    home.instead = None if before else missing
    async with oaktree(clouds_yaml(tmp_path, {"CloudOne": home}), settings(tmp_path)) as server:
        assert ("CloudOne:CloudTwo" in await server.names()) is before
        home.instead = missing

        async def gone() -> bool:
            return await server.names() == ["CloudOne", "CloudOne:"]

        await comes(gone)
        reason, message = told((await listed(server))["CloudOne:"].last_error)
        assert reason == "GATEWAY_MISSING"
        assert "peers.of" in message


async def test_a_peer_that_breaks_off_is_left_alone_and_no_other(tmp_path: Path, home: Gateway) -> None:
    home.cut = {"CloudTwo"}
    async with oaktree(clouds_yaml(tmp_path, {"CloudOne": home}), settings(tmp_path)) as server:

        async def left_alone() -> bool:
            _, summary = await server.servers()
            by_cloud = results(summary)
            assert not by_cloud["CloudOne"].error.code
            assert told(by_cloud["CloudOne:CloudThree"].error)[0] == "CLOUD_FORBIDDEN"
            return told(by_cloud["CloudOne:CloudTwo"].error)[0] == "CLOUD_LEFT_ALONE"

        await comes(left_alone)
        clouds = await listed(server)
        assert {name: each.available for name, each in clouds.items()} == {
            "CloudOne": True, "CloudOne:CloudThree": True, "CloudOne:CloudTwo": False,
        }  # fmt: skip


def test_a_scope_in_the_file_does_not_replace_the_peers(tmp_path: Path, home: Gateway) -> None:
    """The `openstack` client's own, with the hook that puts it on all requests."""
    path = clouds_yaml(tmp_path, {"CloudOne": home})
    document = path.read_text().replace(
        "region_name: RegionOne",
        "region_name: RegionOne\n    scope: {image: CloudThree}\n    vendor_hook: openstackoid.client:attach",
    )
    path.write_text(document)

    async def ask() -> None:
        async with oaktree(path, settings(tmp_path)) as server:
            assert ("CloudOne:CloudTwo", "file-CloudTwo") in (await server.servers())[0]

    asyncio.run(ask())
    assert home.scopes("/servers") == {'{"image":"CloudThree"}', *SCOPES.values()}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"peers": {"of": ["CloudTwo"]}}, "CloudTwo is no cloud"),
        ({"oaktrees": [{"name": "CloudOne:B", "target": "unix:/x"}]}, "looks like a peer"),
    ],
)
async def test_names_that_could_mean_two_are_refused(tmp_path: Path, home: Gateway, more: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        async with oaktree(clouds_yaml(tmp_path, {"CloudOne": home}), settings(tmp_path, **more)):
            pass


async def test_a_cloud_of_the_file_that_looks_like_a_peer_is_refused(tmp_path: Path, home: Gateway) -> None:
    entries = {"CloudOne": home, "CloudOne:CloudTwo": home}
    with pytest.raises(ConfigError, match="rename it"):
        async with oaktree(clouds_yaml(tmp_path, entries), settings(tmp_path)):
            pass


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"cloud": "Home"},
        {"cloud": "Home", "peers": [None]},
        {"cloud": "Home", "peers": [{"name": "Cloud/Two"}]},
        {"cloud": "Home", "peers": [{"name": 'a"}, "identity": "b'}]},
        {"cloud": "Home\n", "peers": []},
        {"cloud": "Home", "peers": [{"name": "CloudTwo", "services": 5}]},
        {"cloud": "Home", "peers": [{"name": f"Cloud{number}"} for number in range(257)]},
    ],
)
def test_rubbish_names_no_peers(document: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        peers.read("CloudOne", document)


def test_an_error_is_known_by_its_reason() -> None:
    assert statuses.reason(statuses.status(peers.NoGatewayError("none"))) == "GATEWAY_MISSING"


def test_the_command_line_says_whose_peers() -> None:
    serve = next(command for command in COMMANDS if command.name == "oaktree serve")
    parser = serve.load()(None, None).get_parser("openstackoid oaktree serve")
    words = ["--peers-of", "CloudOne", "--peers-of", "CloudTwo"]
    arguments = parser.parse_args(words)
    assert configured(arguments).peers.of == ("CloudOne", "CloudTwo")
