"""Requests that go around the client session end as they do through it, whatever a server sends (`upstream.reads`)."""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from tests.gateway.scripted import OK, SCRIPTS, Server, hangs_up, sends, serving, silent
from tests.gateway.upstream import until
from yarl import URL

from openstackoid.gateway.upstream.connecting import Connector
from openstackoid.gateway.upstream.reads import Bounds, Reads, sent_target
from openstackoid.gateway.upstream.received import Received

IDLE = 0.5  # seconds
LONGEST = 1 << 16
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=IDLE)
HEADERS = CIMultiDict([("Host", "a.example"), ("X-Auth-Token", "t"), ("Accept", "x"), ("Accept", "y")])


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
