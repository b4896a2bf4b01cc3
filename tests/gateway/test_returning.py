"""A cloud whose gateway was away answers again: what waits for it is tried then, not when its pause ends."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import update
from tests.gateway.replicated import NETWORKS, whose
from tests.gateway.stateful import Stateful
from tests.gateway.wire import Answer, Cloud, Gateway, ask, reply, scope, until

from openstackoid.gateway.replicas.records import FORM, Operation, Part
from openstackoid.gateway.replicas.tables import MIGRATIONS, TABLES
from openstackoid.operations.store import NOBODY, Store
from openstackoid.trust import key_files

NAMES: Final = ("CloudOne", "CloudTwo", "CloudThree")
HOUR: Final = 3_600_000  # milliseconds


@dataclass
class Away:
    """CloudOne, and two peers whose gateways can be stopped and started."""

    clouds: dict[str, Cloud]
    states: dict[str, Stateful]
    folder: Path
    gateways: dict[str, Gateway]
    store: Store[Operation, Part]

    def start(self, name: str) -> None:
        peers = {"CloudOne": {"url": self.clouds["CloudOne"].frontends["identity"]}}
        self.gateways[name] = Gateway(self.folder / name, self.clouds[name].config(peers=peers))
        self.gateways[name].ready()

    def stop(self, name: str) -> None:
        self.gateways[name].end()
        assert self.gateways[name].stop() == 0

    def send(self, method: str, path: str, cloud: str, name: str) -> Answer:
        given = scope(network=f"CloudOne & {cloud}") | {"Content-Type": "application/json"}
        body = f'{{"network": {{"name": "{name}"}}}}'.encode()
        return ask(self.gateways["CloudOne"].url("network"), path, given, method=method, body=body)

    def up(self) -> set[str]:
        return self.gateways["CloudOne"].up()

    def waiting(self) -> list[int]:
        """When the operations that wait are tried again."""
        table = TABLES.operations
        with self.store.database.reading() as connection:
            chosen = table.select().where(table.c.done == 0, table.c.owner == NOBODY)
            return [row.lease_until for row in connection.execute(chosen)]

    def pause(self, operations: int) -> None:
        """Give what waits a pause of an hour, once so many operations wait; that of an old operation is five minutes."""
        table = TABLES.operations

        def paused() -> bool:
            later = int(time.time() * 1000) + HOUR
            waits = (table.c.done == 0, table.c.owner == NOBODY)
            with self.store.database.changing() as connection:
                connection.execute(update(table).where(*waits).values(lease_until=later))
            return self.waiting() == [later] * operations

        until(paused)


@pytest.fixture
def away(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Away]:
    """With the parameter `configured`, the gateway reads no documents of the peers: their services are in its configuration."""
    clouds = {name: Cloud(name, paths=name != "CloudOne") for name in NAMES}
    states = {name: Stateful(cloud) for name, cloud in clouds.items()}
    clouds["CloudOne"]["identity"].on("/v3/auth/tokens", whose)
    key_files.create(tmp_path / "keys.json")
    database = f"sqlite:///{tmp_path}/operations.sqlite"
    peers: dict[str, Any] = {
        name: {"url": clouds[name].frontends["identity"].removesuffix("/identity")} for name in NAMES[1:]
    }
    if getattr(request, "param", "") == "configured":
        for name, peer in peers.items():
            peer["services"] = {"network": clouds[name].frontends["network"]}
    operations = {"database": database, "keys": str(tmp_path / "keys.json"), "settle": 1, "scan": 0.2, "lease": 60}
    config = clouds["CloudOne"].config(peers=peers, operations=operations)
    config["timeouts"] = config.get("timeouts", {}) | {"refresh": 1}
    store: Store[Operation, Part] = Store(database, TABLES, MIGRATIONS, FORM)
    made = Away(clouds, states, tmp_path, {"CloudOne": Gateway(tmp_path / "CloudOne", config)}, store)
    try:
        made.gateways["CloudOne"].ready()
        for name in NAMES[1:]:
            made.start(name)
        until(lambda: made.up() == set(NAMES[1:]))
        yield made
    finally:
        for gateway in made.gateways.values():
            gateway.end()
        for gateway in made.gateways.values():
            gateway.stop()
        store.close()
        for cloud in clouds.values():
            cloud.close()


@pytest.mark.parametrize("away", ["polled", "configured"], indirect=True)
def test_what_waits_is_tried_when_its_cloud_answers_again(away: Away, request: pytest.FixtureRequest) -> None:
    members = {name: away.send("POST", NETWORKS, name, name).json["network"]["id"] for name in NAMES[1:]}
    for name in NAMES[1:]:
        away.stop(name)
    if "polled" in request.node.name:
        until(lambda: away.up() == set())
    for name, member in members.items():
        answer = away.send("PUT", f"{NETWORKS}/{member}", name, f"new-{name}")
        assert answer.status == 200
        assert str(answer.get("X-Scope-Missing")).startswith(f"{name};code=peer.")

    until(lambda: away.up() == set())  # who is not polled is asked now that something waits
    away.pause(2)
    away.start("CloudTwo")
    until(lambda: len(away.states["CloudTwo"].named(NETWORKS, "new-CloudTwo")) == 1)
    until(lambda: len(away.waiting()) == 1)
    # What waits for a cloud that is still away is left alone.
    (left,) = away.waiting()
    assert left > time.time() * 1000 + HOUR / 2
    assert not away.states["CloudThree"].named(NETWORKS, "new-CloudThree")
    assert away.up() == {"CloudTwo"}


@pytest.mark.parametrize("away", ["configured"], indirect=True)
def test_what_waits_is_tried_also_if_this_gateway_was_started_anew_meanwhile(away: Away) -> None:
    member = away.send("POST", NETWORKS, "CloudTwo", "before").json["network"]["id"]
    away.stop("CloudTwo")
    assert away.send("PUT", f"{NETWORKS}/{member}", "CloudTwo", "after").status == 200
    away.pause(1)
    old = away.gateways["CloudOne"]
    away.stop("CloudOne")
    away.gateways["CloudOne"] = Gateway(old.folder, old.config)
    away.gateways["CloudOne"].ready()
    until(lambda: away.up() == {"CloudThree"})
    away.start("CloudTwo")
    until(lambda: len(away.states["CloudTwo"].named(NETWORKS, "after")) == 1)


def test_a_try_that_fails_again_waits_as_before(away: Away) -> None:
    """The peer's gateway answers, but its service does not."""
    member = away.send("POST", NETWORKS, "CloudTwo", "net").json["network"]["id"]
    away.stop("CloudTwo")
    until(lambda: "CloudTwo" not in away.up())
    assert away.send("PUT", f"{NETWORKS}/{member}", "CloudTwo", "new").status == 200

    away.pause(1)
    tried = []

    def ill(seen: Any, _name: str) -> bytes:
        tried.append(seen.method)
        return reply(503, {"message": "the service is away"})

    away.states["CloudTwo"].before = ill
    away.start("CloudTwo")
    until(lambda: "PUT" in tried)
    until(lambda: len(away.waiting()) == 1)
    away.states["CloudTwo"].before = lambda _seen, _name: None
    until(lambda: len(away.states["CloudTwo"].named(NETWORKS, "new")) == 1)
    until(lambda: away.waiting() == [])
