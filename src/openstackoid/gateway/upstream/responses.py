"""One upstream's answer, passed on: streamed, or read where something in it has to be changed or looked at."""

from collections.abc import AsyncIterator
from typing import Final

import aiohttp
import orjson
from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core import limits
from openstackoid.core.errors import PeerAnswerError
from openstackoid.core.foreign_links import IncomingLinks
from openstackoid.core.link_places import is_one_image
from openstackoid.core.links import Links
from openstackoid.gateway.entry import headers as heads
from openstackoid.gateway.entry.calls import Border, Call, Edit, Way
from openstackoid.gateway.federation.peers import reason
from openstackoid.gateway.upstream import crossing
from openstackoid.gateway.upstream.crossing import Content
from openstackoid.gateway.upstream.documents import parsed
from openstackoid.gateway.upstream.pool import Upstream
from openstackoid.gateway.upstream.rewriter import Rewrite
from openstackoid.gateway.upstream.rewriting import SMALL, Held, Rewriting

WHOLE: Final = 1 << 16  # bytes: bodies up to this are passed on in one piece
OBJECTS: Final = "object-store"
_BODILESS: Final = frozenset({204, 304})

# What a changed document makes wrong.
_OF_LENGTH: Final = ("Content-Length", "ETag", "Content-MD5")


class CutError(Exception):
    """The upstream broke off in the middle of its answer."""


async def pass_on(
    request: web.BaseRequest,
    rewriting: Rewriting,
    answer: aiohttp.ClientResponse,
    upstream: Upstream,
    call: Call,
    way: Way,
    links: Links,
) -> web.StreamResponse:
    """Pass an answer on.

    Args:
        request: what it answers.
        rewriting: for documents.
        answer: with its head read.
        upstream: whose it is.
        call: the request as it was sent on.
        way: what becomes of ids, and of the answer's JSON.
        links: what becomes of URLs.

    Returns:
        The answer, not begun if it is small, sent if it was streamed.

    Raises:
        OpenStackoidError: it cannot be passed on, or the upstream's own errors; before anything was answered.
        CutError: after the answer had begun; the client's connection is cut.
    """
    status = answer.status
    kept = _head(answer, call, way, links)
    # The phrase behind another owner's status is anybody's text.
    phrase = answer.reason if call.border is not Border.IN else None
    if status in _BODILESS:
        return web.Response(status=status, reason=phrase, headers=kept)
    begun = b""
    # An object is its owner's, whatever it looks like.
    if request.method != "HEAD" and call.place.service != OBJECTS:
        begun, is_document = await _looked_at(answer, kept, upstream, call, way, links)
        if is_document:
            with rewriting.holding(upstream.name) as held:
                body = await _read(answer, upstream, begun, held)
                return await _changed(request, rewriting, answer, body, kept, upstream, call, way, links)
    length = answer.content_length
    if request.method != "HEAD" and length is not None and length <= WHOLE:
        return web.Response(status=status, reason=phrase, headers=kept, body=await _read(answer, upstream, begun))
    response = web.StreamResponse(status=status, reason=phrase, headers=kept)
    if request.method != "HEAD" and length is None and request.version >= (1, 1):
        response.enable_chunked_encoding()
    await response.prepare(request)
    await _stream(request, answer, response, begun)
    return response


def _head(answer: aiohttp.ClientResponse, call: Call, way: Way, links: Links) -> CIMultiDict[str]:
    kept = heads.outgoing(answer.headers)
    for name in ("Location", "Content-Location"):
        if way.back and name in kept:
            kept[name] = way.back.url(kept[name])
    if isinstance(links, IncomingLinks):
        crossing.came_in(answer.status, kept, call, links)
        return kept
    if call.border is Border.OUT:
        crossing.keep_only(kept)
    for name in ("Location", "Content-Location"):
        if name in kept:
            kept[name] = links.url(kept[name])
    return kept


async def _looked_at(
    answer: aiohttp.ClientResponse, kept: CIMultiDict[str], upstream: Upstream, call: Call, way: Way, links: Links
) -> tuple[bytes, bool]:
    """What had to be read of the body, and whether it is a document that has to be read as a whole."""
    if not isinstance(links, IncomingLinks):
        changes = links.changes or way.edit is not None or (way.back is not None and way.back.changes)
        return b"", changes and _is_json(answer)
    content = crossing.content(answer.status, kept, call, links)
    if content is not Content.UNKNOWN:
        return b"", content is Content.JSON
    begun = b""
    async for piece in _pieces(answer, upstream):
        begun += piece
        if crossing.begins(begun) or len(begun) > WHOLE:
            break
    return begun, bool(begun) and crossing.is_like_json(begun)


async def _changed(
    request: web.BaseRequest,
    rewriting: Rewriting,
    answer: aiohttp.ClientResponse,
    body: bytes,
    kept: CIMultiDict[str],
    upstream: Upstream,
    call: Call,
    way: Way,
    links: Links,
) -> web.Response:
    status, before, service = answer.status, body, call.place.service
    phrase = answer.reason if call.border is not Border.IN else None
    one_image = is_one_image(service, request.method, call.place.path)
    try:
        if body and way.edit is not None:
            status, body = _edited(way.edit, status, body)
        if body:
            rewrite = Rewrite(service, limits.ANSWER, way.back, links, one_image)
            body = await rewriting.apply(rewrite, body, upstream.name)
    except ValueError as error:
        raise PeerAnswerError(
            f"{upstream.name} answered {answer.status} with what is not JSON as it should be: {error}."
        ) from None
    if body is before:
        return _as_it_came(status, phrase, kept, body)
    for name in _OF_LENGTH:
        kept.popall(name, None)
    return web.Response(status=status, reason=phrase if status == answer.status else None, headers=kept, body=body)


def _edited(edit: Edit, status: int, body: bytes) -> tuple[int, bytes]:
    """What becomes of an answer of Keystone's that holds a catalog; the very same bytes if nothing does."""
    edited = edit(status, parsed(body, limits.IDENTITY))
    return (edited[0], orjson.dumps(edited[1])) if edited is not None else (status, body)


def _as_it_came(status: int, phrase: str | None, kept: CIMultiDict[str], body: bytes) -> web.Response:
    """To the byte: nova calls an empty body JSON, and numbers of any length are JSON."""
    kept.popall("Content-Length", None)
    return web.Response(status=status, reason=phrase, headers=kept, body=body)


async def _stream(
    request: web.BaseRequest, answer: aiohttp.ClientResponse, response: web.StreamResponse, begun: bytes
) -> None:
    piece = begun
    while True:
        if piece:
            await response.write(piece)
        try:
            piece = await answer.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if request.transport is not None:
                request.transport.abort()
            raise CutError(reason(error)) from None
        if not piece:
            break
    await response.write_eof()


async def _read(answer: aiohttp.ClientResponse, upstream: Upstream, begun: bytes, held: Held | None = None) -> bytes:
    if not begun and answer.content.is_eof():
        return answer.content.read_nowait()  # a small one came with its head
    pieces, size = [begun], len(begun)
    async for piece in _pieces(answer, upstream):
        pieces.append(piece)
        size += len(piece)
        if size > limits.ANSWER.size:
            raise PeerAnswerError(
                f"{upstream.name} answered with a document of more than {limits.size(limits.ANSWER.size)}. "
                "Ask for less, with a limit."
            )
        if held is not None and size > SMALL:
            held.grow(len(piece))
    return b"".join(pieces)


async def _pieces(answer: aiohttp.ClientResponse, upstream: Upstream) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.content.iter_any():
            yield piece
    except TimeoutError:
        raise upstream.timeout(f"{upstream.name} did not finish its answer in time.") from None
    except (aiohttp.ClientError, OSError) as error:
        raise upstream.unreachable(f"{upstream.name} broke off its answer: {reason(error)}.") from None


def _is_json(answer: aiohttp.ClientResponse) -> bool:
    kind = answer.headers.get("Content-Type", "")
    return kind.startswith("application/json") and "Content-Encoding" not in answer.headers
