"""The federation of the tests: CloudOne (a port a service) and CloudTwo (a path a service), fake at the wire."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.gateway.wire import SECRETS, Cloud, Gateway, Seen, Upstream, free_ports, reply


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


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("gateways")
    one, two = Cloud("CloudOne", paths=False), Cloud("CloudTwo", paths=True)
    three, many = Cloud("CloudThree", paths=False), Cloud("CloudMany", paths=False)
    (dead,) = free_ports(1)
    silent = socket.create_server(("127.0.0.1", 0), backlog=64)
    quiet = f"http://127.0.0.1:{silent.getsockname()[1]}"
    split = Upstream(_in_pieces)
    peers = {
        "CloudTwo": {"url": two.frontends["identity"].removesuffix("/identity")},
        "Dead": {"url": f"http://127.0.0.1:{dead}"},
        "DeadKnown": {"url": f"http://127.0.0.1:{dead}", "services": {"image": f"http://127.0.0.1:{dead}"}},
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
