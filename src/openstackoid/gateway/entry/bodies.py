"""Bodies of requests that the gateway itself reads, or makes."""

from collections.abc import AsyncIterator
from typing import Final, cast

from aiohttp import HttpVersion10, web
from multidict import CIMultiDict, CIMultiDictProxy

from openstackoid.core.errors import BodyError
from openstackoid.core.limits import size

_DOCUMENT: Final = 256 << 10  # bytes: the largest is a server's user data, 64 KiB


class MadeContent:
    """A body that is in memory, read as aiohttp's stream."""

    def __init__(self, body: bytes) -> None:
        self._left = body

    async def readany(self) -> bytes:
        """All that is left; empty at the end."""
        left, self._left = self._left, b""
        return left

    async def iter_any(self) -> AsyncIterator[bytes]:
        """The pieces that are left."""
        while piece := await self.readany():
            yield piece


class MadeRequest:
    """A request that the gateway makes itself, with what the senders and `upstream` read of one that came from a client.

    Args:
        method: HTTP method.
        headers: of the request.
        body: whole.
    """

    # What is answered to it is never sent in pieces: nobody waits at its end.
    version = HttpVersion10

    def __init__(self, method: str, headers: CIMultiDict[str], body: bytes | None) -> None:
        self.method = method
        self.headers = CIMultiDictProxy(headers)
        self.body_exists = body is not None
        self.content_length = None if body is None else len(body)
        self.content_type = headers.get("Content-Type", "application/octet-stream").partition(";")[0]
        self._body = body or b""

    @property
    def content(self) -> MadeContent:
        """The body from its beginning, as often as it is asked for."""
        return MadeContent(self._body)

    async def read(self) -> bytes:
        """The body."""
        return self._body


def made(method: str, headers: CIMultiDict[str], body: bytes | None) -> web.BaseRequest:
    """A request that the gateway makes itself, as a request of aiohttp's."""
    return cast("web.BaseRequest", MadeRequest(method, headers, body))


async def send_continue(request: web.BaseRequest) -> None:
    """Tell a client that waits (RFC 9110, 10.1.1) to send its body: the upstream is reached, or the body is small."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def document(request: web.BaseRequest) -> bytes:
    """The whole body of a request that several clouds get.

    Raises:
        BodyError: it is larger than any such document of OpenStack's.
    """
    if not request.body_exists:
        return b""
    read = bytearray()
    await send_continue(request)
    async for piece in request.content.iter_any():
        read += piece
        if len(read) > _DOCUMENT:
            raise BodyError(f"Expected a JSON document of {size(_DOCUMENT)} at most for several clouds.")
    return bytes(read)
