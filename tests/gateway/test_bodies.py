"""Bodies: what came in goes out, byte by byte, and what broke off is never taken for whole."""

import gzip
import http.client
import re
import socket
import struct
import zlib
from collections.abc import Callable
from typing import Final

import pytest
from tests.gateway.conftest import World
from tests.gateway.wire import TOKEN, Answer, Seen, Upstream, ask, connect, everything, reply, scope, until

TWO: Final = scope(image="CloudTwo")
BIG: Final = bytes(range(256)) * 1024  # 256 KiB: more than is passed on in one piece


def head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", f"X-Auth-Token: {TOKEN}", *lines, "", "")).encode()


def cut(connection: socket.socket) -> None:
    """End a connection as a killed process does: with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def chunks(seen: Seen) -> bytes:
    """The bytes in a chunked body, which must be framed well to its end."""
    data, rest = b"", seen.raw
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            assert rest == b"\r\n"
            return data
        data, rest = data + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 65536, BIG], ids=["none", "small", "64K", "256K"])
@pytest.mark.parametrize("headers", [{}, TWO], ids=["local", "remote"])
def test_content_length_stays(world: World, body: bytes, headers: dict[str, str]) -> None:
    path = f"/v2/length-{len(body)}"
    assert ask(world.one.url("image"), path, headers, method="PUT", body=body).status == 200
    seen = (world.cloud_two if headers else world.cloud_one)["image"].seen(path)
    assert seen.raw == body
    assert seen.get("Transfer-Encoding") is None
    assert seen.get("Content-Length") == str(len(body))


@pytest.mark.parametrize("headers", [{}, TWO], ids=["local", "remote"])
def test_chunked_stays_chunked_on_a_connection_of_its_own(world: World, headers: dict[str, str]) -> None:
    upstream = (world.cloud_two if headers else world.cloud_one)["image"]
    with connect(world.one.url("image")) as client:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        client.sendall(head("PUT", "/v2/chunked", *lines, "Transfer-Encoding: chunked", "Connection: close"))
        for piece in (b"5\r\nhello\r\n", b"7\r\n, world\r\n", b"0\r\n\r\n"):
            client.sendall(piece)
        assert b" 200 " in everything(client)[:16]
    seen = upstream.seen("/v2/chunked")
    assert chunks(seen) == b"hello, world"
    assert seen.get("Content-Length") is None
    ask(world.one.url("image"), "/v2/after-chunked", headers)
    assert upstream.seen("/v2/after-chunked").connection != seen.connection


def early(upstream: Upstream, path: str) -> None:
    """Glance answers 409 to an upload before it reads it, and cheroot keeps the connection."""
    upstream.on(path, reply(409, {"error": "conflict"}), early=True)


def test_a_pooled_connection_is_harmed_by_an_upload_that_was_answered_early() -> None:
    """The trap itself, without a gateway: why an upload gets a connection of its own."""
    upstream = Upstream(lambda seen, _: reply(200, {"target": seen.target}))
    try:
        early(upstream, "/upload")
        chunked = b"b\r\nfirst line\n\r\n6\r\nsecond\r\n0\r\n\r\n"
        with connect(upstream.url) as pooled:
            pooled.sendall(
                head("PUT", "/upload", "Transfer-Encoding: chunked") + chunked + head("GET", "/another-user")
            )
            answers = everything(pooled)
        assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"409", b"400"]
        assert not upstream.all("/another-user")
    finally:
        upstream.close()


@pytest.mark.parametrize("headers", [{}, TWO], ids=["local", "remote"])
def test_an_early_answer_harms_nobody(world: World, headers: dict[str, str]) -> None:
    upstream = (world.cloud_two if headers else world.cloud_one)["image"]
    early(upstream, "/v2/early")
    client = http.client.HTTPConnection(world.one.url("image").removeprefix("http://"), timeout=10)
    for attempt in range(3):
        client.request(
            "PUT",
            "/v2/early",
            body=iter([b"first line\n", b"second"]),
            headers={"X-Auth-Token": TOKEN, **headers},
            encode_chunked=True,
        )
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (409, b'{"error": "conflict"}'), attempt
        for _ in range(3):
            assert ask(world.one.url("image"), "/v2/next-user", headers).status == 200
    client.close()
    mine = {seen.connection for seen in upstream.all("/v2/early")}
    assert mine.isdisjoint(seen.connection for seen in upstream.all("/v2/next-user"))
    assert {seen.get("Connection") for seen in upstream.all("/v2/early")} == {"close"}


@pytest.mark.parametrize("size", [5, len(BIG)])
def test_a_client_that_expects_100_is_told_to_go_on(world: World, size: int) -> None:
    with connect(world.one.url("image")) as client:
        lines = ("Expect: 100-continue", f"Content-Length: {size}", "Connection: close")
        client.sendall(head("PUT", f"/v2/expect-{size}", *lines))
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(BIG[:size])
        answer = everything(client)
    assert answer.startswith(b"HTTP/1.1 200 ")
    seen = world.cloud_one["image"].seen(f"/v2/expect-{size}")
    assert seen.raw == BIG[:size]
    assert seen.get("Expect") is None


@pytest.mark.parametrize("headers", [{}, TWO], ids=["local", "remote"])
@pytest.mark.parametrize(
    ("method", "status", "length"), [("HEAD", 200, "12345678"), ("GET", 204, None), ("GET", 304, None)]
)
def test_answers_without_a_body(
    world: World, headers: dict[str, str], method: str, status: int, length: str | None
) -> None:
    sent = {"ETag": '"abc"'} | ({"Content-Length": length} if length else {})
    whole = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent.items()) + "\r\n"
    upstream = (world.cloud_two if headers else world.cloud_one)["image"]
    upstream.on("/v2/bodiless", whole.encode())
    answer = ask(world.one.url("image"), "/v2/bodiless", headers, method=method)
    assert (answer.status, answer.body) == (status, b"")
    assert answer.get("ETag") == '"abc"'
    assert answer.get("Content-Length") == length
    assert answer.get("Transfer-Encoding") is None


@pytest.mark.parametrize("headers", [{}, TWO], ids=["local", "remote"])
def test_compressed_bodies_are_left_alone(world: World, headers: dict[str, str]) -> None:
    packed = gzip.compress(b'{"links": [{"rel": "self", "href": "http://127.0.0.1/"}]}', mtime=0)
    upstream = (world.cloud_two if headers else world.cloud_one)["image"]
    kinds = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    upstream.on("/v2/gzip", reply(200, packed, kinds))
    given = headers | kinds | {"Accept-Encoding": "gzip;q=0.7"}
    answer = ask(world.one.url("image"), "/v2/gzip", given, method="POST", body=packed)
    assert (answer.body, answer.get("Content-Encoding")) == (packed, "gzip")
    seen = upstream.seen("/v2/gzip")
    assert (seen.raw, seen.get("Content-Encoding"), seen.get("Accept-Encoding")) == (packed, "gzip", "gzip;q=0.7")


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate"])
def test_links_in_a_packed_document_lead_to_the_entry(world: World, encoding: str) -> None:
    theirs, ours = world.two.url("image"), world.one.url("image")
    plain = f'{{ "next": "{theirs}/v2/images?marker=1" }}'.encode()
    packed = zlib.compress(plain) if encoding == "deflate" else gzip.compress(plain)
    told = {"Content-Encoding": encoding, "Content-Type": "application/json", "ETag": '"packed"'}
    world.cloud_two["image"].on("/v2/packed", reply(200, packed, told))
    answer = ask(ours, "/v2/packed", TWO | {"Accept-Encoding": f"br, {encoding}, zstd;q=0.5"})
    assert answer.body == plain.replace(theirs.encode(), ours.encode())
    assert answer.get("Content-Encoding") is answer.get("ETag") is None
    assert world.cloud_two["image"].seen("/v2/packed").get("Accept-Encoding") == encoding


@pytest.mark.parametrize("broken", [b"x", gzip.compress(b"{}")[:-1], gzip.compress(b'{"next": ""}') + b"x"])
def test_what_is_not_packed_as_it_says_is_refused(world: World, broken: bytes) -> None:
    told = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    world.cloud_two["image"].on("/v2/broken", reply(200, broken, told))
    answer = ask(world.one.url("image"), "/v2/broken", TWO)
    assert (answer.status, answer.code) == (502, "peer.answer")


def test_a_packed_document_has_a_limit(world: World) -> None:
    told = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    world.cloud_two["image"].on("/v2/bomb", reply(200, gzip.compress(b" " * (17 << 20) + b"{}"), told))
    answer = ask(world.one.url("image"), "/v2/bomb", TWO)
    assert (answer.status, answer.code) == (502, "peer.answer")


def test_urls_in_other_headers_lead_to_the_entry(world: World) -> None:
    keystone, theirs = world.two.url("identity"), world.two.url("image")
    told = {
        "WWW-Authenticate": f'Keystone uri="{keystone}", Bearer realm="{keystone}/v3"',
        "Link": f'<{theirs}/v2/images?marker=1>; rel="next", <https://docs.example/>; rel=help',
        "Content-Location": f"{theirs}/v2/images",
    }
    world.cloud_two["image"].on("/v2/told", reply(401, {}, told))
    answer = ask(world.one.url("image"), "/v2/told", TWO)
    ours, own = world.one.url("image"), world.one.url("identity")
    assert {name: answer.get(name) for name in told} == {
        "WWW-Authenticate": f'Keystone uri="{own}", Bearer realm="{own}/v3"',
        "Link": f'<{ours}/v2/images?marker=1>; rel="next", <https://docs.example/>; rel=help',
        "Content-Location": f"{ours}/v2/images",
    }


@pytest.mark.parametrize("headers", [{}, TWO], ids=["local", "remote"])
def test_range_and_conditions_pass(world: World, headers: dict[str, str]) -> None:
    upstream = (world.cloud_two if headers else world.cloud_one)["image"]
    told = {"Content-Range": "bytes 1-3/9", "ETag": '"e"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
    upstream.on("/v2/range", reply(206, b"abc", told | {"Content-Type": "application/octet-stream"}))
    asked = {"Range": "bytes=1-3", "If-None-Match": '"x"', "If-Range": '"e"', "OpenStack-API-Version": "compute 2.90"}
    answer = ask(world.one.url("image"), "/v2/range", headers | asked)
    assert (answer.status, answer.body) == (206, b"abc")
    assert {name: answer.get(name) for name in told} == told
    seen = upstream.seen("/v2/range")
    assert {name: seen.get(name) for name in asked} == asked


@pytest.mark.parametrize("headers", [{}, TWO], ids=["local", "remote"])
def test_an_answer_that_has_nothing_to_change_keeps_its_bytes(world: World, headers: dict[str, str]) -> None:
    """Numbers that JSON libraries spoil, an empty body that is called JSON (nova's 202), JSON that is none."""
    upstream = (world.cloud_two if headers else world.cloud_one)["image"]
    for number, body in enumerate((b"", b'{ "a": 123456789012345678901234567890, "b": 1.0e2 }', b"not json", b"{}")):
        kept = {"Content-Type": "application/json", "ETag": '"as-it-came"'}
        upstream.on(f"/v2/bytes-{number}", reply(202, body, kept))
        answer = ask(world.one.url("image"), f"/v2/bytes-{number}", headers, method="POST", body=b"{}")
        assert (answer.status, answer.body, answer.get("ETag")) == (202, body, '"as-it-came"')


@pytest.mark.parametrize("framing", ["Content-Length", "Transfer-Encoding"])
@pytest.mark.parametrize("headers", [{}, TWO], ids=["local", "remote"])
def test_big_answers_stream(world: World, headers: dict[str, str], framing: str) -> None:
    upstream = (world.cloud_two if headers else world.cloud_one)["image"]

    def answer(_: Seen, connection: socket.socket) -> None:
        value = str(len(BIG)) if framing == "Content-Length" else "chunked"
        connection.sendall(f"HTTP/1.1 200 OK\r\n{framing}: {value}\r\nConnection: close\r\n\r\n".encode())
        body = BIG if framing == "Content-Length" else b"%x\r\n%b\r\n0\r\n\r\n" % (len(BIG), BIG)
        connection.sendall(body)

    upstream.on("/v2/big", answer)
    got = ask(world.one.url("image"), "/v2/big", headers)
    assert got.body == BIG
    assert got.get(framing) == (str(len(BIG)) if framing == "Content-Length" else "chunked")


def begun(world: World, headers: dict[str, str], path: str) -> tuple[Upstream, socket.socket, list[socket.socket]]:
    """A download of which the first half came, and the upstream's end of it."""
    upstream = (world.cloud_two if headers else world.cloud_one)["image"]
    theirs: list[socket.socket] = []

    def answer(seen: Seen, connection: socket.socket) -> None:
        framing = "Transfer-Encoding: chunked" if "chunked" in seen.target else f"Content-Length: {2 * len(BIG)}"
        connection.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        connection.sendall(b"%x\r\n%b\r\n" % (len(BIG), BIG) if "chunked" in seen.target else BIG)
        theirs.append(connection)
        connection.settimeout(10)
        assert connection.recv(1) == b""  # until somebody ends it

    upstream.on(path, answer)
    client = connect(world.one.url("image"))
    client.sendall(head("GET", path, *(f"{name}: {value}" for name, value in headers.items())))
    client.recv(1024)
    until(lambda: theirs)
    return upstream, client, theirs


@pytest.mark.parametrize("headers", [{}, TWO], ids=["local", "remote"])
def test_a_client_that_goes_away_ends_the_request_upstream(world: World, headers: dict[str, str]) -> None:
    path = f"/v2/gone-{len(headers)}"
    upstream, client, _ = begun(world, headers, path)
    client.close()
    assert upstream.seen(path).gone.wait(8)  # before anything times out
    assert world.one.line(path)["status"] == 499


@pytest.mark.parametrize("headers", [{}, TWO], ids=["local", "remote"])
@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_an_answer_that_breaks_off_breaks_off_for_the_client(
    world: World, headers: dict[str, str], framing: str
) -> None:
    path = f"/v2/broken-{framing}-{len(headers)}"
    _, client, theirs = begun(world, headers, path)
    with client:
        theirs[0].shutdown(socket.SHUT_RDWR)
        rest = everything(client)
    assert not rest.endswith(b"0\r\n\r\n")
    assert len(rest) < 2 * len(BIG)
    assert world.one.line(path)["error"] == "upstream.cut"


@pytest.mark.parametrize("headers", [{}, TWO], ids=["local", "remote"])
@pytest.mark.parametrize("end", [cut, socket.socket.close], ids=["reset", "closed"])
@pytest.mark.parametrize("kind", ["chunked", "long", "short"])
def test_an_upload_that_breaks_off_never_looks_whole(
    world: World, headers: dict[str, str], end: Callable[[socket.socket], None], kind: str
) -> None:
    path = f"/v2/half-{kind}-{end.__name__}-{len(headers)}"
    framing, part = {
        "chunked": ("Transfer-Encoding: chunked", b"%x\r\n%b\r\n" % (len(BIG), BIG)),
        "long": (f"Content-Length: {2 * len(BIG)}", BIG),
        "short": ("Content-Length: 9", b"half"),
    }[kind]
    upstream = (world.cloud_two if headers else world.cloud_one)["image"]
    client = connect(world.one.url("image"))
    lines = [f"{name}: {value}" for name, value in headers.items()]
    client.sendall(head("PUT", path, framing, "Expect: 100-continue", *lines))
    client.recv(1024)  # the gateway reads
    client.sendall(part)
    if kind != "short":
        upstream.seen(path)
    end(client)
    assert world.one.line(path)["status"] == 499
    for seen in upstream.all(path):
        assert seen.gone.wait(8)
        assert not seen.whole


def test_an_upload_is_never_sent_twice(world: World) -> None:
    """An upstream that closes a kept connection instead of an answer: whoever changes something is not asked again."""
    upstream = world.cloud_one["image"]

    def close(_: Seen, connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    for path in ("/v2/twice-small", "/v2/twice-big"):
        upstream.on(path, close)
        assert ask(world.one.url("image"), "/v2/warm").status == 200  # now there is a connection to be used again
        body = b"{}" if "small" in path else BIG
        answer: Answer = ask(world.one.url("image"), path, method="POST", body=body)
        assert (answer.status, answer.code) == (502, "backend.unreachable")
        assert len(upstream.all(path)) == 1
