"""Requests as they are passed on: by the names of another oaktree, or without what is elsewhere; and pages over several oaktrees. Pure."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from google.protobuf.message import Message

from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import Beyond
from openstackoid.oaktree.resources.methods import Method


def here(asked: Any, request: Any = None) -> Any:
    """The part for this oaktree, without the locations that are in others."""
    request = addressed(asked.request, None) if request is None else request
    if "locations" in request.DESCRIPTOR.fields_by_name:
        sites = {each.site for each in asked.beyond}
        kept = [each for each in request.locations if each.cloud.partition("/")[0] not in sites]
        del request.locations[:]
        request.locations.extend(kept)
    return replace(asked, request=request, beyond=())


def addressed(request: Any, to: Beyond | None, options: Message | None = None, token: str = "") -> Any:
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


def getting(getter: Method, asked: Any) -> Any:
    """What asks for the resource that a request is to change."""
    found: Any = getter.request()
    given = asked.request.DESCRIPTOR.fields_by_name
    for each in getter.request.DESCRIPTOR.fields:
        if each.name == "kind":
            found.kind = asked.kind.name
        elif each.name in given and each.type == given[each.name].type:
            value = getattr(asked.request, each.name)
            if each.message_type is None:
                setattr(found, each.name, value)
            elif each.is_repeated:
                getattr(found, each.name).MergeFrom(value)
            elif asked.request.HasField(each.name):
                getattr(found, each.name).CopyFrom(value)
    return found


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
