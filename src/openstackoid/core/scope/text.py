"""Scopes as text: the JSON of a header or a token, and the short form of a command line."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from openstackoid.core.errors import ScopeError
from openstackoid.core.scope.expressions import MOST_PARTS, read, shown
from openstackoid.core.scope.values import REST, Expression, Scope
from openstackoid.core.services import service_type

_SHORTEST: Final = json.JSONEncoder(separators=(",", ":"))  # `json.dumps` makes one each time
LONGEST: Final = 16384  # characters: more than any HTTP head in front of OpenStack lets pass
MOST_SERVICES: Final = 96  # the service-types authority lists fewer types
# Both patterns match a whole string, also an unterminated one: a search that began again at each escaped quote
# inside would take quadratic time.
_NESTING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[{\[]', re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?([ \t\r\n]*+:[ \t\r\n]*+)?', re.DOTALL)


def parse(text: str) -> Scope:
    """Read a scope from JSON.

    Args:
        text: from a header or a command line; 16,384 characters at most.

    Raises:
        ScopeError: for any error; no other exception is raised.
    """
    if len(text) > LONGEST:
        raise ScopeError(f"a scope has {LONGEST} characters at most, this one has {len(text)}", text, LONGEST)
    pairs = _object(text)
    if len(pairs) > MOST_SERVICES:
        raise ScopeError(f"expected {MOST_SERVICES} services at most, not {len(pairs)}", text, 0)
    parts = 0
    entries: dict[str, Expression] = {}
    for key, key_at, value, at in _located(text, pairs):
        kind = REST if key == REST else service_type(key)
        if kind is None:
            raise ScopeError(f"expected a service type such as image, or *, not {shown(key)}", text, key_at)
        if kind in entries:
            raise ScopeError(f"the service {kind} is named twice (aliases count)", text, key_at)
        if not isinstance(value, str):
            raise ScopeError(f"expected a string that names a cloud for {kind}, not {_kind_of(value)}", text, at)
        entries[kind], used = read(value, text, at, MOST_PARTS - parts)
        parts += used
    return Scope.of(entries)


def parse_short(text: str) -> Scope:
    """Read a scope from JSON or from the short form, `image=CloudTwo,compute=CloudOne`.

    Raises:
        ScopeError: as `parse`.
    """
    if text.lstrip()[:1] == "{":
        return parse(text)
    if len(text) > LONGEST:
        raise ScopeError(f"a scope has {LONGEST} characters at most, this one has {len(text)}", text, LONGEST)
    pairs: dict[str, Expression] = {}
    parts = 0
    for start, part in _split(text):
        key, equals, value = part.partition("=")
        if not equals:
            raise ScopeError("expected SERVICE=CLOUD, or a JSON object", text, start)
        kind = REST if key.strip() == REST else service_type(key.strip())
        if kind is None:
            raise ScopeError(f"expected a service type such as image, or *, not {shown(key.strip())}", text, start)
        if kind in pairs:
            raise ScopeError(f"the service {kind} is named twice (aliases count)", text, start)
        if len(pairs) == MOST_SERVICES:
            raise ScopeError(f"expected {MOST_SERVICES} services at most", text, start)
        pairs[kind], used = read(value.strip(" \t"), text, start + len(key) + 1, MOST_PARTS - parts)
        parts += used
    return Scope.of(pairs)


def format(scope: Scope) -> str:  # noqa: A001 - the package is the namespace: scope.parse, scope.format
    """Write a scope as the shortest JSON, in ASCII, fit for a header."""
    return _SHORTEST.encode({kind: str(expression) for kind, expression in scope.entries})


def _object(text: str) -> list[tuple[str, Any]]:
    """The pairs of a JSON object, with duplicate keys."""
    if not text.lstrip(" \t\r\n").startswith("{"):
        raise ScopeError("expected a JSON object", text, len(text) - len(text.lstrip(" \t\r\n")))
    depth = 0
    # A scope is one object without nested lists or objects: a deeper text is refused without parsing it.
    for count, bracket in enumerate(_NESTING.finditer(text)):
        if count > 2 * MOST_SERVICES:  # the brace, then a key and a value for each
            raise ScopeError(f"expected {MOST_SERVICES} services at most", text, bracket.start())
        if bracket[0] in "{[":
            depth += 1
            if depth > 1:
                raise ScopeError("expected a string that names a cloud, not a list or an object", text, bracket.start())
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except json.JSONDecodeError as error:
        raise ScopeError(f"not JSON ({error.msg})", text, error.pos) from None
    except ValueError:  # an integer of more than 4300 digits
        raise ScopeError("not JSON that can be read", text, 0) from None
    return pairs if isinstance(pairs, list) else []


def _located(text: str, pairs: list[tuple[str, Any]]) -> Iterator[tuple[str, int, Any, int]]:
    """The pairs, each key and value with its place in the text, found in one pass over the strings: keys have a colon."""
    keys = [match.span() for match in _STRING.finditer(text) if match[1] is not None]
    for (key, value), (key_at, at) in zip(pairs, keys, strict=True):
        yield key, key_at, value, at


def _split(text: str) -> Iterator[tuple[int, str]]:
    """The parts between commas that stand in no brackets."""
    depth = start = 0
    for position, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "," and depth <= 0:
            yield start, text[start:position]
            start = position + 1
    yield start, text[start:]


def _kind_of(value: Any) -> str:
    return {bool: "true or false", int: "a number", float: "a number", type(None): "null"}.get(type(value), "a list")
