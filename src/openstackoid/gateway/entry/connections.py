"""Connections of clients: the limits of time and size for a request's head and body, and the answers to violations.

A client that sends half a request and waits holds a connection and memory at no cost (slowloris). HAProxy ends such a connection; at a
gateway's own listener these limits do:

    a head that has begun       is whole within 30 s, or `timeouts.idle` if that is less, and has 64 KiB at most
    heads that have begun       256 at a listener: the oldest connection is closed for a new one
    a body                      has no pause of more than `timeouts.idle`, unless the gateway itself is not reading
    between two requests        75 s: longer than HAProxy and other gateways keep connections that they do not use
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from openstackoid.core.errors import BadRequestError, OpenStackoidError
from openstackoid.gateway.entry.refusals import CutError, refusal

_LINE: Final = 1 << 15  # bytes: a token may carry a scope of 16 KiB
_HEAD: Final = 1 << 16
_HEAD_TIME: Final = 30.0
_BETWEEN: Final = 75.0
_MAX_HALF_HEADS: Final = 256
_SWEEP: Final = 1.0


class Server(web.Server):
    """aiohttp's server, with our connections.

    Args:
        handler: of requests.
        idle: seconds without a byte of a body.
    """

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], idle: float) -> None:
        super().__init__(
            handler,
            access_log=None,
            handler_cancellation=True,
            auto_decompress=False,
            max_line_size=_LINE,
            max_field_size=_LINE,
            read_bufsize=1 << 18,
            keepalive_timeout=_BETWEEN,
        )
        self._idle = idle
        self._halves: dict[Connection, float] = {}  # connection whose head has begun -> since when; the oldest first
        self._sweeper: asyncio.TimerHandle | None = None

    def __call__(self) -> web.RequestHandler:
        """A protocol for a new connection."""
        return Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        """Start the periodic sweep."""
        super().connection_made(handler, transport)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(_SWEEP, self._sweep)

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        """Forget it."""
        self._halves.pop(handler, None)
        super().connection_lost(handler, exc)

    def begun(self, connection: "Connection") -> None:
        """The first part of a request's head came."""
        self._halves.setdefault(connection, self._loop.time())
        if len(self._halves) > _MAX_HALF_HEADS:
            oldest = next(iter(self._halves))
            del self._halves[oldest]
            oldest.force_close()

    def ended(self, connection: "Connection") -> None:
        """The rest of the head came."""
        self._halves.pop(connection, None)

    def _sweep(self) -> None:
        now = self._loop.time()
        late = [half for half, begun in self._halves.items() if now - begun > min(_HEAD_TIME, self._idle)]
        late += [one for one in self.connections if isinstance(one, Connection) and one.pausing(now - self._idle)]
        for connection in late:
            self._halves.pop(connection, None)
            connection.abort()
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep) if self.connections else None


class Connection(web.RequestHandler):
    """aiohttp's connection, with limits, errors in OpenStack's form, and no data of a request in the log."""

    def __init__(self, server: Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._server = server
        self._heard = 0.0
        self._head = 0  # bytes of an incomplete head
        self._body: Any = None  # of the last request; it may still arrive after the answer

    def data_received(self, data: bytes) -> None:
        """Receive data; refuse a head that is too large."""
        self._heard = self._loop.time()
        count, idle = self._request_count, self._current_request is None and not self._messages
        idle = idle and (self._body is None or self._body.is_eof())
        super().data_received(data)
        if self._request_count != count:
            self._body = self._messages[-1][1]
            if self._head:
                self._head = 0
                self._server.ended(self)
        elif idle and not self._upgraded:
            self._head += len(data)
            self._server.begun(self)
            if self._head > _HEAD:
                self._refuse(BadRequestError(f"Expected a request head of {_HEAD >> 10} KiB at most."))

    def pausing(self, since: float) -> bool:
        """Whether the gateway waits for the rest of a body, and nothing has arrived since then."""
        request = self._current_request
        return request is not None and not request.content.is_eof() and not self._reading_paused and self._heard < since

    def abort(self) -> None:
        """Close the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def _refuse(self, error: OpenStackoidError) -> None:
        body = orjson.dumps(error.body())
        if self.transport is not None:
            head = (
                f"HTTP/1.1 {error.status} Refused\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            )
            self.transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002 - the signature is aiohttp's
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer a request that could not be parsed, or that failed with an exception."""
        if isinstance(exc, (CutError, ConnectionError)):
            raise ConnectionError  # one side closed the connection: no answer can be sent
        error: OpenStackoidError
        if isinstance(exc, HttpProcessingError):
            # Its message quotes the head, tokens and all.
            what = "lines of less than 32 KiB" if isinstance(exc, LineTooLong) else "HTTP"
            error = BadRequestError(f"Expected a request head in {what}.")
        else:
            self.log_exception("Error handling a request", exc_info=exc)
            error = OpenStackoidError("Something went wrong inside of the gateway; its log says more.")
        if request.writer.output_size > 0:
            raise ConnectionError
        response = refusal(error)
        response.force_close()
        return response
