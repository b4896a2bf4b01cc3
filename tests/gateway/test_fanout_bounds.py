"""Changes under & take the same places as reads of several clouds: of one user, and of all; who finds none is refused before anything is on record."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from tests.gateway.replicated import NETWORKS, whose
from tests.gateway.stateful import Stateful
from tests.gateway.wire import Answer, Cloud, Gateway, Seen, ask, connect, scope, until

from openstackoid.gateway.replicas.records import FORM, Operation, Part
from openstackoid.gateway.replicas.tables import MIGRATIONS, TABLES
from openstackoid.operations.store import Store
from openstackoid.trust import key_files

BOTH: Final = scope(network="CloudOne & Small") | {"Content-Type": "application/json"}


@dataclass
class Bounded:
    """One worker with two places, one for each user, and a small cloud that holds creates until it is told."""

    gateway: Gateway
    small: Stateful
    one: Stateful
    store: Store[Operation, Part]
    go_on: threading.Event = field(default_factory=threading.Event)
    waiting: int = 0

    def hold(self, seen: Seen, _name: str) -> None:
        if seen.method == "POST":
            self.waiting += 1
            self.go_on.wait(120)

    def create(self, user: str, name: str) -> Answer:
        token = f"gAAAAAmarker-{user}"
        return ask(self.gateway.url("network"), NETWORKS, BOTH, method="POST", body=_network(name), token=token)

    def recorded(self) -> int:
        with self.store.database.reading() as connection:
            return len(connection.execute(TABLES.operations.select()).all())


def _network(name: str) -> bytes:
    return json.dumps({"network": {"name": name}}).encode()


@pytest.fixture
def bounded(tmp_path: Path) -> Iterator[Bounded]:
    one, small = Cloud("CloudOne", paths=False), Cloud("Small", paths=True)
    one["identity"].on("/v3/auth/tokens", whose)
    key_files.create(tmp_path / "keys.json")
    database = f"sqlite:///{tmp_path}/operations.sqlite"
    peers = {"Small": {"url": small["network"].url, "services": {"network": small["network"].url}}}
    operations = {"database": database, "keys": str(tmp_path / "keys.json"), "timeout": 120}
    fanout = {"running": 2, "running_per_user": 1, "timeout": 0.5}
    gateway = Gateway(tmp_path / "one", one.config(peers=peers, operations=operations, fanout=fanout))
    store: Store[Operation, Part] = Store(database, TABLES, MIGRATIONS, FORM)
    made = Bounded(gateway, Stateful(small), Stateful(one), store)
    made.small.before = made.hold
    try:
        gateway.ready()
        yield made
    finally:
        made.go_on.set()
        gateway.end()
        code = gateway.stop()
        store.close()
        one.close()
        small.close()
    assert code == 0
    assert "Traceback" not in gateway.said


def test_changes_and_reads_share_the_places(bounded: Bounded) -> None:
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(bounded.create, "first", "one")
        until(lambda: bounded.waiting == 1)
        over = bounded.create("first", "two")
        assert (over.status, over.code, over.get("Retry-After")) == (429, "scope.busy", "1")
        assert "this user" in over.error
        second = pool.submit(bounded.create, "second", "three")
        until(lambda: bounded.waiting == 2)
        for answer in (
            bounded.create("third", "four"),
            ask(bounded.gateway.url("network"), NETWORKS, BOTH, token="gAAAAAmarker-third"),
        ):
            assert (answer.status, answer.code) == (429, "scope.busy")
            assert "all users" in answer.error
        # Of what was refused nothing is on record, and nothing was sent.
        assert bounded.recorded() == 2
        for name in ("two", "four"):
            assert bounded.one.named(NETWORKS, name) == bounded.small.named(NETWORKS, name) == []
        bounded.go_on.set()
        assert {first.result().status, second.result().status} == {201}
    again = bounded.create("first", "two")
    assert again.status == 201
    path = f"{NETWORKS}/{again.json['network']['id']}"
    changed = ask(
        bounded.gateway.url("network"), path, BOTH, method="PUT", body=_network("new"), token="gAAAAAmarker-first"
    )
    assert changed.status == 200
    assert len(bounded.small.named(NETWORKS, "new")) == 1


def test_a_change_keeps_its_place_if_its_client_goes_away(bounded: Bounded) -> None:
    """Or a client that sends, leaves and sends again would be bounded by nothing."""
    body = _network("left")
    lines = [f"POST {NETWORKS} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", "X-Auth-Token: gAAAAAmarker-gone"]
    lines += [f"{name}: {value}" for name, value in BOTH.items()]
    with connect(bounded.gateway.url("network")) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        until(lambda: bounded.waiting == 1)
    until(lambda: any(line["status"] == 499 for line in bounded.gateway.lines()))
    over = bounded.create("gone", "more")
    assert (over.status, over.code) == (429, "scope.busy")
    bounded.go_on.set()
    until(lambda: bounded.one.named(NETWORKS, "left") and bounded.small.named(NETWORKS, "left"))
    until(lambda: bounded.create("gone", "more").status == 201)
