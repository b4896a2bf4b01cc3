"""A hostile peer's documents: no link in them leads away. Which places are links is tested in tests/core/test_foreign_links.py."""

import gzip
import json
from typing import Any

import pytest
from tests.gateway.owners import refusal
from tests.gateway.wire import raw, reply
from tests.haproxy.test_traps import fresh, image_data
from tests.hostile.honest import Honest
from tests.hostile.programs import Thief, Visitor

from openstackoid.core.errors import PeerAnswerError, PeerLeadsAwayError

AWAY = (502, PeerLeadsAwayError.code)
NO_ANSWER = (502, PeerAnswerError.code)
THIEF = "http://thief.example"
LEADING: list[Any] = [
    *(
        {"next": f"{THIEF}/"},
        {"images": [], "next": f"{THIEF}/"},
        {"images": [], "first": "//thief.example/"},
        {"NEXT": f"{THIEF}/"},
    ),
    *(
        {"links": [{"rel": "next", "href": f"{THIEF}/"}]},
        {"links": {"next": f"{THIEF}/"}},
        {"images_links": [f"{THIEF}/"]},
    ),
    *(
        {"versions": [{"id": "v2.9", "links": [{"rel": "self", "href": f"{THIEF}/v2/"}]}]},
        {"images": [{"self": f"{THIEF}/"}]},
    ),
    *(
        {"images": [{"direct_url": "file:///etc/passwd"}]},
        {"images": [{"locations": [{"url": f"{THIEF}/", "metadata": {}}]}]},
    ),
    [{"url": "file:///etc/passwd", "metadata": {}}],
]
ONE: list[Any] = [
    *(
        {"id": "1", "direct_url": "file:///etc/passwd"},
        {"id": "1", "locations": [{"url": "file:///etc/passwd", "metadata": {}}]},
    ),
    *(
        {"id": "1", "file": f"{THIEF}/v2/images/1/file"},
        {"id": "1", "self": "//thief.example/"},
        {"id": "1", "schema": f"{THIEF}/"},
    ),
]


@pytest.mark.parametrize("document", LEADING, ids=range(len(LEADING)))
def test_no_link_of_a_list_leads_away(honest: Honest, document: Any) -> None:
    honest.mallory.answers("/image/v2/images", reply(200, document))
    assert refusal(honest.ask("/v2/images")) == AWAY


@pytest.mark.parametrize("document", ONE, ids=range(len(ONE)))
def test_no_link_of_an_image_leads_away(honest: Honest, document: Any) -> None:
    path = fresh()
    honest.mallory.answers(f"/image{path}", reply(200, document))
    assert refusal(honest.ask(path)) == AWAY
    # Nova asks with a scope on the token; it would copy file:// if allowed_direct_url_schemes lets it.
    on_token = f'{honest.user}!SCOPE!{{"image":"{honest.mallory.name}"}}'
    scoped = {"X-Scope": f'{{"image":"{honest.mallory.name}"}}', "X-Service-Token": "gAAAAAmarker-service-token"}
    assert refusal(honest.ask(path, token=on_token, headers=scoped)) == AWAY


@pytest.mark.parametrize("status", [200, 201, 202, 300, 400, 404, 500])
@pytest.mark.parametrize(
    "kind",
    [
        *(
            "application/json",
            "application/json; charset=utf-8",
            "application/json-home",
            "application/problem+json",
            "text/json",
        ),
        *("text/plain", "text/html", "application/octet-stream", "application/xml", "x", None),
    ],
)
def test_what_it_is_called_and_its_status_make_no_difference(
    gateway_alone: Honest, status: int, kind: str | None
) -> None:
    """Clients read JSON whatever it is called."""
    path = fresh()
    body = b" \r\n" + json.dumps({"next": f"{THIEF}/"}).encode()
    head = (
        f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n"
        + (f"Content-Type: {kind}\r\n" if kind else "")
        + "\r\n"
    )
    gateway_alone.mallory.answers(f"/image{path}/members", head.encode() + body)
    assert refusal(gateway_alone.ask(f"{path}/members")) == AWAY


@pytest.mark.parametrize(
    "body",
    [
        *(
            b'{"next": "http:\\/\\/thief.example/"}',
            b'{"ne\\u0078t": "http://thief.example/"}',
            b'{"next": "\\u0068ttp://thief.example/"}',
        ),
        *(
            b'{"next": "/\\/thief.example/"}',
            b'{"next": "\\thttp://thief.example/"}',
            b'{"next": "/\\\\thief.example/"}',
        ),
        b'{"next": "/ok", "next": "http://thief.example/"}',
    ],
)
def test_no_way_to_write_it_in_json_passes(gateway_alone: Honest, body: bytes) -> None:
    gateway_alone.mallory.answers("/image/v2/images", reply(200, body, {"Content-Type": "application/json"}))
    assert refusal(gateway_alone.ask("/v2/images")) == AWAY


def test_a_key_that_stands_twice_is_checked_twice(gateway_alone: Honest) -> None:
    """Readers take the first, the last, or both: Go's merges objects."""
    for body in (
        b'{"links": {"next": "http://thief.example/"}, "links": {"self": "/v2"}}',
        b'{"next": "//thief.example/", "next": "/v2/images"}',
        b'{"next": "/v2/images", "NEXT": "//thief.example/"}',
        b'{"images": [{"id": "1", "self": "//thief.example"}], "images": []}',
    ):
        gateway_alone.mallory.answers("/image/v2/images", reply(200, body, {"Content-Type": "application/json"}))
        assert refusal(gateway_alone.ask("/v2/images")) == AWAY
    body = b'{"next": "/v2/images?marker=1", "next" : "/v2/images"}'
    gateway_alone.mallory.answers("/image/v2/images", reply(200, body, {"Content-Type": "application/json"}))
    assert gateway_alone.ask("/v2/images").body == body


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [
        *(
            ("application/json; charset=utf-16", "utf-16"),
            ("application/json", "utf-16-le"),
            ("application/json", "utf-32"),
        ),
        *(
            ("text/plain; charset=utf-7", "utf-7"),
            ("application/json; charset=utf-7", "utf-7"),
            ("text/plain", "utf-16-be"),
        ),
        *(
            ("text/plain; charset=cp037", "cp037"),
            ('x; charset*="utf-7"', "utf-7"),
        ),
    ],
)
def test_no_other_encoding_hides_a_link(gateway_alone: Honest, kind: str, encoding: str) -> None:
    body = json.dumps({"next": f"{THIEF}/"}).encode(encoding)
    gateway_alone.mallory.answers("/image/v2/images", reply(200, body, {"Content-Type": kind}))
    assert refusal(gateway_alone.ask("/v2/images")) == NO_ANSWER


@pytest.mark.parametrize("kind", ["application/json", "x"])
def test_a_byte_order_mark_hides_no_link(gateway_alone: Honest, kind: str) -> None:
    body = json.dumps({"next": f"{THIEF}/"}).encode("utf-8-sig")
    gateway_alone.mallory.answers("/image/v2/images", reply(200, body, {"Content-Type": kind}))
    assert refusal(gateway_alone.ask("/v2/images")) == AWAY


def test_a_text_without_an_encoding_gets_the_one_in_which_it_was_read(gateway_alone: Honest) -> None:
    """Clients guess otherwise: charset_normalizer knows EBCDIC."""
    body = json.dumps({"next": f"{THIEF}/"}).encode("cp037")
    gateway_alone.mallory.answers("/image/v2/images", reply(200, body, {"Content-Type": "x"}))
    answer = gateway_alone.ask("/v2/images")
    assert (answer.status, answer.get("Content-Type")) == (200, "x; charset=utf-8")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x-gzip", "identity, gzip"])
def test_nothing_packed_passes_and_none_is_asked_for(gateway_alone: Honest, encoding: str) -> None:
    path = fresh()
    body = gzip.compress(json.dumps({"next": f"{THIEF}/"}).encode())
    packed = reply(200, body, {"Content-Type": "application/json", "Content-Encoding": encoding})
    gateway_alone.mallory.answers(f"/image{path}", packed)
    assert refusal(gateway_alone.ask(path, headers={"Accept-Encoding": "gzip, deflate, br"})) == NO_ANSWER
    assert gateway_alone.mallory.seen(f"/image{path}").get("Accept-Encoding") == "identity"


@pytest.mark.parametrize("body", [b'{"next": ', b"{'next': 'http://thief.example/'}", b"[" * 5000, b"{}{}", b'"\xff"'])
def test_what_is_no_json_though_it_says_so_is_refused(gateway_alone: Honest, body: bytes) -> None:
    for kind in ("application/json", "text/plain"):
        gateway_alone.mallory.answers("/image/v2/images", reply(200, body, {"Content-Type": kind}))
        if kind == "application/json" or body[:1] in b"{[":
            assert refusal(gateway_alone.ask("/v2/images")) == NO_ANSWER


def test_a_document_in_pieces_is_read_as_a_whole(gateway_alone: Honest) -> None:
    body = b"   " * 100 + json.dumps({"images": [{"name": "x" * 1000}] * 200, "next": f"{THIEF}/"}).encode()
    pieces = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:1], body[1:2], body[2:310], body[310:])]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    gateway_alone.mallory.answers("/image/v2/images", head, *pieces, b"0\r\n\r\n")
    assert refusal(gateway_alone.ask("/v2/images")) == AWAY


def test_data_passes_to_the_byte_whatever_it_holds(gateway_alone: Honest) -> None:
    """Of an image, a secret, an object: they are the user's own, and no client reads links in them."""
    body = json.dumps({"next": f"{THIEF}/", "links": [f"{THIEF}/"]}, indent=3).encode() + b"\xff\0"
    path = image_data()
    gateway_alone.mallory.answers(f"/image{path}", reply(200, body, {"Content-Type": "application/octet-stream"}))
    answer = gateway_alone.ask(path)
    assert (answer.status, answer.body) == (200, body)
    # An error is none, nor is what is called JSON.
    for status, kind in ((404, "application/octet-stream"), (200, "application/json")):
        gateway_alone.mallory.answers(f"/image{path}", reply(status, {"next": f"{THIEF}/"}, {"Content-Type": kind}))
        assert refusal(gateway_alone.ask(path)) == AWAY


@pytest.mark.parametrize(
    "body", [b"", b"<html>//thief.example/</html>", b"plain text: http://thief.example/", b"\x89PNG" + b"x" * 200_000]
)
def test_what_is_no_document_passes_to_the_byte(gateway_alone: Honest, body: bytes) -> None:
    path = f"{fresh()}/x"
    gateway_alone.mallory.answers(f"/image{path}", reply(503, body, {"Content-Type": "text/html"}))
    answer = gateway_alone.ask(path)
    assert (answer.status, answer.body) == (503, body)


def test_what_an_honest_cloud_answers_passes(honest: Honest) -> None:
    peering, home = honest.mallory.peering, honest.url()
    mine = {
        "next": f"{THIEF}/",
        "links": f"{THIEF}/",
        "description": f"{THIEF}/",
        "tags": [f"{THIEF}/"],
        "self": "/v2/images/1",
    }
    listed = {"images": [mine], "first": "/v2/images", "next": "/v2/images?marker=1", "schema": "/v2/schemas/images"}
    honest.mallory.answers("/image/v2/images", reply(200, listed))
    assert honest.ask("/v2/images").json == listed
    path = fresh()
    honest.mallory.answers(f"/image{path}", reply(200, mine))
    assert honest.ask(path).json == mine
    docs = {"rel": "describedby", "type": "text/html", "href": "http://developer.openstack.org/"}
    honest.mallory.answers(
        "/image/v9", reply(200, {"version": {"links": [{"rel": "self", "href": f"{peering}/image/v9/"}, docs]}})
    )
    assert honest.ask("/v9").json == {"version": {"links": [{"rel": "self", "href": f"{home}/v9/"}]}}


def test_a_version_document_that_leads_away_is_our_own_services(honest: Honest) -> None:
    """keystoneauth1 finds out versions first, and goes where they are: so our own service answers when the peer's cannot be passed on."""
    honest.mallory.answers(
        "/image/v2/", reply(200, {"versions": [{"id": "v2.9", "links": [{"rel": "self", "href": f"{THIEF}/v2/"}]}]})
    )
    answer = honest.ask("/v2/")
    assert answer.status == 200
    assert b"thief" not in answer.body
    assert honest.cloud["image"].all("/v2/")


def test_where_our_images_are_stored_is_told_to_no_visitor(honest: Honest, visitor: Visitor) -> None:
    image = {"id": "1", "direct_url": "rbd://a/b", "locations": [{"url": "rbd://a/b", "metadata": {}}], "mine": "x"}
    path = fresh()
    for target, told, expected in (
        (path, image, {"id": "1", "mine": "x"}),
        (f"{path}/locations", image["locations"], []),
        ("/v2/images?a=" + path[-8:], {"images": [image]}, {"images": [{"id": "1", "mine": "x"}]}),
    ):
        honest.cloud["image"].on(target, reply(200, told))
        (came,) = visitor.asks(honest.cloud, f"/image{target}")
        assert (came.answer.status, came.answer.json) == (200, expected)
    ours = honest.ask(path, headers={"X-Scope": f'{{"image":"{honest.cloud.name}"}}'})
    assert ours.json == image


def test_a_refused_answer_ends_its_connection(gateway_alone: Honest, thief: Thief) -> None:
    """What the peer still sends on it answers nobody."""
    path, other = fresh(), fresh()
    gateway_alone.mallory.answers(
        f"/image{path}", reply(302, headers={"Location": thief.url}) + reply(200, {"stolen": True})
    )
    assert refusal(gateway_alone.ask(path)) == AWAY
    assert gateway_alone.ask(other).json == {"cloud": "Mallory", "target": f"/image{other}"}
    first, second = gateway_alone.mallory.seen(f"/image{path}"), gateway_alone.mallory.seen(f"/image{other}")
    assert first.connection != second.connection


def test_the_line_of_audit_names_what_was_refused(gateway_alone: Honest) -> None:
    path = fresh()
    gateway_alone.mallory.answers(f"/image{path}", reply(200, {"id": "1", "self": f"{THIEF}/"}))
    lines = [f"GET {path} HTTP/1.1", "Host: x", f"X-Auth-Token: {gateway_alone.user}", "Connection: close"]
    raw(
        gateway_alone.url(),
        "\r\n".join([*lines, f'X-Scope: {{"image":"{gateway_alone.mallory.name}"}}', "", ""]).encode(),
    )
    line = gateway_alone.gateway.line(path)
    assert (line["status"], line["error"], line["peer"]) == (502, PeerLeadsAwayError.code, "Mallory")
