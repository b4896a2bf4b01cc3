"""A cloud before Horizon: a Keystone that logs two users in, a gateway's list of peers, what a probe asks, and the way to a control plane.

Tokens are those that the control planes' own Keystone of `tests.regions.planes` accepts.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import ClientSession, web
from tests.dashboard import services
from tests.dashboard.hostile import HOSTILE
from tests.regions.door import ADMIN, MEMBER
from yarl import URL

PASSWORD: Final = "a-password-of-the-front"
LONELY: Final = "bob"  # whose region has nothing but Keystone
USERS: Final = {"admin": ADMIN, "alice": MEMBER, LONELY: "token-of-bob"}
_PROJECT: Final = {"id": "a" * 32, "name": "demo", "domain": {"id": "default", "name": "Default"}, "enabled": True}
_EXPIRES: Final = "2099-01-01T00:00:00.000000Z"


class Front:
    """The server.

    Attributes:
        peers: names of the clouds that the gateway knows.
        gateway: URL of a real gateway, which has the operators' API; empty if there is none.
    """

    gateway = ""

    def __init__(self, host: str, port: int, plane: str, peers: list[str]) -> None:
        """Stand before a control plane, by its URL."""
        self._plane = plane
        self._base = base = f"http://{host}:{port}"
        self._host, self._port = host, port
        self._catalog = {"identity": f"{base}/v3", "compute": f"{base}/compute/v2.1", "image": f"{base}/image"}
        self._catalog |= {"network": f"{base}/network", "volumev3": f"{base}/volume/v3"}
        self._catalog["virtual-region"] = f"{base}/plane"
        self.peers = peers

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        runner = web.ServerRunner(web.Server(self._answer))
        await runner.setup()
        await web.TCPSite(runner, self._host, self._port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.rstrip("/")
        if path.startswith("/plane"):
            return await self._pass_on(request)
        if path in {"/openstackoid/v1/audit", "/openstackoid/v1/agreements"}:
            return await _sent_on(request, self.gateway + str(request.rel_url))
        body = json.loads(await request.read() or b"{}")
        if path == "/openstackoid/v1/peers":
            return web.json_response({"cloud": "CloudOne", "peers": [self._peer(name) for name in self.peers]})
        if path == "/openstackoid/v1/explain":
            return web.json_response(explained(request.query["service"], request.headers["X-Scope"]))
        if path == "/v3/auth/tokens" and request.method == "POST":
            return self._log_in(body["auth"])
        if path == "/v3":
            links = [{"rel": "self", "href": self._catalog["identity"]}]
            return web.json_response({"version": {"id": "v3.14", "status": "stable", "links": links}})
        if request.headers.get("X-Auth-Token") not in USERS.values():
            return web.json_response({"error": {"code": 401, "message": "no token"}}, status=401)
        if path.startswith("/v3/users/") and path.endswith("/projects"):
            return web.json_response({"projects": [_PROJECT | {"domain_id": "default"}], "links": {}})
        if path == "/v3/projects":
            return web.json_response({"projects": [_PROJECT | {"domain_id": "default"}], "links": {}})
        if path == "/v3/domains":
            return web.json_response({"domains": [{"id": "default", "name": "Default", "enabled": True}], "links": {}})
        if request.headers.get("X-Scope-Annotate"):
            # Two clouds answer, a third does not; names are of others.
            items = [
                {"id": "i1", "name": HOSTILE, "cloud": "CloudTwo"},
                {"id": {}, "name": "without a proper id", "cloud": "CloudTwo"},
                {"id": "i2", "name": "ours", "cloud": "CloudOne"},
            ]
            return web.json_response(
                {path.removesuffix("/detail").rpartition("/")[2]: items},
                headers={"X-Scope-Missing": "CloudNine;code=peer.timeout"},
            )
        found = services.answers(self._base).get(path)
        if found is not None:
            return web.json_response(found)
        return web.json_response({"error": {"code": 404, "message": f"no {path}"}}, status=404)

    async def _pass_on(self, request: web.BaseRequest) -> web.Response:
        """To the control plane; use is what `services` says, since nothing is measured here."""
        if request.path.endswith("/usage"):
            return web.json_response(services.usage(request.query["from"]))
        return await _sent_on(request, self._plane + str(request.rel_url).removeprefix("/plane"))

    def _log_in(self, auth: dict[str, Any]) -> web.Response:
        identity = auth["identity"]
        if "password" in identity["methods"]:
            user = identity["password"]["user"]
            name = user["name"] if user["password"] == PASSWORD else ""
        else:
            name = next((name for name, token in USERS.items() if token == identity["token"]["id"]), "")
        if name not in USERS or "domain" in auth.get("scope", {}):
            return web.json_response({"error": {"code": 401, "message": "not you"}}, status=401)
        token: dict[str, Any] = {
            "methods": identity["methods"],
            "user": {"id": name, "name": name, "domain": {"id": "default", "name": "Default"}},
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": _EXPIRES,
        }
        if "scope" in auth:
            roles = ["admin", "member", "reader"] if name == "admin" else ["member", "reader"]
            token["roles"] = [{"id": role, "name": role} for role in roles]
            token["project"] = {name: _PROJECT[name] for name in ("id", "name", "domain")}
            token["catalog"] = [
                {"type": kind, "name": kind, "id": kind, "endpoints": [_endpoint(url)]}
                for kind, url in self._catalog.items()
                if name != LONELY or kind == "identity"
            ]
        return web.json_response({"token": token}, status=201, headers={"X-Subject-Token": USERS[name]})

    def _peer(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "url": f"https://{name.lower()}.example",
            "token": "federated",
            "labels": [],
            "round_trip_ms": 1.5,
            "services": ["compute", "image"],
            "state": "up",
            "error": None,
            "agreement": {"ours": "active", "theirs": "active", "offered_here": [], "offered_there": []},
        }


async def _sent_on(request: web.BaseRequest, url: str) -> web.Response:
    """The answer of a server behind this one."""
    headers = {name: value for name, value in request.headers.items() if name in {"X-Auth-Token", "Content-Type"}}
    async with (
        ClientSession() as session,
        session.request(request.method, URL(url, encoded=True), data=await request.read(), headers=headers) as answer,
    ):
        return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")


def _endpoint(url: str) -> dict[str, str]:
    return {"id": "e", "interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": url}


def explained(service: str, scope: str) -> dict[str, Any]:
    """A gateway's answer about a cloud that it does not know; one of its texts is hostile."""
    error = {"code": 400, "message": "No cloud is named CloudNine.", "openstackoid_code": "cloud.unknown"}
    why = [f"{service} is of CloudNine", f"asked: {HOSTILE}"]
    return {"decision": "reject", "cloud": None, "scope": json.loads(scope), "why": why, "error": error}
