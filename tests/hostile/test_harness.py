"""The hostile programs do what the other tests here rely on."""

import json

import pytest
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from tests.gateway.wire import SERVICE_TOKEN, reply
from tests.haproxy.test_traps import fresh, image_data
from tests.hostile.honest import Honest
from tests.hostile.programs import CLOSE, HOLD, Peer, Send, Thief, Visitor, Wait


def test_a_users_request_reaches_the_peer_with_a_token_for_it_alone(honest: Honest) -> None:
    headers, path = honest.straight(), image_data()
    answer = honest.ask(path, headers=headers | {"X-Service-Token": SERVICE_TOKEN})
    assert answer.json["cloud"] == "Mallory"
    seen = honest.mallory.seen(f"/image{path}")
    assert (seen.get("X-Auth-Token") or "").startswith("eyJ")
    assert seen.get("X-Service-Token") is None
    if honest.proxied:
        assert not honest.proxied.passed(path)


def test_a_visitor_of_the_peer_is_let_in(honest: Honest, visitor: Visitor) -> None:
    path = fresh()
    came = visitor.asks(honest.cloud, f"/image{path}", count=3)
    assert [each.answer.status for each in came] == [200] * 3
    seen = honest.cloud["image"].seen(path)
    assert seen.get("X-Auth-Token") is not None
    (refused,) = visitor.asks(honest.cloud, "/image/v2/images", token="eyJ.e.e")
    assert refused.answer.status == 401


def test_the_peer_answers_what_a_test_says(
    gateway_alone: Honest, mallory: Peer, visitor: Visitor, thief: Thief
) -> None:
    mallory.answers("/image/v2/a", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", Wait(0.01), Send(b"ab", 3), CLOSE)
    mallory.answers("/image/v2/a/gone", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab", HOLD, method="POST")
    assert gateway_alone.ask("/v2/a").body == b"ababab"
    assert gateway_alone.ask("/v2/a/gone").body == b"ababab"
    mallory.forget()
    assert gateway_alone.ask("/v2/a").json["cloud"] == "Mallory"
    (came,) = visitor.sends(thief.url, "GET / HTTP/1.1\r\n", "\r\n", every=0.01, read=0.2)
    assert not came.ended
    assert json.loads(came.answer.body) == {"thief": True}
    assert "".join(thief.received) == "GET / HTTP/1.1\r\n\r\n"


def test_a_user_who_follows_the_peer_brings_the_thief_a_token(mallory: Peer, thief: Thief) -> None:
    """What a stock client does with an answer that nobody looked at."""
    mallory.answers("/image/v2/b", reply(302, headers={"Location": f"{thief.url}/v2/b"}))
    session = Session(auth=Token(mallory.peering, "gAAAAAmarker-of-a-user"), verify=False)
    with pytest.warns(Warning, match="Unverified HTTPS"):
        assert session.get(f"{mallory.peering}/image/v2/b").json() == {"thief": True}
    with pytest.raises(AssertionError):
        thief.got_no_token()
    thief.got_nothing()
