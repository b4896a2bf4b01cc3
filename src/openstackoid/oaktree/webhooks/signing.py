"""Signatures of webhooks, by the specification "Standard Webhooks", for which many languages have libraries. Pure.

webhook-id          the same for each attempt of a notice
webhook-timestamp   when this attempt was made, in seconds since 1970
webhook-signature   "v1," and base64(HMAC-SHA-256(secret, "ID.TIMESTAMP.BODY"))
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

PREFIX: Final = "whsec_"
_FEWEST: Final = 24  # bytes, as the specification says
_MOST: Final = 64


def secret(text: str) -> bytes:
    """Decode a secret: "whsec_" and base64 of 24 to 64 bytes.

    Raises:
        ValueError: it is none; the message does not contain it.
    """
    wanted = f'expected "{PREFIX}" and base64 of {_FEWEST} to {_MOST} bytes'
    if not text.startswith(PREFIX):
        raise ValueError(wanted)
    try:
        decoded = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(wanted) from None
    if not _FEWEST <= len(decoded) <= _MOST:
        raise ValueError(wanted)
    return decoded


def headers(key: bytes, notice: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt."""
    signed = hmac.digest(key, f"{notice}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": notice,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
