"""Requests of operators to gateways: another cloud's document about itself, and our own gateway's state of its peers."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from openstackoid.core.catalog import Cloud
from openstackoid.core.errors import OpenStackoidError, PeerAnswerError, PeerTimeoutError, PeerUnreachableError
from openstackoid.core.protocol import PEERS_PATH, WELL_KNOWN_PATH
from openstackoid.gateway.settings.certificates import authorities
from openstackoid.gateway.upstream.failures import reason
from openstackoid.trust import rings

_WHOLE: Final = 15  # seconds of a whole request, from the look-up of the host's name to the last byte
_LARGEST: Final = 1 << 20  # bytes
_OK: Final = 200


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


async def look(url: str, ca: Path | None) -> Found:
    """Fetch a cloud's document about itself.

    Args:
        url: base URL of its gateway.
        ca: PEM file of trusted authorities; the system's if not given.

    Raises:
        PeerError: the URL cannot be reached, or the server is not a gateway with keys.
        ConfigError: the file holds no authorities.
    """
    document = await _get(url + WELL_KNOWN_PATH, ca)
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


async def seen_by_gateway(frontend: str, ca: Path | None) -> dict[str, dict[str, Any]] | None:
    """The state of the peers in our running gateway, by name; None if it does not answer."""
    with contextlib.suppress(OpenStackoidError):
        entries = (await _get(frontend + PEERS_PATH, ca)).get("peers")
        if isinstance(entries, list):
            return {str(entry.get("name")): entry for entry in entries if isinstance(entry, dict)}
    return None


async def _get(url: str, ca: Path | None) -> dict[str, Any]:
    trusted = authorities(ca)
    try:
        # As the gateway: no proxy, and no password from a .netrc.
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=trusted),
                timeout=aiohttp.ClientTimeout(total=_WHOLE),
                auto_decompress=False,  # a piece of what was packed may be a thousand times as long
            ) as session,
            session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response,
        ):
            text = bytearray()
            async for piece in response.content.iter_any():
                text += piece
                if len(text) > _LARGEST:
                    raise PeerAnswerError(f"{url}: expected {_LARGEST >> 20} MiB at most. Is this a gateway?")
    except TimeoutError:
        raise PeerTimeoutError(f"{url}: no whole answer within {_WHOLE} s") from None
    except aiohttp.ClientSSLError as error:
        raise PeerUnreachableError(
            f"{url}: {reason(error)}. The certificate must be signed by {ca or 'an authority of this system'} "
            "(ca in the configuration)"
        ) from None
    except aiohttp.ClientError as error:
        raise PeerUnreachableError(f"{url}: {reason(error)}") from None
    except UnicodeError:  # a label of more than 63 characters, as Python's resolver says it
        raise PeerUnreachableError(f"{url}: its host is no name that can be looked up") from None
    if response.status != _OK:
        raise PeerAnswerError(
            f"{url}: expected 200, got {response.status}. Is this the URL where its gateway meets peers?"
        )
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise PeerAnswerError(f"{url}: expected a JSON object. Is this the URL where its gateway meets peers?")
    return document
