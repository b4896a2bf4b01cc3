"""Who calls: local users, and users with credentials; each sees what is theirs, and nothing tells their secrets."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.oaktree.failures import refused
from tests.oaktree.keystone import PROJECT, clouds_yaml
from tests.oaktree.people import OTHER, Cloud, token
from tests.oaktree.serving import oaktree

from oaktree.v1 import cloud_pb2, compute_pb2
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.upstream.credentials import APPLICATION_CREDENTIAL, TOKEN

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    return {"listen": [f"unix:{folder}/s/oaktree.sock"], "callers": {"tokens": True}, **more}


@pytest.mark.parametrize("cache", [None, {"fresh": 60}], ids=["asked", "remembered"])
async def test_users_see_what_is_theirs(tmp_path: Path, homes: dict[str, Cloud], cache: Any) -> None:
    one, two = homes.values()
    alice = [token("CloudOne", one.token()), token("CloudTwo", two.token())]
    bob = [token("CloudOne", one.token("bob", OTHER))]
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path, cache=cache)) as server:
        for _ in range(3):
            seen = await asyncio.gather(*(server.servers(who) for who in (alice, bob) * 10))
            assert [found for found, _ in seen] == [
                {("CloudOne", "alice-CloudOne"), ("CloudTwo", "alice-CloudTwo")},
                {("CloudOne", "bob-CloudOne")},
            ] * 10
        assert await server.names(bob) == ["CloudOne"]
        code, message, _ = await refused(server.servers(bob, locations=[{"cloud": "CloudTwo"}]))
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert "no credential for CloudTwo" in message


async def test_a_role_less_is_another_identity(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    """What a user saw with a role is not remembered for the same user without it."""
    one = homes["CloudOne"]
    member, again = one.token(), one.token()
    reader = one.token(roles=[{"id": "2", "name": "reader"}])
    limited = one.token(application_credential={"id": "x", "access_rules": []})
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path, cache={"fresh": 60})) as server:
        asked = []
        for each in (member, again, reader, limited):
            assert (await server.servers([token("CloudOne", each)]))[0] == {("CloudOne", "alice-CloudOne")}
            asked.append(one.lists)
        assert asked == [1, 1, 2, 3]


async def test_tokens_for_many_clouds_fit_into_one_call(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    entries = {f"Cloud{number}": homes["CloudOne"] for number in range(100)}
    who = [token(name, homes["CloudOne"].token()) for name in entries]
    async with oaktree(clouds_yaml(tmp_path, entries), settings(tmp_path)) as server:
        assert set(await server.names(who)) == set(entries)


async def test_keystone_is_asked_once_for_many_calls(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    who = [token("CloudOne", homes["CloudOne"].token())]
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        await asyncio.gather(*(server.names(who) for _ in range(50)))
    assert homes["CloudOne"].checked == 1


async def test_application_credentials(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    number, secret = homes["CloudOne"].credential("bob", OTHER)
    who = [(APPLICATION_CREDENTIAL, f"CloudOne {number} {secret}")]
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        assert (await server.servers(who))[0] == {("CloudOne", "bob-CloudOne")}
        assert (await server.servers(who))[0] == {("CloudOne", "bob-CloudOne")}
        assert homes["CloudOne"].checked == 1
        wrong = [(APPLICATION_CREDENTIAL, f"CloudOne {number} {secret}x")]
        for _ in range(5):
            code, _, info = await refused(server.servers(wrong))
            assert code is grpc.StatusCode.UNAUTHENTICATED
            assert (info.reason, info.metadata["cloud"]) == ("CALLER_UNAUTHENTICATED", "CloudOne")
        assert homes["CloudOne"].checked == 2


@pytest.mark.parametrize("kind", ["forged", "ended", "of another cloud", "revoked", "unscoped"])
async def test_tokens_that_do_not_count(tmp_path: Path, homes: dict[str, Cloud], kind: str) -> None:
    one, two = homes.values()
    wrong = {
        "forged": "gAAAAABforged",
        "ended": one.token(life=-1),
        "of another cloud": two.token(),
        "revoked": one.token(),
        "unscoped": one.token(project=OTHER, roles=[], catalog=[]),
    }[kind]
    if kind == "revoked":
        one.revoke(wrong)
    if kind == "unscoped":
        del one._tokens[wrong]["project"]
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        code, message, info = await refused(server.servers([token("CloudOne", wrong), token("CloudTwo", two.token())]))
        assert code is grpc.StatusCode.UNAUTHENTICATED
        assert info.metadata["cloud"] == "CloudOne"
        assert wrong not in message
    assert not any("/servers" in each for each in one.asked)


async def test_a_token_that_a_service_refuses_is_asked_about_again(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    one = homes["CloudOne"]
    who = [token("CloudOne", one.token())]
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        await server.servers(who)
        one.revoke(who[0][1].partition(" ")[2])
        _, summary = await server.servers(who)
        assert summary.results[0].error.code == grpc.StatusCode.UNAUTHENTICATED.value[0]
        code, _, _ = await refused(server.servers(who))
        assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_is_not_remembered_past_its_end(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    who = [token("CloudOne", homes["CloudOne"].token(life=6.0))]
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        assert await server.names(who) == ["CloudOne"]
        await asyncio.sleep(6.1)
        code, _, _ = await refused(server.names(who))
        assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_watch_ends_with_its_token(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    one = homes["CloudOne"]
    short, long = ([token("CloudOne", one.token(life=life))] for life in (6.0, 3600.0))
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        request = compute_pb2.WatchServerRequest()
        longer = server.compute.WatchServer(request, metadata=long, timeout=120)
        assert (await longer.read()).server.name == "alice-CloudOne"
        heard: list[str] = []

        async def listen() -> None:
            async for each in server.compute.WatchServer(request, metadata=short, timeout=120):
                heard.append(each.server.name)  # noqa: PERF401 - kept when the stream fails

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await listen()
        assert heard == ["alice-CloudOne"]
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        one.boot("later")
        assert (await longer.read()).server.name == "later"


async def test_who_sends_many_wrong_tokens_waits_and_others_do_not(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    one = homes["CloudOne"]
    good = [token("CloudOne", one.token())]
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        assert await server.names(good) == ["CloudOne"]
        for number in range(30):
            await refused(server.names([token("CloudOne", f"gAAAAABwrong{number}")]))
        assert one.checked <= 12
        code, message, _ = await refused(server.names([token("CloudOne", one.token())]))
        assert (code, "too many" in message) == (grpc.StatusCode.UNAUTHENTICATED, True)
        assert await server.names(good) == ["CloudOne"]


async def test_a_keystone_that_is_away_harms_its_own_cloud_only(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    one, two = homes.values()
    two.away = True
    who = [token("CloudOne", one.token()), token("CloudTwo", two.token())]
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        found, summary = await server.servers(who)
        assert found == {("CloudOne", "alice-CloudOne")}
        errors = {each.location.cloud: each.error.code for each in summary.results}
        assert errors == {"CloudOne": 0, "CloudTwo": grpc.StatusCode.UNAVAILABLE.value[0]}


async def test_another_project_needs_another_token(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    who = [token("CloudOne", homes["CloudOne"].token())]
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        found, _ = await server.servers(who, locations=[{"project_id": PROJECT}])
        assert found == {("CloudOne", "alice-CloudOne")}
        for project in ({"project_id": OTHER}, {"project": "other"}, {"project": "demo", "domain_id": "x"}):
            code, message, _ = await refused(server.servers(who, locations=[{"cloud": "CloudOne", **project}]))
            assert code is grpc.StatusCode.PERMISSION_DENIED
            assert "another project" in message


@pytest.mark.parametrize(
    "value",
    [
        "CloudOne",
        "CloudOne  two-spaces",
        "CloudOne a b",
        "CloudOne a%0d%0aX-Auth-Token:%20b",
        "CloudOne a%00",
        "CloudOne %ff",
        "CloudOne%0a token",
        "../etc token",
        "CloudOne " + "a" * 8193,
        "CloudFive token",
        "http://169.254.169.254/ token",
    ],
)
async def test_metadata_that_no_honest_client_sends(tmp_path: Path, homes: dict[str, Cloud], value: str) -> None:
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        code, message, _ = await refused(server.names([(TOKEN, value)]))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "metadata" in message
        good = token("CloudOne", homes["CloudOne"].token())
        code, _, _ = await refused(server.names([good, good]))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert homes["CloudOne"].checked == 0


async def test_who_brings_nothing_is_nobody_where_tokens_are_asked_for(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    yaml = clouds_yaml(tmp_path, homes)
    async with oaktree(yaml, settings(tmp_path)) as server:
        code, message, _ = await refused(server.names())
        assert (code, TOKEN in message) == (grpc.StatusCode.UNAUTHENTICATED, True)
    async with oaktree(yaml, settings(tmp_path, callers={"tokens": True, "local": True})) as server:
        assert await server.names() == ["CloudOne", "CloudTwo"]
    async with oaktree(yaml, settings(tmp_path, callers={})) as server:
        assert await server.names() == ["CloudOne", "CloudTwo"]
        # A credential that would be ignored might be the caller's only limit.
        code, _, _ = await refused(server.names([token("CloudOne", homes["CloudOne"].token())]))
        assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_secrets_are_told_nowhere(
    tmp_path: Path, homes: dict[str, Cloud], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    one, two = homes.values()
    number, secret = one.credential()
    good, wrong = two.token(), "gAAAAABwrong-and-secret"
    told = []
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        found, summary = await server.servers(
            [(APPLICATION_CREDENTIAL, f"CloudOne {number} {secret}"), token("CloudTwo", good)]
        )
        assert len(found) == 2
        told.append(str(summary))
        two.revoke(good)
        for value in (good, wrong, f"{secret} {secret}"):
            for _ in range(2):
                try:
                    told.append(str(await server.servers([token("CloudTwo", value)])))
                except grpc.aio.AioRpcError as error:
                    told.append(repr(error))
    output = capfd.readouterr()
    text = "\n".join([*told, caplog.text, output.out, output.err])
    assert "CloudTwo" in text
    for each in (secret, good, wrong):
        assert each not in text


async def test_rest_info_is_of_the_caller(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    one = homes["CloudOne"]
    bob = one.token("bob", OTHER)
    request = cloud_pb2.GetRestInfoRequest(location=Location(cloud="CloudOne"), service="compute")
    everywhere = cloud_pb2.GetRestInfoRequest(service="compute")
    missing = cloud_pb2.GetRestInfoRequest(location=Location(cloud="CloudOne"), service="dns")
    callers = {"tokens": True, "local": True}
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path, callers=callers)) as server:
        info = await server.clouds.GetRestInfo(request, metadata=[token("CloudOne", bob)])
        assert (info.root_url, dict(info.headers)) == (f"{one.url}/compute/v2.1", {"X-Auth-Token": bob})
        assert info.expires_at.seconds > 0
        assert (
            await server.clouds.GetRestInfo(everywhere, metadata=[token("CloudOne", bob)])
        ).location.cloud == "CloudOne"
        code, message, _ = await refused(server.clouds.GetRestInfo(everywhere))
        assert (code, "CloudOne/RegionOne, CloudTwo/RegionOne" in message) == (grpc.StatusCode.INVALID_ARGUMENT, True)
        code, _, _ = await refused(server.clouds.GetRestInfo(missing))
        assert code is grpc.StatusCode.UNIMPLEMENTED


async def test_the_clouds_yaml_user_is_not_behind_a_users_connection(tmp_path: Path, homes: dict[str, Cloud]) -> None:
    bob = [token("CloudOne", homes["CloudOne"].token("bob", OTHER))]
    async with oaktree(clouds_yaml(tmp_path, homes), settings(tmp_path)) as server:
        await server.servers(bob)
    asked = [each for each in homes["CloudOne"].seen if each.method == "POST"]
    assert not [each for each in asked if "password" in json.loads(each.body)["auth"]["identity"]["methods"]]
