"""Headers at the border between two owners, both ways, and both sides of it."""

import pytest
from tests.core.test_border import ANSWERED, KEPT, REFUSED, SENT
from tests.gateway.owners import refusal
from tests.gateway.wire import raw, reply
from tests.haproxy.test_traps import fresh
from tests.hostile.honest import Honest
from tests.hostile.programs import Visitor

# HTTP's own, and those that another test is about.
_OWN = {
    "host",
    "content-length",
    "content-type",
    "connection",
    "location",
    "content-location",
    "content-encoding",
    "content-range",
    "date",
    "upgrade",
}
_OWN |= {
    "transfer-encoding",
    "te",
    "trailer",
    "proxy-authorization",
    "accept-encoding",
    "x-auth-token",
    "x-openstack-request-id",
    "x-scope",
}
_OWN |= {
    "if-none-match",
    "if-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "range",
    "expect",
    "server",
}
_OWN |= {"x-openstackoid-hops", "x-http-method-override", "x-method-override", "x-subject-token"}


def _names(names: list[str]) -> list[str]:
    return [name for name in names if name.lower() not in _OWN]


# In two requests, since HAProxy takes 100 headers; both times with others.
@pytest.mark.parametrize(
    ("kept", "sent"), [(_names(KEPT), []), (_names(KEPT)[:10], _names(SENT))], ids=["kept", "sent"]
)
def test_of_a_request_only_what_is_on_the_list_leaves(honest: Honest, kept: list[str], sent: list[str]) -> None:
    path = fresh()
    lines = [f"{name}: gAAAAAmarker-{number}" for number, name in enumerate(kept)] + [f"{name}: fine" for name in sent]
    head = [f"GET {path} HTTP/1.1", "Host: x", "Connection: close", f"X-Auth-Token: {honest.user}"]
    head += [f'X-Scope: {{"image":"{honest.mallory.name}"}}', *lines, "", ""]
    assert raw(honest.url(), "\r\n".join(head).encode()).startswith(b"HTTP/1.1 200")
    seen = honest.mallory.seen(f"/image{path}")
    came = {name.lower() for name, _ in seen.headers}
    assert came >= {name.lower() for name in sent}
    assert came & {name.lower() for name in kept} == set()
    assert "gAAAAAmarker" not in repr(seen)


@pytest.mark.parametrize(
    ("kept", "sent"), [(_names(KEPT), []), (_names(KEPT)[:10], _names(SENT))], ids=["kept", "sent"]
)
def test_of_a_visitors_request_only_what_is_on_the_list_comes_in(
    honest: Honest, visitor: Visitor, kept: list[str], sent: list[str]
) -> None:
    path = fresh()
    (came,) = visitor.asks(
        honest.cloud, f"/image{path}", *(f"{name}: evil" for name in kept), *(f"{name}: fine" for name in sent)
    )
    assert came.answer.status == 200
    seen = honest.cloud["image"].seen(path)
    names = {name.lower() for name, _ in seen.headers}
    assert names >= {name.lower() for name in sent}
    assert names & {name.lower() for name in kept} == set()
    assert "evil" not in repr(seen)


def test_of_an_answer_only_what_is_on_the_list_comes_in(honest: Honest) -> None:
    path = fresh()
    given = dict.fromkeys(_names(REFUSED), "evil") | dict.fromkeys(_names(ANSWERED), "fine")
    honest.mallory.answers(f"/image{path}", reply(200, b"{}", given | {"Content-Type": "application/json"}))
    answer = honest.ask(path)
    assert answer.status == 200
    names = {name.lower() for name, _ in answer.headers}
    # The document was written anew.
    assert names >= {name.lower() for name in _names(ANSWERED)} - {"etag"}
    assert names & {name.lower() for name in _names(REFUSED)} == set()
    assert "evil" not in repr(answer.headers)


@pytest.mark.parametrize("status", [200, 401, 404, 500, 503])
@pytest.mark.parametrize(
    "name",
    [
        *(
            "WWW-Authenticate",
            "Set-Cookie",
            "Refresh",
            "Alt-Svc",
            "Strict-Transport-Security",
            "Clear-Site-Data",
            "Link",
        ),
        *("Access-Control-Allow-Origin", "X-Subject-Token", "Proxy-Authenticate", "Content-Security-Policy"),
    ],
)
def test_nothing_that_leads_or_binds_a_client_comes_in(gateway_alone: Honest, status: int, name: str) -> None:
    path = fresh()
    evil = f"Keystone uri=http://thief.example/; <http://thief.example/>; rel=next; status {status}"
    gateway_alone.mallory.answers(f"/image{path}", reply(status, {"x": 1}, {name: evil}))
    answer = gateway_alone.ask(path)
    assert answer.status == status
    assert answer.get(name) is None
    assert "thief" not in repr(answer.headers)


def test_of_our_own_answer_only_what_is_on_the_list_goes_to_a_visitor(honest: Honest, visitor: Visitor) -> None:
    path = fresh()
    given = dict.fromkeys(_names(REFUSED), "evil") | dict.fromkeys(_names(ANSWERED), "fine")
    honest.cloud["image"].on(path, reply(200, b"data", given))
    (came,) = visitor.asks(honest.cloud, f"/image{path}")
    assert came.answer.status == 200
    names = {name.lower() for name, _ in came.answer.headers}
    assert names >= {name.lower() for name in _names(ANSWERED)}
    assert names & {name.lower() for name in _names(REFUSED)} == set()


def test_our_own_users_get_all_headers_of_our_own_services(gateway_alone: Honest) -> None:
    path = fresh()
    gateway_alone.cloud["image"].on(
        path, reply(200, {}, {"Set-Cookie": "a=b", "X-Made-Up": "c", "WWW-Authenticate": "d"})
    )
    answer = gateway_alone.ask(path, headers={"X-Scope": f'{{"image":"{gateway_alone.cloud.name}"}}'})
    assert [answer.get(name) for name in ("Set-Cookie", "X-Made-Up", "WWW-Authenticate")] == ["a=b", "c", "d"]


@pytest.mark.parametrize("name", ["Content-Type", "Content-Encoding", "Location", "Content-Location"])
def test_what_stands_twice_could_be_read_as_either(gateway_alone: Honest, name: str) -> None:
    path = fresh()
    twice = f"HTTP/1.1 200 OK\r\n{name}: /v2/x\r\n{name}: /v2/y\r\nContent-Length: 0\r\n\r\n"
    gateway_alone.mallory.answers(f"/image{path}", twice.encode())
    assert refusal(gateway_alone.ask(path)) == (502, "peer.answer")


@pytest.mark.parametrize("evil", [b"a\0b", b"a\x0bSet-Cookie: x=y", b"a\x7f", b"a\rSet-Cookie: x=y"])
def test_no_header_hides_another(gateway_alone: Honest, evil: bytes) -> None:
    path = fresh()
    gateway_alone.mallory.answers(
        f"/image{path}",
        b"HTTP/1.1 200 OK\r\nX-Object-Meta-A: " + evil + b"\r\nContent-Length: 0\r\n\r\n",
        {"close": True},
    )
    answer = gateway_alone.ask(path)
    assert answer.status == 502
    assert answer.get("Set-Cookie") is None
