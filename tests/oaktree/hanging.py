"""What requests meet at the wire: clouds that do not come to an end, and certificates; and the gate through which they go there."""

import contextlib
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import trustme
from tests.oaktree.upstream import Seen, wait_for_end

from openstackoid.oaktree.upstream.breaker import Breaker
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.upstream.gate import Gate


def gate(**more: Any) -> Gate:
    return Gate("one", "R", Breaker("one", "R", more.pop("patience", None)), **more)


def soon(seconds: float) -> Call:
    return Call(time.monotonic() + seconds)


def silent(seen: Seen, sock: socket.socket) -> None:
    wait_for_end(seen, sock)


def headers_only(seen: Seen, sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
    wait_for_end(seen, sock)


def until_closed(seen: Seen, sock: socket.socket) -> None:
    # A body whose end is the connection's.
    sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[1, 2")
    wait_for_end(seen, sock)


def chunks(seen: Seen, sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    wait_for_end(seen, sock)


def dribble(seen: Seen, sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    with contextlib.suppress(OSError):
        while True:
            sock.sendall(b"x")
            time.sleep(0.01)


HANGING = [silent, headers_only, until_closed, chunks, dribble]


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A server's certificate for 127.0.0.1: the file of who signed it, and what a server listens with."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    pem = folder / "cloud.pem"
    authority.cert_pem.write_to_path(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return pem, context
