"""Two readers of one request must see the same request: what could be read in two ways is refused, or written anew."""

import json
import re

import pytest
from tests.gateway.wire import TOKEN, ask, raw
from tests.haproxy.test_traps import REMOTE, everywhere, fresh, image_data, parsed, teach
from tests.haproxy.world import World

HIDDEN = "GET /v2/smuggled HTTP/1.1\r\nHost: x\r\nX-Auth-Token: stolen\r\n\r\n"
CHUNKED = f"{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n"
TWICE_READ = [
    ["Content-Length: 6", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Content-Length: 6"],
    ["Transfer-Encoding: xchunked"],
    ["Transfer-Encoding: chunked, identity"],
    ["Transfer-Encoding: identity, chunked"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    ["Transfer-Encoding: identity", "Content-Length: 6"],
    ["Transfer-Encoding:\tchunked", "Content-Length: 6"],
    ["Transfer-Encoding : chunked", "Content-Length: 6"],
    ["Transfer-Encoding: x", " chunked", "Content-Length: 6"],
    ["Transfer_Encoding: chunked", "Content-Length: 6"],
    ["Content-Length: 6", "Content-Length: 7"],
    ["Content-Length: 6, 7"],
    ["Content-Length: +6"],
    ["Content-Length: 6a"],
    ["Content-Length: -6"],
    ["Content-Length: 0x6"],
    ["Content-Length: 0", "Transfer-Encoding: chunked"],
    ["Content-Length : 6"],
]


@pytest.mark.parametrize("scoped", ["", REMOTE, '{"image":"CloudOne"}'], ids=["plain", "there", "here"])
@pytest.mark.parametrize("lines", TWICE_READ, ids=" + ".join)
def test_no_request_hides_in_another_ones_body(world: World, lines: list[str], scoped: str) -> None:
    if scoped:
        teach(world, scoped)
    path = fresh()
    given = [*lines, *([f"X-Scope: {scoped}"] if scoped else [])]
    head = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"X-Auth-Token: {TOKEN}", *given, "", ""]
    told = raw(world.one.url("image"), ("\r\n".join(head) + CHUNKED).encode())
    statuses = re.findall(rb"HTTP/1.1 (\d+)", told)
    assert len(statuses) == 1, told
    assert everywhere(world, "/v2/smuggled") == []
    for cloud in (world.one, world.three):
        for seen in cloud["image"].all(path):
            # One way to read it is left.
            framing = seen.all("Transfer-Encoding") + seen.all("Content-Length")
            assert len(framing) == 1
            assert framing[0] == "chunked" or framing[0].isdigit()
        assert not [
            seen
            for seen in cloud["image"].requests
            if seen.method not in {"GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS"}
        ]


@pytest.mark.parametrize(
    "line",
    [
        "X-Scope: {}\n \r\nX-Own: 1",
        "X-Own: a\rX-Scope: {}",
        "X-Scope: {}\x00",
        "X-Auth-Token: a\rb",
        "X Own: 1",
        ": empty",
        "X-Own",
        "X-Sco\x00pe: {}",
        "X-Scope\t: {}",
        "\x0bX-Scope: {}",
    ],
)
def test_control_characters_in_headers_are_refused(world: World, line: str) -> None:
    path = fresh()
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {TOKEN}\r\n{line}\r\n\r\n"
    answer = parsed(raw(world.one.url("image"), head.encode("latin-1")))
    if line.startswith("X-Scope: {}\n"):  # LF alone ends a line, and a folded one is one
        assert answer.status in {200, 400}
    else:
        assert answer.status == 400
        assert everywhere(world, path) == []


@pytest.mark.parametrize("behind", ["\x00", "\x00x", "\x00}", "\xff"])
def test_what_stands_behind_a_nul_is_read(world: World, behind: str) -> None:
    """HAProxy lets it through in a header's value, and its maps would look no further."""
    teach(world, REMOTE)
    for line in (f"X-Scope: {REMOTE}{behind}", f"X-Auth-Token: {TOKEN}!SCOPE!{REMOTE}{behind}"):
        path = fresh()
        token = "" if "Auth" in line else f"X-Auth-Token: {TOKEN}\r\n"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{token}{line}\r\n\r\n"
        assert parsed(raw(world.one.url("image"), head.encode("latin-1"))).status == 400
        assert everywhere(world, path) == []


def test_lines_that_end_in_lf_alone_are_written_anew(world: World) -> None:
    teach(world, REMOTE)
    path = fresh()
    head = f"GET {path} HTTP/1.1\nHost: x\nConnection: close\nX-Auth-Token: {TOKEN}\nX-Scope: {REMOTE}\n\n"
    assert parsed(raw(world.one.url("image"), head.encode())).json["cloud"] == "CloudThree"
    assert everywhere(world, path) == ["CloudThree"]


def test_a_scope_on_two_lines_is_one_or_none(world: World) -> None:
    """Old folding: whatever it is taken for, it is not taken for no scope."""
    path = fresh()
    head = f'GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {TOKEN}\r\nX-Scope: {{"image":\r\n "CloudThree"}}\r\n\r\n'
    answer = parsed(raw(world.one.url("image"), head.encode()))
    assert answer.status == 400 or answer.json["cloud"] == "CloudThree"
    assert everywhere(world, path) in ([], ["CloudThree"])


def test_absolute_targets_have_one_meaning(world: World) -> None:
    teach(world, REMOTE)
    path = fresh()
    head = f"GET http://elsewhere{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {TOKEN}\r\nX-Scope: {REMOTE}\r\n\r\n"
    answer = parsed(raw(world.one.url("image"), head.encode()))
    assert answer.status == 400 or everywhere(world, path) == ["CloudThree"]


def test_http2_is_not_spoken(world: World) -> None:
    """Its bodies have no length, and would be chunked behind HAProxy without a look at it."""
    told = raw(world.one.url("image"), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    assert told.startswith(b"HTTP/1.1 400 ")


def test_long_scopes_are_refused_and_cheap(world: World) -> None:
    hostile = ['{"' * 7500, "{" + '"a":"b",' * 1800 + "x", '{"image":"' + "(" * 14000, '"' * 15000, "\\" * 15000]
    hostile.append("{" + ",".join(f'"s{number}":"CloudThree"' for number in range(700)) + "}")
    for text in hostile:
        for headers in ({"X-Scope": text}, {"X-Auth-Token": f"{TOKEN}!SCOPE!{text}"}):
            path = fresh()
            answer = ask(world.one.url("image"), path, headers)
            assert answer.status == 400
            assert answer.code in {"request.malformed", "scope.malformed"}
            assert everywhere(world, path) == []
            assert not world.one.passed(path)


@pytest.mark.parametrize(
    "headers",
    [
        {f"X-Number-{number}": "1" for number in range(1000)},
        {"X-Auth-Token": "g" * 30000},
        {"X-Auth-Token": "g" * 15000, "X-Scope": '{"image":"CloudThree"}', "X-Own": "x" * 12000},
    ],
    ids=["many", "long", "long together"],
)
def test_heads_that_are_too_large_are_refused(world: World, headers: dict[str, str]) -> None:
    path = fresh()
    assert (
        ask(world.one.url("image"), path, headers).status == 400
    )  # in HAProxy's own words: nothing of ours has run yet
    assert everywhere(world, path) == []


def test_a_long_token_passes(world: World) -> None:
    teach(world, REMOTE)
    for headers in ({}, {"X-Scope": REMOTE}):
        path, token = fresh(), "gAAAAAmarker" + "g" * 8000
        assert ask(world.one.url("image"), path, headers, token=token).status == 200
        (where,) = everywhere(world, path)
        cloud = world.three if where == "CloudThree" else world.one
        assert (cloud["image"].seen(path).get("X-Auth-Token") or "").startswith(token)


@pytest.mark.parametrize("name", ["X-Own", "Keep-Alive", "TE", "Proxy-Authorization", "Trailer", "Upgrade"])
def test_what_is_for_one_connection_goes_no_further(world: World, name: str) -> None:
    mine = world.one.keystone.issue("alice", "member")
    text = json.dumps({"image": "CloudBare"}, separators=(",", ":"))
    teach(world, text, token=mine)
    path = image_data()
    asked = {"X-Scope": text, "Connection": f"close, {name}", name: "gAAAAAmarker-hop"}
    assert ask(world.one.url("image"), path, asked, token=mine).status == 200
    assert "marker-hop" not in repr(world.bare.seen(f"/image{path}"))


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?_method=DELETE", {}),
        ("?a=%zz&%5Fmeth%6Fd=DELETE", {}),
        ("", {"X-HTTP-Method-Override": "DELETE"}),
    ],
)
def test_requests_that_become_other_ones_are_refused_as_by_the_gateway(
    world: World, query: str, headers: dict[str, str]
) -> None:
    mine = world.one.keystone.issue("alice", "member")
    text = json.dumps({"image": "CloudBare"}, separators=(",", ":"))
    teach(world, text, token=mine)
    path = image_data()
    answer = ask(world.one.url("image"), path + query, headers | {"X-Scope": text}, token=mine)
    assert answer.code == "token.scope"
    assert not world.bare.all(f"/image{path}")


@pytest.mark.parametrize("form", ["application/x-www-form-urlencoded; a=b", "Multipart/Form-Data"])
def test_a_form_is_refused_where_a_service_would_take_the_method_from_it(world: World, form: str) -> None:
    """The Routes library reads the form of a POST alone (routes/middleware.py): a download that says it is one stays a download."""
    mine = world.one.keystone.issue("alice", "member")
    text = json.dumps({"image": "CloudBare"}, separators=(",", ":"))
    teach(world, text, token=mine)
    path, headers = image_data(), {"X-Scope": text, "Content-Type": form}
    assert ask(world.one.url("image"), path, headers, token=mine).status == 200
    assert [seen.method for seen in world.bare.all(f"/image{path}")] == ["GET"]
    path = image_data()
    answer = ask(world.one.url("image"), path, headers, token=mine, method="POST", body=b"_method=DELETE")
    assert answer.code == "token.scope"
    assert not world.bare.all(f"/image{path}")
