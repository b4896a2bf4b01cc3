"""A server that answers each request as a script says, byte by byte."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

LONG = b"x" * 100_000

Serve = Callable[[socket.socket, int], None]


@dataclass
class Server:
    """Reads the head of a request, and does what a test says: it gets the connection, and how many requests came before, on all of them."""

    serve: Serve
    greeting: bytes = b""  # what it sends when a connection begins
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    ended: int = 0  # connections that the client closed

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.sendall(self.greeting)
            while head := _head(connection):
                before = len(self.heads)
                self.heads.append(head)
                self.serve(connection, before)
            self.ended += 1


def _head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        head += byte
    return head


@contextlib.contextmanager
def serving(serve: Serve, greeting: bytes = b"") -> Iterator[Server]:
    server = Server(serve, greeting)
    try:
        yield server
    finally:
        server.close()


def sends(*answers: bytes, end: bool = False) -> Serve:
    """Answer so, the last one again and again; then end the connection, or not."""

    def serve(connection: socket.socket, before: int) -> None:
        connection.sendall(answers[min(before, len(answers) - 1)])
        if end:
            connection.shutdown(socket.SHUT_RDWR)

    return serve


def resets(connection: socket.socket, _before: int) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hangs_up(connection: socket.socket, _before: int) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def hangs_up_then_answers(connection: socket.socket, before: int) -> None:
    """An idle connection whose end crosses with a request: of what was asked second, nothing was answered."""
    if before == 1:
        connection.shutdown(socket.SHUT_RDWR)
    else:
        connection.sendall(OK)


def resets_then_answers(connection: socket.socket, before: int) -> None:
    resets(connection, before) if before == 1 else connection.sendall(OK)


def silent(_connection: socket.socket, _before: int) -> None:
    """No answer."""


OK = b"HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nX-A: 1\r\nX-A: 2\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SCRIPTS: dict[str, Serve] = {
    "length": sends(OK),
    "empty": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "long": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + LONG),
    "chunked": sends(CHUNKED + b"3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nX-Trailer: 1\r\n\r\n"),
    "until the end": sends(b"HTTP/1.1 200 OK\r\n\r\nabc", end=True),
    "closes": sends(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", end=True),
    "1.0": sends(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", end=True),
    "1.0 keeps": sends(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc"),
    "informed": sends(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK),
    "switching": sends(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", end=True),
    "204": sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "304": sends(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 5\r\n\r\n'),
    "redirect": sends(b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n"),
    "cookie": sends(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\nabc"),
    "packed": sends(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
    "too short": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", end=True),
    "too long": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", OK),
    "two answers": sends(OK + OK, OK),
    "two lengths": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", end=True),
    "both": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", end=True),
    "negative": sends(b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc", end=True),
    "chunk broken off": sends(CHUNKED + b"10\r\nabc", end=True),
    "between chunks": sends(CHUNKED + b"3\r\nabc\r\n", end=True),
    "no chunk": sends(CHUNKED + b"zz\r\nabc\r\n", end=True),
    "head broken off": sends(b"HTTP/1.1 200 OK\r\nContent-Le", end=True),
    "long header": sends(b"HTTP/1.1 200 OK\r\nX-Long: " + LONG + b"\r\n\r\n", end=True),
    "long status": sends(b"HTTP/1.1 200 " + LONG + b"\r\n\r\n", end=True),
    "many headers": sends(b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 5000 + b"\r\n", end=True),
    "nonsense": sends(b"what?\r\n\r\n", end=True),
    "hangs up": hangs_up,
    "hangs up when idle": hangs_up_then_answers,
    "resets": resets,
    "resets when idle": resets_then_answers,
    "silent": silent,
    "silent in the head": sends(b"HTTP/1.1 200 OK\r\n"),
    "silent in the body": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
}
