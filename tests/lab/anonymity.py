"""Searches recorded bytes, logs and databases for words that must not stand there, in every form in which somebody could read them."""

import base64
from collections.abc import Iterable
from urllib.parse import quote

from tests.real.evidence import unwrapped


def forms(word: str) -> set[bytes]:
    """A word as it is, in hex, URL-encoded, and within base64; an id also with dashes and as its bytes. In lower case, but for base64 and bytes."""
    plain = word.lower().encode()
    made = {plain, plain.hex().encode(), quote(word, safe="").lower().encode()}
    made.add("".join(f"%{byte:02x}" for byte in plain).encode())
    if len(word) == 32 and all(digit in "0123456789abcdef" for digit in word):
        parts = (word[:8], word[8:12], word[12:16], word[16:20], word[20:])
        made |= {"-".join(parts).encode(), bytes.fromhex(word)}
    return made | {within for text in {word.encode(), plain} for within in _within_base64(text)}


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


def hits(data: bytes, words: Iterable[str]) -> dict[str, list[bytes]]:
    """Word -> the forms in which it stands in the data, or in what is packed in it (tokens)."""
    layers = b"\n".join(unwrapped(data))
    lower = layers.lower()
    found = {word: [form for form in forms(word) if form in layers or form in lower] for word in words}
    return {word: seen for word, seen in found.items() if seen}
