"""kill -9 of a gateway at every request of a change in several clouds, before and after the request's effect: another gateway ends what it began."""

import http.client
import json
import os
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.gateway.stateful import Stateful
from tests.gateway.wire import PROJECT, Cloud, Gateway, Seen, ask, reply, scope, until
from tests.trust.conftest import mariadb_server, postgresql_server

from openstackoid.core.partial import read_members
from openstackoid.core.replication.copying import STATE
from openstackoid.gateway.replicas.records import FORM, Operation, Part
from openstackoid.gateway.replicas.registry import Registry
from openstackoid.gateway.replicas.tables import MIGRATIONS, TABLES
from openstackoid.operations.store import Store
from openstackoid.trust import key_files

if TYPE_CHECKING:
    from tests.trust.servers import Server

__all__ = ["mariadb_server", "postgresql_server"]
NAMES: Final = ("CloudOne", "CloudTwo", "CloudThree")
PATHS: Final = {
    "network": "/v2.0/networks",
    "image": "/v2/images",
    "keypair": "/v2.1/os-keypairs",
    "server": "/v2.1/servers",
}
SERVICES: Final = {"network": "network", "image": "image", "keypair": "compute", "server": "compute"}


@dataclass(frozen=True)
class Point:
    """Where a gateway is killed: at the Nth request of a method to any cloud."""

    work: str
    kind: str
    method: str
    number: int
    when: str

    @property
    def name(self) -> str:
        return f"{self.work}-{self.kind}-{self.method}-{self.number}-{self.when}"


def points(work: str, kind: str, method: str, most: int = 3) -> list[Point]:
    numbers = range(1, most + 1)
    return [Point(work, kind, method, number, when) for number in numbers for when in ("before", "after")]


EVERY: Final = [
    *points("create", "network", "POST"),
    *points("create", "network", "PUT"),
    *points("create", "image", "POST"),
    *points("create", "keypair", "POST"),
    *points("create", "server", "POST"),
    *points("update", "network", "PUT"),
    *points("delete", "network", "DELETE"),
    # From the first cloud to the two others.
    *points("copy", "image", "POST", 2),
    *points("copy", "image", "PUT", 2),
    *points("copy", "image", "PATCH", 2),
]
DATA: Final = bytes(range(256)) * 1000
FEW: Final = [point for point in EVERY if (point.kind == "network" or point.work == "copy") and point.number == 2]


@dataclass
class Cell:
    """Three clouds, and the gateways of two of them; those of CloudOne come and go."""

    folder: Path
    clouds: dict[str, Cloud]
    states: dict[str, Stateful]

    def config(self, database: str, **operations: float) -> dict[str, Any]:
        peers = {name: {"url": self.clouds[name].frontends["identity"].removesuffix("/identity")} for name in NAMES[1:]}
        keys = str(self.folder / "keys.json")
        return self.clouds["CloudOne"].config(
            peers=peers, operations={"database": database, "keys": keys, "settle": 1, "lease": 1, **operations}
        )

    def send(self, gateway: Gateway, method: str, kind: str, path: str, document: Any = None) -> Any:
        given = scope(**{SERVICES[kind]: " & ".join(NAMES)}) | {"Content-Type": "application/json"}
        body = None if document is None else json.dumps(document).encode()
        return ask(gateway.url(SERVICES[kind]), path, given, method=method, body=body)

    def create(self, gateway: Gateway, kind: str, name: str) -> Any:
        inner = {"name": name} | ({"public_key": "ssh-ed25519 AAAA"} if kind == "keypair" else {})
        return self.send(gateway, "POST", kind, PATHS[kind], inner if kind == "image" else {kind: inner})

    def original(self, name: str) -> None:
        """An image of the first cloud."""
        state = self.states["CloudOne"]
        image = {"id": str(uuid.uuid4()), "name": name, "disk_format": "raw", "container_format": "bare"}
        state.things["/v2/images"][image["id"]] = image
        state.fill(state.things["/v2/images"][image["id"]], DATA)

    def copy(self, gateway: Gateway, name: str) -> None:
        """Copy an image; the answer comes before the copy begins."""
        body = json.dumps({"image": name, "to": list(NAMES[1:])}).encode()
        ask(gateway.url("image"), "/openstackoid/v1/copies", method="POST", body=body)
        gateway.process.wait(60)
        raise ConnectionError

    def kill(self, gateway: Gateway, point: Point) -> None:
        """Kill a gateway at a point."""
        count = 0

        def rule(seen: Seen, _name: str) -> bytes | None:
            nonlocal count
            if seen.method == point.method:
                with self.states["CloudOne"].lock:
                    count += 1
                    mine = count == point.number
                if mine:
                    os.kill(gateway.process.pid, signal.SIGKILL)
            return None

        for state in self.states.values():
            setattr(state, point.when, rule)

    def calm(self) -> None:
        for state in self.states.values():
            state.before = state.after = lambda _seen, _name: None


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    folder = tmp_path_factory.mktemp("killed")
    clouds = {name: Cloud(name, paths=name != "CloudOne") for name in NAMES}
    states = {name: Stateful(cloud) for name, cloud in clouds.items()}
    token = {"user": {"id": "u"}, "project": {"id": PROJECT}, "catalog": []}
    clouds["CloudOne"]["identity"].on("/v3/auth/tokens", reply(200, {"token": token}))
    key_files.create(folder / "keys.json")
    back = {"url": clouds["CloudOne"].frontends["identity"]}
    started = [Gateway(folder / name, clouds[name].config(peers={"CloudOne": dict(back)})) for name in NAMES[1:]]
    try:
        for gateway in started:
            gateway.ready()
        yield Cell(folder, clouds, states)
    finally:
        for gateway in started:
            gateway.end()
        for gateway in started:
            gateway.stop()
        for cloud in clouds.values():
            cloud.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_nothing_is_orphaned_and_nothing_is_lost(
    cell: Cell, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        database = f"sqlite:///{tmp_path}/operations.sqlite"
    else:
        server: Server = request.getfixturevalue(f"{kind}_server")
        database = server.database()
    every = EVERY if kind == "sqlite" else FEW
    prefix = f"{kind}-"
    made: dict[Point, dict[str, str]] = {}
    # Its own lease never ends, and it takes nothing over: what the killed ones leave stays for the last one.
    quiet = cell.config(database, scan=3600, lease=600)
    first = Gateway(cell.folder / f"{kind}-first", quiet)
    first.ready()
    for point in every:
        if point.work == "copy":
            cell.original(prefix + point.name)
        elif point.work != "create":
            answer = cell.create(first, point.kind, prefix + point.name)
            assert answer.status == 201, answer.body
            made[point] = read_members(str(answer.get("X-Scope-Replicas")))
    first.end()
    assert first.stop() == 0
    for point in every:
        gateway = Gateway(cell.folder / f"{prefix}{point.name}", cell.config(database, scan=3600))
        gateway.ready()
        cell.kill(gateway, point)
        with pytest.raises((OSError, http.client.HTTPException)):
            change(cell, gateway, point, prefix, made)
        assert gateway.process.wait(60) == -signal.SIGKILL
        cell.calm()
    store: Store[Operation, Part] = Store(database, TABLES, MIGRATIONS, FORM)
    last = Gateway(cell.folder / f"{kind}-last", cell.config(database, scan=0.2))
    last.ready()
    until(lambda: not is_open(store), 120)
    registry = Registry(store.database)
    for point in every:
        check(cell, registry, point, prefix, made)
    last.end()
    assert last.stop() == 0
    store.close()


def change(cell: Cell, gateway: Gateway, point: Point, prefix: str, made: dict[Point, dict[str, str]]) -> None:
    if point.work == "create":
        cell.create(gateway, point.kind, prefix + point.name)
        return
    if point.work == "copy":
        cell.copy(gateway, prefix + point.name)
    path = f"{PATHS[point.kind]}/{made[point]['CloudTwo']}"
    document = {point.kind: {"name": f"{prefix}{point.name}-new"}} if point.work == "update" else None
    cell.send(gateway, point.method, point.kind, path, document)


def is_open(store: Store[Operation, Part]) -> bool:
    """Whether an operation is not at its end."""
    with store.database.reading() as connection:
        table = TABLES.operations
        return connection.execute(table.select().where(table.c.done == 0)).first() is not None


def check(cell: Cell, registry: Registry, point: Point, prefix: str, made: dict[Point, dict[str, str]]) -> None:
    """All clouds have it, and so has the registry; or none of them."""
    name = prefix + point.name
    found = {cloud: state.named(PATHS[point.kind], name) for cloud, state in cell.states.items()}
    assert {len(things) for things in found.values()} in ({0}, {1}), f"{name}: {found}"
    there = {cloud: things[0]["id"] for cloud, things in found.items() if things}
    if point.work == "create":
        kind = f"{SERVICES[point.kind]}.{point.kind}"
        known = [replica.members for one in there.values() for replica in registry.having(kind, [one])]
        assert known == [there] * len(there), name
        if point.kind == "network":
            assert {things[0]["description"] for things in found.values() if things} <= {""}, name
    elif point.work == "copy":
        for cloud, state in cell.states.items():
            (image,) = found[cloud]
            assert (state.data[image["id"]], image["status"], image.get("os_hidden", False)) == (DATA, "active", False)
            assert STATE not in image
    elif point.work == "delete":
        assert not there, name
        assert registry.having("network.network", made[point].values()) == [], name
    else:
        # An update goes forward.
        assert not there, name
        new = {cloud: state.named(PATHS[point.kind], f"{name}-new") for cloud, state in cell.states.items()}
        assert {cloud: things[0]["id"] for cloud, things in new.items()} == made[point], name
