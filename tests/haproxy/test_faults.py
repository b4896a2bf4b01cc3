"""What HAProxy answers when something behind it is ill, and that peers are followed without a reload."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.gateway.wire import TOKEN, Answer, Seen, Upstream, ask, connect, reply, until
from tests.haproxy.world import Fronted, echo
from tests.ports import free_port

SCOPE = {"X-Scope": '{"image":"Moving"}'}


@dataclass
class Ill:
    """A cloud whose neighbours come and go."""

    cloud: Fronted
    moving: Upstream  # tells where it is
    silent: socket.socket
    documents: list[dict[str, object]]

    def ask(self, name: str, path: str | None = None) -> Answer:
        return ask(self.cloud.url("image"), path or "/v2/images", {"X-Scope": f'{{"image":"{name}"}}'})

    def taught(self, name: str) -> bool:
        return f'GET|image|{{"image":"{name}"}}' in self.cloud.proxy.ways


@pytest.fixture(scope="module")
def ill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ill]:
    cloud = Fronted("CloudOne", tmp_path_factory.mktemp("faults") / "one")
    moving, breaks = echo("Moving"), echo("Breaks")
    documents: list[dict[str, object]] = [_document(moving.url)]
    moving.on("/.well-known/openstackoid", lambda _seen, _socket: reply(200, documents[0]))
    silent = socket.create_server(("127.0.0.1", 0), backlog=64)
    quiet, dead = f"http://127.0.0.1:{silent.getsockname()[1]}", f"http://127.0.0.1:{free_port()}"
    places = {"Silent": quiet, "Dead": dead, "Breaks": breaks.url}
    passing = {"token": "pass-through"}
    peers = {name: passing | {"url": url, "services": {"image": url}} for name, url in places.items()}
    short = {"connect": 3, "idle": 5, "refresh": 0.2, "grace": 3}
    cloud.start(peers | {"Moving": passing | {"url": moving.url}}, more={"timeouts": short})
    breaks.on("/v2/breaks", lambda _seen, connection: connection.close())
    try:
        cloud.ready()
        until(lambda: "Moving|image" in cloud.proxy.peers)
        yield Ill(cloud, moving, silent, documents)
    finally:
        cloud.stop()
        for upstream in (moving, breaks, silent):
            upstream.close()


def _document(url: str) -> dict[str, object]:
    return {"cloud": "Moving", "version": 1, "services": {"image": {"url": f"{url}/image"}}}


def _teach(ill: Ill, name: str) -> None:
    """A way that the gateway would have taught, had the peer been well then."""
    ill.cloud.proxy.tell(
        f'add map {ill.cloud.short}/ways.map GET|image|{{"image":"{name}"}} T{name}|image!{{"image":"{name}"}}'
    )
    until(lambda: ill.taught(name))


def test_a_dead_peer_is_said_in_json(ill: Ill) -> None:
    assert (ill.ask("Dead").status, ill.ask("Dead").code) == (502, "peer.unreachable")
    _teach(ill, "Dead")
    path = f"/v2/{os.urandom(6).hex()}"
    answer = ill.ask("Dead", path)
    assert (answer.status, answer.code) == (502, "peer.unreachable")
    assert (answer.get("Content-Type") or "").startswith("application/json")
    assert not ill.cloud.passed(path)


def test_a_peer_that_breaks_off_is_said_in_json(ill: Ill) -> None:
    assert (ill.ask("Breaks", "/v2/breaks").status, ill.ask("Breaks", "/v2/breaks").code) == (502, "peer.unreachable")
    _teach(ill, "Breaks")
    answer = ill.ask("Breaks", "/v2/breaks")
    assert (answer.status, answer.code) == (502, "peer.unreachable")


def test_a_slow_peer_is_said_in_json(ill: Ill) -> None:
    through = ill.ask("Silent")
    assert (through.status, through.code) == (504, "peer.timeout")
    assert through.error
    _teach(ill, "Silent")
    path = f"/v2/{os.urandom(6).hex()}"
    answer = ill.ask("Silent", path)
    assert (answer.status, answer.code) == (504, "peer.timeout")
    assert not ill.cloud.passed(path)


def test_a_backend_that_breaks_off_or_is_gone_is_said_in_json(ill: Ill) -> None:
    network = ill.cloud["network"]
    network.on("/v2.0/breaks", lambda _seen, connection: connection.close())
    answer = ask(ill.cloud.url("network"), "/v2.0/breaks")
    assert (answer.status, answer.code) == (502, "backend.unreachable")
    slow = threading.Event()
    network.on("/v2.0/slow", lambda _seen, _socket: reply(200) if slow.wait(60) else None)
    answer = ask(ill.cloud.url("network"), "/v2.0/slow")
    slow.set()
    assert (answer.status, answer.code) == (504, "backend.timeout")
    network.close()
    answer = ask(ill.cloud.url("network"), "/v2.0/gone")
    assert (answer.status, answer.code) == (502, "backend.unreachable")
    # Others are as they were.
    assert ask(ill.cloud.url("image"), "/v2/images").status == 200


def test_a_peer_that_moves_is_followed_without_a_reload(ill: Ill) -> None:
    worker = ill.cloud.proxy.pid()
    assert ill.ask("Moving").json["target"] == "/image/v2/images"
    until(lambda: ill.ask("Moving").status == 200 and ill.taught("Moving"))
    other = echo("Elsewhere")
    ill.documents[0] = _document(other.url)
    until(lambda: ill.ask("Moving").json["cloud"] == "Elsewhere")
    until(lambda: ill.ask("Moving").status == 200 and ill.taught("Moving"))
    path = f"/v2/{os.urandom(6).hex()}"
    assert ill.ask("Moving", path).json == {"cloud": "Elsewhere", "target": f"/image{path}"}
    assert not ill.cloud.passed(path)
    assert f"|{other.port}|" in (ill.cloud.short / "peers.map").read_text()
    # It gives the service up.
    ill.documents[0] = _document(other.url) | {"services": {}}
    until(lambda: ill.ask("Moving").status == 404)
    until(lambda: "Moving|image" not in ill.cloud.proxy.peers)
    ill.documents[0] = _document(ill.moving.url)
    until(lambda: ill.ask("Moving").status == 200)
    assert ill.cloud.proxy.pid() == worker
    other.close()


@pytest.mark.parametrize(
    "scoped", ["", '{"image":"CloudOne"}', '{"image": "CloudOne"}'], ids=["plain", "taught", "gateway"]
)
def test_chunked_uploads_spoil_no_connection(ill: Ill, scoped: str) -> None:
    """As cheroot: after a chunked body the next request on that connection gets a 500, whosever it is."""
    spoiled: set[int] = set()

    def answer(seen: Seen, _: socket.socket) -> bytes:
        if seen.connection in spoiled:
            return reply(500, {"spoiled": True})
        if seen.get("Transfer-Encoding"):
            spoiled.add(seen.connection)
        return reply(200, {"length": len(seen.raw)})

    ill.cloud["image"].on("/v2/chunked", answer)
    lines = f"Host: x\r\nX-Auth-Token: {TOKEN}\r\n" + (f"X-Scope: {scoped}\r\n" if scoped else "")
    upload = f"PUT /v2/chunked HTTP/1.1\r\n{lines}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    look = f"GET /v2/chunked HTTP/1.1\r\n{lines}\r\n"

    def ready() -> bool:
        for method in ("GET", "PUT"):
            ask(ill.cloud.url("image"), "/v2/images", {"X-Scope": scoped}, method=method)
        return " " in scoped or {f"{method}|image|{scoped}" for method in ("GET", "PUT")} <= ill.cloud.proxy.ways.keys()

    if scoped:
        until(ready)
    with connect(ill.cloud.url("image")) as connection:
        for _ in range(3):
            for request in (look, upload, look):
                connection.sendall(request.encode())
                told = _answer(connection)
                assert told.startswith(b"HTTP/1.1 200 "), told
    assert len(spoiled) == 3
    assert all(ask(ill.cloud.url("image"), "/v2/chunked").status == 200 for _ in range(10))


def _answer(connection: socket.socket) -> bytes:
    told = b""
    while b"\r\n\r\n" not in told or not told.endswith(b"}"):
        piece = connection.recv(65536)
        assert piece, told
        told += piece
    return told


def test_a_worker_that_is_replaced_uses_nothing_that_it_learned(ill: Ill) -> None:
    """And says that its next answer is the last, instead of closing a connection on which a request may be under way."""
    proxy, scoped = ill.cloud.proxy, '{"compute":"CloudOne"}'

    def ready() -> bool:
        ask(ill.cloud.url("image"), "/v2/images", {"X-Scope": scoped})
        return f"GET|image|{scoped}" in proxy.ways

    until(ready)
    old = proxy.pid()
    with connect(ill.cloud.url("image")) as connection:
        for path in ("/v2/before", "/v2/after"):
            head = f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {TOKEN}\r\nX-Scope: {scoped}\r\n\r\n"
            connection.sendall(head.encode())
            told = _answer(connection).lower()
            assert told.startswith(b"http/1.1 200 "), told
            assert (b"connection: close" in told) is (path == "/v2/after")
            assert ill.cloud.passed(path) is (path == "/v2/after")
            if path == "/v2/before":
                with socket.socket(socket.AF_UNIX) as master:
                    master.connect(str(proxy.folder / "master.sock"))
                    master.sendall(b"reload\n")
                    while master.recv(65536):
                        pass
                until(lambda: proxy.serves() and proxy.pid() not in {0, old})
        assert connection.recv(1) == b""
    until(ready)


def test_a_dead_gateway_stops_only_what_needs_it(ill: Ill) -> None:
    def straight() -> bool:
        path = f"/v2/{os.urandom(6).hex()}"
        return ill.ask("Moving", path).status == 200 and not ill.cloud.passed(path)

    until(straight)
    ill.cloud.gateway.process.send_signal(signal.SIGKILL)
    ill.cloud.gateway.process.wait()
    assert ask(ill.cloud.url("image"), "/v2/images").json["cloud"] == "CloudOne"
    assert ask(ill.cloud.url("image"), "/v2/images", method="PUT", body=b"x").status == 200
    answer = ask(ill.cloud.url("image"), "/v2/images", {"X-Scope": '{"compute":"Moving"}'})
    assert (answer.status, answer.code) == (502, "backend.unreachable")
    assert "gateway" in answer.json["error"]["message"]
    assert ill.ask("Moving").status == 200  # this was taught
    ill.cloud.again()
    ill.cloud.ready()
    until(lambda: ask(ill.cloud.url("image"), "/v2/images", {"X-Scope": '{"compute":"Moving"}'}).status == 200)


def test_a_peer_with_a_rate_gets_nothing_straight(ill: Ill) -> None:
    until(lambda: ill.ask("Moving").status == 200 and ill.taught("Moving"))
    config = ill.cloud.gateway.config
    ill.cloud.halt()
    ill.cloud.again(config | {"rates": {"peers": {"Moving": 10_000}}})
    ill.cloud.ready()
    until(lambda: not ill.taught("Moving"))  # a gateway begins with empty maps
    until(lambda: ill.ask("Moving").status == 200)
    for _ in range(3):
        path = f"/v2/{os.urandom(6).hex()}"
        assert ill.ask("Moving", path).status == 200
        assert ill.cloud.passed(path)
    assert not ill.taught("Moving")
    ill.cloud.halt()
    ill.cloud.again(config)
    ill.cloud.ready()
    until(lambda: ill.ask("Moving").status == 200 and ill.taught("Moving"))
