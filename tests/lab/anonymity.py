"""Searches recorded bytes, logs and databases for words that must not stand there, in every form in which somebody could read them."""

import base64
import functools
from collections.abc import Iterable
from urllib.parse import quote

from tests.real.evidence import unwrapped


def forms(word: str) -> tuple[set[bytes], set[bytes]]:
    """A word as it is, in hex, URL-encoded, and an id with dashes: all in lower case; and the same within base64, and an id's bytes."""
    plain = word.lower().encode()
    folded = {plain, plain.hex().encode(), quote(word, safe="").lower().encode()}
    folded.add("".join(f"%{byte:02x}" for byte in plain).encode())
    exact = {within for text in {word.encode(), plain} for within in _within_base64(text)}
    if len(word) == 32 and all(digit in "0123456789abcdef" for digit in word):
        parts = (word[:8], word[8:12], word[12:16], word[16:20], word[20:])
        folded.add("-".join(parts).encode())
        exact.add(bytes.fromhex(word))
    return folded, exact


def _within_base64(text: bytes) -> set[bytes]:
    """The parts of base64 that say this text, wherever it begins in what was encoded; in both alphabets."""
    parts = set()
    for before in range(3):
        after = -(before + len(text)) % 3
        encoded = base64.b64encode(bytes(before) + text + bytes(after))
        # The letters that neighbours of the text have a part in say nothing of it alone.
        first, last = -(-before * 8 // 6), len(encoded) - (-(-after * 8 // 6) if after else 0)
        parts |= {encoded[first:last], encoded[first:last].translate(bytes.maketrans(b"+/", b"-_"))}
    return parts


def hits(data: bytes | Iterable[bytes], words: Iterable[str]) -> dict[str, list[bytes]]:
    """Word -> the forms in which it stands in the data, in one piece or several, or in what is packed in it (tokens)."""
    pieces = [_layers(piece) for piece in ([data] if isinstance(data, bytes) else data)]
    found: dict[str, list[bytes]] = {}
    for word in words:
        folded, exact = forms(word)
        for layers, lower in pieces:
            seen = [form for form in folded if form in lower] + [form for form in exact if form in layers]
            if seen:
                found.setdefault(word, []).extend(seen)
    return found


@functools.lru_cache(maxsize=8)
def _layers(data: bytes) -> tuple[bytes, bytes]:
    """Data with what is packed in it, as it is and in lower case: kept, since the same data are searched for several people's words."""
    layers = b"\n".join(unwrapped(data))
    return layers, layers.lower()
