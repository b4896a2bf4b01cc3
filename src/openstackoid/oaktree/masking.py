"""Masking of foreign text: messages of clouds and libraries go into statuses and logs only through `clean`."""

import re
import unicodedata
from typing import Final

# Maximum length of a message: a status is sent in HTTP/2 headers, for which gRPC allows 8 KiB in total.
LONGEST: Final = 500

_ADDRESS: Final = re.compile(r"<[\w.]+ object at 0x[0-9a-fA-F]+>:? ?")
_LOGIN: Final = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY: Final = re.compile(r"(?<=[\w/])\?[^\s'\")\]]+")
_HEADER: Final = re.compile(
    r"(?i)(\"?(?:x-[\w-]*token|authorization|set-cookie|cookie|password|passwd|secret|adminpass)\b[\"']?\s*[:=]\s*)"
    r"(?:bearer\s+|basic\s+)?(?:\"[^\"]*\"|'[^']*'|[^\s,;}]+)"
)
_TOKEN: Final = re.compile(r"gAAAA[\w=-]*|(?i:bearer|basic) [\w+/.=~-]{8,}|\b[0-9a-fA-F]{40,}\b")
_LONG: Final = re.compile(r"[A-Za-z0-9+/_=-]{40,}")
_MASK: Final = "***"


def clean(text: object, longest: int = LONGEST) -> str:
    """Make foreign text safe to show: one line of limited length, without invisible characters and without anything that looks like a secret."""
    cleaned = str(text)[: 20 * LONGEST]
    cleaned = "".join(
        " " if character.isspace() else character for character in cleaned if character.isspace() or _shows(character)
    )
    cleaned = " ".join(_ADDRESS.sub("", cleaned).split())
    cleaned = _QUERY.sub(f"?{_MASK}", _LOGIN.sub(f"{_MASK}@", cleaned))
    cleaned = _TOKEN.sub(_MASK, _HEADER.sub(rf"\1{_MASK}", cleaned))
    cleaned = _LONG.sub(_masked, cleaned)
    return cleaned if len(cleaned) <= longest else cleaned[: longest - 3] + "..."


def _shows(character: str) -> bool:
    # Controls, bidirectional marks, and surrogates, which protobuf does not accept.
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def _masked(match: re.Match[str]) -> str:
    # Base64 mixes lower case, upper case and digits; paths of APIs and long names do not.
    run = match.group()
    mixed = all(any(test(character) for character in run) for test in (str.islower, str.isupper, str.isdigit))
    return _MASK if mixed else run
