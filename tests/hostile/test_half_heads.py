"""Clients that begin a request and do not go on, at a gateway without HAProxy: they are ended, and all others are answered."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest
from tests.gateway.wire import Cloud, Gateway, ask, connect, everything, reply, until

IDLE = 4  # seconds, in the configuration of these tests
MOST = 256
HEAD = b"GET /v2/x HTTP/1.1\r\nHost: x\r\nX-Half: "


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    made = Cloud("CloudOne", paths=False)
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("halves")
    made = Gateway(folder, cloud.config(timeouts={"connect": 5, "idle": IDLE}))
    try:
        until(lambda: "serving at" in made.said or made.process.poll() is not None, 60)
        made.ready()
        yield made
    finally:
        made.end()
        made.stop()
    assert "Traceback" not in made.said, made.said


def ended(connection: socket.socket) -> bool:
    """Whether the other side has ended it: waits for that for a while, far longer than it may take."""
    connection.settimeout(60)
    return everything(connection) == b""


def test_half_a_head_is_ended(gateway: Gateway) -> None:
    for begun in (HEAD, b"G", b"\r\n", b"GET /v2/x HTTP/1.1\r\nHost: x\r\n"):
        with connect(gateway.url("image")) as connection:
            connection.sendall(begun)
            assert ended(connection), begun


def test_a_head_that_comes_byte_by_byte_is_ended(gateway: Gateway) -> None:
    with connect(gateway.url("image")) as connection:
        connection.sendall(HEAD)
        connection.setblocking(False)

        def over() -> bool:
            with contextlib.suppress(BlockingIOError):
                time.sleep(0.1)
                try:
                    connection.send(b"x")
                    return connection.recv(1) == b""
                except ConnectionError:
                    return True
            return False

        until(over, 30)


def test_half_a_head_after_a_request_is_ended(gateway: Gateway) -> None:
    """Also one that came in one piece with it."""
    whole = b"GET /v2/x HTTP/1.1\r\nHost: x\r\n\r\n"
    for pieces in ((whole, HEAD), (whole + HEAD, b"x")):
        with connect(gateway.url("image")) as connection:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.2)
            connection.settimeout(60)
            assert everything(connection).count(b"HTTP/1.1 200 ") == 1


def test_a_body_that_comes_after_its_answer_is_no_head(gateway: Gateway) -> None:
    """The gateway refuses this one before it has read it; what still comes is read away, and the next request is answered."""
    body = b"x" * 300_000
    head = f"POST /nowhere HTTP/1.1\r\nHost: x\r\nX-Scope: nonsense\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with connect(gateway.url("image")) as connection:
        connection.sendall(head)
        connection.settimeout(60)
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 400 ")
        for begin in range(0, len(body), 30_000):
            connection.sendall(body[begin : begin + 30_000])
        connection.sendall(b"GET /v2/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        rest = everything(connection)
        assert rest.count(b"HTTP/1.1 200 ") == 1
        assert b"HTTP/1.1 400 " not in rest


def test_a_head_has_a_size(gateway: Gateway) -> None:
    line = b"X-Long: " + b"x" * 10_000 + b"\r\n"
    with connect(gateway.url("image")) as connection:
        with contextlib.suppress(ConnectionError):
            for piece in (b"GET /v2/x HTTP/1.1\r\n", *[line] * 20):
                connection.sendall(piece)
                time.sleep(0.02)
        assert everything(connection).startswith((b"HTTP/1.1 400 ", b""))
    with connect(gateway.url("image")) as connection:
        connection.sendall(b"GET /v2/x HTTP/1.1\r\n" + line * 6)
        time.sleep(0.5)
        with contextlib.suppress(ConnectionError):
            connection.sendall(line)
        answer = everything(connection)
    assert b"head of 64 KiB at most" in answer
    assert b"request.malformed" in answer


def test_the_oldest_of_many_half_heads_gives_way(gateway: Gateway) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(gateway.url("image"))) for _ in range(MOST + 20)]
        for connection in held:
            connection.sendall(HEAD)
        assert ask(gateway.url("image"), "/v2/meanwhile").status == 200
        assert all(ended(connection) for connection in held)


def test_a_body_that_does_not_go_on_is_ended(gateway: Gateway, cloud: Cloud) -> None:
    for size in (100, 1_000_000):
        path = f"/v2/body-{size}"
        with connect(gateway.url("image")) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\nbegun".encode())
            assert ended(connection), size
    (long,) = cloud["image"].all("/v2/body-1000000")
    assert long.gone.wait(60)


def test_a_body_that_goes_on_slowly_is_not(gateway: Gateway, cloud: Cloud) -> None:
    cloud["image"].on("/v2/slow", lambda seen, _: reply(200, {"size": len(seen.raw)}))
    with connect(gateway.url("image")) as connection:
        connection.sendall(b"POST /v2/slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(10):
            connection.sendall(b"x" * 10_000)
            time.sleep(IDLE / 4)
        assert b'{"size": 100000}' in everything(connection)


def test_a_connection_between_two_requests_is_kept(gateway: Gateway) -> None:
    with connect(gateway.url("image")) as connection:
        for _ in range(2):
            connection.sendall(b"GET /v2/kept HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            time.sleep(IDLE * 1.5)
