"""A foreign aggregator neither reads nor changes another one's contract: every path of the tables of routes is tried, as it can be called."""

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp
import pytest
import pytest_asyncio
from tests.regions.deals import Deal
from tests.regions.door import ADMIN
from tests.regions.planes import Plane, two_planes

from openstackoid.core.protocol import ASSERTION, MESSAGES_PATH, OFFERS_PATH, PROJECTS_PATH, RESOURCES_PATH, USAGE_PATH
from openstackoid.regions.handlers.routes import OPERATORS, PEERS, Route
from openstackoid.regions.objects import message as messages
from openstackoid.regions.objects.message import Message
from openstackoid.regions.objects.project_states import ProjectState, Statement
from openstackoid.regions.objects.states import ContractEvent
from openstackoid.trust import tokens

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLOSED: Final = [route for route in OPERATORS if route.policy]


@dataclass
class Scene:
    """A contract between CloudP and CloudA, and CloudX, with which CloudP has an agreement, too."""

    deal: Deal
    foreign: Plane

    async def state(self) -> dict[str, Any]:
        shown = await self.deal.shown()
        return {name: shown[name] for name in ("state", "terms", "history", "clean_up")} | {
            "resources": self.deal.cloud.of(next(iter(self.deal.projects())))
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("planes")
    async with two_planes(folder, accounts=("manager",)) as pair:
        foreign = Plane("CloudX", folder / "x")
        pair[0].know(foreign)
        deal = Deal(*pair, secrets.token_hex(16))
        deal.cloud.add_domain(deal.domain)
        async with foreign.door.open():
            await deal.active(grace_days=1)
            deal.sub_project()
            yield Scene(deal, foreign)


async def asked(url: str, route: Route, deal: Deal, headers: dict[str, str], body: Any) -> tuple[int, Any]:
    variables = {"contract": deal.contract, "virtual_region": f"r-{deal.domain[:8]}", "region": "V1", "number": "1"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(route.method, url + route.path.format(**variables), headers=headers, json=body) as response,
    ):
        return response.status, await response.json()


@pytest.mark.parametrize("route", CLOSED, ids=lambda route: f"{route.method} {route.path}")
async def test_operators_paths_are_closed_to_everybody_else(scene: Scene, route: Route) -> None:
    """At the peers' address there are none; at the operators' one neither an assertion nor another cloud's token opens any."""
    provider, before = scene.deal.provider, await scene.state()
    assertion = tokens.assertion("CloudX", "CloudP", scene.foreign.keys, int(time.time()), 60)
    body = {"event": "end"} if route.body else None
    inner = f"http://127.0.0.1:{provider.inner}"
    for headers in ({}, {ASSERTION: assertion}, {"X-Auth-Token": ADMIN}):
        status, answer = await asked(inner, route, scene.deal, headers, body)
        assert (status, answer["error"]["openstackoid_code"]) == (404, "path.missing")
    for headers in ({}, {ASSERTION: assertion}, {"X-Auth-Token": "token-of-cloud-x"}):
        status, answer = await asked(provider.url, route, scene.deal, headers, body)
        assert (status, answer["error"]["openstackoid_code"]) == (401, "token.refused")
    assert await scene.state() == before


@pytest.mark.parametrize("route", PEERS, ids=lambda route: f"{route.method} {route.path}")
async def test_peers_paths_serve_a_peer_its_own_alone(scene: Scene, route: Route) -> None:
    provider, before = scene.deal.provider, await scene.state()
    inner = f"http://127.0.0.1:{provider.inner}"
    for headers, body, expected in _attempts(scene, route.path):
        status, answer = await asked(inner, route, scene.deal, headers, body)
        assert (status, answer.get("error", {}).get("openstackoid_code")) == expected, body
        assert scene.deal.contract not in str(answer.get("projects", answer.get("resources", "")))
    assert await scene.state() == before


def _attempts(scene: Scene, path: str) -> list[tuple[dict[str, str], Any, tuple[int, str | None]]]:
    """What CloudX tries at a path of peers: in its own name, and in CloudA's."""
    contract, keys, now = scene.deal.contract, scene.foreign.keys, time.time()
    own, stolen = ({ASSERTION: tokens.assertion(name, "CloudP", keys, int(now), 60)} for name in ("CloudX", "CloudA"))
    end = Message("CloudX", "CloudP", contract, 1, 0, "", ContractEvent.END, "2027-01-01T00:00:00Z")
    deleted = Statement("CloudX", "CloudP", contract, 10**9, {"a" * 32: ProjectState.DELETED})
    party, invalid = (403, "contract.party"), (401, "signature.invalid")
    match path:
        case str() as one if one == OFFERS_PATH:
            return [(own, None, (200, None)), (stolen, None, (401, "token.invalid")), ({}, None, invalid)]
        case str() as one if one == MESSAGES_PATH:
            texts = [messages.sign(message, keys, now) for message in (end, replace(end, sender="CloudA"))]
            return [({}, {"message": text}, code) for text, code in zip(texts, (party, invalid), strict=True)]
        case str() as one if one == PROJECTS_PATH:
            texts = [statement.sign(keys, now) for statement in (deleted, replace(deleted, sender="CloudA"))]
            return [({}, {"statement": text}, code) for text, code in zip(texts, (party, invalid), strict=True)]
        case str() as one if one in {RESOURCES_PATH, USAGE_PATH}:
            body = {"contract": contract}
            if one == USAGE_PATH:
                body |= {"from": "2026-11-01", "until": "2026-11-02"}
            return [(own, body, party), (stolen, body, (401, "token.invalid")), ({}, body, invalid)]
    raise AssertionError(f"no attempt for {path}: a new path needs one")
