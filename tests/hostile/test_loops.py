"""No document of a peer ends what a gateway does again and again; it is dropped alone, and what cannot be refreshed expires."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.owners import Owner
from tests.gateway.wire import ask, until
from tests.haproxy.doorway import IMAGES, Door, closed, fresh
from tests.haproxy.world import Authority, Fronted
from tests.hostile import peer
from tests.hostile.programs import Peer

from openstackoid.haproxy.plan import LEASED, VISITORS


@dataclass
class Watched:
    """A cloud with HAProxy: CloudOne's users ask at its door, and Mallory is another peer of it."""

    door: Door
    mallory: Peer

    def peer(self) -> dict[str, Any]:
        """What the gateway says of Mallory."""
        told = ask(self.door.two.alone("image"), "/openstackoid/v1/peers", token=None).json["peers"]
        return next(each for each in told if each["name"] == "Mallory")

    def state(self, wanted: str) -> Callable[[], bool]:
        return lambda: self.peer()["state"] == wanted

    def metric(self, name: str) -> float:
        text = ask(self.door.two.gateway.admin, "/metrics", token=None).body.decode()
        return float(dict(re.findall(r"^(openstackoid.+) (\S+)$", text, re.MULTILINE))[name])

    def age(self, loop: str) -> float:
        return self.metric(f'openstackoid_loop_age_seconds{{loop="{loop}"}}')

    def addresses(self) -> dict[str, str]:
        """Key -> where in HAProxy's memory it is: another place after it was forgotten and taught again."""
        two = self.door.two
        told = two.proxy.tell(f"show map {two.short / VISITORS}")
        return {line.split(" ")[1]: line.split(" ")[0] for line in told.splitlines() if line}


@pytest.fixture(scope="module")
def module(hostile_folder: Path, peer_program: Peer, signer: Authority) -> Iterator[Watched]:
    two, one = Fronted("CloudTwo", hostile_folder / "loops"), Owner("CloudOne", hostile_folder / "one")
    store = two.store
    store.add("CloudOne", one.peering, one.keys.fingerprint, IMAGES, "operator")
    store.change("CloudOne", "allow", "operator", IMAGES)
    one.seen_by(two)
    two.start({"Mallory": peer_program.entry({"services": ["image"]})}, more={"ca": str(signer.file)}, recheck=300)
    two.ready()
    made = Watched(Door(two, one, store), peer_program)
    try:
        yield made
    finally:
        closed(made.door)
    assert "Traceback" not in two.gateway.said


@pytest.fixture
def watched(module: Watched, mallory: Peer) -> Watched:
    until(module.state("up"))
    return module


def services(url: str) -> dict[str, Any]:
    return {"services": {"image": {"url": url}}}


def deep(count: int) -> Any:
    return [deep(count - 1)] if count else []


BAD: dict[str, Callable[[str], dict[str, Any]]] = {
    "semicolon": lambda url: services(f"{url}/image;v=1"),
    "4096 characters": lambda url: services(f"{url}/{'x' * 4096}"),
    "no URL": lambda _: services("https://[::1/"),
    "port": lambda url: services(f"{url}99999/image"),
    "frontends": lambda url: {"frontends": {f"x{n}": {"url": f"{url}/x{n}"} for n in range(14_000)}},
    "labels": lambda _: {"labels": [f"x{n}" for n in range(5000)]},
    "depth": lambda _: {"more": deep(100)},
    "size": lambda _: {"more": "x" * (1 << 19)},
    "keys": lambda _: {"keys": {"keys": [{"crv": {}, "x": []}] * 3}},
    "types": lambda _: {"services": {"image": {"url": {"url": "x"}}}},
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_document_is_its_peers_alone(watched: Watched, kind: str) -> None:
    """And the follower goes on: what is suspended then is forgotten."""
    door = watched.door
    watched.mallory.shows(**BAD[kind](watched.mallory.peering))
    until(watched.state("down"))
    assert "Mallory" in watched.peer()["error"]
    assert len(watched.peer()["error"]) < 1000
    assert watched.metric('openstackoid_peer_up{peer="Mallory"}') == 0
    if kind != "keys":
        until(lambda: watched.peer()["services"] == [])
    token = door.learn()
    door.straight(token)
    door.store.change("CloudOne", "suspend", "operator")
    try:
        until(lambda: door.get(token, fresh()).status == 403)
        assert not door.map
    finally:
        door.store.change("CloudOne", "allow", "operator", IMAGES)
    until(lambda: door.get(token, "/v2/images/x").status == 200)
    for loop in ("agreements", "fast path", "peers", "peers' addresses"):
        until(lambda loop=loop: watched.age(loop) < 2)  # type: ignore[misc]
    watched.mallory.forget()
    until(watched.state("up"))
    assert watched.peer()["services"]


def test_it_is_named_once(watched: Watched) -> None:
    two = watched.door.two
    watched.mallory.shows(version=7)
    until(watched.state("down"))
    looks = 'openstackoid_peer_looks_total{peer="Mallory",result="peer.answer"}'
    before = watched.metric(looks)
    until(lambda: watched.metric(looks) > before + 3)
    said = [line for line in two.gateway.said.splitlines() if "with version 1" in line]
    assert len(said) <= 1  # none if another line about this peer is not long ago
    watched.mallory.forget()
    until(watched.state("up"))


def test_a_peer_that_changes_at_each_look_costs_the_others_nothing(watched: Watched) -> None:
    door = watched.door
    key, token = "", door.learn()
    (key,) = [each for each in watched.addresses() if door.known(token) and each in door.map][-1:]
    before = watched.addresses()[key]
    for number in range(6):
        shown = {
            "labels": [f"x{number}"],
            "services": peer.document("Mallory", watched.mallory.peering, watched.mallory.keys)["services"],
        }
        shown["services"][f"private{number}"] = {"url": f"{watched.mallory.peering}/private"}
        watched.mallory.shows(**shown, endorsements=["x" * (number + 1)])
        until(lambda number=number: watched.peer()["labels"] == [f"x{number}"])  # type: ignore[misc]
        time.sleep(0.5)  # more than the follower's turn
        assert watched.addresses().get(key) == before
    door.straight(token)


def test_what_nobody_refreshes_expires(watched: Watched) -> None:
    """The gateway is gone, the visitor's token is good for minutes, the agreement might be suspended: nobody knows."""
    door, two = watched.door, watched.door.two
    token = door.learn()
    two.gateway.process.kill()
    two.gateway.process.wait()
    leased = two.proxy.map(LEASED)
    assert door.get(token, fresh()).status == 200
    until(lambda: door.get(token, fresh()).status == 502, 60)
    assert door.known(token)  # it is in the map, with time left, and does not count
    assert int(next(value for key, value in door.map.items()).partition(":")[0]) > time.time() * 1000
    assert two.proxy.map(LEASED) == leased
    two.again()
    two.ready()
    until(watched.state("up"))
    door.straight(door.learn())
