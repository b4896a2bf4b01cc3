"""One request to one upstream, both bodies streamed.

Traps of HTTP behind this file, each with a test:

- A chunked request body stays chunked and never leaves its connection to another request: WSGI servers lose their place
  in the stream after it (cheroot closes the stream when glance closes `wsgi.input`), and a server that answers before it
  read the body leaves the rest to be parsed as a request. So a streamed body has a connection of its own.
- A body with `Content-Length` keeps it: the upstream then knows a short one from a whole one.
- A request whose body was begun is never sent again.
- An answer that breaks off must break off for the client too: its connection is cut, not ended well.
"""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import aiohttp
import orjson
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from openstackoid.core.errors import BodyError, OpenStackoidError, PeerAnswerError
from openstackoid.core.ids import Ids
from openstackoid.core.links import Links
from openstackoid.gateway import headers as heads
from openstackoid.gateway.calls import Call, Way
from openstackoid.gateway.config import Config
from openstackoid.gateway.peers import reason

WHOLE: Final = 1 << 16  # bytes: bodies up to this are passed on in one piece
DOCUMENT: Final = 1 << 26  # bytes: the largest JSON answer whose links are changed
ASKED: Final = 1 << 22  # bytes: the largest JSON request whose ids are mapped
_OBJECTS: Final = "object-store"
_JSON: Final = frozenset({"application/json", "application/openstack-images-v2.1-json-patch"})
_NO_AUTO: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_BODILESS: Final = frozenset({204, 304})

# What a changed document makes wrong.
_OF_LENGTH: Final = ("Content-Length", "ETag", "Content-MD5")


class CutError(Exception):
    """The upstream broke off in the middle of its answer."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a request goes, and the errors to raise when it does not get there.

    Attributes:
        name: of the cloud or service, for messages.
        base: base URL.
        unreachable, timeout: errors of `core.errors`.
        far: whether it is another cloud's gateway.
    """

    name: str
    base: str
    unreachable: type[OpenStackoidError]
    timeout: type[OpenStackoidError]
    far: bool = False


class Pool:
    """Connections to upstreams: shared ones that are used again, and single ones for streamed bodies."""

    def __init__(self, config: Config) -> None:
        # Whom to believe that it is a peer or a backend.
        trusted = ssl.create_default_context(cafile=str(config.ca) if config.ca else None)
        # Services close idle connections after 5 s (Apache) or 10 s (cheroot): leave them first.
        shared = aiohttp.TCPConnector(limit=0, keepalive_timeout=4, ssl=trusted)
        # Other gateways hold on for longer, and a connection over a WAN costs three round trips with TLS.
        far = aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ssl=trusted)
        single = aiohttp.TCPConnector(limit=0, force_close=True, ssl=trusted)
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=config.timeouts.connect, sock_read=config.timeouts.idle
        )
        self.shared, self.peers, self.single = (
            aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                auto_decompress=False,
                skip_auto_headers=_NO_AUTO,
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=1 << 18,
                max_line_size=1 << 16,
                max_field_size=1 << 16,
            )
            for connector in (shared, far, single)
        )

    async def close(self) -> None:
        """Close every connection."""
        await self.shared.close()
        await self.peers.close()
        await self.single.close()


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
    session, headers, path, service = (
        pool.peers if upstream.far else pool.shared,
        call.headers,
        call.place.path,
        call.place.service,
    )
    body: bytes | AsyncIterator[bytes] | None = None
    there = way.there if way.there and way.there.changes and service != _OBJECTS else None
    if way.back and way.back.changes:
        headers["Accept-Encoding"] = "identity"  # what is packed cannot be mapped
    if request.body_exists:
        length = request.content_length
        if there and request.content_type in _JSON:
            body = await _mapped(request, there, service, headers)
        elif length is not None and length <= WHOLE:
            await _continue(request)
            body = await request.read()
        else:
            body, session = _stream(request), pool.single
            headers["Connection"] = "close"  # the upstream must not read the rest of a body as a request
    if way.there and way.there.changes:
        path = way.there.target(service, path)
    url = URL(upstream.base + path, encoded=True)
    try:
        answer = await session.request(request.method, url, headers=headers, data=body, allow_redirects=False)
    except TimeoutError:
        raise upstream.timeout(f"{upstream.name} did not answer in time at {upstream.base}.") from None
    except (aiohttp.ClientError, OSError) as error:
        raise upstream.unreachable(f"{upstream.name} cannot be reached at {upstream.base}: {reason(error)}.") from None
    try:
        response = await _answer(request, answer, upstream, links, way, service)
    except BaseException:
        answer.close()
        raise
    answer.release()
    return response


async def _mapped(request: web.BaseRequest, ids: Ids, service: str, headers: CIMultiDict[str]) -> bytes:
    """The JSON body of a request with its ids mapped.

    Raises:
        BodyError: it is larger than any such document of OpenStack's.
    """
    await _continue(request)
    body = b""
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > ASKED:
            raise BodyError(f"Expected a JSON document of {ASKED >> 20} MiB at most.")
    headers.popall("Content-Length", None)
    if not ids.concerns(body):
        return body
    try:
        return orjson.dumps(ids.request(service, orjson.loads(body)))
    except orjson.JSONDecodeError:
        return body  # the service says what is wrong with it


async def _answer(
    request: web.BaseRequest,
    answer: aiohttp.ClientResponse,
    upstream: Upstream,
    links: Links,
    way: Way,
    service: str,
) -> web.StreamResponse:
    empty = request.method == "HEAD" or answer.status in _BODILESS
    kept = heads.outgoing(answer.headers)
    if "Location" in kept:
        kept["Location"] = links.url(way.back.url(kept["Location"]) if way.back else kept["Location"])
    changes = links.changes or way.edit is not None or (way.back is not None and way.back.changes)
    # An object is its owner's, whatever it looks like.
    if changes and not empty and service != _OBJECTS and _is_json(answer):
        return await _changed(answer, kept, upstream, links, way, service)
    length = answer.content_length
    if answer.status in _BODILESS:
        return web.Response(status=answer.status, reason=answer.reason, headers=kept)
    if empty:
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=kept)
    elif length is not None and length <= WHOLE:
        return web.Response(
            status=answer.status, reason=answer.reason, headers=kept, body=await _read(answer, upstream)
        )
    else:
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=kept)
        if length is None and request.version >= (1, 1):
            response.enable_chunked_encoding()
    await response.prepare(request)
    while True:
        try:
            piece = await answer.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if request.transport is not None:
                request.transport.abort()
            raise CutError(reason(error)) from None
        if not piece:
            break
        await response.write(piece)
    await response.write_eof()
    return response


async def _changed(
    answer: aiohttp.ClientResponse,
    kept: CIMultiDict[str],
    upstream: Upstream,
    links: Links,
    way: Way,
    service: str,
) -> web.Response:
    status, body, edit = answer.status, await _read(answer, upstream), way.edit
    ids = way.back if way.back and way.back.concerns(body) else None
    if not body or (edit is None and ids is None and not links.concern(body)):
        return _as_it_came(answer, kept, body)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise PeerAnswerError(
            f"{upstream.name} answered {status} with what is not the JSON that it claims to be."
        ) from None
    edited = edit(status, document) if edit is not None else None
    if edited is None and ids is None and not links.concern(body):
        return _as_it_came(answer, kept, body)
    status, document = edited or (status, document)
    if ids:
        document = ids.answer(service, document)
    for name in _OF_LENGTH:
        kept.popall(name, None)
    reason_ = answer.reason if status == answer.status else None
    return web.Response(status=status, reason=reason_, headers=kept, body=orjson.dumps(links.document(document)))


def _as_it_came(answer: aiohttp.ClientResponse, kept: CIMultiDict[str], body: bytes) -> web.Response:
    """To the byte: nova calls an empty body JSON, and numbers of any length are JSON."""
    kept.popall("Content-Length", None)
    return web.Response(status=answer.status, reason=answer.reason, headers=kept, body=body)


async def _read(answer: aiohttp.ClientResponse, upstream: Upstream) -> bytes:
    pieces, size = [], 0
    try:
        if answer.content.is_eof():
            return answer.content.read_nowait()  # a small one came with its head
        async for piece in answer.content.iter_any():
            pieces.append(piece)
            size += len(piece)
            if size > DOCUMENT:
                raise PeerAnswerError(
                    f"{upstream.name} answered with a document of more than {DOCUMENT >> 20} MiB. Ask for less, with a limit."
                )
    except TimeoutError:
        raise upstream.timeout(f"{upstream.name} did not finish its answer in time.") from None
    except (aiohttp.ClientError, OSError) as error:
        raise upstream.unreachable(f"{upstream.name} broke off its answer: {reason(error)}.") from None
    return b"".join(pieces)


async def _stream(request: web.BaseRequest) -> AsyncIterator[bytes]:
    await _continue(request)
    async for piece in request.content.iter_any():
        yield piece


async def _continue(request: web.BaseRequest) -> None:
    """Tell a client that waits (RFC 9110, 10.1.1) to send its body: the upstream is reached, or the body is small."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _is_json(answer: aiohttp.ClientResponse) -> bool:
    kind = answer.headers.get("Content-Type", "")
    return kind.startswith("application/json") and "Content-Encoding" not in answer.headers
