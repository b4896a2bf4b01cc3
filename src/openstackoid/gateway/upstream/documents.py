"""JSON from outside, read within the limits of its kind (`core.limits`)."""

from typing import Any

import aiohttp
import orjson

from openstackoid.core import limits
from openstackoid.core.limits import Limit


async def whole(content: aiohttp.StreamReader, limit: Limit) -> bytes:
    """Read a whole document, in pieces. A document that is too long is cut one byte after its limit, so that `parsed` refuses it."""
    body = bytearray()
    while len(body) <= limit.size and (piece := await content.readany()):
        body += piece
    return bytes(body[: limit.size + 1])


def parsed(body: bytes, limit: Limit) -> Any:
    """A JSON document.

    Raises:
        ValueError: the document is over its limit, or not JSON; the message names what was expected.
    """
    limits.check(body, limit)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("expected JSON") from None
