"""Many requests at once, over several workers: a project is made once, and no more of them than agreed."""

import contextlib
import json
import secrets
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.owners import Owner, refusal
from tests.gateway.wire import Answer, Gateway, Handler, Seen, ask, reply, until

from openstackoid.trust.claims import Named

LIMIT = 3
GRANT = {"services": ["image"], "projects": "each:default", "most_projects": LIMIT}


class World:
    """Homes without gateways, whose keys CloudTwo has seen; CloudTwo with several workers, and a Keystone of its own."""

    def __init__(self, folder: Path, *homes: str) -> None:
        self.two = Owner("CloudTwo", folder / "CloudTwo")
        self.homes = {name: Owner(name, folder / name) for name in homes}
        for home in self.homes.values():
            home.seen_by(self.two)
        self.keystone = self.two["identity"]
        self.honest = self.keystone.handlers["/v3/projects"]
        self.agreements: dict[str, str] = {}

    def on(self, handler: Handler) -> None:
        self.keystone.on("/v3/projects", handler)

    def start(self, workers: int) -> Gateway:
        peers = {name: home.entry(GRANT) for name, home in self.homes.items()}
        gateway = Gateway(self.two.folder, self.two.settings(peers=peers), "--workers", str(workers))
        gateway.ready()
        self.agreements = {name: home.statement(self.two)["agreement"] for name, home in self.homes.items()}
        return gateway

    def ask(self, home: str, project: str) -> Answer:
        """For images, as a user of a project of another cloud."""
        named = Named(project, "demo", "default", "Default")
        token = self.homes[home].token(self.two, project=named, agreement=self.agreements[home])
        return ask(self.two.peering, "/image/v2/images", token=token)

    def many(self, home: str, projects: list[str]) -> list[Answer]:
        with ThreadPoolExecutor(len(projects)) as pool:
            return list(pool.map(lambda project: self.ask(home, project), projects))

    def made(self, home: str) -> list[str]:
        """Names of projects that Keystone was asked to make."""
        seen = [each for each in self.keystone.all("/v3/projects") if each.method == "POST" and each.whole]
        names: list[str] = [json.loads(each.raw)["project"]["name"] for each in seen]
        return [name for name in names if name.startswith(home)]

    def close(self) -> None:
        for owner in (self.two, *self.homes.values()):
            owner.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("projects"), "CloudMany", "CloudOnce", "CloudRefused")
    gateway = made.start(workers=2)
    yield made
    gateway.end()
    assert gateway.stop() == 0
    assert "Traceback" not in gateway.said
    made.close()


def slowly(handler: Handler) -> Handler:
    """Long enough for every other request to get as far."""

    def answer(seen: Seen, connection: socket.socket) -> Any:
        time.sleep(0.3)
        return handler(seen, connection)

    return answer


def ids(count: int) -> list[str]:
    return [secrets.token_hex(16) for _ in range(count)]


def test_no_more_projects_are_made_than_agreed(world: World) -> None:
    world.on(slowly(world.honest))
    answers = world.many("CloudMany", ids(40))
    assert [answer.status for answer in answers].count(200) == LIMIT
    assert {refusal(answer) for answer in answers if answer.status != 200} == {(503, "agreement.project")}
    assert len(world.made("CloudMany")) == len(set(world.made("CloudMany"))) == LIMIT


def test_one_project_is_made_once(world: World) -> None:
    world.on(slowly(world.honest))
    assert {answer.status for answer in world.many("CloudOnce", ids(1) * 40)} == {200}
    assert len(world.made("CloudOnce")) == 1


def test_a_refusal_leaves_the_place_free(world: World) -> None:
    """And what says nothing for sure does not: the project may be there."""
    home = "CloudRefused"
    world.on(lambda _seen, _: reply(403, {"error": {"code": 403}}))
    for project in ids(2 * LIMIT):
        assert refusal(world.ask(home, project)) == (503, "agreement.project")

    def breaks_off(seen: Seen, connection: socket.socket) -> bytes | None:
        answer = world.honest(seen, connection)
        return None if seen.method == "POST" else answer

    world.on(breaks_off)
    lost = ids(LIMIT)
    assert {world.ask(home, project).code for project in lost} == {"backend.unreachable"}
    world.on(world.honest)
    assert refusal(world.ask(home, *ids(1))) == (503, "agreement.project")
    before = len(world.made(home))
    assert {world.ask(home, project).status for project in lost} == {200}
    assert len(world.made(home)) == before  # found by their names


def test_the_next_request_takes_over_from_a_gateway_that_was_killed(tmp_path: Path) -> None:
    world = World(tmp_path, "CloudOne")

    def hangs(seen: Seen, connection: socket.socket) -> bytes | None:
        answer = world.honest(seen, connection)
        if seen.method == "POST":
            seen.gone.wait(10)
            return None
        return answer

    first = world.start(workers=1)
    world.on(hangs)
    (project,) = ids(1)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(world.ask, "CloudOne", project)
        until(lambda: world.made("CloudOne"))
        first.process.kill()
        first.process.wait()
        assert isinstance(asking.exception(), (OSError, HTTPException))
    world.on(world.honest)
    second = world.start(workers=1)
    try:
        with contextlib.suppress(TimeoutError):
            assert world.ask("CloudOne", project).status == 200
        assert world.ask("CloudOne", project).status == 200
        assert len(world.made("CloudOne")) == 1
    finally:
        second.end()
        assert second.stop() == 0
        world.close()
