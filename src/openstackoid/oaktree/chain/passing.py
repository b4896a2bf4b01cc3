"""Requests as they are passed on: by the names of another oaktree, or without what is elsewhere; and pages over several oaktrees. Pure."""

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
    """The part for this oaktree, without the locations that are in others.

    Args:
        request: the whole.
        message: instead of the request's own; it is changed.
    """
    message = addressed(request.message, None) if message is None else message
    if "locations" in message.DESCRIPTOR.fields_by_name:
        oaktrees = {part.site for part in request.remote_parts}
        kept = [location for location in message.locations if location.cloud.partition("/")[0] not in oaktrees]
        del message.locations[:]
        message.locations.extend(kept)
    return replace(request, message=message, remote_parts=())


def addressed(request: Any, to: RemotePart | None, options: Message | None = None, token: str = "") -> Any:
    """A request by the names of another oaktree; for this one, if None."""
    found = type(request)()
    found.CopyFrom(request)
    if options is not None:
        found.options.CopyFrom(options)
        found.options.page_token = token
    if to is None:
        return found
    if "locations" in request.DESCRIPTOR.fields_by_name:
        del found.locations[:]
        found.locations.extend(to.locations)
    else:
        found.ClearField("location")
        for each in to.locations:
            found.location.CopyFrom(each)
    return found


def without(options: Any, *names: str) -> Any:
    """A copy of a message without some of its fields."""
    found = type(options)()
    found.CopyFrom(options)
    for name in names:
        found.ClearField(name)
    return found


def getting(getter: Method, request: Request) -> Any:
    """The message that asks for the resource that a request is about."""
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
    """Where a list over several oaktrees goes on."""

    tokens: Mapping[str, str] = field(default_factory=dict)  # site -> its own; "" for this one
    offset: int = 0
    first: bool = False

    def goes_on(self, site: str) -> bool:
        """Whether there is more of it."""
        return self.first or bool(self.offset) or site in self.tokens

    def text(self) -> str:
        """As callers bring it back."""
        return base64.urlsafe_b64encode(orjson.dumps({"s": dict(self.tokens), "o": self.offset})).decode()

    @classmethod
    def parse(cls, text: str) -> "Page":
        """What a caller brought back."""
        if not text:
            return cls(first=True)
        try:
            document = orjson.loads(base64.urlsafe_b64decode(text.encode()))
            tokens, offset = document["s"], document["o"]
            good = all(isinstance(each, str) for each in tokens.values()) and isinstance(offset, int) and offset >= 0
        except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
            good = False
        if not good:
            raise errors.invalid("options.page_token", "expected next_page_token of a summary, as it came")
        return cls(tokens, offset)
