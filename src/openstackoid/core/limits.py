"""Limits of documents from outside: one table, by kind of document. Pure.

A sender chooses the size, the depth and the number of values of its document; the receiver pays for parsing it. So each kind
has a limit that honest senders never reach, and a document over its limit is refused before it is parsed. A JSON object takes 60 to
240 bytes of Python's memory and two bytes of text, so the number of values bounds memory, not the size.
"""

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Limit:
    """The limits of a kind of JSON document.

    Attributes:
        size: bytes.
        depth: nesting of lists and objects.
        values: number of all values: lists, objects, and the values in them.
    """

    size: int
    depth: int
    values: int


# A peer's document about itself, keys included, at /.well-known/openstackoid.
PEER: Final = Limit(256 * KIB, depth=8, values=4096)
# A peer's statement of its side of an agreement.
STATEMENT: Final = Limit(64 * KIB, depth=4, values=1024)
# The answer to a token exchange: a token and a few words.
EXCHANGE: Final = Limit(16 * KIB, depth=8, values=256)
# A peer's question which projects are gone, and the answer: ids of 64 characters at most.
PROJECTS_ASKED: Final = 10_000
PROJECTS: Final = Limit(1 * MIB, depth=3, values=PROJECTS_ASKED + 16)
# A Keystone's answer to the validation of a token, with a catalog of some regions.
IDENTITY: Final = Limit(1 * MIB, depth=16, values=50_000)
# OpenStack's services and most of its clients read JSON with Python's `json`, which takes no more.
READABLE_DEPTH: Final = 1000
# A JSON request in which ids are mapped.
REQUEST: Final = Limit(4 * MIB, READABLE_DEPTH, values=100_000)
# A JSON answer whose links or ids are changed: the longest lists of OpenStack's services are those without pages, as neutron's.
ANSWER: Final = Limit(16 * MIB, READABLE_DEPTH, values=1_000_000)
# Limits, quotas or usage of a cloud among several. They are added up by recursion, and have five levels.
TOTALS: Final = Limit(16 * MIB, depth=16, values=1_000_000)
FORM: Final = 32 * KIB  # bytes: two tokens and a scope
FORM_FIELDS: Final = 16

# os-service-types knows some 50 types; a cloud may have private ones.
SERVICES: Final = 100
LABELS: Final = 64
ROLES: Final = 256
HOST: Final = 253  # characters (RFC 1035, 2.3.4, written with dots)
PATH: Final = 256
URL: Final = 512

# An unterminated string matches all the rest, or each of its quotes would be tried as a beginning.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_OTHERS: Final = bytes(byte for byte in range(256) if byte not in b"[]{},")
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes: one deeper, one less deep


class LimitError(ValueError):
    """A document is over the limits of its kind."""


def check(body: bytes, limit: Limit) -> None:
    """Compare a JSON text with a limit before it is parsed. A text that is not JSON may pass: the parser refuses it.

    Raises:
        LimitError: the text is over the limit; the message names the limit.
    """
    if len(body) > limit.size:
        raise LimitError(f"expected {size(limit.size)} at most")
    if body.count(b"{") + body.count(b"[") <= limit.depth and body.count(b",") + limit.depth <= limit.values:
        return  # most texts are so small that strings need not be excluded from the count
    marks = _STRING.sub(b"", body).translate(None, _OTHERS)
    brackets = marks.translate(_STEPS, b",")
    begun = brackets.count(1)
    if len(marks) - len(brackets) + begun > limit.values or len(brackets) - begun > limit.values:
        raise LimitError(f"expected {limit.values} values at most")
    if begun > limit.depth and max(accumulate(memoryview(brackets).cast("b"))) > limit.depth:
        raise LimitError(f"expected lists and objects {limit.depth} deep at most")


def size(count: int) -> str:
    """Format a number of bytes for people."""
    return f"{count / MIB:g} MiB" if count >= MIB else f"{count / KIB:g} KiB"


def shown(text: str, most: int = 80) -> str:
    """Format an untrusted text for a message: quoted, ASCII only, and short."""
    return ascii(text if len(text) <= most else f"{text[:most]}...")
