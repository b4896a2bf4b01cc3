"""An upstream at the wire: an HTTP server that records what comes, byte by byte, and answers what a test says."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


def until(what: Callable[[], T], seconds: float = 60.0) -> T:
    """The first true answer, or an AssertionError. What takes long is looked at less often: a look may cost as much as a request."""
    began = time.monotonic()
    while True:
        if answer := what():
            return answer
        waited = time.monotonic() - began
        assert waited < seconds, f"not within {seconds} s"
        time.sleep(min(max(0.005, waited / 10), 0.05))


@dataclass
class Seen:
    """A request as an upstream saw it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    connection: int
    raw: bytes = b""  # the body with its framing
    whole: bool = False  # it came to its end
    gone: threading.Event = field(default_factory=threading.Event)  # the connection ended

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None


Handler = Callable[["Seen", socket.socket], bytes | None]


def reply(status: int = 200, body: object = b"", headers: dict[str, str] | None = None) -> bytes:
    """A whole HTTP answer; anything but bytes as JSON."""
    given = dict(headers or {})
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if not isinstance(body, bytes):
        given.setdefault("Content-Type", "application/json")
    given.setdefault("Content-Length", str(len(data)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Answer\r\n{lines}\r\n".encode() + data


class Upstream:
    """An HTTP server that records what came, bytes and all, and answers what a test says.

    It reads as WSGI servers do: one request after the other on a connection, the body first.
    """

    def __init__(self, default: Handler) -> None:
        self.default = default
        self.handlers: dict[str, Handler] = {}
        self.early: set[str] = set()  # paths that are answered before the body is read
        self.requests: list[Seen] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, path: str, handler: Handler | bytes, *, early: bool = False) -> None:
        """Answer requests whose path begins so with these bytes, or what the handler says; None: it answered itself."""
        self.handlers[path] = handler if callable(handler) else lambda _seen, _sock: handler
        if early:
            self.early.add(path)

    def seen(self, path: str, count: int = 1) -> Seen:
        """The last request whose path begins so, once there are as many."""
        until(lambda: len(self.all(path)) >= count)
        return self.all(path)[-1]

    def all(self, path: str) -> list[Seen]:
        return [seen for seen in self.requests if seen.target.startswith(path)]

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
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        seen: Seen | None = None
        try:
            with connection, connection.makefile("rb") as reader:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while line := reader.readline():
                    parts = line.decode("latin-1").rstrip("\r\n").split(" ")
                    if len(parts) != 3:
                        self.requests.append(Seen("?", line.decode("latin-1"), [], number))
                        connection.sendall(reply(400, {"error": "not a request"}, {"Connection": "close"}))
                        connection.shutdown(socket.SHUT_WR)
                        reader.read()
                        return
                    headers: list[tuple[str, str]] = []
                    while (line := reader.readline()) not in {b"\r\n", b""}:
                        name, _, value = line.decode("latin-1").rstrip("\r\n").partition(": ")
                        headers.append((name, value))
                    seen = Seen(parts[0], parts[1], headers, number)
                    self.requests.append(seen)
                    path = max((path for path in self.handlers if seen.target.startswith(path)), key=len, default=None)
                    handler = self.handlers[path] if path else self.default
                    if path not in self.early:
                        for piece in _body(reader, seen):
                            seen.raw += piece
                        if not seen.whole:
                            return
                    answer = handler(seen, connection)
                    if answer is None:
                        return
                    connection.sendall(answer)
        except OSError:
            pass
        finally:
            if seen:
                seen.gone.set()


def _body(reader: Any, seen: Seen) -> Iterator[bytes]:
    if "chunked" in (seen.get("Transfer-Encoding") or ""):
        while True:
            size = reader.readline()
            yield size
            if not size.strip():
                return
            count = int(size, 16)
            data = reader.read(count + 2)
            yield data
            if len(data) < count + 2:
                return
            if count == 0:
                break
    else:
        left = int(seen.get("Content-Length") or 0)
        while left:
            data = reader.read1(min(left, 65536))
            if not data:
                return
            left -= len(data)
            yield data
    seen.whole = True
