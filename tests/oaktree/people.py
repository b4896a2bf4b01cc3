"""A cloud at the wire whose Keystone knows several users, their tokens and application credentials, and whose Nova shows each what is theirs."""

import json
import secrets
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.oaktree.keystone import PROJECT
from tests.oaktree.nova import Nova
from tests.oaktree.upstream import TOKEN, Seen, reply

from openstackoid.oaktree.upstream.credentials import TOKEN as METADATA

OTHER = "ffffffffffffffffffffffffffffffff"
_REFUSED = reply(401, {"error": {"code": 401, "message": "The request you have made requires authentication."}})


def token(cloud: str, value: str) -> tuple[str, str]:
    """The metadata with which a user's token goes."""
    return METADATA, f"{cloud} {value}"


class Cloud(Nova):
    """Keystone and Nova.

    Attributes:
        away: Keystone answers 503 to all that is about tokens.
        checked: how often Keystone was asked about a token or an application credential.
    """

    def __init__(self, **options: Any) -> None:
        self._tokens: dict[str, dict[str, Any]] = {}
        self._credentials: dict[str, tuple[str, str, str]] = {}
        self.away = False
        self.checked = 0
        super().__init__(**options)

    def token(self, user: str = "alice", project: str = PROJECT, *, life: float = 3600.0, **more: Any) -> str:
        """A token of a user for a project."""
        token = "gAAAAA" + secrets.token_urlsafe(40)
        body = self._token()["token"]
        body["user"] = {"id": f"id-of-{user}", "name": user, "domain": {"id": "default", "name": "Default"}}
        body["project"] = {**body["project"], "id": project, "name": "demo" if project == PROJECT else "other"}
        body["expires_at"] = (datetime.now(UTC) + timedelta(seconds=life)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body["audit_ids"] = [secrets.token_urlsafe(8)]
        self._tokens[token] = body | more
        return token

    def credential(self, user: str = "alice", project: str = PROJECT) -> tuple[str, str]:
        """An application credential's id and secret."""
        number, secret = secrets.token_hex(16), secrets.token_urlsafe(40)
        self._credentials[number] = (secret, user, project)
        return number, secret

    def revoke(self, token: str) -> None:
        del self._tokens[token]

    def _answer(self, seen: Seen, sock: socket.socket) -> bytes | None:
        path = seen.target.partition("?")[0]
        if path.endswith("/auth/tokens"):
            return self._keystone(seen)
        if seen.method == "POST" and path.endswith("/servers"):
            name = json.loads(seen.body)["server"]["name"]
            return reply(202, {"server": self.servers[self.boot(name)]})
        if "/servers" in path:
            token = seen.headers.get("x-auth-token", "")
            if token == TOKEN:
                return super()._answer(seen, sock)
            if token not in self._tokens:
                return _REFUSED
            project = self._tokens[token]["project"]["id"]
            shown = [each for each in self.servers.values() if each["tenant_id"] == project]
            return reply(200, {"servers": shown})
        return super()._answer(seen, sock)

    def _keystone(self, seen: Seen) -> bytes:
        if seen.method == "GET":
            self.checked += 1
            if self.away:
                return reply(503, {"error": {"code": 503, "message": "later"}})
            token = seen.headers.get("x-subject-token", "")
            if seen.headers.get("x-auth-token") != token or token not in self._tokens:
                return _REFUSED
            return reply(200, {"token": self._tokens[token]}, {"X-Subject-Token": token})
        identity = json.loads(seen.body)["auth"]["identity"]
        if identity["methods"] == ["application_credential"]:
            self.checked += 1
            given = identity["application_credential"]
            secret, user, project = self._credentials.get(given["id"], ("", "", ""))
            if not secret or secret != given["secret"]:
                return _REFUSED
            more: dict[str, Any] = {"application_credential": {"id": given["id"], "name": "x", "restricted": True}}
            token = self.token(user, project, **more)
            return reply(201, {"token": self._tokens[token]}, {"X-Subject-Token": token})
        return reply(201, self._token(), {"X-Subject-Token": TOKEN})
