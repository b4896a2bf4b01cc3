"""The federation of the tests: CloudOne (a port a service) and CloudTwo (a path a service), fake at the wire."""

import contextlib
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from tests.gateway.owners import Bare, Owner, private
from tests.gateway.replicated import emptied_replicas, running_replicas, trio
from tests.gateway.several import Three, three_clouds
from tests.gateway.wire import SECRETS, Cloud, Gateway, Seen, Upstream, ask, nobody, reply, until

__all__ = ["emptied_replicas", "running_replicas", "trio"]


@dataclass
class World:
    """Two clouds with their gateways, some peers that are ill, and two gateways for what hurts."""

    cloud_one: Cloud
    cloud_two: Cloud
    cloud_three: Cloud
    one: Gateway
    two: Gateway
    three: Gateway  # reloaded and stopped by tests of its own
    many: Gateway  # with two workers
    split: Upstream  # a peer whose document comes in two pieces
    silent: socket.socket  # accepts, never answers


@pytest.fixture(scope="package")
def away() -> Iterator[int]:
    """The port of what has gone away."""
    with nobody() as port:
        yield port


@pytest.fixture(scope="package")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    with three_clouds(tmp_path_factory.mktemp("three")) as made:
        yield made


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory, away: int) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("gateways")
    one, two = Cloud("CloudOne", paths=False), Cloud("CloudTwo", paths=True)
    three, many = Cloud("CloudThree", paths=False), Cloud("CloudMany", paths=False)
    silent = socket.create_server(("127.0.0.1", 0), backlog=64)
    quiet = f"http://127.0.0.1:{silent.getsockname()[1]}"
    split = Upstream(_in_pieces)
    peers = {
        "CloudTwo": {"url": two.frontends["identity"].removesuffix("/identity")},
        "Dead": {"url": f"http://127.0.0.1:{away}"},
        "DeadKnown": {"url": f"http://127.0.0.1:{away}", "services": {"image": f"http://127.0.0.1:{away}"}},
        "Silent": {"url": quiet, "services": {"image": quiet}},
        "Mirror": {"url": one.frontends["image"], "services": {"image": one.frontends["image"]}},
        "Liar": {"url": two.frontends["identity"].removesuffix("/identity")},
        "Pieces": {"url": split.url},
    }
    scopes = {"images-elsewhere": {"image": "CloudTwo"}, "dead": {"image": "Dead"}}
    back = {"CloudOne": {"url": one.frontends["identity"]}}
    started = [
        Gateway(folder / "one", one.config(peers=peers, scopes=scopes)),
        Gateway(folder / "two", two.config(peers=back, scopes={"images-one": {"image": "CloudOne"}})),
        Gateway(folder / "three", three.config(peers={"CloudTwo": peers["CloudTwo"]})),
        Gateway(folder / "many", many.config(), "--workers", "2"),
    ]
    try:
        for gateway in started:
            gateway.ready()
        gateways = dict(zip(("one", "two", "three", "many"), started, strict=True))
        # They began at the same time: who looked before the other served looks again some seconds later.
        until(
            lambda: "CloudTwo" in gateways["one"].up() & gateways["three"].up() and "CloudOne" in gateways["two"].up()
        )
        yield World(one, two, three, **gateways, split=split, silent=silent)
    finally:
        for gateway in started:
            gateway.end()
        codes = [gateway.stop() for gateway in started]
        for upstream in (one, two, three, many, split, silent):
            upstream.close()
    assert codes == [0, 0, 0, 0]
    for gateway in started:
        written = gateway.said + (gateway.audit.read_text() if gateway.audit.exists() else "")
        found = [secret for secret in SECRETS if secret in written]
        assert not found, f"{gateway.folder.name} wrote {found}"
        assert "Traceback" not in gateway.said, gateway.said


def _in_pieces(seen: Seen, connection: socket.socket) -> bytes:
    url = f"http://{seen.get('Host')}/pieces"
    body = {"cloud": "Pieces", "version": 1, "services": {"image": {"url": url}}}
    whole = reply(200, body)
    connection.sendall(whole[:-40])
    # The two pieces must arrive apart, and nothing tells when the first has been read.
    time.sleep(0.05)
    return whole[-40:]


@dataclass
class Owners:
    """Three clouds of three owners: CloudOne is the users' own, CloudTwo serves them, CloudThree takes what CloudTwo is given."""

    one: Owner
    two: Owner
    three: Owner
    bare: Bare  # a cloud without a gateway, known to CloudOne
    hidden: Bare  # another one, which gets pseudonyms of users and projects
    dead: Owner  # one that has gone away; CloudTwo saw it when it was there
    at_one: Gateway
    at_two: Gateway
    at_three: Gateway


# What CloudTwo lets CloudOne's users do.
IMAGES = [{"service": "image", "method": "GET", "path": path} for path in ("/v2/images", "/v2/images/**")]
IMAGES += [{"service": "image", "method": method, "path": "/v2/images/**"} for method in ("POST", "PUT", "PATCH")]
OF_ONE_IN_TWO = {"services": ["compute", "placement", "object-store"], "rules": IMAGES, "projects": "each:default"}
PROJECT_IN_THREE = "3" * 32


@pytest.fixture(scope="package")
def owners(tmp_path_factory: pytest.TempPathFactory, away: int) -> Iterator[Owners]:
    folder = tmp_path_factory.mktemp("owners")
    one, two, three = (Owner(name, folder / name) for name in ("CloudOne", "CloudTwo", "CloudThree"))
    bare, hidden, dead = Bare("CloudBare"), Bare("CloudHidden"), Owner("CloudDead", folder / "CloudDead")
    dead.peering = f"http://127.0.0.1:{away}"
    dead.seen_by(two)
    images = {"services": ["image"]}
    in_three: dict[str, Any] = {"services": ["image", "compute"], "projects": f"one:{PROJECT_IN_THREE}"}
    peers = {
        "CloudOne": {
            "CloudTwo": two.entry({"services": ["image", "network"]}),
            "CloudThree": three.entry(images | {"pseudonyms": True}),
            "CloudBare": bare.entry(images),
            "CloudHidden": hidden.entry(images | {"pseudonyms": True, "project_pseudonyms": True}),
        },
        "CloudTwo": {
            "CloudOne": one.entry(OF_ONE_IN_TWO),
            "CloudThree": three.entry(images),
            "CloudDead": dead.entry(images),
        },
        "CloudThree": {"CloudOne": one.entry(in_three), "CloudTwo": two.entry(in_three | {"rate": 0.01})},
    }
    more: dict[str, Any] = {"operations": {"database": f"sqlite:///{folder}/operations.sqlite"}}
    settings = {each: {"peers": peers[each.name], "recheck": 300} for each in (one, two, three)}
    settings[one] |= {"more": more, "one_owner": ["CloudTwo", "CloudThree"]}
    settings[two]["one_owner"] = ["CloudOne"]
    with federated(settings) as started:
        until(lambda: all(_agreed(each, gateway) for each, gateway in started.items()))
        yield Owners(one, two, three, bare, hidden, dead, *started.values())
    bare.close()
    hidden.close()
    dead.close()


def _agreed(owner: Owner, gateway: Gateway) -> bool:
    told = [peer for name, peer in owner.known(gateway).items() if name != "CloudDead"]
    return all(peer["state"] == "up" and peer["agreement"]["theirs"] == "active" for peer in told)


@contextlib.contextmanager
def federated(clouds: dict[Owner, dict[str, Any]]) -> Iterator[dict[Owner, Gateway]]:
    """Gateways before clouds of different owners. When they end, nothing that they wrote holds a secret."""
    started = {owner: _started(owner, **more) for owner, more in clouds.items()}
    metrics = []
    try:
        for gateway in started.values():
            gateway.ready()
        yield started
        metrics = [ask(gateway.admin, "/metrics", token=None).body.decode() for gateway in started.values()]
    finally:
        for gateway in started.values():
            gateway.end()
        codes = [gateway.stop() for gateway in started.values()]
        for owner in started:
            owner.close()
    assert codes == [0] * len(codes)
    hidden = [*SECRETS, *(secret for owner in started for secret in private(owner.keys))]
    for gateway in started.values():
        assert "Traceback" not in gateway.said, gateway.said
    for text in [*metrics, *(gateway.said + gateway.audit.read_text() for gateway in started.values())]:
        found = [secret for secret in hidden if secret in text]
        assert not found
        # Federated tokens, and inner marks.
        assert re.findall(r"eyJ[\w-]{20}|~[\w-]{22}", text) == []


def _started(owner: Owner, workers: int = 1, more: Mapping[str, Any] | None = None, **settings: Any) -> Gateway:
    return Gateway(owner.folder, owner.settings(**settings) | dict(more or {}), "--workers", str(workers))
