"""Relays an answer to the client: streamed, or read as a whole if it has to be changed or checked."""

from typing import Final

import aiohttp
import orjson
from aiohttp import web

from openstackoid.core import limits
from openstackoid.core.errors import PeerAnswerError
from openstackoid.core.foreign_links import IncomingLinks
from openstackoid.core.link_places import is_one_image
from openstackoid.core.user_data import OBJECTS, is_download
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.entry.refusals import CutError
from openstackoid.gateway.upstream import crossing
from openstackoid.gateway.upstream.answers import WHOLE, Answer, Response
from openstackoid.gateway.upstream.crossing import Content
from openstackoid.gateway.upstream.documents import parsed
from openstackoid.gateway.upstream.failures import reason
from openstackoid.gateway.upstream.legs import RewriteBody
from openstackoid.gateway.upstream.packing import can_unpack, unpacked
from openstackoid.gateway.upstream.rewriter import Job
from openstackoid.gateway.upstream.rewriting import SMALL, Rewriting

_BODILESS: Final = frozenset({204, 304})
# Headers that are wrong for a changed document.
_OF_BYTES: Final = ("Content-Length", "Content-Encoding", "ETag", "Content-MD5")


async def relay(call: Call, answer: Answer, rewriting: Rewriting) -> web.StreamResponse:
    """Relay an answer to the client, and release its connection.

    Args:
        call: the request.
        answer: of the one cloud that was asked.
        rewriting: for documents.

    Returns:
        The response, not begun if it is small, sent if it was streamed.

    Raises:
        OpenStackoidError: the answer cannot be passed on, or the upstream failed; nothing was sent to the client yet.
        CutError: the upstream failed after the response had begun; the client's connection is cut.
    """
    try:
        response = await _relayed(call, answer, rewriting)
    except BaseException:
        answer.close()
        raise
    answer.release()
    return response


async def hold(call: Call, answer: Answer, rewriting: Rewriting) -> web.Response:
    """Read a whole answer, to be merged with others, and release its connection.

    Raises:
        OpenStackoidError: the answer cannot be read, or the upstream failed.
    """
    try:
        response = await _held(call, answer, rewriting)
    except BaseException:
        answer.close()
        raise
    answer.release()
    return response


async def _held(call: Call, answer: Answer, rewriting: Rewriting) -> web.Response:
    if answer.status in _BODILESS:
        return web.Response(status=answer.status, headers=answer.headers)
    if await is_document(call, answer):
        return await _document(call, answer, rewriting, of_many=True)
    with rewriting.holding(answer.leg.upstream.name) as held:
        body = await answer.read(held)
    answer.headers.popall("Content-Length", None)
    return web.Response(status=answer.status, headers=answer.headers, body=body)


async def _relayed(call: Call, answer: Answer, rewriting: Rewriting) -> web.StreamResponse:
    request, status = call.request, answer.status
    if status in _BODILESS:
        return web.Response(status=status, reason=answer.phrase, headers=answer.headers)
    has_body = request.method != "HEAD"
    # An object of the object store is user data, even if it looks like JSON.
    if has_body and answer.leg.service != OBJECTS and await is_document(call, answer):
        return await _document(call, answer, rewriting)
    length = answer.length
    if has_body and length is not None and length <= WHOLE:
        return web.Response(status=status, reason=answer.phrase, headers=answer.headers, body=await answer.read())
    response = web.StreamResponse(status=status, reason=answer.phrase, headers=answer.headers)
    if has_body and length is None and request.version >= (1, 1):
        response.enable_chunked_encoding()
    if call.listener.cors is not None:
        call.listener.cors.mark(request, response.headers)
    await response.prepare(request)
    await _stream(request, answer, response)
    return response


async def is_document(call: Call, answer: Answer) -> bool:
    """Whether an answer's body is JSON that has to be read as a whole: to be changed, or to be checked because another owner wrote it.

    Raises:
        OpenStackoidError: the body is in a form that cannot be checked, or the upstream breaks off.
    """
    leg = answer.leg
    if not isinstance(leg.links, IncomingLinks):
        ids = leg.rewrite.response_ids
        changes = leg.links.changes or leg.rewrite.rewrite_body is not None or (ids is not None and ids.changes)
        changes = changes or leg.rewrite.resources is not None
        return changes and not is_download(leg.service, call.path) and _is_json(answer.response)
    content = crossing.content(answer.status, answer.headers, leg.links, is_data=is_download(leg.service, call.path))
    if content is not Content.UNKNOWN:
        return content is Content.JSON
    begun = await answer.begin(WHOLE)
    return bool(begun) and crossing.is_like_json(begun)


async def _document(call: Call, answer: Answer, rewriting: Rewriting, *, of_many: bool = False) -> web.Response:
    """The answer with its document rewritten."""
    leg, headers = answer.leg, answer.headers
    name, one_image = leg.upstream.name, is_one_image(leg.service, call.method, call.route.path)
    with rewriting.holding(name) as held:
        status, body = answer.status, await answer.read(held)
        packed = body
        try:
            body = before = unpacked(body, headers.get("Content-Encoding", ""), limits.ANSWER.size)
            if len(body) > SMALL > len(packed):
                held.grow(len(body))
            if body and leg.rewrite.rewrite_body is not None:
                status, body = _rewritten(leg.rewrite.rewrite_body, status, body)
            if body:
                job = Job(
                    leg.service, limits.ANSWER, leg.rewrite.response_ids, leg.links, one_image, leg.rewrite.resources
                )
                body = await rewriting.apply(job, body, name, of_many=of_many)
        except ValueError as error:
            raise PeerAnswerError(
                f"{name} answered {answer.status} with what is not JSON as it should be: {error}."
            ) from None
    # The original bytes if nothing changed: nova labels an empty body as JSON.
    if body is before:
        body = packed
    for header in _OF_BYTES if body is not packed else ("Content-Length",):
        headers.popall(header, None)
    phrase = answer.phrase if status == answer.status else None
    return web.Response(status=status, reason=phrase, headers=headers, body=body)


def _rewritten(rewrite: RewriteBody, status: int, body: bytes) -> tuple[int, bytes]:
    """Rewrite an answer of Keystone's that holds a catalog; the original bytes if nothing changes."""
    changed = rewrite(status, parsed(body, limits.IDENTITY))
    return (changed[0], orjson.dumps(changed[1])) if changed is not None else (status, body)


async def _stream(request: web.BaseRequest, answer: Answer, response: web.StreamResponse) -> None:
    while True:
        try:
            piece = await answer.piece()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if request.transport is not None:
                request.transport.abort()
            raise CutError(reason(error)) from None
        if not piece:
            break
        await response.write(piece)
    await response.write_eof()


def _is_json(response: Response) -> bool:
    kind = response.headers.get("Content-Type", "").partition(";")[0].lower()
    return "json" in kind and can_unpack(response.headers.get("Content-Encoding", ""))
