"""A federated token without the mark: no service learns whose it is, and so none that stands outside of the gateway lets it in."""

import time

import pytest
from tests.gateway.owners import refusal
from tests.gateway.wire import Answer, ask
from tests.hostile.honest import Honest
from tests.hostile.programs import Visitor

from openstackoid.trust import tokens


def validate(honest: Honest, subject: str, asker: str | None, query: str = "") -> Answer:
    """As keystonemiddleware asks, whoever brought the token to its service."""
    return ask(honest.url("identity"), "/v3/auth/tokens" + query, {"X-Subject-Token": subject}, token=asker)


def test_a_service_that_is_reached_around_the_gateway_lets_no_visitor_in(honest: Honest) -> None:
    """And none that the gateway does not know: it is asked by nobody's name, so it cannot tell the two."""
    service = honest.cloud.keystone.issue("nova", "service")
    token = honest.mallory.token(honest.cloud)
    for query in ("", "?nocatalog", "?allow_expired=1"):
        answer = validate(honest, token, service, query)
        assert (answer.status, answer.json["error"]["code"]) == (404, 404)
        assert "through a gateway" in answer.json["error"]["message"]
    assert validate(honest, tokens.marked(token, honest.cloud.keys), service).status == 200


def test_services_get_the_mark_and_may_pass_it_on(honest: Honest, visitor: Visitor) -> None:
    (came,) = visitor.asks(honest.cloud, "/image/v2/marked")
    assert came.answer.status == 200
    given = honest.cloud["image"].seen("/v2/marked").get("X-Auth-Token")
    assert given
    assert validate(honest, given, honest.cloud.keystone.issue("glance", "service")).status == 200
    assert ask(honest.url("compute"), "/v2.1/inner", token=given).status == 200


@pytest.mark.parametrize("kind", ["another cloud's", "of another token", "cut", "empty", "doubled"])
def test_a_mark_of_ones_own_is_none(honest: Honest, kind: str) -> None:
    service, keys = honest.cloud.keystone.issue("nova", "service"), honest.cloud.keys
    token = honest.mallory.token(honest.cloud)
    marked = tokens.marked(token, keys)
    mark = marked.removeprefix(token)
    forged = {
        "another cloud's": tokens.marked(token, honest.mallory.keys),
        "of another token": honest.mallory.token(honest.cloud) + mark,
        "cut": marked[:-1],
        "empty": token + tokens.MARK,
        "doubled": marked + mark,
    }[kind]
    assert validate(honest, forged, service).status == 404


def test_who_holds_a_token_may_ask_about_it(honest: Honest) -> None:
    token, other = honest.mallory.token(honest.cloud), honest.mallory.token(honest.cloud)
    assert validate(honest, token, token).status == 200
    for asker in (other, tokens.marked(other, honest.cloud.keys), None):
        assert refusal(validate(honest, token, asker)) == (401, "token.invalid")


def test_late_work_needs_the_mark_too(honest: Honest) -> None:
    service, now = honest.cloud.keystone.issue("nova", "service"), int(time.time())
    late = honest.mallory.token(honest.cloud, issued=now - 1300, expires=now - 1000)
    assert validate(honest, late, service, "?allow_expired=1").status == 404
    assert validate(honest, tokens.marked(late, honest.cloud.keys), service, "?allow_expired=1").status == 200


def test_a_service_that_the_scope_leaves_at_home_is_said_to_be_there(honest: Honest, visitor: Visitor) -> None:
    """It was a loop, for which operators were to compare their peers."""
    (came,) = visitor.asks(honest.cloud, "/compute/v2.1/left")
    assert refusal(came.answer) == (403, "token.scope")
    message = came.answer.error
    assert f"scope leaves compute at Mallory, which sent the request to {honest.cloud.name}" in message
    assert not honest.mallory.all("/compute/v2.1/left")
