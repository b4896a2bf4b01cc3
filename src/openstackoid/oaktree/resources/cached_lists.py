"""Cached lists: a cloud-region's whole list for one caller identity, before local filters and sorting.

So requests with different queries share one answer of the cloud, and it never contains resources that the caller may not see.
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
    """How a list call uses the cache.

    Attributes:
        cache: the cache.
        max_age: maximum age of a cached answer, in seconds; None for the cache's own.
        refresh: ignore cached answers.
    """

    cache: Cache
    max_age: float | None = None
    refresh: bool = False


def key(identity: str, kind: str, message: type[Message], sent: Mapping[str, Any], parents: Mapping[str, str]) -> Key:
    """The cache key of a list: identity, kind, the filters that are sent to the API, and the message type."""
    question = orjson.dumps([message.DESCRIPTOR.full_name, sent, parents], option=orjson.OPT_SORT_KEYS)
    return Key(identity, kind, question)


def pack(messages: Iterable[Message]) -> bytes:
    """Encode messages as bytes, each with its length as a prefix."""
    parts: list[bytes] = []
    for message in messages:
        data = message.SerializeToString()
        parts += (_LENGTH.pack(len(data)), data)
    return b"".join(parts)


def unpack(message: type[Message], data: bytes) -> Iterator[Message]:
    """Decode the messages.

    Raises:
        errors.AnswerError: the bytes are no such messages: another program wrote them.
    """
    place, view = 0, memoryview(data)
    try:
        while place < len(data):
            (length,) = _LENGTH.unpack_from(view, place)
            place += _LENGTH.size + length
            # A truncated part may still parse, even as another message: pad it to its declared length.
            part = bytes(view[place - length : place]).ljust(length)
            yield message.FromString(part)
    except (struct.error, DecodeError) as error:
        raise errors.AnswerError("what was remembered cannot be read: ask again with refresh") from error
