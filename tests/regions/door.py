"""The peering door of a cloud with a control plane, and its Keystone: a server on a socket that answers as the real ones do.

It can lose requests and answers, and send them twice.
"""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from aiohttp import web
from tests.regions.catalog import Catalog
from tests.regions.cloud import Cloud

from openstackoid.trust.keys import Keys

READER, MANAGER, ADMIN, MEMBER, DOMAIN = "reader-token", "manager-token", "admin-token", "member-token", "domain-token"
_TOKENS: Final[dict[str, dict[str, Any]]] = {
    READER: {"roles": [{"name": "reader"}], "system": {"all": True}},
    MANAGER: {"roles": [{"name": "manager"}, {"name": "member"}, {"name": "reader"}], "system": {"all": True}},
    ADMIN: {"roles": [{"name": "admin"}, {"name": "manager"}, {"name": "reader"}], "project": {"id": "a" * 32}},
    MEMBER: {"roles": [{"name": "member"}, {"name": "reader"}, {"name": "manager"}], "project": {"id": "m" * 32}},
    DOMAIN: {"roles": [{"name": "manager"}, {"name": "reader"}], "domain": {"id": "d" * 32}},
}


class Door:
    """A cloud's peering door, and its Keystone.

    Attributes:
        lose: how many of the next requests are lost on their way here.
        forget: how many of the next answers are lost on their way back.
        twice: whether each request arrives twice.
        seen: bodies of the messages that came.
        catalog: of its Keystone.
        cloud: what else it has.
    """

    def __init__(self, keys: Keys, port: int, inner: int) -> None:
        self._keys = keys
        self._port = port
        self._inner = f"http://127.0.0.1:{inner}"
        self.lose = self.forget = 0
        self.twice = False
        self.seen: list[bytes] = []
        self.catalog = Catalog()
        self.cloud = Cloud(f"http://127.0.0.1:{port}")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        runner = web.ServerRunner(web.Server(self._answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        self._session = aiohttp.ClientSession()
        try:
            yield
        finally:
            await self._session.close()
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/.well-known/openstackoid":
            return web.json_response(self._keys.published(time.time()))
        if request.path == "/v3/auth/tokens" and request.method == "GET":
            return self._token(request)
        body = await request.read()
        document = json.loads(body or b"{}")
        if self.cloud.serves(request, document):
            return self.cloud.answer(request, document)
        if request.path.startswith("/v3/"):
            return await self.catalog.answer(request)
        if self.lose:
            self.lose -= 1
            return web.Response(status=503)
        if body:
            self.seen.append(body)
        for _ in range(1 + self.twice):
            status, answer = await self._pass_on(request, body)
        if self.forget:
            self.forget -= 1
            return web.Response(status=504)
        return web.Response(status=status, body=answer, content_type="application/json")

    async def _pass_on(self, request: web.BaseRequest, body: bytes) -> tuple[int, bytes]:
        url = self._inner + request.path
        headers = {name: request.headers[name] for name in ("X-Openstackoid-Assertion",) if name in request.headers}
        try:
            async with self._session.request(request.method, url, data=body or None, headers=headers) as response:
                return response.status, await response.read()
        except aiohttp.ClientError:
            return 502, b"{}"

    def _token(self, request: web.BaseRequest) -> web.Response:
        token = request.headers["X-Auth-Token"]
        assert request.headers["X-Subject-Token"] == token
        if token == "impersonating":
            return web.json_response({"error": {"code": 403}}, status=403)
        if token not in _TOKENS:
            return web.json_response({"error": {"code": 404}}, status=404)
        return web.json_response({"token": {"user": {"id": "u" * 32, "name": token}, **_TOKENS[token]}})
