"""Requests of commands to gateways: another cloud's document about itself, and our own gateway's state of its peers."""

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from openstackoid.core.catalog import Cloud
from openstackoid.core.errors import OpenStackoidError, PeerAnswerError, PeerTimeoutError, PeerUnreachableError
from openstackoid.core.protocol import PEERS_PATH, WELL_KNOWN_PATH
from openstackoid.trust import rings

_CONNECT: Final = 5  # seconds
_WHOLE: Final = 15  # seconds for a whole answer
_LARGEST: Final = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The cloud at a URL.

    Attributes:
        cloud: from its own document, which is not verified.
        fingerprint: of the key that it signs with.
        keys: the published keys, `{"keys": ..., "endorsements": ...}`.
    """

    cloud: Cloud
    fingerprint: str
    keys: dict[str, Any]


def look(url: str, ca: Path | None) -> Found:
    """Fetch a cloud's document about itself.

    Args:
        url: base URL of its gateway.
        ca: PEM file of trusted authorities; the system's if not given.

    Raises:
        PeerError: the URL cannot be reached, or the server is not a gateway with keys.
    """
    document = _get(url + WELL_KNOWN_PATH, ca)
    try:
        cloud = Cloud.from_json(document)
        return Found(
            cloud,
            rings.first_fingerprint(document),
            {name: document.get(name) for name in ("keys", "endorsements")},
        )
    except ValueError as error:
        raise PeerAnswerError(
            f"{url}{WELL_KNOWN_PATH}: {error}. Is this the URL where its gateway meets peers?"
        ) from None


def seen_by_gateway(frontend: str, ca: Path | None) -> dict[str, dict[str, Any]] | None:
    """The state of the peers in our running gateway, by name; None if it does not answer."""
    with contextlib.suppress(OpenStackoidError):
        entries = _get(frontend + PEERS_PATH, ca).get("peers")
        if isinstance(entries, list):
            return {str(entry.get("name")): entry for entry in entries if isinstance(entry, dict)}
    return None


def _get(url: str, ca: Path | None) -> dict[str, Any]:
    end = time.monotonic() + _WHOLE
    text = bytearray()
    try:
        with requests.Session() as session:
            session.trust_env = False  # as the gateway: no proxy, and no password from a .netrc
            session.verify = str(ca) if ca else True
            with session.get(url, timeout=(_CONNECT, _CONNECT), allow_redirects=False, stream=True) as response:
                for chunk in response.iter_content(1 << 16):
                    text += chunk
                    if len(text) > _LARGEST:
                        raise PeerAnswerError(f"{url}: expected {_LARGEST >> 20} MiB at most. Is this a gateway?")
                    if time.monotonic() > end:
                        raise PeerTimeoutError(f"{url}: no whole answer within {_WHOLE} s")
                status = response.status_code
    except requests.Timeout:
        raise PeerTimeoutError(f"{url}: no answer within {_CONNECT} s") from None
    except requests.exceptions.SSLError as error:
        raise PeerUnreachableError(
            f"{url}: {_root(error)}. The certificate must be signed by {ca or 'an authority of this system'} "
            "(ca in the configuration)"
        ) from None
    except requests.RequestException as error:
        raise PeerUnreachableError(f"{url}: {_root(error)}") from None
    if status != requests.codes.ok:
        raise PeerAnswerError(f"{url}: expected 200, got {status}. Is this the URL where its gateway meets peers?")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise PeerAnswerError(f"{url}: expected a JSON object. Is this the URL where its gateway meets peers?")
    return document


def _root(error: BaseException) -> str:
    """The innermost exception: those that requests and urllib3 wrap around it only repeat the URL."""
    reason: object = error
    for _ in range(8):
        inner = getattr(reason, "reason", None) or next(
            (cause for cause in getattr(reason, "args", ()) if isinstance(cause, BaseException)), None
        )
        if not isinstance(inner, BaseException):
            break
        reason = inner
    strerror = getattr(reason, "strerror", None)
    return str(strerror or reason).rpartition(": ")[2] if not strerror else str(strerror)
