"""Rewrites requests for another oaktree (by its names) or for this one (without locations at others); page tokens over several oaktrees. Pure."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from google.protobuf.message import Message

from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import RemotePart
from openstackoid.oaktree.access.requests import Request
from openstackoid.oaktree.resources.methods import Method


def here(request: Request, message: Any = None) -> Request:
    """The part of a request for this oaktree, without locations at other oaktrees.

    Args:
        request: the whole request.
        message: replaces the message of the request; it is modified.
    """
    message = addressed(request.message, None) if message is None else message
    if "locations" in message.DESCRIPTOR.fields_by_name:
        oaktrees = {part.site for part in request.remote_parts}
        kept = [location for location in message.locations if location.cloud.partition("/")[0] not in oaktrees]
        del message.locations[:]
        message.locations.extend(kept)
    return replace(request, message=message, remote_parts=())


def addressed(request: Any, to: RemotePart | None, options: Message | None = None, token: str = "") -> Any:
    """A copy of a request message with the locations by the names of another oaktree; with its own locations if `to` is None."""
    copy = type(request)()
    copy.CopyFrom(request)
    if options is not None:
        copy.options.CopyFrom(options)
        copy.options.page_token = token
    if to is None:
        return copy
    if "locations" in request.DESCRIPTOR.fields_by_name:
        del copy.locations[:]
        copy.locations.extend(to.locations)
    else:
        copy.ClearField("location")
        for location in to.locations:
            copy.location.CopyFrom(location)
    return copy


def without(options: Any, *names: str) -> Any:
    """A copy of a message without some of its fields."""
    copy = type(options)()
    copy.CopyFrom(options)
    for name in names:
        copy.ClearField(name)
    return copy


def getting(getter: Method, request: Request) -> Any:
    """Make the message that gets the resource of a request."""
    message: Any = getter.request()
    given = request.message.DESCRIPTOR.fields_by_name
    for field_ in getter.request.DESCRIPTOR.fields:
        name = field_.name
        if name == "kind":
            message.kind = request.kind.name
        elif name in given and field_.type == given[name].type:
            value = getattr(request.message, name)
            if field_.message_type is None:
                setattr(message, name, value)
            elif field_.is_repeated:
                getattr(message, name).MergeFrom(value)
            elif request.message.HasField(name):
                getattr(message, name).CopyFrom(value)
    return message


@dataclass(frozen=True)
class Page:
    """The start of the next page of a list over several oaktrees."""

    tokens: Mapping[str, str] = field(default_factory=dict)  # site -> its page token; "" for this oaktree
    offset: int = 0
    first: bool = False

    def goes_on(self, site: str) -> bool:
        """Whether the oaktree may have more items."""
        return self.first or bool(self.offset) or site in self.tokens

    def text(self) -> str:
        """The page token for callers."""
        return base64.urlsafe_b64encode(orjson.dumps({"s": dict(self.tokens), "o": self.offset})).decode()

    @classmethod
    def parse(cls, text: str) -> "Page":
        """Parse a caller's page token."""
        if not text:
            return cls(first=True)
        try:
            document = orjson.loads(base64.urlsafe_b64decode(text.encode()))
            tokens, offset = document["s"], document["o"]
            good = all(isinstance(token, str) for token in tokens.values()) and isinstance(offset, int) and offset >= 0
        except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
            good = False
        if not good:
            raise errors.invalid("options.page_token", "expected next_page_token of a summary, as it came")
        return cls(tokens, offset)
