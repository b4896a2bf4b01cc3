"""HAProxy's straight way to a hostile peer: image data alone, and nothing in an answer that a client could follow or obey."""

import json
import os
import re
import time
from collections.abc import Mapping

import pytest
from tests.gateway.owners import payload
from tests.gateway.wire import SERVICE_TOKEN, Answer, connect, reply, unasked, until
from tests.haproxy.test_traps import fresh, image_data
from tests.haproxy.world import Fronted
from tests.hostile.honest import Honest
from tests.hostile.programs import Step, Thief, Wait

from openstackoid.core.errors import PeerLeadsAwayError
from openstackoid.core.request_ids import PATTERN
from openstackoid.haproxy import maps
from openstackoid.haproxy.plan import TOKENS, WAYS

LINES = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 4\r\n"
GOOD = f"{LINES}\r\ndata".encode()


def proxied(honest: Honest) -> Fronted:
    assert honest.proxied
    return honest.proxied


def straight(
    honest: Honest, *steps: Step, path: str | None = None, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> Answer:
    """What a client gets when the peer answers image data so; the gateway sees nothing of it."""
    learned, path = honest.straight(), path or image_data()
    honest.mallory.answers(f"/image{path}", *steps)
    body = b"data" if method == "PUT" else None
    answer = honest.ask(path, headers=learned | dict(headers or {}), method=method, body=body)
    assert not proxied(honest).passed(path)
    assert len(honest.mallory.all(f"/image{path}")) >= 1
    return answer


def refused(answer: Answer) -> None:
    assert (answer.status, answer.code) == (502, PeerLeadsAwayError.code)
    assert "Mallory" in answer.json["error"]["message"]
    assert "thief" not in repr((answer.headers, answer.body))


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 306, 307, 308, 399])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_no_redirect_passes(with_haproxy: Honest, thief: Thief, status: int, method: str) -> None:
    led = {"Location": f"{thief.url}/v2/x", "Content-Type": "application/octet-stream"}
    refused(
        straight(
            with_haproxy,
            reply(status, b"", led),
            headers={"X-Service-Token": SERVICE_TOKEN, "Content-Type": "application/octet-stream"},
            method=method,
        )
    )


@pytest.mark.parametrize("line", ["000 x", "20 x", "099 x", "600 x", "999 x", "2000 x", "30200 Found"])
def test_no_status_passes_that_is_none(with_haproxy: Honest, thief: Thief, line: str) -> None:
    refused(straight(with_haproxy, f"HTTP/1.1 {line}\r\nLocation: {thief.url}\r\nContent-Length: 0\r\n\r\n".encode()))


@pytest.mark.parametrize("status", [100, 102, 103, 150, 199])
@pytest.mark.parametrize("later", [[], [Wait(0.3)]], ids=["together", "later"])
def test_no_interim_answer_passes(with_haproxy: Honest, thief: Thief, status: int, later: list[Step]) -> None:
    """HAProxy passes them on past all rules for answers: the connection ends, and nothing was said on it."""
    early = f"HTTP/1.1 {status} Early\r\nLink: <{thief.url}/a>; rel=preload\r\nLocation: {thief.url}/b\r\n\r\n".encode()
    assert _raw(with_haproxy, early, *later, GOOD) == b""
    assert _lines(proxied(with_haproxy))[-1]["status"] == status


def test_no_interim_answer_passes_that_comes_letter_by_letter(with_haproxy: Honest, thief: Thief) -> None:
    early = f"HTTP/1.1 103 Early Hints\r\nLink: <{thief.url}/a>\r\n\r\n".encode()
    pieces: list[Step] = [step for letter in early for step in (bytes([letter]), Wait(0.02))]
    assert _raw(with_haproxy, *pieces, GOOD) == b""


def test_no_tunnel_is_opened(with_haproxy: Honest) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tunnel\r\n\r\n"
    for asked in ("", "Connection: Upgrade\r\nUpgrade: tunnel\r\n"):
        came = _raw(with_haproxy, switch, b"tunnel", more=asked, way="either")
        assert b"tunnel" not in came
        assert came.startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize(
    "name",
    [
        *("Location", "Content-Location", "Link", "Refresh", "WWW-Authenticate", "Proxy-Authenticate", "Set-Cookie"),
        *("Set-Cookie2", "Alt-Svc", "Strict-Transport-Security", "Clear-Site-Data", "X-Scope", "X-Auth-Token", "URI"),
        *("X-Subject-Token", "X-Openstackoid-Made", "X-Openstackoid-Client", "Access-Control-Allow-Origin", "Upgrade"),
        *("Content-Security-Policy", "Public-Key-Pins", "Report-To", "NEL", "SourceMap", "X-Accel-Redirect", "Trailer"),
        *("X-Sendfile", "Authentication-Info", "X-New-Header", "set_cookie", "location_", "lOcAtIoN", "Keep-Alive"),
    ],
)
@pytest.mark.parametrize("status", [200, 404, 503])
def test_only_known_headers_pass(with_haproxy: Honest, thief: Thief, name: str, status: int) -> None:
    kept = {"Content-Type": "text/plain", "X-Openstack-Request-Id": "req-1", "ETag": '"e"'}
    led = {name: f"0; url={thief.url}/", name.upper(): f"<{thief.url}/>; rel=next"}
    answer = straight(with_haproxy, reply(status, b"data", kept | led))
    assert (answer.status, answer.body) == (status, b"data")
    assert {each.lower() for each, _ in answer.headers} <= {
        *("content-type", "content-length", "x-openstack-request-id", "etag", "connection")
    }
    assert answer.get("ETag") == '"e"'


@pytest.mark.parametrize("letter", ["\0", "\x01", "\x7f", "\xff", "\t"])
def test_no_header_passes_that_could_be_read_as_two(with_haproxy: Honest, thief: Thief, letter: str) -> None:
    line = f"Content-Type: a/b{letter}Location: {thief.url}"
    refused(straight(with_haproxy, f"HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 4\r\n\r\ndata".encode("latin-1")))


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\r\nLocation : THIEF\r\nContent-Length: 4\r\n\r\ndata",
        "HTTP/1.1 200 OK\rLocation: THIEF\r\nContent-Length: 4\r\n\r\ndata",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\ndata",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4\r\ndata\r\n0\r\n\r\n",
        "302 Found\r\nLocation: THIEF\r\n\r\n",
        "hello",
        f"HTTP/1.1 200 OK\r\nX-Long: {'x' * 40_000}\r\nContent-Length: 4\r\n\r\ndata",
        f"HTTP/1.1 200 OK\r\n{''.join(f'A{n}: x{chr(13)}{chr(10)}' for n in range(1000))}Content-Length: 4\r\n\r\ndata",
    ],
)
def test_what_is_no_answer_is_the_peers_failure(with_haproxy: Honest, thief: Thief, answer: str) -> None:
    came = straight(with_haproxy, answer.replace("THIEF", thief.url).encode(), {"close": True})
    assert (came.status, came.code) == (502, "peer.unreachable")
    assert "thief" not in repr(came.headers)


def test_a_second_answer_behind_the_first_is_nobodys(with_haproxy: Honest, thief: Thief) -> None:
    second = reply(200, b"second", {"Content-Type": "a/b"})
    assert straight(with_haproxy, GOOD + second).body == b"data"
    for _ in range(5):
        assert straight(with_haproxy, GOOD).body == b"data"


def test_an_answer_without_redirects_passes_as_it_is(with_haproxy: Honest) -> None:
    given = {"Content-Type": "application/octet-stream", "Content-MD5": "m", "Content-Range": "bytes 0-3/9"}
    answer = straight(with_haproxy, reply(206, b"data", given), headers={"Range": "bytes=0-3"})
    assert (answer.status, answer.body, answer.get("Content-Range")) == (206, b"data", "bytes 0-3/9")
    assert straight(with_haproxy, b"HTTP/1.1 304 Not Modified\r\n\r\n", headers={"If-None-Match": "e"}).status == 304
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n0\r\n\r\n"
    assert straight(with_haproxy, chunked).body == b"data"
    old = b"HTTP/1.0 200 OK\r\n\r\ndata"
    assert straight(with_haproxy, old, {"close": True}).body == b"data"


def test_an_upload_crosses_with_its_body_and_nothing_else(with_haproxy: Honest) -> None:
    sent = {"Content-Type": "application/octet-stream", "X-Service-Token": SERVICE_TOKEN, "Expect": "100-continue"}
    path = image_data()
    answer = straight(with_haproxy, b"HTTP/1.1 204 No Content\r\n\r\n", path=path, headers=sent, method="PUT")
    assert (answer.status, answer.body) == (204, b"")
    seen = with_haproxy.mallory.seen(f"/image{path}")
    assert seen.raw == b"data"
    assert {name.lower() for name, _ in seen.headers} == {
        *("host", "content-type", "content-length", "x-auth-token", "x-openstackoid-hops", "x-openstack-request-id"),
        "accept-encoding",
    } - {"accept-encoding"}


CREDENTIALS = [
    *(
        "X-Service-Token",
        "X-SSL-Client-S-DN",
        "X-Effective-User",
        "Private-Token",
        "X-Vault-Token",
        "Api-Key",
        "Cookie",
    ),
    *("OpenStack-System-Scope", "Authorization", "X-User-Id", "X-Forwarded-For", "Referer", "X-Amz-Security-Token"),
]


def test_only_known_headers_of_a_request_cross(with_haproxy: Honest) -> None:
    path, secret = image_data(), "gAAAAAmarker-own-secret"
    sent = dict.fromkeys(CREDENTIALS, secret) | {"X-Service-Token": SERVICE_TOKEN, "X-New-Header": secret}
    straight(with_haproxy, GOOD, path=path, headers=sent)
    seen = with_haproxy.mallory.seen(f"/image{path}")
    own = {name.lower() for name in (*CREDENTIALS, "X-New-Header", "X-Scope")}
    assert own & {name.lower() for name, _ in seen.headers} == set()
    assert "gAAAAAmarker" not in repr(seen)
    assert payload(seen.get("X-Auth-Token") or "")["aud"] == "Mallory"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/images"),
        ("GET", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab"),
        ("GET", "/v2/images/6B8E1F0A-3C5D-4E2F-9A7B-0123456789AB/file"),
        ("GET", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file?"),
        ("GET", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file?a=b"),
        ("GET", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file/"),
        ("GET", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file/../tags"),
        ("GET", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/%66ile"),
        ("GET", "/v2/images/../images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file"),
        ("GET", "/v2/images/6b8e1f0a3c5d4e2f9a7b0123456789ab/file"),
        ("GET", "//v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file"),
        ("GET", "/v2.9/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file"),
        ("GET", "/v2/images/detail/file"),
        ("GET", "/v2/tasks"),
        ("GET", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/members"),
        ("HEAD", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file"),
        ("POST", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file"),
        ("PATCH", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file"),
        ("DELETE", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/file"),
        ("PUT", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/stage"),
        ("PUT", "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab/tags/x"),
    ],
)
def test_nothing_but_image_data_goes_straight(with_haproxy: Honest, method: str, path: str) -> None:
    assert by_gateway(with_haproxy, f"{method} {path}")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 0"],
        ["Content-Length: 4"],
        ["Content-Type: application/x-www-form-urlencoded"],
        ["Content-Type: text/html"],
        ["Content-Type: multipart/form-data"],
        ["X-HTTP-Method-Override: DELETE"],
        ["Connection: Upgrade", "Upgrade: x"],
        ["X-Openstackoid-Hops: CloudNine"],
        ["X-Openstackoid-Assertion: x"],
        ["X_Auth_Token: x"],
    ],
)
def test_a_request_for_image_data_with_anything_odd_is_the_gateways(with_haproxy: Honest, lines: list[str]) -> None:
    assert by_gateway(with_haproxy, f"GET {image_data()}", *lines)
    assert not by_gateway(with_haproxy, f"GET {image_data()}")


def test_other_services_of_another_owner_never_go_straight(with_haproxy: Honest) -> None:
    """Nor is anything taught of them."""
    scope = {"X-Scope": '{"compute":"Mallory"}'}
    for path in ("/v2.1/servers", image_data()):
        for _ in range(3):
            target = f"{path}?{os.urandom(4).hex()}"
            assert with_haproxy.ask(target, kind="compute", headers=scope).status == 200
            assert proxied(with_haproxy).passed(path)
    proxy = proxied(with_haproxy).proxy
    with_haproxy.straight()
    assert "Mallory" not in repr([value for value in proxy.ways.values() if not value.startswith(("L", "S"))])
    assert all("|file|" in key for key in proxy.tokens)


def test_a_link_in_json_is_looked_at_by_the_gateway(with_haproxy: Honest, thief: Thief) -> None:
    learned, path = with_haproxy.straight(), f"/v2/images/{os.urandom(6).hex()}"
    with_haproxy.mallory.answers(f"/image{path}", reply(302, headers={"Location": f"{thief.url}/x"}))
    with_haproxy.ask(path, headers=learned)
    assert proxied(with_haproxy).passed(path)


def test_lines_of_an_earlier_version_open_nothing(with_haproxy: Honest) -> None:
    """Maps as its gateway has left them, or as it still teaches them: ways of another owner, and tokens by service."""
    cloud, text = proxied(with_haproxy), json.dumps({"image": "Mallory"} | unasked("CloudTwo"), separators=(",", ":"))
    token = with_haproxy.user
    learned = with_haproxy.straight()["X-Scope"]
    value = cloud.proxy.tokens[maps.user(token, learned) or ""]
    old = f"{int((time.time() + 60) * 1000)}:u:p:a:".ljust(192, ":") + value[maps.PREFIX_WIDTH :]
    for method in ("GET", "PUT"):
        cloud.proxy.tell(f"add map {cloud.short / WAYS} {method}|image|{text} RMallory|image")
    cloud.proxy.tell(f"add map {cloud.short / TOKENS} {token[maps.TAIL_START :]}|image|{text} {old}")
    # And a scope that would be the rest of such a key.
    for path in (image_data(), fresh(), "/v2/images"):
        for scope in (f"image|{text}", f"|image|{text}", text):
            answer = with_haproxy.ask(f"{path}", headers={"X-Scope": scope})
            assert (answer.status == 200) is (scope == text)
            assert cloud.passed(path)


def test_a_line_of_audit_is_whole_however_long(with_haproxy: Honest) -> None:
    """HAProxy cuts lines after 1024 characters by itself, and with them who it was."""
    cloud, long, path = proxied(with_haproxy), "req-" + "x" * 2000, image_data()
    straight(with_haproxy, GOOD, path=path, headers={"X-Openstack-Request-Id": long})
    line = until(lambda: _audited(cloud, path))
    assert re.fullmatch(PATTERN, str(line["global_request_id"]))
    assert (line["service"], line["status"]) == ("image", 200)
    assert (line["way"], line["peer"], line["user"]) == ("R", "Mallory", "a" * 32)
    # The longest lines are of this cloud, where paths may be anything; a slash takes two characters, and 1,024 are written.
    scope = {"X-Scope": '{"image":"CloudTwo"}'}
    until(lambda: with_haproxy.ask(fresh(), headers=scope).status == 200 and _here(cloud))
    path = f"/v2/images/{os.urandom(6).hex()}{'/x' * 5000}"
    assert with_haproxy.ask(path, headers=scope | {"X-Openstack-Request-Id": long}).status == 200
    assert not cloud.passed(path)
    line = until(lambda: _audited(cloud, path[:1024]))
    assert (line["way"], line["service"], line["status"]) == ("P", "image", 200)


def _here(cloud: Fronted) -> bool:
    return 'GET|image|{"image":"CloudTwo"}' in cloud.proxy.ways


def _audited(cloud: Fronted, path: str) -> dict[str, object]:
    """The line of HAProxy's audit for a path."""
    return next((line for line in _lines(cloud) if line["path"] == path), {})


def _lines(cloud: Fronted) -> list[dict[str, object]]:
    return [json.loads(line) for line in cloud.proxy.said.splitlines() if line.startswith('{"time"')]


def _raw(honest: Honest, *steps: Step, more: str = "", way: str = "straight") -> bytes:
    """All bytes of the answer to a request for image data."""
    learned, path, cloud = honest.straight(), image_data(), proxied(honest)
    honest.mallory.answers(f"/image{path}", *steps)
    lines = f"Host: x\r\nX-Auth-Token: {honest.user}\r\nX-Scope: {learned['X-Scope']}\r\n{more}"
    came = b""
    with connect(honest.url()) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        connection.settimeout(2)
        try:
            while piece := connection.recv(65536):
                came += piece
        except (TimeoutError, ConnectionResetError):
            pass
    if way == "straight":
        assert not cloud.passed(path)
    return came


def by_gateway(honest: Honest, start: str, *lines: str) -> bool:
    """Whether the gateway has seen a request that begins so, with these lines of headers."""
    learned, cloud = honest.straight(), proxied(honest)
    path = start.split(" ")[1].partition("?")[0]

    def count() -> int:
        cloud.passed("")  # all that was asked before is written
        return len([line for line in cloud.gateway.lines() if line["path"] == path])

    before = count()
    own = ["Host: x", f"X-Auth-Token: {honest.user}", f"X-Scope: {learned['X-Scope']}"]
    head = "\r\n".join([f"{start} HTTP/1.1", *own, *lines])
    with connect(honest.url()) as connection:
        connection.settimeout(3)
        connection.sendall(f"{head}\r\n\r\n".encode() + (b"data" if "Content-Length: 4" in lines else b""))
        assert connection.recv(65536).startswith(b"HTTP/1.1 ")
    return count() > before
