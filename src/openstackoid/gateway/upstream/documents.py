"""JSON from outside, read within the limits of its kind (`core.limits`)."""

from typing import Any

import aiohttp
import orjson

from openstackoid.core import limits
from openstackoid.core.limits import Limit


async def whole(content: aiohttp.StreamReader, limit: Limit) -> bytes:
    """All of a document, which may come in pieces; of one that is too long a byte more than it may have, for `parsed` to refuse."""
    body = bytearray()
    while len(body) <= limit.size and (piece := await content.readany()):
        body += piece
    return bytes(body[: limit.size + 1])


def parsed(body: bytes, limit: Limit) -> Any:
    """A JSON document.

    Raises:
        ValueError: it is over its limit, or no JSON; the message says what was expected.
    """
    limits.check(body, limit)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("expected JSON") from None
