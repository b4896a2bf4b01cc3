"""What requests meet at the wire: clouds that do not come to an end, and certificates; and the gate through which they go there."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
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
    """A server's certificate for 127.0.0.1, signed by itself: the file, and what a server listens with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cloud")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "cloud.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return pem, context
