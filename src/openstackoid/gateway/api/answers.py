"""JSON answers of the gateway's own paths."""

from typing import Any

import orjson
from aiohttp import web


def answered(document: dict[str, Any]) -> web.Response:
    """A document as an answer."""
    return web.Response(body=orjson.dumps(document), content_type="application/json")
