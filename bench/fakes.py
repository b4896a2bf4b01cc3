"""Fakes at the wire for what the gateways of clouds of different owners need: a Keystone, and a service that validates tokens.

python -m bench.fakes keystone PORT             believes every token: each is another user of one project
python -m bench.fakes image PORT IDENTITY       asks IDENTITY what each request's token is, as keystonemiddleware does;
                                                and remembers it where a request says X-Bench-Cache
"""

import asyncio
import hashlib
import sys
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

from bench.upstream import PROJECT

HOME_PROJECT = "11111111111111111111111111111111"
CACHE = "X-Bench-Cache"
_DOMAIN = {"id": "default", "name": "Default"}
_SERVICE = "gAAAAA" + "s" * 177


def keystone() -> web.Application:
    """What the gateways ask of Keystone: what a token is, a login, a project."""

    async def validate(request: web.Request) -> web.Response:
        return web.json_response({"token": _token(request.headers["X-Subject-Token"])})

    async def login(_: web.Request) -> web.Response:
        return web.json_response({"token": _token(_SERVICE)}, status=201, headers={"X-Subject-Token": _SERVICE})

    async def project(_: web.Request) -> web.Response:
        return web.json_response({"project": {"id": PROJECT}}, status=201)

    async def projects(_: web.Request) -> web.Response:
        return web.json_response({"projects": []})

    async def one_project(_: web.Request) -> web.Response:
        return web.json_response({"project": {"id": PROJECT, "enabled": True, "domain_id": "default"}})

    async def one_domain(_: web.Request) -> web.Response:
        return web.json_response({"domain": {"id": "default", "enabled": True}})

    async def services(_: web.Request) -> web.Response:
        return web.json_response({"services": []})

    async def endpoints(_: web.Request) -> web.Response:
        return web.json_response({"endpoints": []})

    application = web.Application()
    application.router.add_get("/v3/auth/tokens", validate)
    application.router.add_post("/v3/auth/tokens", login)
    application.router.add_get("/v3/projects", projects)
    application.router.add_post("/v3/projects", project)
    application.router.add_get("/v3/projects/{id}", one_project)
    application.router.add_get("/v3/domains/{id}", one_domain)
    application.router.add_get("/v3/services", services)
    application.router.add_get("/v3/endpoints", endpoints)
    return application


def image(identity: str) -> web.Application:
    """A service with a list of nothing."""
    known: set[str] = set()

    async def images(request: web.Request) -> web.Response:
        token = request.headers["X-Auth-Token"]
        if token not in known:
            headers = {"X-Auth-Token": _SERVICE, "X-Subject-Token": token}
            async with request.app[_SESSION].get(f"{identity}/v3/auth/tokens", headers=headers) as answer:
                if answer.status != 200:
                    return web.Response(status=401, text=await answer.text())
                await answer.read()
            if CACHE in request.headers:
                known.add(token)
        return web.json_response({"images": [], "first": "/v2/images", "schema": "/v2/schemas/images"})

    async def session(application: web.Application) -> Any:
        async with aiohttp.ClientSession() as application[_SESSION]:
            yield

    application = web.Application()
    application.cleanup_ctx.append(session)
    application.router.add_get("/v2/images", images)
    return application


_SESSION = web.AppKey("session", aiohttp.ClientSession)


def _token(text: str) -> dict[str, Any]:
    user = hashlib.sha256(text.encode()).hexdigest()[:32]
    return {
        "methods": ["password"],
        "user": {"id": user, "name": "alice", "domain": _DOMAIN, "password_expires_at": None},
        "project": {"id": HOME_PROJECT, "name": "demo", "domain": _DOMAIN},
        "roles": [{"id": "r", "name": "member"}, {"id": "s", "name": "reader"}],
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "audit_ids": ["a"],
    }


async def _serve(application: web.Application, port: int) -> None:
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(keystone() if sys.argv[1] == "keystone" else image(sys.argv[3]), int(sys.argv[2])))
