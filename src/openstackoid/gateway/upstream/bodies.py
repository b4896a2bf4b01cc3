"""The body of a request as it is sent: streamed, or read as a whole to replace ids in its JSON.

What is JSON is decided by the body. Neutron, glance and keystone read JSON under any media type or none (neutron/api/v2/resource.py,
glance/common/wsgi.py, keystone/server/flask/common.py), and `curl -d` calls JSON a form.
"""

from collections.abc import AsyncIterator
from typing import Final, TypeAlias

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core import limits
from openstackoid.core.errors import BodyError, RuleError, TokenScopeError
from openstackoid.core.user_data import OBJECTS, is_upload
from openstackoid.gateway.entry.bodies import MadeContent, send_continue
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.upstream import crossing
from openstackoid.gateway.upstream.answers import WHOLE
from openstackoid.gateway.upstream.legs import Border, Leg
from openstackoid.gateway.upstream.rewriter import Job
from openstackoid.gateway.upstream.rewriting import SMALL, Held, Rewriting

Content: TypeAlias = aiohttp.StreamReader | MadeContent

_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


async def body(
    call: Call, leg: Leg, rewriting: Rewriting
) -> tuple[bytes | AsyncIterator[bytes] | None, CIMultiDict[str]]:
    """The body to send, and the headers that fit it.

    Args:
        call: the request.
        leg: where it is sent; its headers are not changed.
        rewriting: for documents.

    Returns:
        A whole body as bytes, or its pieces if it is streamed.

    Raises:
        BodyError: a JSON document that is larger than any of OpenStack's.
        BusyError: too many such documents are under way.
        RuleError, TokenScopeError: a form for another owner's cloud, or from there.
    """
    request, headers = call.request, leg.headers
    if not request.body_exists:
        return None, headers
    begun: bytes | None = None
    # One body, however it is read: a sender has read it already, or the gateway itself made it, and then it begins anew each time.
    content = request.content if leg.body is None else MadeContent(leg.body)
    is_form = leg.border is not Border.NONE and leg.service != OBJECTS and request.content_type in _FORMS
    if (_is_read(leg) or is_form) and not is_upload(leg.service, call.method, call.path):
        begun = await _begin(request, content)
        if "json" in request.content_type or crossing.opens_json(begun):
            headers = headers.copy()
            headers.popall("Content-Length", None)
            if is_form:
                headers["Content-Type"] = "application/json"  # nobody may read it as a form
            return await _mapped(call, leg, begun, content, rewriting), headers
        if is_form and call.method == "POST":
            raise _refused_form(leg)
    length = request.content_length
    if leg.body is not None:
        return leg.body, headers
    if length is not None and length <= WHOLE:
        if begun is None:
            await send_continue(request)
            return await request.read(), headers
        return b"".join([piece async for piece in _chained(begun, request, content)]), headers
    pieces = _chained(begun, request, content)
    return pieces if leg.hold is None else leg.hold.meter(pieces), headers


async def read_body(request: web.BaseRequest, most: int) -> bytes | None:
    """The whole body of a request, which must then be given to its leg; None if it is longer than `most` bytes."""
    read = bytearray()
    async for piece in _chained(None, request, request.content):
        read += piece
        if len(read) > most:
            return None
    return bytes(read)


def _is_read(leg: Leg) -> bool:
    """Whether the request's document is checked, or ids in it are replaced; never in an object of the object store, which is user data."""
    ids = leg.rewrite.request_ids
    changes = leg.rewrite.resources is not None or (ids is not None and ids.changes)
    return changes and leg.service != OBJECTS


def _refused_form(leg: Leg) -> RuleError | TokenScopeError:
    """The error for a form: the Routes library, in front of glance and nova, takes the method of a POST from it (routes/middleware.py)."""
    text = "Expected JSON, got a form: it could change the request's method on the way (_method). Send Content-Type: application/json."
    return TokenScopeError(text) if leg.border is Border.IN else RuleError(text)


async def _begin(request: web.BaseRequest, content: Content) -> bytes:
    """The first bytes of a body: enough to see what it is."""
    if isinstance(content, aiohttp.StreamReader):
        await send_continue(request)
    begun = b""
    while len(begun) < WHOLE and not crossing.begins(begun) and (piece := await content.readany()):
        begun += piece
    return begun


async def _mapped(call: Call, leg: Leg, begun: bytes, content: Content, rewriting: Rewriting) -> bytes:
    """The JSON body of a request with its ids replaced."""
    home = leg.initiator.home if leg.initiator else call.listener.cloud.name
    sender = f"{home}'s users"
    with rewriting.holding(sender) as held:
        read = await _whole(_chained(begun, call.request, content), held)
        if not _is_read(leg):
            return read
        try:
            return await rewriting.apply(
                Job(leg.service, limits.REQUEST, leg.rewrite.request_ids, resources=leg.rewrite.resources), read, sender
            )
        except limits.LimitError as error:
            raise BodyError(f"The JSON of the request is too large: {error}.") from None
        except ValueError:
            return read  # the service reports the error


async def _whole(pieces: AsyncIterator[bytes], held: Held) -> bytes:
    read = bytearray()
    async for piece in pieces:
        read += piece
        if len(read) > limits.REQUEST.size:
            raise BodyError(f"Expected a JSON document of {limits.size(limits.REQUEST.size)} at most.")
        if len(read) > SMALL:
            held.grow(len(piece))
    return bytes(read)


async def _chained(begun: bytes | None, request: web.BaseRequest, content: Content) -> AsyncIterator[bytes]:
    """The pieces of a body, of which the first were read already, or none."""
    if begun is None:
        await send_continue(request)
    elif begun:
        yield begun
    async for piece in content.iter_any():
        yield piece
