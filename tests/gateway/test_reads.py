"""Requests that go around the client session end as they do through it, whatever a server sends (`upstream.reads`)."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from tests.gateway.upstream import until
from yarl import URL

from openstackoid.gateway.upstream.connecting import Connector
from openstackoid.gateway.upstream.reads import Bounds, Reads, sent_target
from openstackoid.gateway.upstream.received import Received

IDLE = 0.5  # seconds
LONGEST = 1 << 16
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=IDLE)
HEADERS = CIMultiDict([("Host", "a.example"), ("X-Auth-Token", "t"), ("Accept", "x"), ("Accept", "y")])
LONG = b"x" * 100_000

Serve = Callable[[socket.socket, int], None]


@dataclass
class Server:
    """Reads the head of a request, and does what a test says: it gets the connection, and how many requests came before, on all of them."""

    serve: Serve
    greeting: bytes = b""  # what it sends when a connection begins
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    ended: int = 0  # connections that the client closed

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.sendall(self.greeting)
            while head := _head(connection):
                before = len(self.heads)
                self.heads.append(head)
                self.serve(connection, before)
            self.ended += 1


def _head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        head += byte
    return head


@contextlib.contextmanager
def serving(serve: Serve, greeting: bytes = b"") -> Iterator[Server]:
    server = Server(serve, greeting)
    try:
        yield server
    finally:
        server.close()


class BySession:
    """Through a client session, as all other requests go."""

    def __init__(self, kind: type[aiohttp.TCPConnector] = aiohttp.TCPConnector) -> None:
        self._session = aiohttp.ClientSession(
            connector=kind(limit=0, keepalive_timeout=60),
            timeout=TIMEOUT,
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=LONGEST,
            max_field_size=LONGEST,
        )

    async def send(self, method: str, base: str, target: str, headers: CIMultiDict[str]) -> aiohttp.ClientResponse:
        return await self._session.request(
            method, URL(base + target, encoded=True), headers=headers, allow_redirects=False
        )

    async def close(self) -> None:
        await self._session.close()


class Around:
    """As the gateway sends them."""

    def __init__(self) -> None:
        self._connector = Connector(limit=0, keepalive_timeout=60)
        self._reads = Reads(self._connector, Bounds(TIMEOUT, 1 << 18, LONGEST))

    async def send(self, method: str, base: str, target: str, headers: CIMultiDict[str]) -> Received:
        return await self._reads.send(method, base, target, headers)

    async def close(self) -> None:
        await self._connector.close()


async def outcome(way: BySession | Around, method: str, base: str) -> tuple[object, ...]:
    """What comes of one request: the answer, or how it failed and where."""
    try:
        response = await way.send(method, base, "/v2/x?a=1", HEADERS)
    except (aiohttp.ClientError, OSError) as error:
        return ("head", type(error).__name__)
    body = b""
    try:
        while piece := await response.content.readany():
            body += piece
    except (aiohttp.ClientError, OSError) as error:
        response.close()
        return ("body", response.status, body, type(error).__name__)
    response.release()
    return (response.status, response.reason, response.raw_headers, response.content_length, body)


async def talk(way: BySession | Around, server: Server, methods: Sequence[str]) -> tuple[object, ...]:
    """What comes of several requests, one after the other."""
    try:
        return tuple([await outcome(way, method, server.url) for method in methods])
    finally:
        await way.close()


def sends(*answers: bytes, end: bool = False) -> Serve:
    """Answer so, the last one again and again; then end the connection, or not."""

    def serve(connection: socket.socket, before: int) -> None:
        connection.sendall(answers[min(before, len(answers) - 1)])
        if end:
            connection.shutdown(socket.SHUT_RDWR)

    return serve


def resets(connection: socket.socket, _before: int) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hangs_up(connection: socket.socket, _before: int) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def hangs_up_then_answers(connection: socket.socket, before: int) -> None:
    """An idle connection whose end crosses with a request: of what was asked second, nothing was answered."""
    if before == 1:
        connection.shutdown(socket.SHUT_RDWR)
    else:
        connection.sendall(OK)


def resets_then_answers(connection: socket.socket, before: int) -> None:
    resets(connection, before) if before == 1 else connection.sendall(OK)


def silent(_connection: socket.socket, _before: int) -> None:
    """No answer."""


OK = b"HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nX-A: 1\r\nX-A: 2\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SCRIPTS: dict[str, Serve] = {
    "length": sends(OK),
    "empty": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "long": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + LONG),
    "chunked": sends(CHUNKED + b"3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nX-Trailer: 1\r\n\r\n"),
    "until the end": sends(b"HTTP/1.1 200 OK\r\n\r\nabc", end=True),
    "closes": sends(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", end=True),
    "1.0": sends(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", end=True),
    "1.0 keeps": sends(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc"),
    "informed": sends(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK),
    "switching": sends(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", end=True),
    "204": sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "304": sends(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 5\r\n\r\n'),
    "redirect": sends(b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"),
    "cookie": sends(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\nabc"),
    "packed": sends(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
    "too short": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", end=True),
    "too long": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", OK),
    "two answers": sends(OK + OK, OK),
    "two lengths": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", end=True),
    "both": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", end=True),
    "negative": sends(b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc", end=True),
    "chunk broken off": sends(CHUNKED + b"10\r\nabc", end=True),
    "between chunks": sends(CHUNKED + b"3\r\nabc\r\n", end=True),
    "no chunk": sends(CHUNKED + b"zz\r\nabc\r\n", end=True),
    "head broken off": sends(b"HTTP/1.1 200 OK\r\nContent-Le", end=True),
    "long header": sends(b"HTTP/1.1 200 OK\r\nX-Long: " + LONG + b"\r\n\r\n", end=True),
    "long status": sends(b"HTTP/1.1 200 " + LONG + b"\r\n\r\n", end=True),
    "many headers": sends(b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 5000 + b"\r\n", end=True),
    "nonsense": sends(b"what?\r\n\r\n", end=True),
    "hangs up": hangs_up,
    "hangs up when idle": hangs_up_then_answers,
    "resets": resets,
    "resets when idle": resets_then_answers,
    "silent": silent,
    "silent in the head": sends(b"HTTP/1.1 200 OK\r\n"),
    "silent in the body": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
}


@pytest.mark.parametrize("methods", [("GET", "GET"), ("HEAD", "GET"), ("GET", "HEAD")], ids="-".join)
@pytest.mark.parametrize("script", SCRIPTS)
async def test_what_comes_of_requests_is_what_comes_of_them_through_a_session(
    script: str, methods: tuple[str, str]
) -> None:
    """Two requests: the second shows whether the connection was kept, and whether rests of the first answer are taken for its own."""
    with serving(SCRIPTS[script]) as one, serving(SCRIPTS[script]) as other:
        expected = await talk(BySession(), one, methods)
        assert await talk(Around(), other, methods) == expected
    assert (other.connections, len(other.heads)) == (one.connections, len(one.heads))


@pytest.mark.parametrize("script", ["length", "chunked", "304", "informed"])
async def test_a_connection_is_kept_after_a_whole_answer(script: str) -> None:
    with serving(SCRIPTS[script]) as server:
        await talk(Around(), server, ["GET"] * 3)
    assert (server.connections, len(server.heads)) == (1, 3)


@pytest.mark.parametrize("script", ["hangs up when idle", "resets when idle"])
async def test_a_request_on_a_connection_that_ended_meanwhile_is_sent_again(script: str) -> None:
    with serving(SCRIPTS[script]) as server:
        first, second = await talk(Around(), server, ["GET", "GET"])
    assert first == second
    assert (server.connections, len(server.heads)) == (2, 3)


async def test_a_request_is_sent_twice_at_most() -> None:
    with serving(hangs_up) as server:
        assert await talk(Around(), server, ["GET"]) == (("head", "ServerDisconnectedError"),)
    assert len(server.heads) == 2


@pytest.mark.parametrize("make", [Around, partial(BySession, Connector)], ids=["around", "by session"])
async def test_what_comes_on_an_idle_connection_is_no_answer(make: Callable[[], BySession | Around]) -> None:
    """A server, or who speaks through it, cannot lay down the answer to the next user's request."""
    read, sent = threading.Event(), threading.Event()

    def serve(connection: socket.socket, before: int) -> None:
        connection.sendall(OK)
        if not before:
            read.wait()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            sent.set()

    way = make()
    try:
        with serving(serve) as server:
            assert (await outcome(way, "GET", server.url))[-1] == b"abc"
            read.set()
            await asyncio.to_thread(sent.wait)
            await asyncio.sleep(0.2)  # until it is read here
            assert (await outcome(way, "GET", server.url))[-1] == b"abc"
            assert server.connections == 2
    finally:
        await way.close()


async def test_who_goes_away_before_the_answer_closes_the_connection() -> None:
    asked = threading.Event()

    def serve(connection: socket.socket, before: int) -> None:
        if before:
            connection.sendall(OK)
        asked.set()

    way = Around()
    try:
        with serving(serve) as server:
            task = asyncio.create_task(outcome(way, "GET", server.url))
            await asyncio.to_thread(asked.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await outcome(way, "GET", server.url))[-1] == b"abc"
            assert server.connections == 2
            await asyncio.to_thread(until, lambda: server.ended == 1)
    finally:
        await way.close()


async def test_an_answer_that_is_closed_or_released_too_early_closes_the_connection() -> None:
    for ends in ("close", "release"):
        way = Around()
        try:
            with serving(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", OK)) as server:
                response = await way.send("GET", server.url, "/", HEADERS)
                getattr(response, ends)()
                assert (await outcome(way, "GET", server.url))[-1] == b"abc"
                assert server.connections == 2
        finally:
            await way.close()


async def test_a_server_that_speaks_first() -> None:
    with serving(silent, b"SSH-2.0-x\r\n") as server:
        for way in (BySession(), Around()):
            assert await talk(way, server, ["GET"]) == (("head", "ClientResponseError"),)


async def test_nobody_listens() -> None:
    server = Server(silent)
    server.close()
    for way in (BySession(), Around()):
        assert await talk(way, server, ["GET"]) == (("head", "ClientConnectorError"),)


@pytest.mark.parametrize("headers", [HEADERS, CIMultiDict([("X-A", "1")])], ids=["host", "no host"])
@pytest.mark.parametrize("prefix", ["", "/image", "/a/b"])
@pytest.mark.parametrize(
    "target", ["/", "/v2/x?a=1&b=%2F", "/x#y", "/x?", "/x??", "/x?a=#b", "//x", "/a/../b", "/a[1]|"]
)
async def test_the_same_request_is_sent(target: str, prefix: str, headers: CIMultiDict[str]) -> None:
    with serving(sends(OK)) as server:
        for way in (BySession(), Around()):
            response = await way.send("GET", server.url + prefix, target, headers)
            response.release()
            await way.close()
    expected, sent = (head.lower().split(b"\r\n") for head in server.heads)
    assert sent[0] == expected[0]
    assert sorted(sent[1:]) == sorted(expected[1:])


@given(st.text("/?#a%=&", max_size=12).map("/".__add__))
def test_a_target_is_sent_as_the_session_sends_it(target: str) -> None:
    assert sent_target(target) == URL(f"http://a.example{target}", encoded=True).raw_path_qs


@pytest.mark.parametrize(
    ("target", "headers"),
    [("/x HTTP/1.1\r\nX-Evil: 1", HEADERS), ("/x", CIMultiDict([("X-A", "1\r\nX-Evil: 1")]))],
    ids=["target", "header"],
)
async def test_no_line_is_added(target: str, headers: CIMultiDict[str]) -> None:
    way = Around()
    try:
        with serving(sends(OK)) as server:
            with pytest.raises(ValueError, match=r"(?i)newline|carriage|header"):
                await way.send("GET", server.url, target, headers)
            assert not server.heads
    finally:
        await way.close()


INFORMED = b"HTTP/1.1 103 Early Hints\r\n\r\n"


async def test_a_server_that_informs_and_then_is_silent_is_given_up() -> None:
    """aiohttp's protocol stops the time of an answer at each informational one: through a session this request would wait for ever."""
    with serving(sends(INFORMED)) as server:
        async with asyncio.timeout(30):
            assert await talk(Around(), server, ["GET"]) == (("head", "SocketTimeoutError"),)


async def test_a_server_that_informs_without_end_is_given_up() -> None:
    def serve(connection: socket.socket, _before: int) -> None:
        while True:
            connection.sendall(INFORMED * 100)

    with serving(serve) as server:
        async with asyncio.timeout(30):
            assert await talk(Around(), server, ["GET"]) == (("head", "EndlessHeadError"),)


async def test_an_idle_connection_has_no_time_of_an_answer_that_came_at_once() -> None:
    way = Around()
    try:
        with serving(sends(INFORMED * 3 + OK)) as server:
            assert (await outcome(way, "GET", server.url))[-1] == b"abc"
            await asyncio.sleep(2 * IDLE)
            assert (await outcome(way, "GET", server.url))[-1] == b"abc"
            assert (server.connections, len(server.heads)) == (1, 2)
    finally:
        await way.close()
