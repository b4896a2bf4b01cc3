"""What of a Keystone's catalog a control plane needs, as a server on a socket: regions, services, endpoints, as keystone/api has them."""

import json
import secrets
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import web

PASSWORD: Final = "marker-password-of-the-catalog"


class Catalog:
    """A catalog that its tests can look at.

    Attributes:
        regions, services, endpoints, users, projects, domains: id -> document.
        calls: method and path of each change.
    """

    def __init__(self) -> None:
        self.regions: dict[str, dict[str, Any]] = {"RegionOne": {"id": "RegionOne", "description": ""}}
        self.services: dict[str, dict[str, Any]] = {
            "keystone": {"id": "keystone", "type": "identity", "name": "keystone"}
        }
        self.endpoints: dict[str, dict[str, Any]] = {
            "own": {"id": "own", "service_id": "keystone", "region_id": "RegionOne", "interface": "public", "url": "x"}
        }
        domain = {"domain_id": "default"}
        self.users: dict[str, dict[str, Any]] = {"u" * 32: {"id": "u" * 32, "name": "xavier", **domain}}
        self.projects: dict[str, dict[str, Any]] = {"p" * 32: {"id": "p" * 32, "name": "blackboard", **domain}}
        self.domains: dict[str, dict[str, Any]] = {"default": {"id": "default", "name": "Default", "enabled": True}}
        self._left: int | None = None
        self.calls: list[str] = []
        self._token = "catalog-token"

    def of(self, region: str) -> dict[tuple[str, str], str]:
        """(Service type, interface) -> URL of the endpoints of a region."""
        return {
            (self.services[point["service_id"]]["type"], point["interface"]): point["url"]
            for point in self.endpoints.values()
            if point["region_id"] == region
        }

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer below `/v3`."""
        body = json.loads(await request.read() or b"{}")
        if request.path == "/v3/auth/tokens":
            good = body["auth"]["identity"]["password"]["user"]["password"] == PASSWORD
            headers = {"X-Subject-Token": self._token} if good else {}
            return web.json_response({"token": {}}, status=201 if good else 401, headers=headers)
        if request.headers.get("X-Auth-Token") != self._token:
            return web.json_response({"error": {"code": 401}}, status=401)
        _, _, collection, *rest = request.path.split("/")
        if request.method != "GET":
            self.calls.append(f"{request.method} {collection}")
            if self._left == 0:
                return web.json_response({"error": {"code": 503}}, status=503)
            self._left = None if self._left is None else self._left - 1
        return self._of(collection, request, body, unquote(rest[0]) if rest else None)

    def stop_after(self, changes: int) -> None:
        """Refuse every change after so many."""
        self._left = changes

    def go_on(self) -> None:
        """Refuse nothing any more."""
        self._left = None

    def expire(self) -> None:
        """Have the token that was given be one no more."""
        self._token = secrets.token_hex(8)

    def _of(self, collection: str, request: web.BaseRequest, body: Any, identity: str | None) -> web.Response:
        table: dict[str, dict[str, Any]] = getattr(self, collection)
        name = collection.removesuffix("s")
        if request.method == "POST":
            made = {"id": secrets.token_hex(16), **body[name]}
            if made["id"] in table:
                return web.json_response({"error": {"code": 409}}, status=409)
            assert collection != "endpoints" or made["region_id"] in self.regions
            table[made["id"]] = made
            return web.json_response({name: made}, status=201)
        if identity is None:
            wanted = request.query.get("region_id")
            found = [row for row in table.values() if wanted is None or row["region_id"] == wanted]
            return web.json_response({collection: found})
        if identity not in table:
            return web.json_response({"error": {"code": 404}}, status=404)
        if request.method == "DELETE":
            del table[identity]
            return web.Response(status=204)
        table[identity] |= body.get(name, {})
        return web.json_response({name: table[identity]})
