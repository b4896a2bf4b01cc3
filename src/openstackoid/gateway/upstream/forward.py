"""One request to one upstream, its body streamed; what becomes of the answer is in `responses`.

Traps of HTTP behind these two files, each with a test:

- A chunked request body stays chunked and never leaves its connection to another request: WSGI servers lose their place
  in the stream after it (cheroot closes the stream when glance closes `wsgi.input`), and a server that answers before it
  read the body leaves the rest to be parsed as a request. So a streamed body has a connection of its own.
- A body with `Content-Length` keeps it: the upstream then knows a short one from a whole one.
- A request whose body was begun is never sent again.
- An answer that breaks off must break off for the client too: its connection is cut, not ended well.
"""

from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import web
from yarl import URL

from openstackoid.core import limits
from openstackoid.core.errors import BodyError
from openstackoid.core.links import Links
from openstackoid.gateway.entry import headers as heads
from openstackoid.gateway.entry.calls import Border, Call, Way
from openstackoid.gateway.federation.peers import reason
from openstackoid.gateway.upstream.pool import Pool, Upstream
from openstackoid.gateway.upstream.responses import OBJECTS, WHOLE, pass_on
from openstackoid.gateway.upstream.rewriter import Rewrite
from openstackoid.gateway.upstream.rewriting import SMALL, Rewriting

_JSON: Final = frozenset({"application/json", "application/openstack-images-v2.1-json-patch"})


async def forward(
    request: web.BaseRequest, pool: Pool, upstream: Upstream, call: Call, way: Way, links: Links
) -> web.StreamResponse:
    """Send a request on and its answer back.

    Args:
        request: as it came.
        pool: connections.
        upstream: where to.
        call: its path, and the headers to be sent; framing of the body is added here.
        way: what becomes of ids, and of the answer's JSON.
        links: what becomes of URLs in the answer.

    Returns:
        The answer, not begun if it is small, sent if it was streamed.

    Raises:
        OpenStackoidError: the upstream's own errors, before anything was answered.
        CutError: after the answer had begun; the client's connection is cut.
    """
    session, headers, service = pool.peers if upstream.far else pool.shared, call.headers, call.place.service
    body: bytes | AsyncIterator[bytes] | None = None
    there = way.there if way.there and way.there.changes and service != OBJECTS else None
    if (way.back and way.back.changes) or (call.border is not Border.NONE and service != OBJECTS):
        headers["Accept-Encoding"] = "identity"  # what is packed cannot be mapped, nor looked at
    if request.body_exists:
        length = request.content_length
        if there and request.content_type in _JSON:
            body = await _mapped(request, pool.rewriting, Rewrite(service, limits.REQUEST, there), call)
        elif length is not None and length <= WHOLE:
            await _continue(request)
            body = await request.read()
        else:
            body, session = _stream(request), pool.single
            headers["Connection"] = "close"  # the upstream must not read the rest of a body as a request
    url = URL(upstream.base + way.target(call), encoded=True)
    try:
        answer = await session.request(request.method, url, headers=headers, data=body, allow_redirects=False)
    except TimeoutError:
        raise upstream.timeout(f"{upstream.name} did not answer in time at {upstream.base}.") from None
    except (aiohttp.ClientError, OSError) as error:
        raise upstream.unreachable(f"{upstream.name} cannot be reached at {upstream.base}: {reason(error)}.") from None
    try:
        heads.refuse_long(upstream.name, answer.raw_headers)
        response = await pass_on(request, pool.rewriting, answer, upstream, call, way, links)
    except BaseException:
        answer.close()
        raise
    answer.release()
    return response


async def _mapped(request: web.BaseRequest, rewriting: Rewriting, rewrite: Rewrite, call: Call) -> bytes:
    """The JSON body of a request with its ids mapped.

    Raises:
        BodyError: it is larger than any such document of OpenStack's.
        BusyError: too many such documents are under way.
    """
    await _continue(request)
    sender, read = f"{call.record.home or call.record.cloud}'s users", bytearray()
    with rewriting.holding(sender) as held:
        async for piece in request.content.iter_any():
            read += piece
            if len(read) > rewrite.limit.size:
                raise BodyError(f"Expected a JSON document of {limits.size(rewrite.limit.size)} at most.")
            if len(read) > SMALL:
                held.grow(len(piece))
        call.headers.popall("Content-Length", None)
        body = bytes(read)
        try:
            return await rewriting.apply(rewrite, body, sender)
        except limits.LimitError as error:
            raise BodyError(f"The JSON of the request is too large: {error}.") from None
        except ValueError:
            return body  # the service says what is wrong with it


async def _stream(request: web.BaseRequest) -> AsyncIterator[bytes]:
    await _continue(request)
    async for piece in request.content.iter_any():
        yield piece


async def _continue(request: web.BaseRequest) -> None:
    """Tell a client that waits (RFC 9110, 10.1.1) to send its body: the upstream is reached, or the body is small."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
