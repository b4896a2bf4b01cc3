"""Lists that are remembered: a cloud-region's whole list, as one asker sees it, before what is compared and sorted here.

So all who ask for the same with other queries share one answer of the cloud's; and what one may not see is never in it.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from google.protobuf.message import DecodeError, Message

from openstackoid.oaktree import errors
from openstackoid.oaktree.cache.answers import Cache
from openstackoid.oaktree.cache.keys import Key

_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True)
class CachePolicy:
    """What a call to list remembers, and wants to be told.

    Attributes:
        cache: where answers are kept.
        max_age: the oldest answer that will do, in seconds; None as the cache has it.
        refresh: ask, whatever is remembered.
    """

    cache: Cache
    max_age: float | None = None
    refresh: bool = False


def key(identity: str, kind: str, message: type[Message], sent: Mapping[str, Any], parents: Mapping[str, str]) -> Key:
    """What a list is remembered by: who asks, for what, with which filters of the API, as which message."""
    question = orjson.dumps([message.DESCRIPTOR.full_name, sent, parents], option=orjson.OPT_SORT_KEYS)
    return Key(identity, kind, question)


def pack(messages: Iterable[Message]) -> bytes:
    """Messages as bytes, each behind its length."""
    parts: list[bytes] = []
    for each in messages:
        data = each.SerializeToString()
        parts += (_LENGTH.pack(len(data)), data)
    return b"".join(parts)


def unpack(message: type[Message], data: bytes) -> Iterator[Message]:
    """The messages again.

    Raises:
        errors.AnswerError: the bytes are no such messages: somebody else wrote them.
    """
    place, view = 0, memoryview(data)
    try:
        while place < len(data):
            (length,) = _LENGTH.unpack_from(view, place)
            place += _LENGTH.size + length
            # A part that is cut short is no message, or not the one that it was: its length is not what was said.
            part = bytes(view[place - length : place]).ljust(length)
            yield message.FromString(part)
    except (struct.error, DecodeError) as error:
        raise errors.AnswerError("what was remembered cannot be read: ask again with refresh") from error
