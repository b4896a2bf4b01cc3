"""base64url without padding, as JOSE has it (RFC 7515, 2). Pure."""

import base64
import binascii


def encode(data: bytes) -> str:
    """The one text for these bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes | None:
    """The bytes of a text, padded or not; None if it is not base64url."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def is_canonical(text: str) -> bool:
    """Whether a text is what `encode` makes: base64url has several spellings of the same bytes."""
    data = decode(text)
    return data is not None and encode(data) == text
