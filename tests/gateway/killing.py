"""Many changes in several clouds that stand still, each at a point of its own, and one kill -9 of their gateway.

Each point is a request of one operation:

    before   the gateway dies before the request has any effect
    after    it dies after the effect, without the answer
    lost     the answer is lost after the effect, which the gateway sees; it dies at the operation's next request, or after its own answer

From a point on, no other request of the same operation has any effect.
"""

import json
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.gateway.stateful import LOST, Stateful
from tests.gateway.wire import Answer, Cloud, Gateway, Seen, ask, reply, scope, until

NAMES: Final = ("CloudOne", "CloudTwo", "CloudThree")
PATHS: Final = {
    "network": "/v2.0/networks",
    "image": "/v2/images",
    "keypair": "/v2.1/os-keypairs",
    "server": "/v2.1/servers",
}
SERVICES: Final = {"network": "network", "image": "image", "keypair": "compute", "server": "compute"}
DATA: Final = bytes(range(256)) * 1000
PATCH: Final = "application/openstack-images-v2.1-json-patch"
_LONGEST: Final = 300.0  # seconds that a request may stand
_LOOK_FOR_SERVERS: Final = "/v2.1/servers/detail"


@dataclass(frozen=True)
class Point:
    """The Nth request of a method to any cloud, of one operation."""

    work: str
    kind: str
    method: str
    number: int
    when: str

    @property
    def name(self) -> str:
        return f"{self.work}-{self.kind}-{self.method}-{self.number}-{self.when}"


def _points(work: str, kind: str, method: str, most: int = 3) -> list[Point]:
    numbers = range(1, most + 1)
    return [Point(work, kind, method, number, when) for number in numbers for when in ("before", "after", "lost")]


POINTS: Final = [
    *_points("create", "network", "POST"),
    *_points("create", "network", "PUT"),
    *_points("create", "image", "POST"),
    *_points("create", "keypair", "POST"),
    *_points("create", "server", "POST"),
    # The third cloud refuses, so what the two others have created is deleted.
    *_points("undo", "network", "DELETE", 2),
    *_points("undo", "server", "DELETE", 2),
    *_points("update", "network", "PUT"),
    *_points("update", "image", "PATCH"),
    *_points("delete", "network", "DELETE"),
    *_points("delete", "image", "DELETE"),
    *_points("delete", "keypair", "DELETE"),
    # From the first cloud to the two others.
    *_points("copy", "image", "POST", 2),
    *_points("copy", "image", "PUT", 2),
    *_points("copy", "image", "PATCH", 2),
]


@dataclass
class Cell:
    """Three clouds, and the gateways of two of them; those of CloudOne come and go."""

    folder: Path
    clouds: dict[str, Cloud]
    states: dict[str, Stateful]

    def config(self, database: str, idle: float = 10, **operations: float) -> dict[str, Any]:
        peers = {name: {"url": self.clouds[name].frontends["identity"].removesuffix("/identity")} for name in NAMES[1:]}
        many = {"running": 1000, "running_per_user": 1000}
        config = self.clouds["CloudOne"].config(
            peers=peers,
            fanout=many,
            operations={
                "database": database,
                "keys": str(self.folder / "keys.json"),
                "settle": 1,
                "lease": 1,
                "copies": 100,
                "copies_per_user": 100,
                **operations,
            },
        )
        config["timeouts"]["idle"] = idle
        return config

    def send(self, gateway: Gateway, method: str, kind: str, path: str, document: Any = None) -> Answer:
        given = scope(**{SERVICES[kind]: " & ".join(NAMES)})
        given["Content-Type"] = PATCH if method == "PATCH" else "application/json"
        body = None if document is None else json.dumps(document).encode()
        return ask(gateway.url(SERVICES[kind]), path, given, method=method, body=body, timeout=_LONGEST)

    def create(self, gateway: Gateway, kind: str, name: str) -> Answer:
        inner = {"name": name} | ({"public_key": "ssh-ed25519 AAAA"} if kind == "keypair" else {})
        return self.send(gateway, "POST", kind, PATHS[kind], inner if kind == "image" else {kind: inner})

    def change(self, gateway: Gateway, point: Point, name: str, member: str) -> Answer:
        """Send an update or a delete of a replica."""
        new = f"{name}-new"
        document: Any = None
        if point.work == "update":
            steps = [{"op": "replace", "path": "/name", "value": new}]
            document = steps if point.kind == "image" else {point.kind: {"name": new}}
        return self.send(gateway, point.method, point.kind, f"{PATHS[point.kind]}/{member}", document)

    def original(self, name: str) -> str:
        """An image of the first cloud. Returns its id."""
        state = self.states["CloudOne"]
        image = {"id": str(uuid.uuid4()), "name": name, "disk_format": "raw", "container_format": "bare"}
        state.things["/v2/images"][image["id"]] = image
        state.fill(state.things["/v2/images"][image["id"]], DATA)
        return image["id"]

    def copy(self, gateway: Gateway, name: str) -> Answer:
        """Begin to copy an image; the answer comes before the copy begins."""
        body = json.dumps({"image": name, "to": list(NAMES[1:])}).encode()
        return ask(gateway.url("image"), "/openstackoid/v1/copies", method="POST", body=body)

    def calm(self) -> None:
        for state in self.states.values():
            state.before = state.after = lambda _seen, _name: None


class Killing:
    """One run: each operation stands at its point, then the gateway is killed.

    Args:
        cell: the clouds.
        gateway: that is killed.
        points: of operations, by the name of what each is about.
        ids: ids of what was there before -> name.
    """

    def __init__(self, cell: Cell, gateway: Gateway, points: Mapping[str, Point], ids: Mapping[str, str]) -> None:
        self._cell = cell
        self._gateway = gateway
        self._points = points
        self._index = dict(ids)  # ids and marks -> name
        self._counts: Counter[str] = Counter()
        self._there: dict[int, str] = {}  # requests that a point is about
        self._ends = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.held: set[str] = set()
        self.lost: set[str] = set()

    def run(self, members: Mapping[str, str]) -> None:
        """Send all operations, wait until each stands at its point, and kill the gateway.

        Args:
            members: name -> id of a member of the replica that is changed.
        """
        for state in self._cell.states.values():
            state.before, state.after = self._before, self._after
        try:
            with ThreadPoolExecutor(len(self._points)) as pool:
                sent = {name: pool.submit(self._send, name, members.get(name, "")) for name in self._points}
                try:
                    until(lambda: not self._on_their_way(sent), _LONGEST)
                finally:
                    self._ends = True
                    self._gateway.process.kill()
                    self._gateway.process.wait(60)
                    self._over.set()
        finally:
            self._cell.calm()
        early = {name: point for name, point in self._points.items() if point.when != "lost" and name not in self.held}
        assert not early, "these never came to their points"
        assert {name for name, point in self._points.items() if point.when == "lost"} == self.lost

    def _send(self, name: str, member: str) -> Answer | None:
        point = self._points[name]
        try:
            if point.work == "copy":
                self._cell.copy(self._gateway, name)
                return None
            if point.work in {"create", "undo"}:
                return self._cell.create(self._gateway, point.kind, name)
            return self._cell.change(self._gateway, point, name, member)
        except Exception:
            if not self._ends:
                raise
            return None  # what a client sees of a gateway that dies

    def _on_their_way(self, sent: Mapping[str, Future[Answer | None]]) -> list[str]:
        """The operations that neither stand at their points nor, after a lost answer, are answered."""
        with self._lock:
            left = [name for name in sent if name not in self.held]
            lost = set(self.lost)
        ended = {name for name in left if self._points[name].work != "copy" and sent[name].done()}
        assert ended <= lost, [(name, sent[name].result()) for name in ended - lost]
        return [name for name in left if name not in ended]

    def _before(self, seen: Seen, cloud: str) -> bytes | None:
        name = self._name_of(seen)
        if name is None:
            return None
        point = self._points[name]
        if point.work == "undo" and seen.method == "POST" and cloud == NAMES[-1]:
            return reply(409, {"conflict": {"message": "no more of them"}})
        with self._lock:
            if seen.method == point.method:
                self._counts[name] += 1
            is_point = seen.method == point.method and self._counts[name] == point.number
            if is_point and point.when != "before":
                self._there[id(seen)] = name
                return None
            if not (is_point or name in self.held or name in self.lost):
                return None
        return self._hold(name)

    def _after(self, seen: Seen, _cloud: str) -> bytes | None:
        with self._lock:
            name = self._there.get(id(seen))
            if name is None:
                return None
            if self._points[name].when == "lost":
                self.lost.add(name)
                return LOST
        return self._hold(name)

    def _hold(self, name: str) -> bytes:
        with self._lock:
            self.held.add(name)
        self._over.wait()
        return LOST

    def _name_of(self, seen: Seen) -> str | None:
        """The name of what a request is about; None if it is of no operation here."""
        if seen.method == "POST":
            document = json.loads(seen.raw)
            inner = next(iter(document.values())) if len(document) == 1 else document
            name = inner.get("name")
            if name not in self._points:
                return None
            with self._lock:
                for value in _strings([inner.get("id"), inner.get("description"), inner.get("metadata")]):
                    self._index.setdefault(value.rpartition("=")[2], name)
            return str(name)
        if seen.method == "GET" and seen.target.startswith(_LOOK_FOR_SERVERS):
            servers = {name for name in self.lost if self._points[name].kind == "server"}
            return min(servers - self.held, default=None)
        with self._lock:
            self._index.update(self._made())
            return next((name for thing, name in self._index.items() if thing in seen.target), None)

    def _made(self) -> list[tuple[str, str]]:
        return [
            (thing["id"], thing["name"])
            for state in self._cell.states.values()
            for things in state.things.values()
            for thing in list(things.values())
            if thing.get("name") in self._points
        ]


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
