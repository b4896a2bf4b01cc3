"""A cloud is cut off at the wire during a hundred changes, or more than a thousand, and is like the others when it is back."""

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from tests.gateway.relay import Relay
from tests.gateway.stateful import Stateful
from tests.gateway.wire import PROJECT, Answer, Cloud, Gateway, ask, reply, scope, until
from tests.volume import FULL, volume

from openstackoid.core.partial import read_members
from openstackoid.gateway.replicas.records import FORM, Operation, Part
from openstackoid.gateway.replicas.registry import Registry
from openstackoid.gateway.replicas.tables import MIGRATIONS, TABLES
from openstackoid.operations.store import Store
from openstackoid.trust import key_files

NAMES: Final = ("CloudOne", "CloudTwo", "CloudThree")
NETWORKS: Final = "/v2.0/networks"
REPLICAS: Final = volume(400, 16)  # with about four changes each
THREADS: Final = 8


@dataclass
class Torn:
    """Three clouds; the way to the third can be cut."""

    states: dict[str, Stateful]
    gateway: Gateway
    relay: Relay
    store: Store[Operation, Part]
    changes: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, name: str | None = None) -> Answer:
        given = scope(network=" & ".join(NAMES)) | {
            "Content-Type": "application/json",
            "X-Scope-On-Failure": "converge",
        }
        body = None if name is None else json.dumps({"network": {"name": name}}).encode()
        self.changes.append(method)
        return ask(self.gateway.url("network"), path, given, method=method, body=body)

    def open(self) -> int:
        with self.store.database.reading() as connection:
            table = TABLES.operations
            return len(connection.execute(table.select().where(table.c.done == 0)).all())


@pytest.fixture
def torn(tmp_path: Path) -> Iterator[Torn]:
    clouds = {name: Cloud(name, paths=name != "CloudOne") for name in NAMES}
    states = {name: Stateful(cloud) for name, cloud in clouds.items()}
    token = {"user": {"id": "u"}, "project": {"id": PROJECT}, "catalog": []}
    clouds["CloudOne"]["identity"].on("/v3/auth/tokens", reply(200, {"token": token}))
    key_files.create(tmp_path / "keys.json")
    frontend = clouds["CloudThree"].frontends["network"]
    relay = Relay(int(frontend.rpartition(":")[2].partition("/")[0]))
    peers: dict[str, Any] = {
        name: {"url": clouds[name].frontends["identity"].removesuffix("/identity")} for name in NAMES[1:]
    }
    peers["CloudThree"]["services"] = {"network": f"http://127.0.0.1:{relay.port}/network"}
    database = f"sqlite:///{tmp_path}/operations.sqlite"
    operations = {"database": database, "keys": str(tmp_path / "keys.json"), "settle": 1, "scan": 0.2, "lease": 60}
    back = {"CloudOne": {"url": clouds["CloudOne"].frontends["identity"]}}
    started = [Gateway(tmp_path / "one", clouds["CloudOne"].config(peers=peers, operations=operations))]
    started += [Gateway(tmp_path / name, clouds[name].config(peers=dict(back))) for name in NAMES[1:]]
    store: Store[Operation, Part] = Store(database, TABLES, MIGRATIONS, FORM)
    try:
        for gateway in started:
            gateway.ready()
        yield Torn(states, started[0], relay, store)
    finally:
        for gateway in started:
            gateway.end()
        for gateway in started:
            gateway.stop()
        relay.close()
        store.close()
        for cloud in clouds.values():
            cloud.close()


def test_a_cloud_that_was_cut_off_converges(torn: Torn, capsys: pytest.CaptureFixture[str]) -> None:
    rolls = random.Random(7)
    numbers = range(REPLICAS)
    with ThreadPoolExecutor(THREADS) as pool:
        before = list(pool.map(lambda number: torn.send("POST", NETWORKS, f"old-{number}"), numbers))
        assert {answer.status for answer in before} == {201}
        torn.relay.cut()
        kept = list(
            pool.map(lambda pair: _life(torn, *pair), zip(numbers, [rolls.random() for _ in numbers], strict=True))
        )
        waits = torn.open()
        assert waits, "nothing waits for the cloud"
        torn.relay.mend()
        back = time.monotonic()
        until(lambda: torn.open() == 0, 600)
        took = time.monotonic() - back
    expected = sorted(name for names in kept for name in names)
    for cloud, state in torn.states.items():
        assert sorted(one["name"] for one in state.things[NETWORKS].values()) == expected, cloud
    registry = Registry(torn.store.database)
    replicas = registry.of(PROJECT, 10**6)
    assert len(replicas) == len(expected)
    assert {tuple(sorted(replica.members)) for replica in replicas} == {tuple(sorted(NAMES))}
    for replica in replicas:
        names = {torn.states[cloud].things[NETWORKS][member]["name"] for cloud, member in replica.members.items()}
        assert len(names) == 1
    if FULL:
        with capsys.disabled():
            print(f"\n{len(torn.changes)} changes, {waits} waited, {took:.1f} s until all clouds were alike")


def _life(torn: Torn, number: int, roll: float) -> list[str]:
    """Changes of one replica while a cloud is away: an update or two, or a delete that wins over them, and a create. Returns the names that are left."""
    (member,) = [one["id"] for one in torn.states["CloudOne"].named(NETWORKS, f"old-{number}")]
    path, name = f"{NETWORKS}/{member}", f"old-{number}"
    for turn in range(1 + round(roll * 2)):
        name = f"new-{number}-{turn}"
        assert torn.send("PUT", path, name).status == 200
    left = [name]
    if number % 3 == 0:
        assert torn.send("DELETE", path).status == 204
        left = []
    made = torn.send("POST", NETWORKS, f"made-{number}")
    assert (made.status, sorted(read_members(str(made.get("X-Scope-Replicas"))))) == (201, ["CloudOne", "CloudTwo"])
    return [*left, f"made-{number}"]
