"""GET and HEAD requests without a body, on the connections of a client session, but not through it.

For such a request the session merges URLs, cookies, default headers and timers that are not used here, which is two thirds of the CPU of
sending it. The connections, TLS, the parser of answers and the stream of a body are aiohttp's: `docs/adr/0061-reads-go-around-the-client-session.md`.

As strict as the session: one answer for one request, and a connection serves the next request only if this answer was read to its end and the
server keeps it open. One that was closed while it was idle is noticed when the answer does not come: then the request is sent again, once.
"""

import asyncio
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage, StreamWriter
from multidict import CIMultiDict
from yarl import URL

from openstackoid.gateway.upstream.received import Received

METHODS: Final = frozenset({"GET", "HEAD"})
_BASES: Final = 4096  # upstreams that are remembered
_INFORMED: Final = 100
_SWITCHING: Final = 101
_OK: Final = 200
_MOST_INFORMED: Final = 32  # informational answers in front of an answer


class EndlessHeadError(aiohttp.ClientError):
    """A server sends informational answers, and no answer."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a session that hold for these requests as well.

    Attributes:
        timeout: for connecting, and for the pauses of an answer.
        buffer: bytes of a body that are read ahead.
        longest: bytes of the status line, and of each header.
    """

    timeout: aiohttp.ClientTimeout
    buffer: int
    longest: int


@dataclass(frozen=True, slots=True)
class _Destination:
    """An upstream.

    Attributes:
        request: what the connector takes for its address; sent to nobody.
        prefix: the path of its base URL.
    """

    request: aiohttp.ClientRequest
    prefix: str


class Reads:
    """Sends such requests.

    Args:
        connector: has the connections.
        bounds: of the answers.
    """

    def __init__(self, connector: aiohttp.TCPConnector, bounds: Bounds) -> None:
        self._connector = connector
        self._bounds = bounds
        self._destination = lru_cache(maxsize=_BASES)(_destination)

    async def send(self, method: str, base: str, target: str, headers: CIMultiDict[str]) -> Received:
        """Send a request.

        Args:
            method: one of `METHODS`.
            base: base URL of the upstream.
            target: path and query below it, encoded, from its first slash on.
            headers: as they are sent; not changed.

        Returns:
            The answer, whose body is not read yet.

        Raises:
            aiohttp.ClientError, TimeoutError, OSError: no answer came.
        """
        destination = self._destination(base)
        if "Host" not in headers:
            headers = CIMultiDict([("Host", destination.request.headers["Host"]), *headers.items()])
        line = f"{method} {destination.prefix}{sent_target(target)} HTTP/1.1"
        try:
            return await self._once(destination.request, line, headers)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            return await self._once(destination.request, line, headers)

    async def _once(self, request: aiohttp.ClientRequest, line: str, headers: CIMultiDict[str]) -> Received:
        connection, protocol = await self._connected(request)
        try:
            protocol.set_response_params(
                skip_payload=line.startswith("HEAD "),
                read_until_eof=True,
                auto_decompress=False,
                read_timeout=self._bounds.timeout.sock_read,
                read_bufsize=self._bounds.buffer,
                max_line_size=self._bounds.longest,
                max_field_size=self._bounds.longest,
            )
            writer = StreamWriter(protocol, asyncio.get_running_loop())
            await writer.write_headers(line, headers)
            writer.set_eof()
            protocol.start_timeout()
            return Received(connection, *await _answer(protocol))
        except HttpProcessingError as error:
            connection.close()
            raise aiohttp.ClientResponseError(
                request.request_info, (), status=error.code, message=error.message
            ) from error
        except BaseException:
            connection.close()  # what comes on it later is no answer to another request
            raise

    async def _connected(self, request: aiohttp.ClientRequest) -> tuple[Connection, ResponseHandler]:
        try:
            connection = await self._connector.connect(request, traces=[], timeout=self._bounds.timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to {request.url}") from error
        if connection.protocol is None:
            raise aiohttp.ServerDisconnectedError
        return connection, connection.protocol


async def _answer(protocol: ResponseHandler) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """The answer behind informational ones.

    Raises:
        EndlessHeadError: there are too many of those.
    """
    for _ in range(_MOST_INFORMED + 1):
        message, content = await protocol.read()
        if not _INFORMED <= message.code < _OK or message.code == _SWITCHING:
            return message, content
        if not len(protocol):
            protocol.start_timeout()  # the protocol stopped it at the end of this one; of an answer that is here already, nothing would stop it
    raise EndlessHeadError


def _destination(base: str) -> _Destination:
    path = base.partition("://")[2].partition("/")[2]
    return _Destination(aiohttp.ClientRequest("GET", URL(base, encoded=True)), f"/{path}" if path else "")


def sent_target(target: str) -> str:
    """A target as it is sent: without a fragment, and without an empty query."""
    target = target.partition("#")[0]
    path, mark, query = target.partition("?")
    return target if query or not mark else path
