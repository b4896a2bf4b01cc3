"""A hostile peer's redirects, and what is no answer at all: nothing sends a client, and its token, to somebody else."""

import json

import pytest
import requests
from keystoneauth1 import token_endpoint
from keystoneauth1.session import Session
from tests.gateway.owners import refusal
from tests.gateway.wire import SERVICE_TOKEN, ask, raw, reply
from tests.haproxy.test_traps import fresh
from tests.hostile.honest import Honest
from tests.hostile.programs import Thief, Visitor

from openstackoid.core import scope as scopes
from openstackoid.core.errors import PeerAnswerError, PeerLeadsAwayError

AWAY = (502, PeerLeadsAwayError.code)
NO_ANSWER = (502, PeerAnswerError.code)
FOLLOWED = [300, 301, 302, 303, 305, 306, 307, 308, 399]
# Not spelled as URLs, and taken for one by some client.
ODD = [
    "//{0}/x",
    "///{0}/x",
    "/\\{0}/x",
    "\\\\{0}\\x",
    "http:/{0}/x",
    "http:{0}/x",
    "hTTp://{0}/x",
    "http://user:pass@{0}/x",
    "/\t/{0}/x",
]


@pytest.mark.parametrize("status", FOLLOWED)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD"])
def test_no_redirect_leads_away(honest: Honest, thief: Thief, status: int, method: str) -> None:
    path = fresh()
    honest.mallory.answers(f"/image{path}", reply(status, headers={"Location": f"{thief.url}/v2/images"}))
    answer = honest.ask(path, method=method, body=b"{}" if method == "POST" else None)
    assert answer.status == 502
    assert method == "HEAD" or refusal(answer) == AWAY
    assert answer.get("Location") is None
    assert "thief" not in repr(answer.headers)
    assert honest.mallory.all(f"/image{path}")


def test_stock_clients_take_no_token_to_the_thief(honest: Honest, thief: Thief) -> None:
    """keystoneauth1 and requests follow redirects with the same token: they must get none."""
    path = fresh()
    honest.mallory.answers(f"/image{path}", reply(302, headers={"Location": f"{thief.url}/v2/images"}))
    scope = {"X-Scope": json.dumps({"image": honest.mallory.name})}
    session = Session(auth=token_endpoint.Token(honest.url(), honest.user))
    assert session.get(honest.url() + path, headers=scope, raise_exc=False).status_code == 502
    found = requests.get(honest.url() + path, headers=scope | {"X-Auth-Token": honest.user}, timeout=30)
    assert found.status_code == 502
    thief.got_nothing()


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("status", [201, 302])
def test_no_spelling_of_a_location_leads_away(gateway_alone: Honest, thief: Thief, odd: str, status: int) -> None:
    path = fresh()
    there = odd.format(thief.url.removeprefix("http://"))
    gateway_alone.mallory.answers(f"/image{path}", reply(status, headers={"Location": there}))
    assert refusal(gateway_alone.ask(path)) in {AWAY, NO_ANSWER}


@pytest.mark.parametrize("name", ["Location", "Content-Location"])
@pytest.mark.parametrize("status", [200, 201, 202, 400, 503])
def test_no_location_of_any_answer_leads_away(gateway_alone: Honest, thief: Thief, name: str, status: int) -> None:
    path = fresh()
    gateway_alone.mallory.answers(f"/image{path}", reply(status, {}, {name: f"{thief.url}/v2/images/1"}))
    assert refusal(gateway_alone.ask(path)) == AWAY


def test_a_location_that_stands_twice_is_refused(gateway_alone: Honest, thief: Thief) -> None:
    path = fresh()
    twice = f"HTTP/1.1 302 Found\r\nLocation: {gateway_alone.url()}/v2/images\r\nLocation: {thief.url}/\r\nContent-Length: 0\r\n\r\n"
    gateway_alone.mallory.answers(f"/image{path}", twice.encode())
    assert refusal(gateway_alone.ask(path)) == NO_ANSWER


def test_a_redirect_within_the_service_passes(honest: Honest) -> None:
    """As heat's to the stack of a name, by the provider's own address, ours, or none."""
    for there in (f"{honest.mallory.peering}/image/v2/other", f"{honest.url()}/v2/other", "/v2/other"):
        path = fresh()
        honest.mallory.answers(f"/image{path}", reply(302, headers={"Location": there}))
        answer = honest.ask(path)
        assert answer.status == 302
        assert answer.get("Location") in {f"{honest.url()}/v2/other", "/v2/other"}


def test_no_redirect_leads_to_another_service(gateway_alone: Honest) -> None:
    """A client sends the same method and body there: our user would delete what the peer names."""
    path = fresh()
    gateway_alone.mallory.answers(
        f"/image{path}", reply(307, headers={"Location": f"{gateway_alone.url('compute')}/v2.1/servers/1"})
    )
    assert refusal(gateway_alone.ask(path, method="DELETE")) == AWAY


@pytest.mark.parametrize("status", FOLLOWED[1:])
def test_a_service_of_ours_gets_no_redirect_at_all(honest: Honest, status: int) -> None:
    """It would send its own token along."""
    path = fresh()
    honest.mallory.answers(f"/image{path}", reply(status, headers={"Location": f"{honest.url()}/v2/other"}))
    assert refusal(honest.ask(path, headers={"X-Service-Token": SERVICE_TOKEN})) == AWAY
    on_token = f'{honest.user}!SCOPE!{{"image":"{honest.mallory.name}"}}'
    assert (
        refusal(honest.ask(path, token=on_token, headers={"X-Scope": f'{{"image":"{honest.mallory.name}"}}'})) == AWAY
    )
    for seen in honest.mallory.all(f"/image{path}"):
        assert seen.get("X-Service-Token") is None
        assert SERVICE_TOKEN not in repr(seen)


def test_a_service_asking_for_a_visitor_gets_no_redirect_either(gateway_alone: Honest, visitor: Visitor) -> None:
    """The visitor's own cloud answers: our nova asks there for an image, with the marked token."""
    mallory, cloud = gateway_alone.mallory, gateway_alone.cloud
    asked, path = fresh(), fresh()
    scope = {"*": cloud.name, "identity": mallory.name, "image": mallory.name, "compute": cloud.name}
    token = mallory.token(cloud, scope=scopes.parse(json.dumps(scope)))
    (let_in,) = visitor.asks(cloud, f"/compute{asked}", token=token)
    assert let_in.answer.status == 200
    marked = cloud["compute"].seen(asked).get("X-Auth-Token") or ""
    mark = marked.partition("~")[2]
    assert mark
    for there in (f"{gateway_alone.url()}/v2/other", "/v2/other"):
        mallory.answers(f"/image{path}", reply(302, headers={"Location": there}))
        assert refusal(ask(gateway_alone.url(), path, token=marked)) == AWAY
        seen = mallory.seen(f"/image{path}")
        assert (seen.get("X-Auth-Token") or "").startswith("eyJ")
        assert mark not in repr(seen)


def test_multiple_choices_without_a_location_are_a_document(honest: Honest) -> None:
    """Glance answers 300 with its versions (glance/api/versions.py)."""
    versions = {"versions": [{"id": "v2.9", "links": [{"rel": "self", "href": f"{honest.mallory.peering}/image/v2/"}]}]}
    path = fresh()
    honest.mallory.answers(f"/image{path}", reply(300, versions))
    answer = honest.ask(path)
    assert answer.status == 300
    assert answer.json["versions"][0]["links"] == [{"rel": "self", "href": f"{honest.url()}/v2/"}]


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_to_nowhere_is_refused(gateway_alone: Honest, status: int) -> None:
    path = fresh()
    gateway_alone.mallory.answers(f"/image{path}", reply(status, {}))
    assert refusal(gateway_alone.ask(path)) == AWAY


def test_not_modified_passes_and_leads_nowhere(gateway_alone: Honest, thief: Thief) -> None:
    path = fresh()
    lines = f"HTTP/1.1 304 Not Modified\r\nETag: x\r\nLocation: {thief.url}/\r\n\r\n"
    gateway_alone.mallory.answers(f"/image{path}", lines.encode())
    answer = gateway_alone.ask(path, headers={"If-None-Match": "x"})
    assert (answer.status, answer.get("ETag")) == (304, "x")
    assert answer.get("Location") is None


@pytest.mark.parametrize("line", ["000 x", "099 x", "101 Switching Protocols", "600 x", "999 x"])
def test_no_status_passes_that_is_none(gateway_alone: Honest, thief: Thief, line: str) -> None:
    path = fresh()
    head = (
        f"HTTP/1.1 {line}\r\nLocation: {thief.url}/\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n"
    )
    gateway_alone.mallory.answers(f"/image{path}", head.encode(), {"close": True})
    answer = gateway_alone.ask(path)
    assert answer.status == 502
    assert answer.code in {PeerAnswerError.code, "peer.unreachable"}
    assert answer.get("Location") is None


@pytest.mark.parametrize("status", [100, 102, 103, 150, 199])
def test_no_interim_answer_passes(gateway_alone: Honest, thief: Thief, status: int) -> None:
    path = fresh()
    early = f"HTTP/1.1 {status} Early\r\nLink: <{thief.url}/a>; rel=preload\r\nLocation: {thief.url}/b\r\n\r\n".encode()
    gateway_alone.mallory.answers(f"/image{path}", early + early + reply(200, {"fine": True}))
    lines = [f"GET {path} HTTP/1.1", "Host: x", f"X-Auth-Token: {gateway_alone.user}", "Connection: close"]
    lines += [f"X-Scope: {_text(image=gateway_alone.mallory.name)}", "", ""]
    came = raw(gateway_alone.url(), "\r\n".join(lines).encode())
    assert came.startswith(b"HTTP/1.1 200")
    assert thief.url.encode() not in came


def test_the_phrase_behind_a_status_is_not_the_peers(gateway_alone: Honest) -> None:
    path = fresh()
    gateway_alone.mallory.answers(
        f"/image{path}", b"HTTP/1.1 404 http://thief/ your token\r\nContent-Length: 0\r\n\r\n"
    )
    lines = [f"GET {path} HTTP/1.1", "Host: x", f"X-Auth-Token: {gateway_alone.user}", "Connection: close"]
    lines += [f"X-Scope: {_text(image=gateway_alone.mallory.name)}", "", ""]
    assert raw(gateway_alone.url(), "\r\n".join(lines).encode()).startswith(b"HTTP/1.1 404 Not Found\r\n")


def _text(**scope: str) -> str:
    return json.dumps(scope)
