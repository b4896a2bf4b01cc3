"""How a simulated cloud misbehaves."""

import asyncio
from typing import Final

from aiohttp import web

_HANG: Final = 600.0  # seconds: longer than any test


async def faulty(fault: str, request: web.Request) -> web.StreamResponse:
    """What a request gets instead of an answer: "hang", "rubbish", "strange", "huge", "cut", or an HTTP status."""
    match fault:
        case "hang":
            await asyncio.sleep(_HANG)
        case "rubbish":
            return web.Response(
                body=b'{"servers": [{"id": 7, "name": [], "flavor": "\xff', content_type="application/json"
            )
        case "strange":
            return web.json_response(
                {"servers": [{"id": 7, "name": ["x"], "flavor": 3, "metadata": [1], "status": {"a": 1}}, 5, None]}
            )
        case "huge":
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            for _ in range(4096):
                await response.write(b" " * 65536)
            return response
        case "cut":
            assert request.transport
            request.transport.abort()
        case number:
            headers = {"Retry-After": "7"} if number in ("429", "503") else {}
            return web.json_response(
                {"computeFault": {"code": int(number), "message": "out of order"}}, status=int(number), headers=headers
            )
    return web.Response(status=500)
