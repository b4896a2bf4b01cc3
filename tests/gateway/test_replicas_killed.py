"""kill -9 of a gateway at every request of changes in several clouds: before it, after its effect, and after an answer that was lost. Another gateway ends
what it began."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.gateway.killing import DATA, NAMES, PATHS, POINTS, SERVICES, Cell, Killing, Point
from tests.gateway.stateful import Stateful
from tests.gateway.wire import PROJECT, Cloud, Gateway, reply, until
from tests.trust.conftest import mariadb_server, postgresql_server
from tests.volume import FULL

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
CHANGES: Final = {"update", "delete"}
# For the other databases these points are enough, unless it is `make test-full`: what differs is how each keeps a record, not which request was the last.
SOME: Final = 2
WHENS: Final = frozenset({"before", "after", "lost"} if FULL else {"after"})


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
    points = {f"{kind}-{point.name}": point for point in POINTS if kind == "sqlite" or is_enough(point)}
    # It takes nothing over, and is not impatient while its requests stand.
    gateway = Gateway(cell.folder / kind, cell.config(database, 300, scan=3600, timeout=600))
    gateway.ready()
    ids: dict[str, str] = {}
    made: dict[str, dict[str, str]] = {}
    for name, point in points.items():
        if point.work == "copy":
            ids[cell.original(name)] = name
        elif point.work in CHANGES:
            answer = cell.create(gateway, point.kind, name)
            assert answer.status == 201, answer.body
            made[name] = read_members(str(answer.get("X-Scope-Replicas")))
            ids |= dict.fromkeys(made[name].values(), name)
    Killing(cell, gateway, points, ids).run({name: members["CloudTwo"] for name, members in made.items()})
    store: Store[Operation, Part] = Store(database, TABLES, MIGRATIONS, FORM)
    assert is_open(store), "nothing was left to take over"
    last = Gateway(cell.folder / f"{kind}-last", cell.config(database, scan=0.2))
    last.ready()
    until(lambda: not is_open(store), 180)
    registry = Registry(store.database)
    for name, point in points.items():
        check(cell, registry, point, name, made.get(name, {}))
    last.end()
    assert last.stop() == 0
    store.close()


def is_enough(point: Point) -> bool:
    return point.number == SOME and point.when in WHENS


def is_open(store: Store[Operation, Part]) -> bool:
    """Whether an operation is not at its end."""
    with store.database.reading() as connection:
        table = TABLES.operations
        return connection.execute(table.select().where(table.c.done == 0)).first() is not None


def check(cell: Cell, registry: Registry, point: Point, name: str, made: dict[str, str]) -> None:
    """All clouds have it, and so has the registry; or none of them."""
    path, kind = PATHS[point.kind], f"{SERVICES[point.kind]}.{point.kind}"
    found = {cloud: state.named(path, name) for cloud, state in cell.states.items()}
    assert {len(things) for things in found.values()} in ({0}, {1}), f"{name}: {found}"
    there = {cloud: things[0]["id"] for cloud, things in found.items() if things}
    if point.work == "create":
        known = [replica.members for one in there.values() for replica in registry.having(kind, [one])]
        assert known == [there] * len(there), name
        if point.kind == "network":
            assert {things[0]["description"] for things in found.values() if things} <= {""}, name
    elif point.work == "copy":
        for cloud, state in cell.states.items():
            (image,) = found[cloud]
            assert (state.data[image["id"]], image["status"], image.get("os_hidden", False)) == (DATA, "active", False)
            assert STATE not in image
    elif point.work == "update":
        # An update goes forward.
        assert not there, name
        new = {cloud: state.named(path, f"{name}-new") for cloud, state in cell.states.items()}
        assert {cloud: things[0]["id"] for cloud, things in new.items()} == made, name
        assert [replica.members for replica in registry.having(kind, [made["CloudOne"]])] == [made], name
    else:
        assert not there, name
        assert registry.having(kind, made.values()) == [], name
