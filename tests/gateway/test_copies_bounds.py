"""Copies of images keep to their bounds: how many run at a time, and how slow a cloud may be."""

import json
import socket
from collections.abc import Iterator
from threading import Event
from typing import Any, Final

import pytest
from tests.gateway.replicated import RIVAL, World
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
        "copies_per_user": 1,
        "copies": 2,
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


def test_copies_of_one_user_wait_for_each_other_and_those_of_others_do_not(bounded: World) -> None:
    for name in ("first", "second", "others"):
        image(bounded, name)
    goes_on, third = Event(), bounded.states["CloudThree"]

    def stand(seen: Seen, _name: str) -> None:
        if seen.method == "POST" and b'"first"' in seen.raw:
            goes_on.wait(60)

    third.before = stand
    try:
        first, second = begin(bounded, "first"), begin(bounded, "second")
        others = begin(bounded, "others", RIVAL)
        until(lambda: of(bounded, others, RIVAL)["done"])
        assert of(bounded, others, RIVAL)["clouds"][0]["state"] == "copied"
        assert (of(bounded, second)["done"], of(bounded, second)["clouds"][0]["state"]) == (False, "accepted")
        assert third.named(IMAGES, "second") == []
    finally:
        goes_on.set()
        third.before = lambda _seen, _name: None
    until(lambda: of(bounded, first)["done"] and of(bounded, second)["done"])
    assert {of(bounded, copy)["clouds"][0]["state"] for copy in (first, second)} == {"copied"}
