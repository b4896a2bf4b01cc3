"""On the way in: what users of other clouds may do here, by the agreement with their home and by nothing else."""

import json
import time
from typing import Any

import pytest
from tests.gateway.conftest import PROJECT_IN_THREE, Owners
from tests.gateway.owners import ALICE, ASSERTION, DEMO, payload, plain, refusal
from tests.gateway.wire import Answer, ask, raw

from openstackoid.core import scope as scopes
from openstackoid.trust import tokens
from openstackoid.trust.keys import fresh_keys


def enter(owners: Owners, token: str | None, path: str = "/image/v2/images/x", **more: Any) -> Answer:
    """At CloudTwo's door for other clouds."""
    return ask(owners.two.peering, path, token=token, **more)


# What tokens count.


def test_a_good_one_reaches_the_service_marked(owners: Owners) -> None:
    token = owners.one.token(owners.two)
    assert enter(owners, token, "/image/v2/images/good").json["cloud"] == "CloudTwo"
    seen = owners.two["image"].seen("/v2/images/good")
    assert seen.get("X-Auth-Token") == tokens.marked(token, owners.two.keys)
    line = owners.at_two.line("/v2/images/good")
    assert (line["home"], line["user"], line["project"]) == ("CloudOne", ALICE, DEMO)
    assert line["local_project"] == owners.two.keystone.stands_for("CloudOne")
    assert line["agreement"] == owners.one.statement(owners.two)["agreement"]
    posts = [seen for seen in owners.two["identity"].all("/v3/projects") if seen.method == "POST"]
    projects = [json.loads(seen.raw)["project"] for seen in posts]
    made = [project for project in projects if project["name"].startswith("CloudOne-")]
    # Contracts about regions have domains of their own.
    assert len([project for project in made if project["domain_id"] == "default"]) == 1


def bad(owners: Owners, what: str) -> str:
    now, one, two = int(time.time()), owners.one, owners.two
    if what == "another audience":
        return one.token(two, audience="CloudThree")
    if what == "unknown issuer":
        return one.token(two, issuer="CloudNine", agreement="c" * 32)
    if what == "of this cloud":
        return two.token(two, issuer="CloudTwo", audience="CloudTwo", agreement="c" * 32)
    if what == "another's key":
        return one.token(two, keys=owners.three.keys)
    if what == "unknown key":
        return one.token(two, keys=fresh_keys(now - 5))
    if what == "expired":
        return one.token(two, issued=now - 700, expires=now - 400)
    if what == "from the future":
        return one.token(two, issued=now + 100, expires=now + 300)
    if what == "too long a life":
        return one.token(two, expires=now + 7200)
    if what == "an assertion":
        return one.assertion("CloudTwo")[ASSERTION]
    if what == "altered":
        head, _, signature = one.token(two).split(".")
        return f"{head}.{one.token(two, roles=('admin',)).split('.')[1]}.{signature}"
    return {"plain": "gAAAAAmarker-plain", "nothing": "", "a form": "eyJ.eyJ.eyJ", "bytes": "\xff\xfe"}[what]


@pytest.mark.parametrize(
    "what",
    [
        *("another audience", "unknown issuer", "of this cloud", "another's key", "unknown key", "expired", "altered"),
        *("from the future", "too long a life", "an assertion", "plain", "nothing", "a form", "bytes"),
    ],
)
def test_tokens_that_do_not_count(owners: Owners, what: str) -> None:
    answer = enter(owners, bad(owners, what), f"/image/v2/images/bad-{len(what)}")
    assert refusal(answer) == (401, "token.invalid")
    assert not owners.two["image"].all("/v2/images/bad")


def test_bytes_that_are_no_text_are_no_mark(owners: Owners) -> None:
    token = owners.one.token(owners.two)
    assert enter(owners, f"{token}~\xff\xfe", "/image/v2/images/odd").status == 200
    assert owners.two["image"].seen("/v2/images/odd").get("X-Auth-Token") == tokens.marked(token, owners.two.keys)


def test_a_token_of_another_agreement_is_refused(owners: Owners) -> None:
    other = owners.one.token(owners.two, agreement="c" * 32)
    assert refusal(enter(owners, other)) == (403, "agreement.missing")


def test_clocks_may_differ_a_little(owners: Owners) -> None:
    now = int(time.time())
    for issued, expires in ((now + 20, now + 300), (now - 300, now - 20)):
        assert enter(owners, owners.one.token(owners.two, issued=issued, expires=expires)).status == 200


def test_without_a_token_only_version_documents_are_shown(owners: Owners) -> None:
    said = owners.one.assertion("CloudTwo")
    assert enter(owners, None, "/image/v2/", headers=said).json["cloud"] == "CloudTwo"
    assert enter(owners, None, "/identity/v3", headers=said).status == 200
    assert refusal(enter(owners, None, "/image/v2/images", headers=said)) == (401, "token.invalid")
    assert refusal(enter(owners, None, "/image/v2/", headers=said, method="POST")) == (401, "token.invalid")
    for wrong in ({}, owners.one.assertion("CloudThree"), {ASSERTION: "x"}, {ASSERTION: owners.one.token(owners.two)}):
        assert refusal(enter(owners, None, "/image/v2/", headers=wrong)) == (401, "token.invalid")
        answer = enter(owners, None, "/openstackoid/v1/agreement", headers=wrong)
        assert refusal(answer) == (401, "token.invalid")
    for own in ("peers", "explain?service=image"):
        assert refusal(enter(owners, None, f"/openstackoid/v1/{own}", headers=said)) == (404, "path.missing")


# What the agreement allows.


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("DELETE", "/v2/images/x", "agreement.rule"),
        ("GET", "/v2/tasks", "agreement.rule"),
        ("GET", "/V2/images/x", "agreement.rule"),
        ("GET", "/v2/Images/x", "agreement.rule"),
        ("GET", "/v2/images;x", "agreement.rule"),
        ("GET", "/v2/images/x;y", "agreement.rule"),
        ("GET", "/v2/imagesx", "agreement.rule"),
        ("GET", "//v2/images/x", "agreement.rule"),
        ("GET", "/v2//images/x", "agreement.rule"),
        ("GET", "/v2/images//x", "agreement.rule"),
        ("GET", "/v2/images%2Fx", "agreement.rule"),
        ("GET", "/v2/images/%78", "agreement.rule"),
        ("GET", "/v2/images/x%3Fy", "agreement.rule"),
        ("GET", "/v2/images/x\\y", "agreement.rule"),
        ("GET", "/v2/images/é", "request.malformed"),
        ("GET", "/v2/images/../tasks", "request.malformed"),
        ("GET", "/v2/images/./x", "request.malformed"),
        ("GET", "/v2/images/%2e%2e/tasks", "request.malformed"),
        ("GET", "/v2/images/%2E%2E%2Ftasks", "request.malformed"),
        ("GET", "/v2/images\\..\\tasks", "request.malformed"),
        ("GET", "/v2/images/x?_method=DELETE", "agreement.rule"),
        ("GET", "/v2/images/x?a=_method&%5Fmethod=DELETE", "agreement.rule"),
        ("get", "/v2/images/x", "request.malformed"),
        ("OPTIONS", "/v2/images/x", "agreement.rule"),
    ],
)
def test_only_what_a_rule_names_gets_in(owners: Owners, method: str, path: str, code: str) -> None:
    before = len(owners.two["image"].requests)
    token = owners.one.token(owners.two)
    head = f"{method} /image{path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nConnection: close\r\n\r\n"
    answer = json.loads(raw(owners.two.peering, head.encode()).partition(b"\r\n\r\n")[2])["error"]
    assert answer["openstackoid_code"] == code
    if code == "agreement.rule" and "_method" not in path:
        assert f"no rule that allows {method} image {path.partition('?')[0]}" in answer["message"]
    assert len(owners.two["image"].requests) == before


def test_a_method_is_not_hidden_in_a_form_or_a_header(owners: Owners) -> None:
    token, before = owners.one.token(owners.two), len(owners.two["image"].requests)
    for headers in (
        [("Content-Type", "application/x-www-form-urlencoded")],
        [("Content-Type", "multipart/form-data; boundary=x")],
        [("X-HTTP-Method-Override", "DELETE")],
    ):
        answer = enter(owners, token, method="POST", body=b"_method=DELETE", headers=headers)
        assert refusal(answer) == (403, "agreement.rule")
    doubled = [("Content-Type", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")]
    answer = enter(owners, token, method="POST", body=b"_method=DELETE", headers=doubled)
    assert refusal(answer) == (400, "request.malformed")
    assert len(owners.two["image"].requests) == before


@pytest.mark.parametrize("path", ["/v2/images", "/v2/images/", "/v2/images/a/b", "/v2/", "/", "/v2.9"])
def test_what_a_rule_names_gets_in(owners: Owners, path: str) -> None:
    assert enter(owners, owners.one.token(owners.two), f"/image{path}?limit=1").status == 200


def test_the_mark_exempts_what_is_inside_and_a_forged_one_does_not(owners: Owners) -> None:
    url = owners.at_two.url("network")
    here = owners.one.token(owners.two, scope=scopes.parse('{"*": "CloudTwo", "identity": "CloudOne"}'))
    assert ask(url, "/v2.0/ports/x", token=tokens.marked(here, owners.two.keys)).status == 200
    assert owners.two["network"].seen("/v2.0/ports/x").get("X-Auth-Token") == tokens.marked(here, owners.two.keys)
    for forged in (here, f"{here}~{'A' * 22}", tokens.marked(here, owners.one.keys), f"{here}~"):
        assert refusal(ask(url, "/v2.0/ports/y", token=forged)) == (403, "agreement.rule")
    assert not owners.two["network"].all("/v2.0/ports/y")


@pytest.mark.parametrize("roles", [("admin",), ("Administrator", "creator"), ()])
def test_roles_that_do_not_count(owners: Owners, roles: tuple[str, ...]) -> None:
    answer = enter(owners, owners.one.token(owners.two, roles=roles))
    assert refusal(answer) == (403, "agreement.role")
    assert "member, reader" in answer.error


def test_keystone_is_not_for_visitors(owners: Owners) -> None:
    before = len(owners.two["identity"].requests)
    token = owners.one.token(owners.two, scope=scopes.parse('{"*": "CloudTwo", "identity": "CloudTwo"}'))
    for path in ("/v3/users", "/v3/auth/tokens", "/v3/projects"):
        assert refusal(enter(owners, token, f"/identity{path}")) == (403, "agreement.rule")
        inner = tokens.marked(token, owners.two.keys)
        assert refusal(ask(owners.at_two.url("identity"), path, token=inner)) == (403, "token.home")
    assert len(owners.two["identity"].requests) == before


def test_a_rate_is_kept(owners: Owners) -> None:
    token = owners.two.token(owners.three)
    answers = [ask(owners.three.peering, "/image/v2/images", token=token) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 429, 429]
    assert answers[1].code == "agreement.rate"
    assert int(answers[1].get("Retry-After") or 0) > 0
    # It is CloudTwo's rate: CloudOne's users have another one.
    assert ask(owners.three.peering, "/image/v2/images", token=owners.one.token(owners.three)).status == 200
    assert plain(owners.three["image"].seen("/v2/images")).startswith("eyJ")
    assert owners.at_three.line("/v2/images")["local_project"] == PROJECT_IN_THREE


def test_nobody_on_the_way_widens_a_signed_scope(owners: Owners) -> None:
    token = owners.one.token(owners.two)
    wider = '{"*":"CloudTwo","identity":"CloudOne","image":"CloudTwo"}'
    for headers in ({"X-Scope": wider}, {"X-Auth-Token": f"{token}!SCOPE!{wider}"}):
        assert refusal(enter(owners, token, headers=headers)) == (403, "token.scope")
        inner = {name: value.replace(token, tokens.marked(token, owners.two.keys)) for name, value in headers.items()}
        marked = tokens.marked(token, owners.two.keys)
        assert refusal(ask(owners.at_two.url("image"), "/v2/images", inner, token=marked)) == (403, "token.scope")
    # The same again may be said.
    same = {"X-Scope": json.dumps(payload(token)["os_scope"])}
    assert enter(owners, token, headers=same).status == 200


def test_service_tokens_and_names_from_outside_do_not_reach_a_service(owners: Owners) -> None:
    sent = {"X-Service-Token": "gAAAAAmarker-service", "X-Roles": "admin", "X-User-Id": "root", "X_Roles": "admin"}
    assert enter(owners, owners.one.token(owners.two), "/image/v2/images/names", headers=sent).status == 200
    seen = owners.two["image"].seen("/v2/images/names")
    assert not [name for name, _ in seen.headers if name.lower().replace("_", "-") in {key.lower() for key in sent}]
