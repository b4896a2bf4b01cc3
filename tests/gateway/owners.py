"""Clouds of different owners, fake at the wire: each with keys of its own, a door for the others, and a Keystone that knows its users."""

import hashlib
import json
import secrets
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.gateway.wire import PROJECT, Answer, Cloud, Gateway, Seen, Upstream, ask, reply
from tests.ports import free_port

from openstackoid.core import scope as scopes
from openstackoid.trust import base64url, key_files, tokens
from openstackoid.trust import keys as keyfile
from openstackoid.trust.claims import Claims, Named
from openstackoid.trust.keys import Keys
from openstackoid.trust.packing import unpack
from openstackoid.trust.sealing import seal
from openstackoid.trust.store import Store

PASSWORD = "gAAAAAmarker-password-of-the-gateway"
ASSERTION = "X-Openstackoid-Assertion"
ALICE = "a" * 32
DEMO = "d" * 32
DOMAIN = {"id": "default", "name": "Default"}


def user_id(name: str) -> str:
    """The id of a user of the tests."""
    return ALICE if name == "alice" else hashlib.sha256(name.encode()).hexdigest()[:32]


class Keystone:
    """What of a Keystone the gateways need: tokens that validate themselves or each other, and projects."""

    def __init__(self, cloud: Cloud) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self.projects: dict[tuple[str, str], str] = {}
        self.disabled: set[str] = set()  # ids of projects and domains
        self.tags: dict[str, list[str]] = {}  # of projects
        self.living = {DEMO}  # its users' own projects
        self.upstream = cloud["identity"]
        self.upstream.on("/v3/auth/tokens", self._tokens)
        self.upstream.on("/v3/projects", self._projects)
        self.upstream.on("/v3/projects/", lambda seen, _: self._one(seen, "project"))
        self.upstream.on("/v3/domains/", lambda seen, _: self._one(seen, "domain"))
        self.upstream.on("/v3/services", self._services)
        self.upstream.on("/v3/endpoints", self._endpoints)
        self.catalog = cloud.catalog
        self._account = self.issue("openstackoid", "admin")

    def issue(self, name: str, *roles: str, seconds: int = 3600, **changed: Any) -> str:
        """A token; `changed` replaces parts of what it is."""
        # As long as Fernet tokens are, and as hard to tell from their end.
        token = f"gAAAAAmarker-{name}-{secrets.token_urlsafe(137)}"[:183]
        end = datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        body = {
            "methods": ["password"],
            "user": {"id": user_id(name), "name": name, "domain": DOMAIN},
            "project": {"id": DEMO, "name": "demo", "domain": DOMAIN},
            "roles": [{"id": role, "name": role} for role in roles],
            "expires_at": end,
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "audit_ids": ["x"],
        }
        self.known[token] = {key: value for key, value in (body | changed).items() if value is not None}
        return token

    def _has_rules(self, token: str) -> bool:
        return "access_rules" in self.known[token].get("application_credential", {})

    def revoke_account(self) -> None:
        """Replace the token of the gateway's account, which is then not valid any more."""
        del self.known[self._account]
        self._account = self.issue("openstackoid", "admin")

    def asked(self, token: str) -> int:
        """How often it was asked what a token is."""
        seen = self.upstream.all("/v3/auth/tokens")
        return len([each for each in seen if each.method == "GET" and each.get("X-Subject-Token") == token])

    def _tokens(self, seen: Seen, _: socket.socket) -> bytes:
        if seen.method == "POST":
            user = json.loads(seen.raw)["auth"]["identity"]["password"]["user"]
            if user["password"] != PASSWORD:
                return reply(401, {"error": {"code": 401}})
            body = self.known[self._account] | {"catalog": self.catalog()}
            return reply(201, {"token": body}, {"X-Subject-Token": self._account})
        asker, subject = seen.get("X-Auth-Token") or "", seen.get("X-Subject-Token") or ""
        enforces = seen.get("OpenStack-Identity-Access-Rules") == "1.0"
        if asker not in self.known or (self._has_rules(asker) and not enforces):
            return reply(401, {"error": {"code": 401}})
        # The trustor by its answer, the trustee by Keystone's policy.
        if self.known[asker].get("OS-TRUST:trust", {}).get("impersonation"):
            return reply(403, {"error": {"code": 403}})
        if subject not in self.known or (self._has_rules(subject) and not enforces):
            return reply(404, {"error": {"code": 404}})
        if seen.method == "DELETE":
            del self.known[subject]
            return reply(204)
        body = self.known[subject]
        if "nocatalog" not in seen.target:
            project = (body.get("project") or {"id": "none"})["id"]
            body = body | {"catalog": json.loads(json.dumps(self.catalog()).replace(PROJECT, project))}
        return reply(200, {"token": body}, {"X-Subject-Token": subject})

    def _one(self, seen: Seen, kind: str) -> bytes:
        """A project or a domain by its id."""
        wanted = seen.target.rpartition("/")[2]
        domains = {project: domain for (domain, _), project in self.projects.items()}
        if kind == "project" and wanted not in domains:
            return reply(404, {"error": {"code": 404}})
        if seen.method == "PATCH" and seen.get("X-Auth-Token") == self._account:
            change = json.loads(seen.raw)[kind]
            self.tags[wanted] = change["tags"]
            (self.disabled.discard if change["enabled"] else self.disabled.add)(wanted)
        described = {"id": wanted, "enabled": wanted not in self.disabled, "domain_id": domains.get(wanted)}
        described |= {"tags": self.tags.get(wanted, [])}
        return self._to_account(seen, {kind: described})

    def _services(self, seen: Seen, _: socket.socket) -> bytes:
        entries = [{name: entry[name] for name in ("id", "type", "name")} for entry in self.catalog()]
        return self._to_account(seen, {"services": entries})

    def _endpoints(self, seen: Seen, _: socket.socket) -> bytes:
        points = [
            {key: point[key] for key in ("id", "interface", "region_id")}
            | {"service_id": entry["id"], "url": point["url"].replace(PROJECT, "$(tenant_id)s")}
            for entry in self.catalog()
            for point in entry["endpoints"]
        ]
        return self._to_account(seen, {"endpoints": points})

    def _to_account(self, seen: Seen, document: Any) -> bytes:
        asker = seen.get("X-Auth-Token")
        return reply(200, document) if asker == self._account else reply(403, {"error": {"code": 403}})

    def stands_for(self, home: str, domain: str = "default") -> str:
        """The one project in a domain here that stands for one of another cloud."""
        (found,) = [
            key for (where, name), key in self.projects.items() if where == domain and name.startswith(f"{home}-")
        ]
        return found

    def _projects(self, seen: Seen, _: socket.socket) -> bytes:
        if seen.get("X-Auth-Token") not in self.known:
            return reply(401, {"error": {"code": 401}})
        if seen.get("X-Auth-Token") != self._account:
            return reply(403, {"error": {"code": 403}})
        if seen.method == "POST":
            given = json.loads(seen.raw)["project"]
            key = (given["domain_id"], given["name"])
            if key in self.projects:
                return reply(409, {"error": {"code": 409}})
            self.projects[key] = secrets.token_hex(16)
            return reply(201, {"project": given | {"id": self.projects[key]}})
        if "?" not in seen.target:
            return reply(200, {"projects": [{"id": id_} for id_ in sorted({*self.living, *self.projects.values()})]})
        query = {name: values[0] for name, values in parse_qs(urlsplit(seen.target).query).items()}
        found = self.projects.get((query["domain_id"], query["name"]))
        described = {"id": found, "tags": self.tags.get(found or "", [])}
        return reply(200, {"projects": [described] if found else []})


class Signer:
    """What others see of a cloud of another owner: a name, keys, and the URL of its peering door."""

    name: str
    keys: Keys
    peering: str

    def seen_by(self, other: "Owner") -> None:
        """Let another one have seen this cloud's keys before."""
        store = other.store
        store.remember_keys(self.name, self.keys.published(time.time()))
        store.close()

    def entry(self, allow: Mapping[str, Any]) -> dict[str, Any]:
        """This cloud among the peers of another one's configuration."""
        return {"url": self.peering, "token": "federated", "fingerprint": self.keys.fingerprint, "allow": allow}

    def assertion(self, audience: str) -> dict[str, str]:
        """The header by which a gateway of this cloud shows whose it is."""
        return {ASSERTION: tokens.assertion(self.name, audience, self.keys, int(time.time()), 300)}

    def statement(self, other: "Owner") -> dict[str, Any]:
        """What the other one says to this one."""
        answer = ask(other.peering, "/openstackoid/v1/agreement", self.assertion(other.name), token=None)
        assert answer.status == 200, answer.body
        said: dict[str, Any] = answer.json
        return said

    def token(self, other: "Owner", own: str = "gAAAAAmarker-own", **changed: Any) -> str:
        """A federated token as this cloud's gateways make them, or one that only differs by what is given."""
        agreement = changed.pop("agreement", None) or self.statement(other)["agreement"]
        return self.signed(changed.pop("audience", other.name), agreement, own, **changed)

    def signed(self, audience: str, agreement: str, own: str = "gAAAAAmarker-own", **changed: Any) -> str:
        """The same for a cloud of a name, under an agreement that is known."""
        now = int(time.time())
        parts: dict[str, Any] = {
            "issuer": self.name,
            "audience": audience,
            "id": tokens.new_id(),
            "issued": now,
            "expires": now + 300,
            "agreement": agreement,
            "user": Named(ALICE, "alice", "default", "Default"),
            "project": Named(DEMO, "demo", "default", "Default"),
            "roles": ("member", "reader"),
            "scope": scopes.parse(json.dumps({"*": self.name, "identity": self.name, "image": audience})),
            "sealed": seal(own, self.keys, now),
        }
        keys: Keys = changed.pop("keys", self.keys)
        return tokens.sign(Claims(**(parts | changed)), keys)


class Owner(Signer, Cloud):
    """A cloud whose owner trusts nobody further than agreed."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, paths=False)
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "password").write_text(PASSWORD + "\n")
        self.keys = key_files.create(folder / "keys.json")
        self.peering = f"http://127.0.0.1:{free_port()}"
        self.keystone = Keystone(self)

    @property
    def store(self) -> Store:
        """The database of its agreements."""
        made = Store(f"sqlite:///{self.folder / 'trust.sqlite'}")
        made.upgrade()
        return made

    def settings(self, peers: dict[str, Any], **trust: Any) -> dict[str, Any]:
        """The configuration of its gateways."""
        account = {
            "auth_url": self["identity"].url + "/v3",
            "username": "openstackoid",
            "password_file": "password",
            "project_name": "service",
        }
        for peer in peers.values():
            kind, _, shared = str(peer.get("allow", {}).get("projects", "")).partition(":")
            if kind == "one":
                self.keystone.projects["default", f"for all of them {shared}"] = shared
        given = {"keys": "keys.json", "database": "sqlite:///trust.sqlite", "account": account} | trust
        return self.config(peers=peers, peering={"url": self.peering}, trust=given)

    def known(self, gateway: Gateway) -> dict[str, dict[str, Any]]:
        """The peers as a gateway of this cloud tells them."""
        told = ask(gateway.url("image"), "/openstackoid/v1/peers", token=None).json["peers"]
        return {peer["name"]: peer for peer in told}


class Bare(Upstream):
    """Another owner's cloud without a gateway: it shows what arrives."""

    def __init__(self, name: str) -> None:
        super().__init__(lambda seen, _: reply(200, {"cloud": name, "target": seen.target}))
        self.name = name
        self.keys = keyfile.fresh_keys(int(time.time()))
        services = {kind: {"url": f"{self.url}/{kind}"} for kind in ("image", "compute", "identity")}
        document = {"cloud": name, "version": 1, "services": services} | self.keys.published(time.time())
        said = {"agreement": "b" * 32, "state": "active", "services": ["image"], "roles": ["member"]}
        self.on("/.well-known/openstackoid", reply(200, document))
        self.on("/openstackoid/v1/agreement", reply(200, said))

    def entry(self, allow: Mapping[str, Any]) -> dict[str, Any]:
        return {"url": self.url, "token": "federated", "fingerprint": self.keys.fingerprint, "allow": allow}


def payload(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    text = token.split(".")[1]
    found: dict[str, Any] = json.loads(unpack(base64url.decode(text) or b""))
    return found


def plain(seen: Seen) -> str:
    """The token of a request without its mark and scope."""
    return (seen.get("X-Auth-Token") or "").partition("!SCOPE!")[0].partition("~")[0]


def refusal(answer: Answer) -> tuple[int, str]:
    assert answer.error
    return answer.status, answer.code


def private(keys: Keys) -> list[str]:
    """Everything in keys that nobody may see."""
    document = json.loads(keys.dump())
    rings = [entry["key"] for entry in (*document["signing"], *document["sealing"])]
    return [
        jwk[name] for jwk in (*rings, document["pseudonyms"], document["inner"]) for name in ("d", "k") if name in jwk
    ]
