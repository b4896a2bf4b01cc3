"""Tokens that the user's home has not signed, as they stand, for this cloud and for now: refused at every door, where an honest one passes."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests

from openstackoid.lab import Lab
from openstackoid.trust import key_files, tokens
from openstackoid.trust.claims import Claims
from openstackoid.trust.keys import Keys
from openstackoid.trust.packing import pack

from .conftest import User
from .tools import federated


@dataclass(frozen=True)
class Forger:
    """What a forger may have: an honest token of his own, public keys, keys of his own, and those of another cloud.

    Attributes:
        home: the keys of the user's home, for tokens that only home itself could have made.
    """

    token: str
    elsewhere: str
    own: str
    claims: Claims
    home: Keys
    third: Keys
    fresh: Keys

    @property
    def public(self) -> dict[str, Any]:
        return dict(self.home.published(time.time())["keys"]["keys"][0])

    def spelled(self, sign: Callable[[bytes], bytes] = lambda _text: b"", payload: Any = None, **header: Any) -> str:
        """A JWS of our own making; what is not given is as in the honest one."""
        first, second, _ = self.token.split(".")
        honest = json.loads(base64.urlsafe_b64decode(first + "=="))
        parts = [spell(honest | header), second if payload is None else spell(payload)]
        text = ".".join(parts)
        return f"{text}.{spell(sign(text.encode()))}"

    def by_home(self, **changes: Any) -> str:
        return tokens.sign(replace(self.claims, **changes), self.home)

    def admins(self) -> str:
        first, _, third = self.token.split(".")
        return ".".join(
            (first, spell(pack(json.dumps(self.claims.to_json() | {"roles": ["admin", "member"]}).encode())), third)
        )

    def hmac(self) -> str:
        """The public key for a secret, where a verifier lets the token say how it is signed."""
        secret = base64.urlsafe_b64decode(self.public["x"] + "=")
        return self.spelled(lambda text: hmac.digest(secret, text, hashlib.sha256), alg="HS256")

    def respelled(self) -> str:
        """The same signature, whose last character has bits to spare."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        return self.token[:-1] + alphabet[alphabet.index(self.token[-1]) ^ 1]


def spell(document: Any) -> str:
    text = document if isinstance(document, bytes) else json.dumps(document, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def now() -> int:
    return int(time.time())


FORGERIES: dict[str, Callable[[Forger], str]] = {
    "the user's own token": lambda forger: forger.own,
    "nothing": lambda _forger: "eyJ..",
    "unsigned": lambda forger: forger.spelled(alg="none"),
    "signed with what is public": Forger.hmac,
    "other roles, old signature": Forger.admins,
    "spelled in another way": Forger.respelled,
    "a key of one's own under home's name": lambda forger: tokens.sign(forger.claims, forger.fresh),
    "a key of one's own along with it": lambda forger: forger.spelled(jwk=forger.public),
    "signed by a third cloud": lambda forger: tokens.sign(forger.claims, forger.third),
    "for a third cloud": lambda forger: forger.elsewhere,
    "of this very cloud": lambda forger: forger.by_home(issuer="CloudTwo"),
    "of the third cloud": lambda forger: forger.by_home(issuer="CloudThree"),
    "of a cloud that nobody knows": lambda forger: forger.by_home(issuer="CloudNine"),
    "expired": lambda forger: forger.by_home(issued=now() - 900, expires=now() - 600),
    "from the future": lambda forger: forger.by_home(issued=now() + 86400, expires=now() + 86700),
    "that lives for too long": lambda forger: forger.by_home(expires=forger.claims.issued + 86400),
    "expired, with a mark of home": lambda forger: tokens.marked(
        forger.by_home(issued=now() - 900, expires=now() - 600), forger.home
    ),
    "what gateways show each other": lambda forger: tokens.assertion("CloudOne", "CloudTwo", forger.home, now(), 300),
}


@pytest.fixture(scope="module")
def forger(lab: Lab, alice: User, tmp_path_factory: pytest.TempPathFactory) -> Forger:
    own, frontend = alice.token(), alice.frontend("identity")
    token = federated(frontend, own, "CloudTwo")
    home, third = (key_files.read(lab.clouds[name].keys) for name in ("CloudOne", "CloudThree"))
    claims = tokens.verify(token, {each.kid: each.key for each in home.signing})
    fresh = tmp_path_factory.mktemp("keys") / "keys.json"
    return Forger(token, federated(frontend, own, "CloudThree"), own, claims, home, third, key_files.create(fresh))


def statuses(lab: Lab, token: str) -> dict[str, int]:
    """What CloudTwo's doors say to a token: users' frontends, the one for other clouds, and Keystone, asked by CloudTwo's own admin."""
    two = lab.clouds["CloudTwo"]
    headers = {"X-Auth-Token": token}
    urls = {
        "image": f"{two.frontend('image')}/v2/images",
        "compute": f"{two.frontend('compute')}/v2.1/servers",
        "network": f"{two.frontend('network')}/v2.0/networks",
        "peers": f"{two.peering}/image/v2/images",
    }
    said = {
        name: requests.get(url, headers=headers, verify=str(two.ca), timeout=60).status_code
        for name, url in urls.items()
    }
    asker = {"X-Auth-Token": User(lab, "CloudTwo-admin").token(), "X-Subject-Token": token}
    said["identity"] = requests.get(f"{two.auth_url}/auth/tokens", headers=asker, timeout=60).status_code
    return said


def test_the_honest_one_passes(lab: Lab, forger: Forger) -> None:
    for token in (forger.token, forger.by_home(id="signed-in-this-test")):
        said = statuses(lab, token)
        assert said.pop("identity") == 404  # it went to no service through the gateway
        assert set(said.values()) == {200}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_others_do_not(lab: Lab, forger: Forger, forgery: str) -> None:
    said = statuses(lab, FORGERIES[forgery](forger))
    assert said.pop("identity") == 404
    assert set(said.values()) == {401}


def test_an_old_agreement_is_over(lab: Lab, forger: Forger) -> None:
    said = statuses(lab, forger.by_home(agreement="0" * 32))
    assert said.pop("identity") == 404
    assert set(said.values()) == {403}


def test_home_may_say_what_it_likes(lab: Lab, forger: Forger, rows: Callable[[str, str, str], set[str]]) -> None:
    """Its operators can sign any name and any role. It makes nobody an admin here, and nobody one of CloudTwo's users."""
    two, admin = lab.clouds["CloudTwo"], User(lab, "CloudTwo-admin")
    user, project = admin.ids
    liar = forger.by_home(
        roles=("admin", "service", "member"),
        user=replace(forger.claims.user, id=user, name="admin", domain_id="default"),
        project=replace(forger.claims.project, id=project),
    )

    def ask(method: str, kind: str, path: str, **options: Any) -> requests.Response:
        headers = {"X-Auth-Token": liar}
        return requests.request(method, two.frontend(kind) + path, headers=headers, timeout=60, **options)

    assert ask("GET", "compute", "/v2.1/os-hypervisors").status_code == 403
    made = ask("POST", "network", "/v2.0/networks", json={"network": {"name": "lie"}}).json()["network"]["id"]
    kept = rows("CloudTwo", "neutron", f"select project_id from networks where id = '{made}'")
    assert kept.isdisjoint({project})
    assert ask("DELETE", "network", f"/v2.0/networks/{made}").status_code == 204
    told = requests.get(
        f"{two.auth_url}/auth/tokens",
        headers={"X-Auth-Token": admin.token(), "X-Subject-Token": tokens.marked(liar, key_files.read(two.keys))},
        timeout=60,
    ).json()["token"]
    assert told["user"]["id"] != user
    assert told["user"]["domain"]["id"] == "CloudOne"
    assert {role["name"] for role in told["roles"]} == {"member"}
    assert told["is_admin_project"] is False
