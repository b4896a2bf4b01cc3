"""On the way out: what leaves for a cloud of another owner, and what never does."""

import hashlib
import json
import secrets
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.gateway.conftest import Owners
from tests.gateway.owners import ALICE, DEMO, DOMAIN, payload, plain, refusal
from tests.gateway.wire import Answer, ask, raw, reply, scope, until

from openstackoid.core.errors import TokenError
from openstackoid.trust import tokens
from openstackoid.trust.rings import Ring
from openstackoid.trust.sealing import unseal

BARE = scope(image="CloudBare")
EXCHANGE = "/openstackoid/v1/token"
PRIVATE = [
    *("Authorization", "Cookie", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Via", "X-Real-IP", "X-Client-IP"),
    *("X-Service-Token", "X-User-Id", "X-User-Name", "X-Project-Id", "X-Tenant-Name", "X-Roles", "X-Identity-Status"),
    *("X-Domain-Id", "X-Service-Catalog", "X-Storage-Token", "X-Auth-Key", "X-Remote-User", "Referer", "Origin"),
    *("X-Openstack-System-Scope", "True-Client-IP", "Proxy-Authorization", "X-Openstackoid-Assertion", "From"),
    *("X-SSL-Client-S-DN", "X-Effective-User", "Private-Token", "X-Vault-Token", "Api-Key", "OpenStack-System-Scope"),
]


def exchange(owners: Owners, token: str, audience: str, **more: str) -> Answer:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": audience,
    }
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode(form | more).encode()
    return ask(owners.at_one.url("image"), EXCHANGE, kind, method="POST", body=body, token=None)


def test_what_leaves_and_what_does_not(owners: Owners) -> None:
    mine = owners.one.keystone.issue("alice", "member", "reader")
    lines = [f"{name}: gAAAAAmarker-{number}" for number, name in enumerate(PRIVATE)]
    lines += [f"{name.replace('-', '_')}: gAAAAAmarker-twin" for name in [*PRIVATE, "X-Auth-Token", "X-Scope"]]
    head = [
        *("GET /v2/images?limit=2 HTTP/1.1", "Host: x", "Connection: close", f"X-Auth-Token: {mine}", "Accept: a/b"),
        *(f"{name}: {value}" for name, value in BARE.items()),
    ]
    whole = raw(owners.at_one.url("image"), "\r\n".join([*head, *lines, "", ""]).encode())
    assert b'"CloudBare"' in whole
    seen = owners.bare.seen("/image/v2/images?limit=2")
    assert {name.lower() for name, _ in seen.headers} == {
        *("host", "accept", "accept-encoding", "x-auth-token", "x-openstackoid-assertion", "x-openstackoid-hops"),
        "x-openstack-request-id",
    }
    assert "gAAAAAmarker" not in repr(seen)
    assert seen.get("X-Openstackoid-Hops") == "CloudOne"
    keys = Ring(owners.one.keys.published(0), owners.one.keys.fingerprint).keys
    claims = tokens.verify(seen.get("X-Auth-Token") or "", keys)
    assert (claims.issuer, claims.audience, claims.agreement) == ("CloudOne", "CloudBare", "b" * 32)
    assert (claims.user.id, claims.project.id, claims.roles) == (ALICE, DEMO, ("member", "reader"))
    assert claims.expires - claims.issued == 300
    signed = payload(seen.get("X-Auth-Token") or "")["os_scope"]
    assert signed == {"*": "CloudOne", "identity": "CloudOne", "image": "CloudBare"}
    assert claims.sealed is None  # nothing of CloudOne's can be asked with it
    said = seen.get("X-Openstackoid-Assertion") or ""
    assert tokens.asserted(said, lambda _: keys, "CloudBare", claims.issued, 5) == "CloudOne"


@pytest.mark.parametrize(
    ("scope", "sealed"),
    [
        ({"image": "CloudBare"}, False),
        ({"image": "CloudBare", "network": "CloudOne"}, False),  # no home rule is about networks
        ({"*": "CloudBare", "identity": "CloudOne"}, False),
        ({"image": "CloudBare", "network": "CloudTwo"}, True),  # CloudBare may ask for a token for it
        ({"image": "CloudOne", "compute": "CloudBare"}, True),  # servers there from images of home
    ],
)
def test_the_users_token_goes_along_only_where_it_may_come_home(
    owners: Owners, scope: dict[str, str], sealed: bool
) -> None:
    mine, kind = owners.one.keystone.issue("alice", "member"), "compute" if "compute" in scope else "image"
    path = f"/v2/sealed/{secrets.token_hex(6)}"
    assert ask(owners.at_one.url(kind), path, {"X-Scope": json.dumps(scope)}, token=mine).status == 200
    token = owners.bare.seen(f"/{kind}{path}").get("X-Auth-Token") or ""
    claims = tokens.verify(token, Ring(owners.one.keys.published(0), owners.one.keys.fingerprint).keys)
    if sealed:
        assert unseal(claims.sealed, owners.one.keys) == mine
    else:
        assert claims.sealed is None
        with pytest.raises(TokenError, match="not in it"):
            unseal(claims.sealed, owners.one.keys)


def test_a_token_is_minted_once_and_keystone_asked_once(owners: Owners) -> None:
    mine = owners.one.keystone.issue("alice", "member")
    for number in range(4):
        assert ask(owners.at_one.url("image"), f"/v2/kept/{number}", BARE, token=mine).status == 200
    assert len({plain(seen) for seen in owners.bare.all("/image/v2/kept/")}) == 1
    assert owners.one.keystone.asked(mine) == 1
    # Another scope is another token, and every minting asks.
    other = BARE | scope(image="CloudBare", dns="CloudTwo")
    assert ask(owners.at_one.url("image"), "/v2/kept/5", other, token=mine).status == 200
    assert len({plain(seen) for seen in owners.bare.all("/image/v2/kept/")}) == 2
    assert owners.one.keystone.asked(mine) == 2


def test_what_is_revoked_through_the_gateway_is_not_used_again(owners: Owners) -> None:
    mine = owners.one.keystone.issue("alice", "member")
    assert ask(owners.at_one.url("image"), "/v2/revoked/1", BARE, token=mine).status == 200
    gone = ask(owners.at_one.url("identity"), "/v3/auth/tokens", {"X-Subject-Token": mine}, method="DELETE", token=mine)
    assert gone.status == 204
    assert refusal(ask(owners.at_one.url("image"), "/v2/revoked/2", BARE, token=mine)) == (401, "token.invalid")
    assert len(owners.bare.all("/image/v2/revoked/")) == 1


def test_what_is_revoked_elsewhere_is_minted_no_more(owners: Owners) -> None:
    mine = owners.one.keystone.issue("alice", "member")
    assert ask(owners.at_one.url("image"), "/v2/withdrawn/1", BARE, token=mine).status == 200
    del owners.one.keystone.known[mine]
    other = BARE | scope(image="CloudBare", volume="CloudBare")
    assert refusal(ask(owners.at_one.url("image"), "/v2/withdrawn/2", other, token=mine)) == (401, "token.invalid")
    assert len(owners.bare.all("/image/v2/withdrawn/")) == 1


def test_a_new_one_is_minted_after_half_of_its_life(owners: Owners) -> None:
    mine = owners.one.keystone.issue("alice", "member", seconds=3)

    def two_of_them() -> bool:
        answer = ask(owners.at_one.url("image"), "/v2/half", BARE, token=mine)
        assert answer.status == 200
        return len({plain(seen) for seen in owners.bare.all("/image/v2/half")}) == 2

    until(two_of_them)
    lives = [payload(plain(seen)) for seen in owners.bare.all("/image/v2/half")]
    # None outlives the token that it was made from.
    assert len({life["exp"] for life in lives}) == 1
    assert owners.one.keystone.asked(mine) == 2


@pytest.mark.parametrize(
    ("roles", "changed", "code"),
    [
        (["member"], {"project": None}, "token.scope"),
        (["member"], {"project": None, "domain": {"id": "default", "name": "Default"}}, "token.scope"),
        (["admin"], {}, "agreement.role"),
        ([], {}, "agreement.role"),
    ],
    ids=["unscoped", "of a domain", "admin alone", "without roles"],
)
def test_tokens_that_cannot_be_used_elsewhere(
    owners: Owners, roles: list[str], changed: dict[str, Any], code: str
) -> None:
    mine = owners.one.keystone.issue("alice", *roles, **changed)
    assert refusal(ask(owners.at_one.url("image"), "/v2/useless", BARE, token=mine)) == (403, code)
    assert not owners.bare.all("/image/v2/useless")


def test_nobody_is_minted_a_token_for_what_is_no_token(owners: Owners) -> None:
    for token in ("gAAAAAmarker-unknown", "eyJhbGciOiJub25lIn0.e30.", "\xff\xfe"):
        assert refusal(ask(owners.at_one.url("image"), "/v2/nobody", BARE, token=token)) == (401, "token.invalid")
    # Without one the other cloud says no by itself.
    assert ask(owners.at_one.url("image"), "/v2/images", scope(image="CloudTwo"), token=None).status == 401


def test_a_trusts_token_is_the_trustors_elsewhere(owners: Owners) -> None:
    impersonated: dict[str, Any] = {"OS-TRUST:trust": {"id": "t", "impersonation": True}}
    mine = owners.one.keystone.issue("alice", "member", **impersonated)
    assert ask(owners.at_one.url("image"), "/v2/images/trust", BARE, token=mine).status == 200
    assert payload(plain(owners.bare.seen("/image/v2/images/trust")))["sub"] == ALICE


def test_a_keystone_that_is_ill_makes_no_token_invalid(owners: Owners) -> None:
    mine, busy = owners.one.keystone.issue("alice", "member"), reply(429, {"error": {"code": 429}})
    handlers = owners.one["identity"].handlers
    whole = handlers["/v3/auth/tokens"]
    handlers["/v3/auth/tokens"] = lambda seen, sock: busy if seen.get("X-Subject-Token") == mine else whole(seen, sock)
    try:
        answer = ask(owners.at_one.url("image"), "/v2/images/ill", BARE, token=mine)
    finally:
        handlers["/v3/auth/tokens"] = whole
    assert refusal(answer) == (502, "backend.unreachable")
    assert ask(owners.at_one.url("image"), "/v2/images/ill", BARE, token=mine).status == 200


def test_access_rules_of_an_application_credential_hold(owners: Owners) -> None:
    rules = [{"id": "r", "service": "image", "method": "GET", "path": "/v2/images/*"}]
    limited: dict[str, Any] = {
        "application_credential": {"id": "c", "name": "c", "restricted": True, "access_rules": rules}
    }
    mine = owners.one.keystone.issue("alice", "member", **limited)
    url = owners.at_one.url("image")
    assert ask(url, "/v2/images/limited", BARE, token=mine).status == 200
    for method, path in (
        *(("DELETE", "/v2/images/limited"), ("GET", "/v2/tasks/limited"), ("GET", "/v2/images/a/limited")),
        *(("GET", "/v2/images/limited?_method=DELETE"), ("GET", "//v2/images/limited")),
    ):
        assert refusal(ask(url, path, BARE, method=method, token=mine)) == (403, "token.scope"), path
    assert len([seen for seen in owners.bare.requests if "limited" in seen.target]) == 1
    assert refusal(exchange(owners, mine, "CloudBare")) == (403, "token.scope")
    unlimited: dict[str, Any] = {"application_credential": {"id": "c", "name": "c", "restricted": True}}
    assert exchange(owners, owners.one.keystone.issue("alice", "member", **unlimited), "CloudBare").status == 200


def test_no_password_and_no_token_crosses_to_another_keystone(owners: Owners) -> None:
    url, there = owners.at_one.url("identity"), scope(identity="CloudTwo")
    mine = owners.one.keystone.issue("alice", "member")
    login = b'{"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "gAAAAAmarker"}}}}}'
    before = len(owners.two["identity"].requests)
    assert refusal(ask(url, "/v3/auth/tokens", there, method="POST", body=login, token=None)) == (403, "token.home")
    for method, path in (("GET", "/v3/users"), ("GET", "/v3/auth/tokens"), ("DELETE", "/v3/auth/tokens")):
        answer = ask(url, path, there | {"X-Subject-Token": mine}, method=method, token=mine)
        assert refusal(answer) == (403, "token.home")
    assert len(owners.two["identity"].requests) == before
    # Its version documents are for everybody.
    answer = ask(url, "/v3", there, token=None)
    assert (answer.status, answer.json["cloud"]) == (200, "CloudTwo")
    assert owners.two["identity"].seen("/v3").get("X-Auth-Token") is None


def test_roles_that_no_token_can_hold_are_refused(owners: Owners) -> None:
    # What is alike takes no place in a token.
    many = [{"id": str(number), "name": f"role-{number}-{secrets.token_hex(100)}"} for number in range(30)]
    mine = owners.one.keystone.issue("alice", roles=[*many, {"id": "m", "name": "member"}])
    answer = ask(owners.at_one.url("image"), "/v2/long", BARE, token=mine)
    assert refusal(answer) == (400, "token.long")
    assert answer.error.endswith("is roles.")
    assert not owners.bare.all("/image/v2/long")


def test_a_user_may_have_a_token_to_use_elsewhere(owners: Owners) -> None:
    mine = owners.one.keystone.issue("alice", "member")
    answer = exchange(owners, mine, "CloudTwo")
    assert answer.status == 200
    assert answer.json["issued_token_type"] == "urn:ietf:params:oauth:token-type:jwt"
    assert 0 < answer.json["expires_in"] <= 300
    said = payload(answer.json["access_token"])
    assert (said["aud"], said["os_scope"]) == ("CloudTwo", {"*": "CloudTwo", "identity": "CloudOne"})
    there = ask(owners.two.peering + "/image", "/v2/images/exchanged", token=answer.json["access_token"])
    assert (there.status, there.json.get("cloud")) == (200, "CloudTwo"), there.body
    for audience, status, code in (
        *(("CloudNine", 403, "agreement.missing"), ("no such", 400, "request.malformed")),
        ("CloudOne", 403, "agreement.missing"),
    ):
        assert refusal(exchange(owners, mine, audience)) == (status, code)
    assert refusal(exchange(owners, "gAAAAAmarker-unknown", "CloudTwo")) == (401, "token.invalid")
    # What no header can hold is the caller's fault, not that of Keystone.
    for odd in ("\n", "\r\nX-Auth-Token: y", "\t", "\0", "\x7f", "\u2028"):
        malformed = exchange(owners, f"gAAAAAmarker{odd}", "CloudTwo")
        assert refusal(malformed) == (400, "request.malformed"), odd
        assert malformed.error.startswith("subject_token: expected printable ASCII"), odd
    assert refusal(exchange(owners, answer.json["access_token"], "CloudTwo")) == (401, "token.invalid")


def test_a_peer_that_is_to_see_pseudonyms_sees_nothing_else(owners: Owners) -> None:
    mine = owners.one.keystone.issue("alice", "member")
    other = tokens.pseudonym(ALICE, "CloudThree", owners.one.keys)
    here = hashlib.sha256(f"CloudOne\0{other}".encode()).hexdigest()[:32]
    owners.three["compute"].on("/v2.1/servers/who", reply(200, {"server": {"user_id": here}}))
    answer = ask(owners.at_one.url("compute"), "/v2.1/servers/who", scope(compute="CloudThree"), token=mine)
    assert answer.status == 200
    said = payload(plain(owners.three["compute"].seen("/v2.1/servers/who")))
    assert (said["sub"], said["user"]["name"], said["project"]["name"]) == (other, other, DEMO)
    assert ALICE not in json.dumps(said)
    assert "alice" not in json.dumps(said)
    # In the answer she finds herself.
    assert answer.json["server"]["user_id"] == ALICE


def test_projects_have_pseudonyms_too_where_agreed(owners: Owners) -> None:
    there = scope(image="CloudHidden")
    user = tokens.pseudonym(ALICE, "CloudHidden", owners.one.keys)
    project, other = "9" * 32, "0" * 31 + "7"
    shown = tokens.project_pseudonym(project, "CloudHidden", owners.one.keys)
    named = tokens.project_pseudonym(other, "CloudHidden", owners.one.keys)
    mine = owners.one.keystone.issue("alice", "member", project={"id": project, "name": "demo", "domain": DOMAIN})
    url, hidden = owners.at_one.url("image"), owners.hidden
    hidden.on("/image/v2/images", reply(200, {"images": [{"owner": shown}, {"owner": "e" * 32}]}))
    answer = ask(url, f"/v2/images?owner={project}", there, token=mine)
    assert [image["owner"] for image in answer.json["images"]] == [project, "e" * 32]
    seen = hidden.seen("/image/v2/images")
    assert seen.target == f"/image/v2/images?owner={shown}"
    said = payload(plain(seen))
    assert (said["sub"], said["project"]["id"], said["project"]["name"]) == (user, shown, shown)
    assert said["project"]["domain"]["id"] == "CloudOne"
    # Another project of ours is named by its pseudonym as well.
    hidden.on("/image/v2/images/i/members", reply(200, {"schema": "/v2/schemas/member", "member_id": named}))
    body, kind = json.dumps({"member": other}).encode(), {"Content-Type": "application/json"}
    answer = ask(url, "/v2/images/i/members", there | kind, method="POST", body=body, token=mine)
    assert json.loads(hidden.seen("/image/v2/images/i/members").raw) == {"member": named}
    assert answer.json["member_id"] == other
    for request in hidden.requests:
        text = repr(request) + repr(payload(plain(request)) if plain(request) else "")
        assert not [secret for secret in (ALICE, "alice", project, other) if secret in text]
    line = owners.at_one.line("/v2/images/i/members")
    assert (line["user"], line["project"]) == (ALICE, project)


@pytest.mark.parametrize(
    ("service", "decision", "code", "words"),
    [
        ("image", "remote", None, "CloudTwo offers image by agreement, to users with one of the roles member, reader"),
        (
            "network",
            "reject",
            "agreement.rule",
            "CloudTwo offers network to nobody of this cloud. It offers: compute, ",
        ),
        ("identity", "reject", "token.home", "CloudTwo's identity service is asked in CloudTwo itself"),
    ],
)
def test_explain_knows_the_agreement(owners: Owners, service: str, decision: str, code: str | None, words: str) -> None:
    """It said that the request would go, where it is refused."""
    path = f"/openstackoid/v1/explain?service={service}&path=/v2/x"
    explained = ask(owners.at_one.url("image"), path, scope(**{service: "CloudTwo"})).json
    assert (explained["decision"], explained["cloud"]) == (decision, "CloudTwo")
    assert (explained["error"] or {}).get("openstackoid_code") == code
    assert (explained["url"] is None) == (decision == "reject")
    assert words in explained["why"][-1]
