"""Tokens that come home, and tokens for third clouds: work of one request that goes on between clouds."""

import json
from urllib.parse import urlencode

from tests.gateway.conftest import Owners
from tests.gateway.owners import ASSERTION, payload, plain, refusal
from tests.gateway.wire import Answer, ask, scope

from openstackoid.core import scope as scopes
from openstackoid.trust import tokens

COMES_HOME = '{"*":"CloudTwo","identity":"CloudOne","image":"CloudOne","network":"CloudOne"}'
EXCHANGE = "/openstackoid/v1/token"


def abroad(owners: Owners, own: str, name: str, **clouds: str) -> str:
    """The marked token with which CloudTwo's compute service works for one of CloudOne's users."""
    path = f"/v2.1/abroad/{name}"
    assert ask(owners.at_one.url("compute"), path, scope(compute="CloudTwo", **clouds), token=own).status == 200
    return owners.two["compute"].seen(path).get("X-Auth-Token") or ""


def home(owners: Owners, token: str, path: str, headers: dict[str, str] | None = None, **more: str) -> Answer:
    """At CloudOne's door for other clouds."""
    return ask(owners.one.peering, path, headers, token=token, **more)  # type: ignore[arg-type]


def exchange(owners: Owners, token: str, audience: str, assertion: str | None) -> Answer:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "audience": audience,
    }
    form |= {"client_assertion": assertion} if assertion else {}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return ask(owners.one.peering, EXCHANGE, kind, method="POST", body=urlencode(form).encode(), token=None)


# Home.


def test_at_home_the_user_is_the_user_again(owners: Owners) -> None:
    own = owners.one.keystone.issue("alice", "member")
    marked = abroad(owners, own, "back", image="CloudOne")
    service = {"X-Service-Token": "gAAAAAmarker-service-of-two"}
    answer = ask(owners.at_two.url("image"), "/v2/images/back/file", service, token=marked)
    assert answer.json == {"cloud": "CloudOne", "service": "image", "target": "/v2/images/back/file"}
    seen = owners.one["image"].seen("/v2/images/back/file")
    signed = json.dumps(payload(marked)["os_scope"], separators=(",", ":"))
    assert seen.get("X-Auth-Token") == f"{own}!SCOPE!{signed}"
    assert signed == '{"*":"CloudOne","compute":"CloudTwo","identity":"CloudOne","image":"CloudOne"}'
    assert seen.get("X-Service-Token") is seen.get(ASSERTION) is seen.get("X-Scope") is None
    line = owners.at_one.line("/v2/images/back/file")
    assert (line["home"], line["user"], line["status"]) == ("CloudOne", "a" * 32, 200)


def test_at_home_it_opens_what_the_home_rules_name_and_nothing_else(owners: Owners) -> None:
    own = owners.one.keystone.issue("alice", "member")
    marked = abroad(owners, own, "narrow", image="CloudOne")
    before = {kind: len(owners.one[kind].all("/v")) for kind in ("image", "network", "compute")}
    for kind, method, path in (
        *(("image", "POST", "/v2/images"), ("image", "DELETE", "/v2/images/x"), ("image", "GET", "/v2/tasks")),
        *(("image", "GET", "/v2/images/x?_method=DELETE"), ("image", "GET", "/v2/images//x")),
        *(("network", "GET", "/v2.0/ports"), ("image", "GET", "/v2/images/%2e%2e%2ftasks")),
    ):
        answer = ask(owners.at_two.url(kind), path, method=method, token=marked)
        assert answer.status in {400, 403}, path
        assert answer.code in {"agreement.rule", "request.malformed"}
    assert {kind: len(owners.one[kind].all("/v")) for kind in before} == before
    answer = ask(owners.at_two.url("identity"), "/v3/users", token=marked)
    assert refusal(answer) == (403, "token.home")


def test_home_is_strict_even_with_a_gateway_that_is_not(owners: Owners) -> None:
    """The same, by a peer that sends what it likes."""
    own, said = owners.one.keystone.issue("alice", "member"), owners.one
    token = said.token(owners.two, own=own, scope=scopes.parse(COMES_HOME))
    theirs = owners.two.assertion("CloudOne")
    assert home(owners, token, "/image/v2/images/strict", theirs).status == 200
    for path in ("/identity/v3/users", "/identity/v3/auth/tokens", "/network/v2.0/ports", "/compute/v2.1/servers"):
        assert refusal(home(owners, token, path, theirs)) == (403, "agreement.rule"), path
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert refusal(home(owners, token, "/image/v2/images/strict", theirs, method=method))[1] == "agreement.rule"
    # A scope that is not signed leads nowhere.
    elsewhere = owners.one.token(owners.two, own=own)
    assert refusal(home(owners, elsewhere, "/image/v2/images/strict", theirs)) == (403, "agreement.rule")
    wider = theirs | {"X-Scope": COMES_HOME}
    assert refusal(home(owners, elsewhere, "/image/v2/images/strict", wider)) == (403, "token.scope")
    assert len(owners.one["image"].all("/v2/images/strict")) == 1


def test_only_the_cloud_that_it_was_made_for_may_bring_it(owners: Owners) -> None:
    own = owners.one.keystone.issue("alice", "member")
    token = owners.one.token(owners.two, own=own, scope=scopes.parse(COMES_HOME))
    forged = {ASSERTION: tokens.assertion("CloudTwo", "CloudOne", owners.three.keys, 1, 300)}
    for headers in (
        *({}, owners.three.assertion("CloudOne"), owners.two.assertion("CloudThree"), forged, {ASSERTION: token}),
    ):
        assert refusal(home(owners, token, "/image/v2/images/brought", headers)) == (401, "token.invalid")
    # Users' own door is not for that, whoever says what.
    answer = ask(owners.at_one.url("image"), "/v2/images/brought", owners.two.assertion("CloudOne"), token=token)
    assert refusal(answer) == (401, "token.invalid")
    marked = tokens.marked(token, owners.one.keys)
    answer = ask(owners.at_one.url("image"), "/v2/images/brought", owners.two.assertion("CloudOne"), token=marked)
    assert refusal(answer) == (401, "token.invalid")
    assert not owners.one["image"].all("/v2/images/brought")


def test_what_home_revoked_is_worth_nothing_there(owners: Owners) -> None:
    token = owners.one.token(owners.two, own="gAAAAAmarker-revoked", scope=scopes.parse(COMES_HOME))
    answer = home(owners, token, "/image/v2/images/revoked", owners.two.assertion("CloudOne"))
    assert refusal(answer) == (401, "token.invalid")
    noise = owners.one.token(owners.two, sealed="x", scope=scopes.parse(COMES_HOME))
    answer = home(owners, noise, "/image/v2/images/revoked", owners.two.assertion("CloudOne"))
    assert refusal(answer) == (401, "token.invalid")
    assert not owners.one["image"].all("/v2/images/revoked")


# A third cloud.


def test_a_third_cloud_gets_a_token_that_home_made_for_it(owners: Owners) -> None:
    own = owners.one.keystone.issue("alice", "member")
    marked = abroad(owners, own, "third", image="CloudThree")

    def asked() -> int:
        return len([line for line in owners.at_one.lines() if line["path"] == EXCHANGE and line["status"] == 200])

    before = asked()
    for number in range(3):
        answer = ask(owners.at_two.url("image"), f"/v2/images/third/{number}", token=marked)
        assert answer.json["cloud"] == "CloudThree"
    sent = {plain(seen) for seen in owners.three["image"].all("/v2/images/third/")}
    assert len(sent) == 1
    said = payload(sent.pop())
    assert (said["iss"], said["aud"], said["act"]) == ("CloudOne", "CloudThree", {"sub": "CloudTwo"})
    assert said["os_scope"] == payload(marked)["os_scope"]
    assert said["agreement"] == owners.one.statement(owners.three)["agreement"]
    assert said["sub"] == tokens.pseudonym("a" * 32, "CloudThree", owners.one.keys)
    assert asked() == before + 1


def test_home_gives_no_token_where_the_signed_scope_does_not_lead(owners: Owners) -> None:
    own = owners.one.keystone.issue("alice", "member")
    token = owners.one.token(owners.two, own=own, scope=scopes.parse(COMES_HOME))
    theirs = owners.two.assertion("CloudOne")[ASSERTION]
    assert refusal(exchange(owners, token, "CloudThree", theirs)) == (403, "agreement.rule")
    leads = scopes.parse('{"*":"CloudTwo","identity":"CloudOne","image":"CloudThree"}')
    token = owners.one.token(owners.two, own=own, scope=leads)
    assert exchange(owners, token, "CloudThree", theirs).status == 200
    for wrong in (
        None,
        "x",
        owners.three.assertion("CloudOne")[ASSERTION],
        owners.two.assertion("CloudTwo")[ASSERTION],
    ):
        assert refusal(exchange(owners, token, "CloudThree", wrong)) == (401, "token.invalid")
    gone = owners.one.token(owners.two, own="gAAAAAmarker-gone", scope=leads)
    assert refusal(exchange(owners, gone, "CloudThree", theirs)) == (401, "token.invalid")


def test_an_application_credential_with_rules_is_exchanged_by_nobody(owners: Owners) -> None:
    rules = [{"id": "r", "service": "compute", "method": "GET", "path": "/v2.1/**"}]
    own = owners.one.keystone.issue("alice", "member", application_credential={"id": "c", "access_rules": rules})
    marked = abroad(owners, own, "limited", image="CloudThree")
    theirs = owners.two.assertion("CloudOne")[ASSERTION]
    assert refusal(exchange(owners, plain_of(marked), "CloudThree", theirs)) == (403, "token.scope")
    answer = ask(owners.at_two.url("image"), "/v2/images/limited", token=marked)
    assert refusal(answer) == (403, "token.exchange")
    assert "access rules" in answer.error


def plain_of(marked: str) -> str:
    return marked.partition("~")[0]


def test_what_home_refuses_is_told_with_its_reason(owners: Owners) -> None:
    token = owners.one.token(
        owners.two, own="gAAAAAmarker-gone", scope=scopes.parse('{"*":"CloudThree","identity":"CloudOne"}')
    )
    answer = ask(owners.at_two.url("image"), "/v2/images/refused", token=tokens.marked(token, owners.two.keys))
    assert refusal(answer) == (403, "token.exchange")
    assert "CloudOne" in answer.error
    assert "not valid any more" in answer.error


def test_a_home_that_is_away_stops_only_what_needs_it(owners: Owners) -> None:
    """CloudTwo was started when CloudDead was away already: its keys are from the database."""
    entries = '{"*":"CloudTwo","identity":"CloudDead","image":"CloudThree"}'
    third = owners.dead.token(owners.two, scope=scopes.parse(entries))
    answer = ask(owners.at_two.url("image"), "/v2/images/away", token=tokens.marked(third, owners.two.keys))
    assert refusal(answer) == (502, "peer.unreachable")
    assert "CloudDead" in answer.error
    here = owners.dead.token(owners.two)
    assert ask(owners.two.peering, "/image/v2/images/away", token=here).json["cloud"] == "CloudTwo"
    here = tokens.marked(here, owners.two.keys)
    service = owners.two.keystone.issue("glance", "service")
    told = ask(owners.at_two.url("identity"), "/v3/auth/tokens", {"X-Subject-Token": here}, token=service)
    assert told.json["token"]["user"]["domain"]["id"] == "CloudDead"


def test_a_token_that_came_home_goes_nowhere_else(owners: Owners) -> None:
    own = owners.one.keystone.issue("alice", "member")
    token = owners.one.token(owners.two, own=own, scope=scopes.parse('{"*":"CloudThree","identity":"CloudOne"}'))
    answer = home(owners, token, "/image/v2/images/further", owners.two.assertion("CloudOne"))
    assert refusal(answer) == (403, "agreement.rule")
    assert not owners.three["image"].all("/v2/images/further")
