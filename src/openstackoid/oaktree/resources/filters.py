"""Filters and order of a list. Pure.

A filter is sent to a cloud if the API supports it, and always applied here as well: nova interprets a name as a regular expression, glance
literally, and one request may go to both.
"""

import base64
import binascii
import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from google.protobuf.message import Message
from jmespath import exceptions as jmespath_exceptions

from oaktree.v1.common_pb2 import ListOptions
from oaktree.v1.resource_pb2 import Resource
from openstackoid.oaktree import errors
from openstackoid.oaktree.resources.expressions import Shape, compiled, path, shape_of
from openstackoid.oaktree.resources.kinds import Kind
from openstackoid.oaktree.resources.structs import document, to_python

_LARGEST_PAGE: Final = 10_000
# nova interprets these as regular expressions (its API reference, "List Servers": name): special characters are replaced by a wildcard.
_MEANING: Final = re.compile(r"[^A-Za-z0-9_ -]+")
_ANY: Final = ".+"
_PATTERNS: Final = frozenset({("compute.server", "name"), ("compute.server", "hostname")})
# Query options that are not attributes of the resource.
_PAGING: Final = frozenset({"limit", "marker", "sort_key", "sort_dir", "page_reverse", "sort"})
_ORDER: Final = re.compile(r"([a-z_][a-z0-9_.]{0,127})(?: (asc|desc))?")


@dataclass(frozen=True)
class Filters:
    """The validated options of a list."""

    sent: Mapping[str, Any] = field(default_factory=dict)
    compared: Mapping[str, Any] = field(default_factory=dict)
    query: Any = None
    order: Sequence[tuple[str, bool]] = ()  # field, descending
    page_size: int = 0
    page: Mapping[str, Any] = field(default_factory=dict)  # region -> the last id of the previous page, or "offset"
    digest: str = ""

    def keeps(self, message: Message) -> bool:
        """Whether a resource matches the filters and the query."""
        if not self.compared and self.query is None:
            return True
        attributes = document(message)
        attributes = attributes.get("attributes", {}) | attributes if "attributes" in attributes else attributes
        if any(not _equal(attributes.get(name), value) for name, value in self.compared.items()):
            return False
        if self.query is None:
            return True
        try:
            return _true(self.query.search(attributes))
        except jmespath_exceptions.JMESPathError:
            # A function got a value of the wrong type, such as contains() of null: the resource does not match.
            return False

    def sorted(self, messages: list[Message]) -> list[Message]:
        """Sort messages by the requested fields; messages without a field come last."""
        for name, descending in reversed(self.order):
            messages.sort(key=functools.partial(_rank, name), reverse=descending)
            messages.sort(key=lambda message, name=name: _at(message, name) is None)  # type: ignore[misc]
        return messages

    def token(self, page: Mapping[str, Any]) -> str:
        """The token of the next page; empty if there is none."""
        return base64.urlsafe_b64encode(orjson.dumps({"q": self.digest, "p": page})).decode() if page else ""


def parse(kind: Kind, options: ListOptions, message: type[Message] = Resource, *, asked: bytes = b"") -> Filters:
    """Parse and validate the options of a request.

    Args:
        kind: the kind of the resources.
        options: the options of the request.
        message: the message type of the resources.
        asked: parameters besides the options that must be equal for all pages: locations and parents.

    Raises:
        errors.InvalidError: an option is invalid; names the field.
    """
    given = to_python(options.filters)
    known = kind.filters
    attributes = kind.attributes.by_name
    sent, compared = {}, {}
    for name, value in given.items():
        if name in _PAGING:
            raise errors.invalid(f"options.filters.{name}", "page_size, page_token and order_by do this for all clouds")
        if name not in known and name not in attributes:
            expected = ", ".join(sorted({*known, *attributes} - _PAGING))
            raise errors.invalid(f"options.filters.{name}", f"no attribute of {kind.name}; expected one of: {expected}")
        if isinstance(value, list | dict) or value is None:
            raise errors.invalid(f"options.filters.{name}", "expected text, a number, or true or false")
        if name in attributes:
            compared[name] = value
        if name in known and (text := sendable(kind, name, value)) is not None:
            sent[name] = text
    if not 0 <= options.page_size <= _LARGEST_PAGE:
        raise errors.invalid("options.page_size", f"expected 0 to {_LARGEST_PAGE}, got {options.page_size}")
    if options.HasField("max_age") and options.max_age.ToTimedelta().total_seconds() < 0:
        raise errors.invalid("options.max_age", "expected a duration of 0 s or more")
    bare = ListOptions()
    bare.CopyFrom(options)
    for name in ("page_token", "refresh", "max_age", "page_size"):
        bare.ClearField(name)  # type: ignore[arg-type]
    shape = shape_of(kind, message)
    digest = hashlib.sha256(kind.name.encode() + bare.SerializeToString(deterministic=True) + asked).hexdigest()[:16]
    return Filters(
        sent=sent,
        compared=compared,
        query=compiled("options.query", options.query, shape) if options.query else None,
        order=_order(options.order_by, shape),
        page_size=options.page_size,
        page=_page(options.page_token, digest),
        digest=digest,
    )


def sendable(kind: Kind, name: str, value: Any) -> Any | None:
    """The filter to send for an attribute. Its result contains all wanted resources, and is filtered again here. None if there is no such filter."""
    if (kind.name, name) not in _PATTERNS:
        return value
    pattern = _MEANING.sub(_ANY, str(value))
    return pattern if pattern.replace(_ANY, "") else None


def named(kind: Kind, name: str) -> dict[str, Any]:
    """The API filter for a name; empty if the kind has none."""
    pattern = sendable(kind, "name", name) if "name" in kind.filters else None
    return {} if pattern is None else {"name": pattern}


def _order(text: str, shape: Shape) -> list[tuple[str, bool]]:
    keys = []
    for part in text.split(",") if text.strip() else []:
        match = _ORDER.fullmatch(" ".join(part.split()))
        if not match:
            raise errors.invalid(
                "options.order_by", f'expected fields as in "name, created_at desc", got {part.strip()!r}'
            )
        path("options.order_by", match[1], shape)
        keys.append((match[1], match[2] == "desc"))
    return keys


def _page(token: str, digest: str) -> Mapping[str, Any]:
    if not token:
        return {}
    try:
        document_ = orjson.loads(base64.urlsafe_b64decode(token.encode()))
        page, made_for = document_["p"], document_["q"]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise errors.invalid("options.page_token", "expected next_page_token of a summary, as it came") from error
    if made_for != digest or not isinstance(page, dict):
        raise errors.invalid("options.page_token", "it is of another request: only page_size may change between pages")
    return page


def _equal(actual: Any, wanted: Any) -> bool:
    if isinstance(actual, bool) or isinstance(wanted, bool):
        return actual is wanted or str(actual).lower() == str(wanted).lower()
    if isinstance(actual, dict):
        # Nested resources are compared by id or name.
        return str(wanted) in {str(actual.get(key)) for key in ("id", "name", "original_name")}
    if isinstance(actual, list):
        return wanted in actual
    return actual is not None and (actual == wanted or str(actual).casefold() == str(wanted).casefold())


def _true(value: Any) -> bool:
    """Truth as in JMESPath: numbers are true, even 0; empty strings, lists and objects are false."""
    return value is True or (value is not False and value is not None and value not in ("", [], {}))


def _at(message: Message, name: str) -> Any:
    value: Any = document(message)
    if "attributes" in value:
        value = value["attributes"] | value
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _rank(name: str, message: Message) -> tuple[str, Any]:
    """The sort key: values are compared within a type; types are ordered by name."""
    value = _at(message, name)
    if isinstance(value, bool | int | float):
        return "number", value
    return "text", str(value)
