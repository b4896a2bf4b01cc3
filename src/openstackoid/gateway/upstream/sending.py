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

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from openstackoid.core.errors import OpenStackoidError
from openstackoid.gateway.entry import headers as hdrs
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.telemetry.audit import LegRecord, Record
from openstackoid.gateway.upstream import bodies
from openstackoid.gateway.upstream.answers import Answer, Response
from openstackoid.gateway.upstream.failures import reason
from openstackoid.gateway.upstream.legs import Leg
from openstackoid.gateway.upstream.pool import Pool, Upstream
from openstackoid.gateway.upstream.reads import METHODS


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
    status: int | None = None
    received = True
    try:
        answer = await _send(call, leg, pool)
        noted.status = status = answer.status
    except OpenStackoidError as error:
        noted.error, received = error.code, error.received
        if leg.hold is not None and leg.hold.refusal is not None:
            noted.error = leg.hold.refusal.code
            raise leg.hold.refusal from None
        raise
    finally:
        noted.ms = (time.monotonic() - started) * 1000
        if leg.hold is not None:
            await leg.hold.sent(status, received=received)
    return answer


async def _send(call: Call, leg: Leg, pool: Pool) -> Answer:
    upstream = leg.upstream
    body, headers = await bodies.body(call, leg, pool.rewriting)
    reads = pool.reads(upstream) if body is None and call.method in METHODS and leg.target.startswith("/") else None
    response: Response
    try:
        if reads is not None:
            response = await reads.send(call.method, upstream.base, leg.target, headers)
        else:
            response = await _by_session(call.method, leg, pool, body, headers)
    except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
        raise pool.failures.note(_failed(upstream, error), upstream.base) from None
    try:
        hdrs.refuse_long(upstream.name, response.raw_headers)
        return Answer(leg, response)
    except BaseException:
        response.close()
        raise


async def _by_session(
    method: str, leg: Leg, pool: Pool, body: bytes | AsyncIterator[bytes] | None, headers: CIMultiDict[str]
) -> aiohttp.ClientResponse:
    session = pool.peers if leg.upstream.far else pool.shared
    if isinstance(body, AsyncIterator):
        session = pool.single
        headers = headers.copy()
        headers["Connection"] = "close"  # the upstream must not read the rest of a body as a request
    url = URL(leg.upstream.base + leg.target, encoded=True)
    return await session.request(method, url, headers=headers, data=body, allow_redirects=False)


def _failed(upstream: Upstream, error: BaseException) -> OpenStackoidError:
    """The error for the user, who is not told the address; of a connection that was never made, nothing was received."""
    if isinstance(error, TimeoutError):
        failure = upstream.timeout(f"{upstream.name} did not answer in time.")
    else:
        failure = upstream.unreachable(f"{upstream.name} cannot be reached: {reason(error)}.")
    failure.received = not isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError)
    return failure
