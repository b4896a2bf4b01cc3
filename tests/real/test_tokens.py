"""Kinds of Keystone's tokens besides those of a password: each works under a scope as it works without one."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from openstackoid.lab import Lab

from .conftest import User
from .tools import exchange

TWO = {"X-Scope": '{"image": "CloudTwo"}'}


@dataclass(frozen=True)
class Identity:
    """CloudOne's Keystone, with one token."""

    url: str
    token: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, self.url + path, json=body, headers={"X-Auth-Token": self.token}, timeout=60)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def login(self, identity: Any, scope: Any = None) -> str:
        auth = {"identity": identity} | ({"scope": scope} if scope else {})
        answer = requests.post(f"{self.url}/auth/tokens", json={"auth": auth}, timeout=60)
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]


@pytest.fixture
def mine(lab: Lab, alice: User) -> Identity:
    return Identity(lab.clouds["CloudOne"].auth_url, alice.token())


def password(user: str, secret: str) -> dict[str, Any]:
    return {"methods": ["password"], "password": {"user": {"id": user, "password": secret}}}


@pytest.fixture
def trustee(lab: Lab) -> Iterator[tuple[str, str]]:
    """(id, password) of a user of CloudOne with no role."""
    admin = Identity(lab.clouds["CloudOne"].auth_url, User(lab, "CloudOne-admin").token())
    secret = secrets.token_hex(16)
    user = {"name": f"trustee-{secrets.token_hex(4)}", "password": secret, "domain_id": "default"}
    made = admin.ask("POST", "/users", {"user": user})["user"]["id"]
    yield made, secret
    admin.ask("DELETE", f"/users/{made}")


def images(alice: User, token: str, path: str = "/v2/images", **headers: str) -> requests.Response:
    return requests.get(alice.frontend("image") + path, headers={"X-Auth-Token": token} | TWO | headers, timeout=120)


def names(answer: requests.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {image["name"] for image in answer.json()["images"]}


def test_an_application_credential_with_access_rules(mine: Identity, alice: User) -> None:
    user, _ = alice.ids
    rules = [{"service": "image", "method": "GET", "path": "/v2/images"}]
    credential = {"name": secrets.token_hex(4), "secret": "s3cret", "access_rules": rules}
    made = mine.ask("POST", f"/users/{user}/application_credentials", {"application_credential": credential})
    identity = {
        "methods": ["application_credential"],
        "application_credential": {"id": made["application_credential"]["id"], "secret": "s3cret"},
    }
    token = mine.login(identity)
    assert "cirros-cloudtwo" in names(images(alice, token))
    outside = images(alice, token, "/v2/schemas/image")
    assert (outside.status_code, outside.json()["error"]["openstackoid_code"]) == (403, "token.scope"), outside.text
    given = exchange(alice.frontend("identity"), token, "CloudTwo")
    assert (given.status_code, given.json()["error"]["openstackoid_code"]) == (403, "token.scope"), given.text


@pytest.mark.parametrize("impersonation", [True, False])
def test_a_trusts_token(mine: Identity, alice: User, trustee: tuple[str, str], impersonation: bool) -> None:
    user, project = alice.ids
    trust = {
        "trustor_user_id": user,
        "trustee_user_id": trustee[0],
        "project_id": project,
        "impersonation": impersonation,
        "roles": [{"name": "member"}],
    }
    made = mine.ask("POST", "/OS-TRUST/trusts", {"trust": trust})["trust"]["id"]
    token = mine.login(password(*trustee), {"OS-TRUST:trust": {"id": made}})
    assert "cirros-cloudtwo" in names(images(alice, token))
    assert exchange(alice.frontend("identity"), token, "CloudTwo").status_code == 200
    # Whoever ends the trust ends this.
    mine.ask("DELETE", f"/OS-TRUST/trusts/{made}")
    revoked = exchange(alice.frontend("identity"), token, "CloudThree")
    assert (revoked.status_code, revoked.json()["error"]["openstackoid_code"]) == (401, "token.invalid"), revoked.text


def test_a_token_without_a_project_is_not_called_invalid(mine: Identity, alice: User, trustee: tuple[str, str]) -> None:
    answer = images(alice, mine.login(password(*trustee)))
    assert (answer.status_code, answer.json()["error"]["openstackoid_code"]) == (403, "token.scope"), answer.text
