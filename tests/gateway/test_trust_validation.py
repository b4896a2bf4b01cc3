"""What a service hears when it asks its own gateway what a federated token is: the claims, in Keystone's form."""

import hashlib
import json
import time
from typing import Any

import pytest
from keystoneauth1 import access
from tests.gateway.conftest import PROJECT_IN_THREE, Owners
from tests.gateway.owners import ALICE, refusal
from tests.gateway.wire import PROJECT, Answer, Gateway, ask, reply, until

from openstackoid.trust import tokens

TOKENS = "/v3/auth/tokens"


def validate(
    gateway: Gateway,
    subject: str,
    asker: str | None,
    query: str = "",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Answer:
    given = {"X-Subject-Token": subject} | (headers or {})
    return ask(gateway.url("identity"), TOKENS + query, given, token=asker, **more)


def test_the_answer_is_read_as_keystones(owners: Owners) -> None:
    service = owners.two.keystone.issue("nova", "service")
    token = owners.one.token(owners.two, roles=("Member", "reader", "admin", "unknown"))
    marked = tokens.marked(token, owners.two.keys)
    # A real Keystone's, of a token of CloudTwo.
    real = validate(owners.at_two, owners.two.keystone.issue("bob", "member"), service).json["token"]
    before = len(owners.one["identity"].requests)
    answer = validate(owners.at_two, marked, service)
    assert answer.status == 200
    assert answer.get("X-Subject-Token") == marked
    body = answer.json["token"]
    assert body.keys() - real.keys() == {"is_admin_project", "is_domain"}
    assert real.keys() - body.keys() == set()
    assert {name: type(body[name]) for name in real} == {name: type(real[name]) for name in real}
    for name in ("user", "project"):
        assert body[name].keys() >= real[name].keys()
        assert body[name]["domain"].keys() == real[name]["domain"].keys()
    assert body["roles"][0].keys() == real["roles"][0].keys()
    project = owners.two.keystone.stands_for("CloudOne")
    assert body["catalog"] == json.loads(json.dumps(owners.two.catalog()).replace(PROJECT, project))
    read: Any = access.create(body=answer.json, auth_token=marked)
    assert isinstance(read, access.AccessInfoV3)
    user = hashlib.sha256(f"CloudOne\0{ALICE}".encode()).hexdigest()[:32]
    assert (read.user_id, read.username, read.user_domain_id, read.user_domain_name) == (
        *(user, "alice", "CloudOne", "CloudOne"),
    )
    assert read.project_id == project
    assert str(read.project_name).startswith("CloudOne-")
    assert (read.project_domain_id, read.role_names) == ("default", ["member", "reader"])
    assert read.is_admin_project is False
    assert read.project_scoped
    assert not read.domain_scoped
    assert not read.system_scoped
    assert not read.trust_scoped
    assert not read.will_expire_soon(stale_duration=200)
    assert read.will_expire_soon(stale_duration=400)
    assert read.service_catalog.url_for(service_type="image", interface="public") == owners.at_two.url("image")
    assert "catalog" not in validate(owners.at_two, marked, service, "?nocatalog").json["token"]
    # Nobody asked home.
    assert len(owners.one["identity"].requests) == before


def test_the_catalog_is_keystones_whoever_logged_in_last(owners: Owners) -> None:
    service, member = owners.two.keystone.issue("nova", "service"), owners.two.keystone.issue("bob", "member")
    marked = tokens.marked(owners.one.token(owners.two), owners.two.keys)

    def types() -> set[str]:
        return {entry["type"] for entry in validate(owners.at_two, marked, service).json["token"]["catalog"]}

    whole = {entry["type"] for entry in owners.two.catalog()}
    assert types() == whole
    # An endpoint filter shows this user a part, and a token without a project another one.
    body = owners.two.keystone.known[member] | {"project": None, "catalog": owners.two.catalog()[:1]}
    owners.two["identity"].on(f"{TOKENS}?filtered", reply(200, {"token": body}))
    assert validate(owners.at_two, member, member, "?filtered").status == 200
    assert types() == whole


def test_an_endpoint_that_was_made_since_is_in_the_catalog(owners: Owners) -> None:
    service = owners.two.keystone.issue("nova", "service")
    marked = tokens.marked(owners.one.token(owners.two), owners.two.keys)
    made = owners.two.catalog()[0] | {"type": "dns", "id": "dns"}

    def has_dns() -> bool:
        entries = validate(owners.at_two, marked, service).json["token"]["catalog"]
        return "dns" in {entry["type"] for entry in entries}

    assert not has_dns()
    owners.two.keystone.catalog = lambda: [*owners.two.catalog(), made]
    try:
        until(has_dns)
    finally:
        owners.two.keystone.catalog = owners.two.catalog
    until(lambda: not has_dns())


def test_one_project_may_stand_for_all(owners: Owners) -> None:
    service = owners.three.keystone.issue("nova", "service")
    token = tokens.marked(owners.one.token(owners.three), owners.three.keys)
    body = validate(owners.at_three, token, service).json["token"]
    assert body["project"]["id"] == PROJECT_IN_THREE
    assert body["project"]["domain"]["id"] != "default"


def test_who_asks_must_be_known_here(owners: Owners) -> None:
    token = owners.one.token(owners.two)
    for asker in (None, "gAAAAAmarker-unknown", owners.one.keystone.issue("nova", "service"), ""):
        assert refusal(validate(owners.at_two, token, asker)) == (401, "token.invalid")
    other = owners.one.token(owners.two)
    assert refusal(validate(owners.at_two, token, other)) == (401, "token.invalid")
    # A token may ask about itself, as Keystone lets it.
    assert validate(owners.at_two, token, token).status == 200


@pytest.mark.parametrize("what", ["forged", "expired", "another cloud's", "another agreement", "no role", "no peer"])
def test_what_does_not_count_is_not_found(owners: Owners, what: str) -> None:
    service, now = owners.two.keystone.issue("nova", "service"), int(time.time())
    token = {
        "forged": lambda: owners.one.token(owners.two, keys=owners.three.keys),
        "expired": lambda: owners.one.token(owners.two, issued=now - 700, expires=now - 400),
        "another cloud's": lambda: owners.one.token(owners.three),
        "another agreement": lambda: owners.one.token(owners.two, agreement="c" * 32),
        "no role": lambda: owners.one.token(owners.two, roles=("admin",)),
        "no peer": lambda: owners.one.token(owners.two, issuer="CloudNine", agreement="c" * 32),
    }[what]()
    answer = validate(owners.at_two, tokens.marked(token, owners.two.keys), service)
    assert (answer.status, answer.json["error"]["code"]) == (404, 404)
    assert token not in answer.body.decode()


def test_an_expired_one_counts_for_a_service_within_the_window(owners: Owners) -> None:
    service, user = owners.two.keystone.issue("nova", "service"), owners.two.keystone.issue("bob", "member")
    now, day = int(time.time()), 86400

    def late(ago: int) -> str:
        token = owners.one.token(owners.two, issued=now - ago - 300, expires=now - ago)
        return tokens.marked(token, owners.two.keys)

    late_token = late(day)
    assert validate(owners.at_two, late_token, service, "?allow_expired=1").status == 200
    assert validate(owners.at_two, late_token, service).status == 404
    assert validate(owners.at_two, late_token, service, "?allow_expired=0").status == 404
    assert validate(owners.at_two, late_token, user, "?allow_expired=1").status == 404
    assert validate(owners.at_two, late_token, late_token, "?allow_expired=1").status == 404
    # The window is two days here, and the clocks may differ by half a minute.
    assert validate(owners.at_two, late(2 * day + 60), service, "?allow_expired=1").status == 404


def test_late_work_goes_on_with_a_service_token_of_this_cloud(owners: Owners) -> None:
    service, user = owners.two.keystone.issue("nova", "service"), owners.two.keystone.issue("bob", "member")
    now, url = int(time.time()), owners.at_two.url("image")
    late = owners.one.token(owners.two, issued=now - 1300, expires=now - 1000)
    inner = tokens.marked(late, owners.two.keys)
    assert ask(url, "/v2/late/1", {"X-Service-Token": service}, token=inner).status == 200
    assert owners.two["image"].seen("/v2/late/1").get("X-Service-Token") == service
    for token, headers in (
        *((inner, {}), (inner, {"X-Service-Token": user}), (inner, {"X-Service-Token": "gAAAAAmarker-x"})),
        *((late, {"X-Service-Token": service}), (inner, {"X-Service-Token": inner})),
    ):
        assert refusal(ask(url, "/v2/late/2", headers, token=token)) == (401, "token.invalid")
    assert not owners.two["image"].all("/v2/late/2")


def test_nothing_else_is_done_with_a_subject(owners: Owners) -> None:
    service = owners.two.keystone.issue("nova", "service")
    token = owners.one.token(owners.two)
    before = len(owners.two["identity"].all(TOKENS))
    assert refusal(validate(owners.at_two, token, service, method="DELETE")) == (403, "token.home")
    assert refusal(validate(owners.at_two, token, service, method="POST", body=b"{}")) == (403, "token.home")
    url = owners.at_two.url("identity")
    for path in ("/v3/users", "/v3/auth/tokens/OS-PKI/revoked", "/v3/auth/tokens/../tokens"):
        answer = ask(url, path, {"X-Subject-Token": token}, token=service)
        assert answer.status in {400, 403}
    # Other clouds do not ask here.
    peers = ask(owners.two.peering + "/identity", TOKENS, {"X-Subject-Token": token}, token=token)
    assert peers.status == 404
    assert len(owners.two["identity"].all(TOKENS)) == before


def test_a_local_token_is_keystones_to_answer(owners: Owners) -> None:
    service, user = owners.two.keystone.issue("nova", "service"), owners.two.keystone.issue("bob", "member")
    assert validate(owners.at_two, user, service).json["token"]["user"]["name"] == "bob"
    assert owners.two["identity"].all(TOKENS)[-1].get("X-Subject-Token") == user
    assert validate(owners.at_two, "gAAAAAmarker-none", service).status == 404
