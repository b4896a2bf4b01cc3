"""Compressed answers: those that are changed are unpacked first. Pure."""

import zlib
from functools import lru_cache
from typing import Final

# zlib's window bits: gzip with its header; deflate is zlib's form (RFC 9110, 8.4.1.2).
_WINDOWS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_AS_IT_IS: Final = frozenset({"", "identity"})


def can_unpack(encoding: str) -> bool:
    """Whether `unpacked` knows a value of Content-Encoding."""
    return encoding.strip().lower() in _AS_IT_IS | _WINDOWS.keys()


def unpacked(body: bytes, encoding: str, most: int) -> bytes:
    """An unpacked body.

    Args:
        body: as it came.
        encoding: the value of Content-Encoding, one that `can_unpack` knows.
        most: bytes that it may have.

    Raises:
        ValueError: the body is not packed as it says, or is longer; the message names what was expected.
    """
    window = _WINDOWS.get(encoding.strip().lower())
    if window is None or not body:
        return body
    packed = zlib.decompressobj(window)
    try:
        plain = packed.decompress(body, most + 1)
    except zlib.error:
        raise ValueError(f"expected {encoding}") from None
    if len(plain) > most:
        raise ValueError(f"expected {most} bytes at most, unpacked")
    if not packed.eof or packed.unused_data:
        raise ValueError(f"expected {encoding} to its end")
    return plain


@lru_cache(maxsize=256)
def acceptable(encodings: str) -> str:
    """The value of Accept-Encoding without those that `unpacked` does not know; `identity` if none is left.

    Args:
        encodings: the value of Accept-Encoding.
    """
    kept = [part for part in encodings.split(",") if can_unpack(part.partition(";")[0])]
    return ",".join(kept).strip() or "identity"
