"""Callers of an oaktree before real Keystones: tokens and application credentials, whose they are, and what they open."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from openstack.config import OpenStackConfig
from openstack.connection import Connection
from tests.oaktree.failures import refused
from tests.oaktree.serving import Oaktree, oaktree

from oaktree.v1 import cloud_pb2, compute_pb2, identity_pb2, identity_pb2_grpc
from oaktree.v1.location_pb2 import Location
from openstackoid.lab import Lab
from openstackoid.oaktree.upstream.credentials import APPLICATION_CREDENTIAL, TOKEN

# openstacksdk warns its own code of what it will drop.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
def users(lab: Lab) -> Iterator[dict[str, Any]]:
    """A connection for each entry of the lab's clouds.yaml."""
    config = OpenStackConfig(config_files=[str(lab.clouds_yaml)])
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(Connection(config=config.get_one(name))) for name in config.get_cloud_names()}


def serving(lab: Lab, folder: Path, **more: Any) -> contextlib.AbstractAsyncContextManager[Oaktree]:
    settings = {
        "listen": [f"unix:{folder}/s/oaktree.sock"],
        "callers": {"tokens": True},
        "operations": {"database": f"sqlite:///{folder}/operations.sqlite"},
        "uploads": {"folder": str(folder / "uploads")},
        **more,
    }
    return oaktree(lab.clouds_yaml, settings)


def token(cloud: str, value: str | None) -> tuple[str, str]:
    return TOKEN, f"{cloud} {value}"


async def flavors(server: Oaktree, metadata: list[tuple[str, str]]) -> Any:
    """The summary of a list that every member may ask for."""
    async for each in server.compute.ListFlavors(
        compute_pb2.ListFlavorsRequest(), metadata=tuple(metadata), timeout=60
    ):
        if each.HasField("summary"):
            return each.summary
    raise AssertionError("no summary")


async def test_tokens_open_their_own_cloud_with_their_own_rights(
    lab: Lab, users: dict[str, Any], tmp_path: Path
) -> None:
    alice, admin, two = (users[each].session.get_token() for each in ("CloudOne", "CloudOne-admin", "CloudTwo"))
    async with serving(lab, tmp_path) as server:
        both = [token("CloudOne", alice), token("CloudTwo", two)]
        assert await server.names(both) == ["CloudOne", "CloudTwo"]
        summary = await flavors(server, both)
        assert [(each.location.cloud, each.error.code) for each in summary.results] == [
            ("CloudOne", 0),
            ("CloudTwo", 0),
        ]
        code, _, info = await refused(server.names([token("CloudOne", two)]))
        assert (code, info.metadata["cloud"]) == (UNAUTHENTICATED, "CloudOne")
        # Only an administrator may list users: the same request as two users.
        identity: Any = identity_pb2_grpc.IdentityServiceStub(server.channel)
        seen = []
        for who in (alice, admin):
            call = identity.ListUsers(identity_pb2.ListUsersRequest(), metadata=(token("CloudOne", who),), timeout=60)
            answers = [each async for each in call]
            seen.append((sum(len(each.users) for each in answers) > 0, answers[-1].summary.results[0].error.code))
        assert seen == [(False, grpc.StatusCode.PERMISSION_DENIED.value[0]), (True, 0)]


async def test_a_revoked_token(lab: Lab, users: dict[str, Any], tmp_path: Path) -> None:
    """Of a login of its own: other tests go on with theirs."""
    config = OpenStackConfig(config_files=[str(lab.clouds_yaml)])
    with Connection(config=config.get_one("CloudOne")) as alone:
        mine = alone.session.get_token()
        async with serving(lab, tmp_path, callers={"tokens": {"remember": 0}}) as server:
            assert await server.names([token("CloudOne", mine)]) == ["CloudOne"]
            alone.identity.delete("/auth/tokens", headers={"X-Subject-Token": mine})
            code, message, _ = await refused(server.names([token("CloudOne", mine)]))
            assert code is UNAUTHENTICATED
            assert str(mine) not in message


async def test_a_token_without_a_project(lab: Lab, users: dict[str, Any], tmp_path: Path) -> None:
    session = users["CloudOne"].session
    identity = {"methods": ["token"], "token": {"id": session.get_token()}}
    url = f"{session.auth.auth_url}/auth/tokens"
    answer = session.post(url, json={"auth": {"identity": identity, "scope": "unscoped"}}, authenticated=False)
    async with serving(lab, tmp_path) as server:
        code, message, _ = await refused(server.names([token("CloudOne", answer.headers["X-Subject-Token"])]))
        assert (code, "no project" in message) == (UNAUTHENTICATED, True)


async def test_application_credentials(lab: Lab, users: dict[str, Any], tmp_path: Path) -> None:
    alice = users["CloudOne"]
    made = alice.identity.create_application_credential(alice.current_user_id, "oaktree-callers")
    try:
        good = [(APPLICATION_CREDENTIAL, f"CloudOne {made.id} {made.secret}")]
        async with serving(lab, tmp_path) as server:
            summary = await flavors(server, good)
            assert [(each.location.cloud, each.error.code) for each in summary.results] == [("CloudOne", 0)]
            request = cloud_pb2.GetRestInfoRequest(location=Location(cloud="CloudOne"), service="image")
            info = await server.clouds.GetRestInfo(request, metadata=tuple(good), timeout=60)
            answer = alice.session.get(f"{info.root_url}/images", headers=dict(info.headers), authenticated=False)
            assert answer.status_code == 200
            # Its first letters: Keystone's bcrypt reads no more than 72.
            other = made.secret[::-1]
            wrong = [(APPLICATION_CREDENTIAL, f"CloudOne {made.id} {other}")]
            code, message, _ = await refused(server.names(wrong))
            assert code is UNAUTHENTICATED
            assert other not in message
    finally:
        alice.identity.delete_application_credential(alice.current_user_id, made)
    async with serving(lab, tmp_path) as server:
        code, _, _ = await refused(server.names(good))
        assert code is UNAUTHENTICATED
