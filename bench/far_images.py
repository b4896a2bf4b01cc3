"""Image services of some clouds at the wire, each with a rate of its own: one process, an address for each cloud (`bench.upstream.address`).

    python -m bench.far_images PORT RATE ...     RATE: MiB/s that the cloud takes of an upload; 0 takes nothing

What clouds need beside it for a replica: an image's record, and a token's (of the first cloud's Keystone).
"""

import asyncio
import hashlib
import sys
import time
from typing import Final

import uvloop
from aiohttp import web

from bench.upstream import PROJECT, address

_MIB: Final = 1 << 20
_RATE: Final = web.AppKey("rate", float)
_DIGESTS: Final = web.AppKey("digests", dict[str, str])


async def _token(_: web.Request) -> web.Response:
    token = {"user": {"id": "u"}, "project": {"id": PROJECT}, "roles": [{"name": "member"}], "catalog": []}
    return web.json_response({"token": token})


async def _create(request: web.Request) -> web.Response:
    image = await request.json()
    return web.json_response({"status": "queued", **image}, status=201)


async def _show(request: web.Request) -> web.Response:
    """The digest of what was uploaded; 404 before."""
    digest = request.app[_DIGESTS].get(request.match_info["id"])
    return web.json_response({"id": request.match_info["id"], "os_hash_value": digest}, status=200 if digest else 404)


async def _take(request: web.Request) -> web.Response:
    rate, began, size, hashing = request.app[_RATE], time.monotonic(), 0, hashlib.sha512()
    if not rate:
        await asyncio.Event().wait()
    async for piece in request.content.iter_any():
        hashing.update(piece)
        size += len(piece)
        await asyncio.sleep(max(0.0, began + size / rate / _MIB - time.monotonic()))
    request.app[_DIGESTS][request.match_info["id"]] = hashing.hexdigest()
    return web.Response(status=204)


async def _serve(port: int, rates: list[float]) -> None:
    for number, rate in enumerate(rates):
        app = web.Application(client_max_size=1 << 40)
        app[_RATE], app[_DIGESTS] = rate, {}
        app.router.add_get("/v3/auth/tokens", _token)
        app.router.add_post("/v2/images", _create)
        app.router.add_get("/v2/images/{id}", _show)
        app.router.add_put("/v2/images/{id}/file", _take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1" if number == 0 else address(number), port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), [float(rate) for rate in sys.argv[2:]]))
