"""A provider freezes what stands for a foreign project: its own Keystone says so, and its gateway holds to it."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from tests.gateway.conftest import federated
from tests.gateway.owners import DEMO, Owner, refusal
from tests.gateway.test_trust_keystone import settings
from tests.gateway.wire import Answer, Gateway, Seen, ask, reply

from openstackoid.core import scope as scopes
from openstackoid.core.errors import BackendUnreachableError, FrozenProjectError
from openstackoid.gateway.federation import projects
from openstackoid.gateway.federation.keystone_api import KeystoneApi
from openstackoid.gateway.federation.keystone_projects import KeystoneProjects
from openstackoid.gateway.federation.project_states import ProjectStates
from openstackoid.trust import tokens
from openstackoid.trust.agreements import Agreement, State
from openstackoid.trust.grants import Grant, Projects

NOBODYS = "9" * 32


@dataclass
class Provider:
    """CloudEight, which asks its Keystone anew each time, and a user of CloudSeven."""

    seven: Owner
    eight: Owner
    gateway: Gateway

    def enter(self, token: str) -> Answer:
        return ask(self.eight.peering, "/network/v2.0/networks", method="POST", body=b"{}", token=token)

    def validate(self, token: str) -> Answer:
        service = self.eight.keystone.issue("neutron", "service")
        subject = {"X-Subject-Token": tokens.marked(token, self.eight.keys)}
        return ask(self.gateway.url("identity"), "/v3/auth/tokens", subject, token=service)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder = tmp_path_factory.mktemp("frozen")
    seven, eight = (Owner(name, folder / name) for name in ("CloudSeven", "CloudEight"))
    seven.seen_by(eight)
    grant = {"services": ["network"], "projects": "each:domain-of-others"}
    with federated({eight: {"peers": {"CloudSeven": seven.entry(grant)}, "recheck": 0}}) as started:
        yield Provider(seven, eight, started[eight])
    seven.close()


@pytest.mark.parametrize("what", ["project", "domain", "deleted"])
def test_a_freeze_stops_new_requests_and_running_work(provider: Provider, what: str) -> None:
    there = scopes.parse('{"*": "CloudSeven", "identity": "CloudSeven", "network": "CloudEight"}')
    token, keystone = provider.seven.token(provider.eight, scope=there), provider.eight.keystone
    assert provider.enter(token).status == 200
    assert provider.validate(token).status == 200
    project, kept = keystone.stands_for("CloudSeven", "domain-of-others"), dict(keystone.projects)
    came = len(provider.eight["network"].all("/v2.0/networks"))
    home = len(provider.seven["identity"].requests)
    if what == "deleted":
        keystone.projects.clear()
    else:
        keystone.disabled.add(project if what == "project" else "domain-of-others")
    try:
        assert refusal(provider.enter(token)) == (403, "agreement.frozen")
        # A service that has the token already is told as Keystone would tell it.
        assert provider.validate(token).status == 404
        inner = tokens.marked(token, provider.eight.keys)
        answer = ask(provider.gateway.url("network"), "/v2.0/networks", token=inner)
        assert refusal(answer) == (403, "agreement.frozen")
        assert len(provider.eight["network"].all("/v2.0/networks")) == came
    finally:
        keystone.disabled.clear()
        keystone.projects.update(kept)
    assert provider.enter(token).status == 200
    assert provider.validate(token).status == 200
    assert len(provider.seven["identity"].requests) == home


def test_a_deleted_project_is_made_again_once_operators_forget_it(provider: Provider) -> None:
    there = scopes.parse('{"*": "CloudSeven", "identity": "CloudSeven", "network": "CloudEight"}')
    token, keystone = provider.seven.token(provider.eight, scope=there), provider.eight.keystone
    assert provider.enter(token).status == 200
    before = keystone.stands_for("CloudSeven", "domain-of-others")
    keystone.projects.clear()
    assert refusal(provider.enter(token)) == (403, "agreement.frozen")
    store = provider.eight.store
    assert store.forget_project("CloudSeven", DEMO, "olga") == before
    store.close()
    assert provider.enter(token).status == 200
    assert keystone.stands_for("CloudSeven", "domain-of-others") != before


def test_the_reservation_is_renewed_while_keystone_makes_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Owner("CloudOne", tmp_path / "CloudOne")
    monkeypatch.setattr(projects, "_RENEW", 0.01)
    store = cloud.store
    renewed = threading.Event()
    renew, create = store.projects.renew, cloud.keystone._projects

    def noted(*what: str) -> None:
        renew(*what)
        renewed.set()

    def slow(seen: Seen, connection: socket.socket) -> bytes:
        if seen.method == "POST":
            assert renewed.wait(60)
        return create(seen, connection)

    monkeypatch.setattr(store.projects, "renew", noted)
    cloud["identity"].on("/v3/projects", slow)

    async def work() -> str:
        async with aiohttp.ClientSession() as session:
            api = KeystoneApi(cloud["identity"].url, session, settings(cloud).account)
            made = projects.Projects("CloudOne", store.projects, KeystoneProjects(api))
            return await made.local(agreement("each:default"), DEMO)

    assert asyncio.run(work()) == cloud.keystone.stands_for("CloudSeven")
    assert renewed.is_set()
    store.close()
    cloud.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Owner]:
    owner = Owner("CloudOne", tmp_path / "CloudOne")
    yield owner
    owner.close()


def using(cloud: Owner, work: Callable[[ProjectStates], Awaitable[None]], *, account: bool = True) -> None:
    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            given = settings(cloud).account if account else None
            await work(ProjectStates(KeystoneApi(cloud["identity"].url, session, given), 0))

    asyncio.run(run())


def agreement(projects: str) -> Agreement:
    grant = Grant(services=("image",), projects=Projects.parse(projects))
    return Agreement("a" * 32, "CloudSeven", "https://seven.example", "f" * 43, State.ACTIVE, grant)


def test_a_project_that_only_the_peer_knows_may_be_used_with_same(cloud: Owner) -> None:
    async def work(states: ProjectStates) -> None:
        await states.check(agreement("same"), NOBODYS)
        with pytest.raises(FrozenProjectError, match="deleted"):
            await states.check(agreement(f"one:{NOBODYS}"), NOBODYS)
        cloud.keystone.projects["default", "known"] = NOBODYS
        cloud.keystone.disabled.add(NOBODYS)
        with pytest.raises(FrozenProjectError, match="disabled"):
            await states.check(agreement("same"), NOBODYS)

    using(cloud, work)


def test_without_an_account_or_the_right_a_freeze_is_not_seen(cloud: Owner) -> None:
    using(cloud, lambda states: states.check(agreement("each:default"), NOBODYS), account=False)
    cloud["identity"].on("/v3/projects/", reply(403, {"error": {"code": 403}}))
    using(cloud, lambda states: states.check(agreement("each:default"), NOBODYS))


@pytest.mark.parametrize("ill", [reply(503, {"error": {"code": 503}}), reply(404, {"detail": "no such route"})])
def test_a_keystone_that_is_ill_freezes_nothing_at_once(cloud: Owner, ill: bytes) -> None:
    cloud.keystone.projects["default", "known"] = NOBODYS

    async def work(states: ProjectStates) -> None:
        await states.check(agreement("each:default"), NOBODYS)
        cloud["identity"].on("/v3/projects/", ill)
        await states.check(agreement("each:default"), NOBODYS)
        with pytest.raises(BackendUnreachableError):
            await states.check(agreement("each:default"), "8" * 32)

    using(cloud, work)
