"""Sends a leg to its upstream, with the request's body; `answers` and `relaying` handle the answer.

Traps of HTTP behind these files, each with a test:

- A chunked request body stays chunked and never leaves its connection to another request: WSGI servers lose their place
  in the stream after it (cheroot closes the stream when glance closes `wsgi.input`), and a server that answers before it
  read the body leaves the rest to be parsed as a request. So a streamed body has a connection of its own.
- A body with `Content-Length` keeps it: the upstream then knows a short one from a whole one.
- A request whose body was begun is never sent again.
- An answer that breaks off must break off for the client too: its connection is cut, not ended well.
"""

import time
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from openstackoid.core import limits
from openstackoid.core.errors import BodyError, OpenStackoidError
from openstackoid.gateway.entry import headers as hdrs
from openstackoid.gateway.entry.bodies import send_continue
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.telemetry.audit import LegRecord, Record
from openstackoid.gateway.upstream.answers import WHOLE, Answer
from openstackoid.gateway.upstream.failures import reason
from openstackoid.gateway.upstream.legs import Leg
from openstackoid.gateway.upstream.pool import Pool
from openstackoid.gateway.upstream.relaying import OBJECTS
from openstackoid.gateway.upstream.rewriter import Job
from openstackoid.gateway.upstream.rewriting import SMALL, Rewriting

_JSON: Final = frozenset({"application/json", "application/openstack-images-v2.1-json-patch"})


async def send(call: Call, leg: Leg, pool: Pool, record: Record) -> Answer:
    """Send a request to one cloud, and record its result.

    Args:
        call: its method and its body.
        leg: the destination, and the request as it is sent.
        pool: connections.
        record: of the audit, which gets a leg.

    Returns:
        The answer, whose body is not read yet.

    Raises:
        OpenStackoidError: no answer came, or one that may not be passed on.
    """
    agreement = leg.initiator.agreement if leg.initiator else None
    noted = LegRecord(leg.cloud, "remote" if leg.upstream.far else "local", agreement)
    record.legs.append(noted)
    started = time.monotonic()
    try:
        answer = await _send(call, leg, pool)
        noted.status = answer.status
    except OpenStackoidError as error:
        noted.error = error.code
        raise
    finally:
        noted.ms = (time.monotonic() - started) * 1000
    return answer


async def _send(call: Call, leg: Leg, pool: Pool) -> Answer:
    upstream, headers, request = leg.upstream, leg.headers, call.request
    session = pool.peers if upstream.far else pool.shared
    body: bytes | AsyncIterator[bytes] | None = None
    if request.body_exists:
        length = request.content_length
        if _has_ids(leg) and request.content_type in _JSON:
            body = await _mapped(call, leg, pool.rewriting)
            headers = _without_length(headers)
        elif leg.body is not None:
            body = leg.body
        elif length is not None and length <= WHOLE:
            await send_continue(request)
            body = await request.read()
        else:
            body, session = _stream(request), pool.single
            headers = headers.copy()
            headers["Connection"] = "close"  # the upstream must not read the rest of a body as a request
    url = URL(upstream.base + leg.target, encoded=True)
    try:
        response = await session.request(request.method, url, headers=headers, data=body, allow_redirects=False)
    except aiohttp.ConnectionTimeoutError:
        raise _unreceived(upstream.timeout(f"{upstream.name} did not answer in time at {upstream.base}.")) from None
    except aiohttp.ClientConnectorError as error:
        raise _unreceived(
            upstream.unreachable(f"{upstream.name} cannot be reached at {upstream.base}: {reason(error)}.")
        ) from None
    except TimeoutError:
        raise upstream.timeout(f"{upstream.name} did not answer in time at {upstream.base}.") from None
    except (aiohttp.ClientError, OSError) as error:
        raise upstream.unreachable(f"{upstream.name} cannot be reached at {upstream.base}: {reason(error)}.") from None
    try:
        hdrs.refuse_long(upstream.name, response.raw_headers)
        return Answer(leg, response)
    except BaseException:
        response.close()
        raise


def _unreceived(error: OpenStackoidError) -> OpenStackoidError:
    """The error of a connection that was never made."""
    error.received = False
    return error


def _has_ids(leg: Leg) -> bool:
    """Whether ids in the request's document are replaced; never in an object of the object store, which is user data."""
    ids = leg.rewrite.request_ids
    return ids is not None and ids.changes and leg.service != OBJECTS


def _without_length(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    left = headers.copy()
    left.popall("Content-Length", None)
    return left


async def _mapped(call: Call, leg: Leg, rewriting: Rewriting) -> bytes:
    """The JSON body of a request with its ids replaced.

    Raises:
        BodyError: the body is larger than any such document of OpenStack's.
        BusyError: too many such documents are under way.
    """
    request = call.request
    home = leg.initiator.home if leg.initiator else call.listener.cloud.name
    sender, read = f"{home}'s users", bytearray()
    with rewriting.holding(sender) as held:
        async for piece in _pieces(request, leg.body):
            read += piece
            if len(read) > limits.REQUEST.size:
                raise BodyError(f"Expected a JSON document of {limits.size(limits.REQUEST.size)} at most.")
            if len(read) > SMALL:
                held.grow(len(piece))
        body = bytes(read)
        try:
            return await rewriting.apply(Job(leg.service, limits.REQUEST, leg.rewrite.request_ids), body, sender)
        except limits.LimitError as error:
            raise BodyError(f"The JSON of the request is too large: {error}.") from None
        except ValueError:
            return body  # the service reports the error


async def _pieces(request: web.BaseRequest, body: bytes | None) -> AsyncIterator[bytes]:
    if body is not None:
        yield body
        return
    async for piece in _stream(request):
        yield piece


async def read_body(request: web.BaseRequest, most: int) -> bytes | None:
    """The whole body of a request, which must then be given to its leg; None if it is longer than `most` bytes."""
    body = bytearray()
    async for piece in _stream(request):
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


async def _stream(request: web.BaseRequest) -> AsyncIterator[bytes]:
    await send_continue(request)
    async for piece in request.content.iter_any():
        yield piece
