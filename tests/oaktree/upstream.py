"""What these tests stand on: clouds at the wire, byte by byte."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

T = TypeVar("T")

TOKEN: Final = "gAAAAABmarker-of-a-token-that-must-not-be-seen"


def until(what: Callable[[], T], seconds: float = 60.0) -> T:
    """The first true answer, or an AssertionError. What takes long is looked at less often: a look may cost as much as a request."""
    began = time.monotonic()
    while True:
        if answer := what():
            return answer
        waited = time.monotonic() - began
        assert waited < seconds, f"not within {seconds} s"
        time.sleep(min(max(0.005, waited / 10), 0.05))


async def eventually(what: Callable[[], Any], seconds: float = 60.0) -> None:
    """Go on when it is true, in an event loop."""
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.005)


@dataclass
class Seen:
    """A request as the cloud saw it."""

    method: str
    target: str
    headers: dict[str, str]
    connection: int
    body: bytes = b""
    at: float = field(default_factory=time.monotonic)


# What a cloud does with a request: bytes to send (and go on with the connection), or None after it has dealt with the socket itself.
Handler = Callable[[Seen, socket.socket], bytes | None]


def reply(status: int, body: Any = b"", headers: dict[str, str] | None = None) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
    lines = {"Content-Length": str(len(data)), **kind, **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + data


class Upstream:
    """A cloud on a loopback port."""

    def __init__(
        self, handler: Handler, *, port: int = 0, wrap: Callable[[socket.socket], socket.socket] | None = None
    ) -> None:
        self.handler = handler
        self.seen: list[Seen] = []
        self.closed: list[int] = []  # connections that the client has ended
        self._wrap = wrap
        self._server = socket.create_server(("127.0.0.1", port), backlog=256)
        self._open: set[socket.socket] = set()
        self.port: int = self._server.getsockname()[1]
        self._count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{'https' if self._wrap else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            self._count += 1
            self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock, self._count), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._wrap:
                sock = self._wrap(sock)
            reader = sock.makefile("rb")
            while line := reader.readline():
                method, target, _ = line.decode().split()
                headers = {}
                while line := reader.readline().strip():
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value.strip()
                seen = Seen(method, target, headers, number)
                seen.body = reader.read(int(headers.get("content-length", 0)))
                self.seen.append(seen)
                answer = self.handler(seen, sock)
                if answer is None:
                    break
                sock.sendall(answer)
        self.closed.append(number)


def wait_for_end(seen: Seen, sock: socket.socket) -> None:
    """Answer nothing; go on when the client has ended the connection."""
    with contextlib.suppress(OSError):
        while sock.recv(4096):
            pass


@contextlib.contextmanager
def upstream(handler: Handler, **options: Any) -> Iterator[Upstream]:
    made = Upstream(handler, **options)
    try:
        yield made
    finally:
        made.close()
