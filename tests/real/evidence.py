"""What can be found in recorded bytes, logs and databases: tokens in all their wrappings, and words."""

import base64
import binascii
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress

import requests

from openstackoid.lab.layout import Cloud
from openstackoid.trust.packing import unpack

_FERNET = re.compile(rb"gAAAA[A-Za-z0-9_-]{40,}={0,2}")
_JOSE = re.compile(rb"eyJ[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){1,4}(?:~[A-Za-z0-9_-]+)?")
_BASE64 = re.compile(rb"[A-Za-z0-9_+/-]{24,}={0,2}")
SHORTEST = 20


def unwrapped(data: bytes, depth: int = 3) -> Iterator[bytes]:
    """Data, and what is inside of everything in it that base64 could be, inside of that too."""
    yield data
    if depth:
        for word in set(_BASE64.findall(data)):
            with_padding = word.rstrip(b"=").translate(bytes.maketrans(b"+/", b"-_"))
            try:
                inner = base64.urlsafe_b64decode(with_padding + b"=" * (-len(with_padding) % 4))
            except binascii.Error:
                continue
            with suppress(ValueError):
                inner = unpack(inner)  # claims of a federated token
            if inner.isascii():
                yield from unwrapped(inner, depth - 1)


def tokens_in(data: bytes) -> set[str]:
    """Everything that somebody could try as a token: Fernet's, JWS and JWE whole, and their parts."""
    found: set[bytes] = set()
    for layer in unwrapped(data):
        found.update(_FERNET.findall(layer))
        for jose in _JOSE.findall(layer):
            plain = jose.partition(b"~")[0]
            found |= {jose, plain, *(part for part in plain.split(b".") if len(part) > SHORTEST)}
    return {token.decode("ascii") for token in found}


def stored(cloud: Cloud) -> bytes:
    """All that a cloud keeps: logs, databases, configuration; not its images' data."""
    pieces: list[bytes] = []
    for path in sorted(cloud.directory.rglob("*")):
        if not path.is_file() or cloud.images in path.parents:
            continue
        pieces.append(path.read_bytes())
        if path.suffix == ".sqlite":
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as connection:
                pieces.append("\n".join(connection.iterdump()).encode())
    return b"\n".join(pieces)


def is_accepted(cloud: Cloud, token: str) -> bool:
    """Whether a cloud takes something for a token of its own user: Keystone, where a token may ask for itself, or a service."""
    urls = [f"{base}/v3/auth/tokens" for base in (cloud.backend("identity"), cloud.frontend("identity"))]
    if "." in token or _FERNET.fullmatch(
        token.encode()
    ):  # parts are for Keystone alone: services ask it, and take their time
        urls += [f"{cloud.frontend('image')}/v2/images?limit=1", f"{cloud.frontend('compute')}/v2.1/servers?limit=1"]
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    return any(requests.get(url, headers=headers, timeout=60).status_code < 400 for url in urls)
