"""Copies of images keep to their bounds: how many run at a time, and how slow a cloud may be."""

import json
import socket
from collections.abc import Iterator
from threading import Event
from typing import Any, Final

import pytest
from tests.gateway.replicated import RIVAL, STRANGER, World
from tests.gateway.test_copies import IMAGES, ORIGIN, image, show
from tests.gateway.wire import TOKEN, Gateway, Seen, ask, until
from tests.ports import free_ports

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 3000000\r\n\r\n"


@pytest.fixture(scope="module")
def bounded(emptied_replicas: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Another gateway of the first cloud, with bounds of its own."""
    world, folder = emptied_replicas, tmp_path_factory.mktemp("bounded")
    config: dict[str, Any] = json.loads(json.dumps(world.gateway.config))
    *ports, admin = free_ports(len(config["services"]) + 1)
    for service, port in zip(config["services"].values(), ports, strict=True):
        service["frontend"] = f"http://127.0.0.1:{port}"
    config["admin"]["listen"] = f"127.0.0.1:{admin}"
    config["services"]["compute"].pop("endpoint", None)
    config["timeouts"]["idle"] = 2
    config["operations"] |= {
        "database": f"sqlite:///{folder}/operations.sqlite",
        "keys": str(world.gateway.folder / "keys.json"),
        "least_rate": 100_000,
        "copies_per_user": 2,
        "copies": 4,
    }
    gateway = Gateway(folder, config)
    try:
        gateway.ready()
        yield World(world.states, gateway, world.store, world.clouds)
    finally:
        gateway.end()
        gateway.stop()


def begin(world: World, name: str, token: str = TOKEN) -> str:
    """Copy an image to the third cloud. Returns the id of the copy."""
    body = json.dumps({"image": name, "from": ORIGIN, "to": ["CloudThree"]}).encode()
    answer = ask(world.gateway.url("image"), "/openstackoid/v1/copies", method="POST", body=body, token=token)
    assert answer.status == 202, answer.body
    return str(answer.json["copy"]["id"])


def of(world: World, copy: str, token: str = TOKEN) -> dict[str, Any]:
    """What is shown of a copy."""
    shown: dict[str, Any] = show(world, copy, token).json["copy"]
    return shown


def test_a_cloud_that_sends_a_little_now_and_then_is_given_up(bounded: World) -> None:
    identifier = image(bounded, "trickles")
    gone = Event()

    def trickle(_: Seen, connection: socket.socket) -> None:
        connection.sendall(_HEAD)
        while not gone.wait(0.05):
            connection.sendall(b"x" * 10)  # never idle: it would take hours

    path = f"{IMAGES}/{identifier}/file"
    bounded.clouds[ORIGIN]["image"].on(path, trickle)
    try:
        copy = begin(bounded, "trickles")
        until(lambda: of(bounded, copy)["done"])
    finally:
        gone.set()
        del bounded.clouds[ORIGIN]["image"].handlers[path]
    (one,) = of(bounded, copy)["clouds"]
    assert (one["state"], one["error"]) == ("failed", "peer.slow")
    assert "CloudTwo sends less than 100000 bytes a second of the image (operations.least_rate)" in one["message"]
    assert bounded.states["CloudThree"].named(IMAGES, "trickles") == []


def test_copies_to_a_slow_cloud_leave_room_for_others(bounded: World) -> None:
    """Two at a time of one user, four in all: a second user with slow copies gets one, so that a third one has a place, too."""
    slow = {"slow-1": TOKEN, "slow-2": TOKEN, "slow-3": TOKEN, "slow-4": RIVAL, "slow-5": RIVAL}
    for name in (*slow, "quick"):
        image(bounded, name)
    goes_on, third = Event(), bounded.states["CloudThree"]

    def stand(seen: Seen, _name: str) -> None:
        if seen.method == "POST" and b'"slow-' in seen.raw:
            goes_on.wait(60)

    def stage(name: str) -> str:
        return str(of(bounded, copies[name], slow[name])["clouds"][0]["state"])

    third.before = stand
    try:
        copies = {name: begin(bounded, name, token) for name, token in slow.items()}
        quick = begin(bounded, "quick", STRANGER)
        until(lambda: of(bounded, quick, STRANGER)["done"])
        assert of(bounded, quick, STRANGER)["clouds"][0]["state"] == "copied"
        until(lambda: [name for name in slow if stage(name) == "accepted"] == ["slow-3", "slow-5"])
        assert third.named(IMAGES, "slow-3") == third.named(IMAGES, "slow-5") == []
    finally:
        goes_on.set()
        third.before = lambda _seen, _name: None
    until(lambda: all(of(bounded, copies[name], slow[name])["done"] for name in slow))
    assert set(map(stage, slow)) == {"copied"}
