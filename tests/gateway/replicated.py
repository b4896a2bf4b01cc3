"""Three clouds that keep what is created in them, real gateways before them, and one that fails as a test says."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from tests.gateway.stateful import Stateful
from tests.gateway.wire import PROJECT, TOKEN, Answer, Cloud, Gateway, Seen, ask, nobody, reply, scope, until

from openstackoid.gateway.replicas.records import FORM, Operation, Part
from openstackoid.gateway.replicas.registry import Registry, Replica
from openstackoid.gateway.replicas.tables import MIGRATIONS, TABLES
from openstackoid.operations.store import Store
from openstackoid.trust import key_files

NAMES: Final = ("CloudOne", "CloudTwo", "CloudThree")
ALL: Final = "CloudOne & CloudTwo & CloudThree"
NETWORKS: Final = "/v2.0/networks"
SERVERS: Final = "/v2.1/servers"
STRANGER: Final = "gAAAAAmarker-stranger"  # has no replicas
RIVAL: Final = "gAAAAAmarker-rival"


@dataclass
class World:
    states: dict[str, Stateful]
    gateway: Gateway  # of CloudOne
    store: Store[Operation, Part]
    clouds: dict[str, Cloud]

    def fail(self, cloud: str, method: str, answer: bytes, *, times: int = 1, after: bool = False) -> None:
        """Let the next requests with a method fail in a cloud; `after` their effect."""
        left = [times]

        def rule(seen: Seen, _name: str) -> bytes | None:
            if seen.method != method or not left[0]:
                return None
            left[0] -= 1
            return answer

        setattr(self.states[cloud], "after" if after else "before", rule)

    def where(self, collection: str, name: str) -> list[str]:
        return [cloud for cloud, state in self.states.items() if state.named(collection, name)]

    def replicas(self, kind: str, name: str) -> list[Replica]:
        return Registry(self.store.database).having(kind, [name])

    def operation(self, answer: Answer) -> Operation:
        """The operation that an error names."""
        name = answer.error.rpartition("(operation ")[2].rstrip(")")
        found = self.store.get(f"{PROJECT}/u", name)
        assert found is not None
        return found


@pytest.fixture(scope="package")
def running_replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("replicas")
    clouds = {name: Cloud(name, paths=name != "CloudOne") for name in NAMES}
    states = {name: Stateful(cloud) for name, cloud in clouds.items()}
    clouds["CloudOne"]["identity"].on("/v3/auth/tokens", whose)
    urls: dict[str, dict[str, Any]] = {
        name: {"url": clouds[name].frontends["identity"].removesuffix("/identity")} for name in NAMES
    }
    (folder / "one").mkdir()
    key_files.create(folder / "one" / "keys.json")
    database = f"sqlite:///{folder}/operations.sqlite"
    operations = {
        "database": database,
        "keys": "keys.json",
        "settle": 1,
        "scan": 0.2,
        "reconcile": 0.2,
        "lease": 60,
        "timeout": 60,
    }
    with nobody() as away:
        gone = {"url": f"http://127.0.0.1:{away}", "services": {"network": f"http://127.0.0.1:{away}"}}
        peers = {name: dict(urls[name]) for name in NAMES[1:]} | {"Dead": gone}
        started = [Gateway(folder / "one", clouds["CloudOne"].config(peers=peers, operations=operations))]
        started += [
            Gateway(folder / name, clouds[name].config(peers={"CloudOne": dict(urls["CloudOne"])}))
            for name in NAMES[1:]
        ]
        store = Store(database, TABLES, MIGRATIONS, FORM)
        try:
            for gateway in started:
                gateway.ready()
            until(lambda: _up(started[0]) >= set(NAMES[1:]))
            yield World(states, started[0], store, clouds)
        finally:
            for gateway in started:
                gateway.end()
            codes = [gateway.stop() for gateway in started]
            for cloud in clouds.values():
                cloud.close()
            store.close()
    assert codes == [0, 0, 0]
    assert not any("Traceback" in gateway.said for gateway in started)
    assert b"gAAAAAmarker" not in (folder / "operations.sqlite").read_bytes()
    assert "gAAAAAmarker" not in "".join(gateway.said for gateway in started)


@pytest.fixture(scope="module")
def emptied_replicas(running_replicas: World) -> World:
    """The same clouds without anything in them: names of one file's tests are not another's."""
    for state in running_replicas.states.values():
        with state.lock:
            for things in state.things.values():
                things.clear()
    return running_replicas


@pytest.fixture
def trio(emptied_replicas: World) -> Iterator[World]:
    yield emptied_replicas
    for state in emptied_replicas.states.values():
        state.before = state.after = lambda _seen, _name: None


def whose(seen: Seen, _: socket.socket) -> bytes:
    """Keystone: strangers are of other projects."""
    project = {STRANGER: "f" * 32, RIVAL: "e" * 32}.get(seen.get("X-Subject-Token") or "", PROJECT)
    return reply(200, {"token": {"user": {"id": "u"}, "project": {"id": project}, "catalog": []}})


def _up(gateway: Gateway) -> set[str]:
    told = ask(gateway.url("image"), "/openstackoid/v1/peers", token=None).json
    return {peer["name"] for peer in told["peers"] if peer["state"] == "up"}


def send(trio: World, method: str, path: str, document: Any = None, clouds: str = ALL, **headers: str) -> Answer:
    """A request to the network service, or to the one that the path is of."""
    service = "image" if path.startswith("/v2/") else "compute" if path.startswith("/v2.1/") else "network"
    given = scope(**{service: clouds}) | {"Content-Type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    body = None if document is None else json.dumps(document).encode()
    token = given.pop("token", None)
    return ask(trio.gateway.url(service), path, given, method=method, body=body, token=token or TOKEN)


def network(trio: World, name: str, clouds: str = ALL, **headers: str) -> Answer:
    return send(trio, "POST", NETWORKS, {"network": {"name": name, "description": "ours"}}, clouds, **headers)
