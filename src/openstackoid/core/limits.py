"""How large what comes from outside may be: one table, by kind of document. Pure.

Whoever sends a document chooses its size, its depth and the number of its values; what it costs to read is paid here. So each
kind has a limit that its honest senders never meet, and one over it is refused before it is parsed. An object of JSON takes 60 to
240 bytes of Python's memory and two of text, so the number of values bounds memory, not the size.
"""

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Limit:
    """What a kind of JSON document may have at most.

    Attributes:
        size: bytes.
        depth: lists and objects inside each other.
        values: values altogether: of lists, of objects, and these themselves.
    """

    size: int
    depth: int
    values: int


# What a peer says of itself, keys included, at /.well-known/openstackoid.
PEER: Final = Limit(256 * KIB, depth=8, values=4096)
# What a peer says of its side of an agreement.
STATEMENT: Final = Limit(64 * KIB, depth=4, values=1024)
# The answer to a token exchange: a token and a few words.
EXCHANGE: Final = Limit(16 * KIB, depth=8, values=256)
# What a Keystone says of a token, with a catalog of some regions.
IDENTITY: Final = Limit(1 * MIB, depth=16, values=50_000)
# A JSON request in which ids are mapped.
REQUEST: Final = Limit(4 * MIB, depth=64, values=100_000)
# A JSON answer whose links or ids are changed: the longest lists of OpenStack's services are those without pages, as neutron's.
ANSWER: Final = Limit(16 * MIB, depth=64, values=1_000_000)
FORM: Final = 32 * KIB  # bytes: two tokens and a scope
FORM_FIELDS: Final = 16

# os-service-types knows some 50 types; a cloud may have private ones.
SERVICES: Final = 100
LABELS: Final = 64
ROLES: Final = 256
HOST: Final = 253  # characters (RFC 1035, 2.3.4, written with dots)
PATH: Final = 256
URL: Final = 512

# One that does not end takes all the rest, or each of its quotes would be tried as a beginning.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_OTHERS: Final = bytes(each for each in range(256) if each not in b"[]{},")
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes: one deeper, one less deep


class LimitError(ValueError):
    """A document is larger than any of its kind."""


def check(body: bytes, limit: Limit) -> None:
    """Compare a JSON text with a limit before it is parsed. One that is no JSON may pass: its parser says so.

    Raises:
        LimitError: it is over the limit; the message says what was expected.
    """
    if len(body) > limit.size:
        raise LimitError(f"expected {size(limit.size)} at most")
    if body.count(b"{") + body.count(b"[") <= limit.depth and body.count(b",") + limit.depth <= limit.values:
        return  # most are so small that it does not matter what of this stands in strings
    marks = _STRING.sub(b"", body).translate(None, _OTHERS)
    brackets = marks.translate(_STEPS, b",")
    begun = brackets.count(1)
    if len(marks) - len(brackets) + begun > limit.values or len(brackets) - begun > limit.values:
        raise LimitError(f"expected {limit.values} values at most")
    if begun > limit.depth and max(accumulate(memoryview(brackets).cast("b"))) > limit.depth:
        raise LimitError(f"expected lists and objects {limit.depth} deep at most")


def size(count: int) -> str:
    """A number of bytes as people write it."""
    return f"{count / MIB:g} MiB" if count >= MIB else f"{count / KIB:g} KiB"


def shown(text: str, most: int = 80) -> str:
    """A foreign text in a message: quoted, ASCII alone, and short."""
    return ascii(text if len(text) <= most else f"{text[:most]}...")
