"""Users as research clouds have them: from LDAP, from an identity provider, with other kinds of Keystone's tokens. Each works in another owner's cloud."""

import hashlib
import json
import secrets
import time
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from tests.gateway.conftest import Owners
from tests.gateway.owners import DEMO, DOMAIN, payload, plain
from tests.gateway.wire import ask, reply, scope

LDAP = hashlib.sha256(b"uid=alice,ou=people").hexdigest()
THERE = scope(image="CloudTwo")
IDENTITY_PROVIDER = {"groups": [{"id": "a" * 32}], "identity_provider": {"id": "edugain"}, "protocol": {"id": "openid"}}

USERS: dict[str, dict[str, Any]] = {
    "of LDAP": {"id": LDAP, "name": "alice", "domain": {"id": "d" * 32, "name": "ldap"}},
    "of OIDC": {
        "id": LDAP,
        "name": "ålice@idp.example",
        "domain": {"id": "Federated", "name": "Federated"},
        "OS-FEDERATION": IDENTITY_PROVIDER,
    },
    "of SAML, in a domain of the provider": {
        "id": "b" * 32,
        "name": "https://idp.example!https://sp.example!Q2F0",
        "domain": {"id": "c" * 32, "name": "c" * 32},
        "OS-FEDERATION": IDENTITY_PROVIDER | {"protocol": {"id": "saml2"}},
    },
}


@pytest.mark.parametrize("user", USERS.values(), ids=list(USERS))
def test_users_of_other_directories(owners: Owners, user: dict[str, Any]) -> None:
    # Roles that a group gives are in Keystone's answer as any others.
    own = owners.one.keystone.issue("alice", "member", methods=["mapped", "token"], user=user)
    here = hashlib.sha256(f"CloudOne\0{user['id']}".encode()).hexdigest()[:32]
    path = f"/v2/images/{secrets.token_hex(8)}"
    image = {"id": "i", "image_type": "snapshot", "user_id": here}
    owners.two["image"].on(path, reply(200, image))
    answer = ask(owners.at_one.url("image"), path, THERE, token=own)
    assert answer.json["user_id"] == user["id"]
    marked = owners.two["image"].seen(path).get("X-Auth-Token") or ""
    service = owners.two.keystone.issue("glance", "service")
    told = ask(owners.at_two.url("identity"), "/v3/auth/tokens", {"X-Subject-Token": marked}, token=service)
    assert told.status == 200
    described = told.json["token"]["user"]
    assert (described["id"], described["name"], described["domain"]["id"]) == (here, user["name"], "CloudOne")


def signed() -> str:
    """A token of Keystone's JWS provider (keystone/token/providers/jws/core.py)."""
    now = int(time.time())
    claims = {
        "sub": LDAP,
        "iat": now,
        "exp": now + 3600,
        "openstack_methods": ["password", "totp"],
        "openstack_audit_ids": [secrets.token_urlsafe(16)],
        "openstack_project_id": DEMO,
    }
    key = ECKey.generate_key("P-256")
    return jws.serialize_compact({"alg": "ES256", "typ": "JWT"}, json.dumps(claims).encode(), key)


def test_tokens_of_keystones_jws_provider(owners: Owners) -> None:
    known = owners.one.keystone.known
    own = signed()
    known[own] = known.pop(owners.one.keystone.issue("alice", "member"))
    image = owners.at_one.url("image")
    assert ask(image, "/v2/images/jws", THERE, token=own).status == 200
    assert payload(plain(owners.two["image"].seen("/v2/images/jws")))["iss"] == "CloudOne"
    # With the scope on the token, without any, and home again.
    assert ask(image, "/v2/images/jws-2", token=f'{own}!SCOPE!{{"image": "CloudTwo"}}').json["cloud"] == "CloudTwo"
    assert ask(image, "/v2/images/jws-3", token=own).json["cloud"] == "CloudOne"
    assert owners.one["image"].seen("/v2/images/jws-3").get("X-Auth-Token") == own
    path, home = "/v2.1/servers/jws", scope(compute="CloudTwo", image="CloudOne")
    assert ask(owners.at_one.url("compute"), path, home, token=own).status == 200
    marked = owners.two["compute"].seen(path).get("X-Auth-Token")
    assert ask(owners.at_two.url("image"), "/v2/images/jws-4", token=marked).json["cloud"] == "CloudOne"
    assert plain(owners.one["image"].seen("/v2/images/jws-4")) == own
    gone = ask(owners.at_one.url("identity"), "/v3/auth/tokens", {"X-Subject-Token": own}, method="DELETE", token=own)
    assert gone.status == 204
    assert ask(image, "/v2/images/jws-5", THERE, token=own).status == 401


def test_a_login_of_several_steps_gets_its_receipt(owners: Owners) -> None:
    """Keystone asks for a second factor: 401 with a receipt, which comes with the next step (keystone/server/flask/common.py)."""
    asks = {"receipt": {"methods": ["password"], "user": {"id": LDAP, "domain": DOMAIN}}, "required_auth_methods": []}
    owners.one["identity"].on(
        "/v3/auth/tokens?step", reply(401, asks, {"Openstack-Auth-Receipt": "gAAAAAmarker-receipt"})
    )
    url, body = owners.at_one.url("identity"), b'{"auth": {"identity": {"methods": ["password"]}}}'
    first = ask(url, "/v3/auth/tokens?step=1", THERE, method="POST", body=body, token=None)
    assert (first.status, first.get("Openstack-Auth-Receipt"), first.json) == (401, "gAAAAAmarker-receipt", asks)
    receipt = THERE | {"Openstack-Auth-Receipt": "gAAAAAmarker-receipt"}
    ask(url, "/v3/auth/tokens?step=2", receipt, method="POST", body=body, token=None)
    seen = owners.one["identity"].seen("/v3/auth/tokens?step=2")
    assert seen.get("Openstack-Auth-Receipt") == "gAAAAAmarker-receipt"
