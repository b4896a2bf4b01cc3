"""urllib3 connections and responses that report their socket to the current request, so that a call can shut it down."""

from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from openstackoid.oaktree.upstream.calls import Attempt
from openstackoid.oaktree.upstream.gate import within
from openstackoid.oaktree.upstream.turns import TURNS

_CHUNK: Final = 65_536

ATTEMPT: Final[ContextVar[Attempt | None]] = ContextVar("oaktree_attempt", default=None)

if TYPE_CHECKING:
    _Base = HTTPConnection
else:
    _Base = object


class _Told(_Base):
    """Reports the socket of a connection to the request that uses it."""

    _new = True

    def connect(self) -> None:
        with TURNS.resting():
            super().connect()
        self._new = True
        self._tell()

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self._tell()
        super().request(*args, **kwargs)
        self._new = False

    def getresponse(self) -> Any:
        with TURNS.resting():
            return super().getresponse()

    def _tell(self) -> None:
        attempt = ATTEMPT.get()
        if attempt is not None:
            attempt.hold(self.sock, reused=not self._new)


class _Connection(_Told, HTTPConnection):
    pass


class _TlsConnection(_Told, HTTPSConnection):
    pass


class Pool(HTTPConnectionPool):
    """A pool of connections without TLS."""

    ConnectionCls = _Connection


class TlsPool(HTTPSConnectionPool):
    """A pool of connections with TLS."""

    ConnectionCls = _TlsConnection


class Body:
    """A response whose body ends with the call, or when it is too large. Otherwise as urllib3's response."""

    def __init__(self, raw: Any, attempt: Attempt) -> None:
        self._raw = raw
        self._attempt = attempt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, amount: int = _CHUNK, decode_content: bool | None = None) -> Iterator[bytes]:
        """The decompressed body, as requests reads it."""
        call, most = self._attempt.call, self._attempt.most
        seen = 0
        try:
            size = amount if most is None else max(amount, _CHUNK)
            chunks = self._raw.stream(size, decode_content=decode_content)
            while (chunk := self._next(chunks)) is not None:
                seen += len(chunk)
                within(seen, most)
                yield chunk
            if call.over and not (self._raw.chunked or "content-length" in self._raw.headers):
                # The body ended with the connection, which the call may have shut down.
                call.check()
        finally:
            call.end(self._attempt)

    @staticmethod
    def _next(chunks: Iterator[bytes]) -> bytes | None:
        with TURNS.resting():
            return next(chunks, None)
