"""A JSON text whose strings can be changed in place: all other bytes stay as they are.

Decoding and encoding again changes more than it should: integers beyond 64 bits become floats or errors, `1E400` becomes infinity, and lone surrogates,
`NaN`, repeated keys and a byte order mark are refused or lost. So `JsonText` reads only where the values stand, and writes only what was replaced.

The grammar is RFC 8259, with what Python's `json` reads beyond it: a byte order mark before the text, `NaN`, `Infinity` and `-Infinity`. One pass without
recursion; the memory is some 130 bytes for each value.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator
from json.encoder import encode_basestring_ascii  # what `json.dumps` makes of a string
from typing import Final, TypeAlias

# Where a scalar stands in the text: first byte, and the byte after its last. The quotes of a string are included.
Span: TypeAlias = tuple[int, int]

_BOM: Final = b"\xef\xbb\xbf"
_QUOTE, _COMMA_MARK, _LIST_END, _OBJECT = b'",]{'
# All repetitions are possessive, so that no text is read twice.
_STRING: Final = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER: Final = rb"-?+(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+|Infinity)"
_SCALAR: Final = _STRING + rb"|" + _NUMBER + rb"|true|false|null|NaN"
_BLANK: Final = rb"[ \t\n\r]*+"
# A value: a scalar and the mark after it (groups 2 and 3), or the bracket that opens a list or an object (4). Group 1 is the key of a member.
_VALUE: Final = _BLANK + rb"(?:(" + _SCALAR + rb")" + _BLANK + rb"([,%s])|([\[{]))"
_ITEM: Final = re.compile(rb"()" + _VALUE % rb"\]")
_MEMBER: Final = re.compile(_BLANK + rb"(" + _STRING + rb")" + _BLANK + rb":" + _VALUE % rb"}")
_BRACKET: Final = 4
_AFTER: Final = re.compile(_BLANK + rb"[,\]}]")
_CLOSING: Final = re.compile(_BLANK + rb"[\]}]")
_OPENING: Final = re.compile(_BLANK + rb"[\[{]")
_SCALAR_ALONE: Final = re.compile(_BLANK + rb"(" + _SCALAR + rb")" + _BLANK + rb"\Z")
_REST: Final = re.compile(_BLANK + rb"\Z")
_COMMA: Final = re.compile(_BLANK + rb",")


class Node:
    """A list or an object of a text.

    Attributes:
        keys: of an object, one for each value, in the order of the text; None for a list. A key may be repeated.
        values: of the members or the items, in the order of the text.
        start, end: the first byte, and the byte after the last.
    """

    __slots__ = ("end", "keys", "start", "values")

    def __init__(self, start: int, keys: list[str] | None) -> None:
        self.start = start
        self.end = start
        self.keys = keys
        self.values: list[Value] = []

    def add(self, key: str, value: "Value") -> None:
        """Add a member to an object that is part of no text."""
        if self.keys is not None:
            self.keys.append(key)
            self.values.append(value)

    def members(self) -> Iterator[tuple[str, "Value"]]:
        """Keys and values of an object; nothing of a list."""
        return zip(self.keys or (), self.values)  # noqa: B905 - a list has values and no keys

    def get(self, key: str) -> "Value | None":
        """The value of a key: the last one, as most readers take it."""
        return next((value for name, value in reversed(list(self.members())) if name == key), None)


Value: TypeAlias = Span | Node


class JsonText:
    """A JSON text, and the changes to it.

    Args:
        text: in UTF-8.

    Attributes:
        root: the value of the whole text.

    Raises:
        ValueError: the text is not JSON.
    """

    def __init__(self, text: bytes) -> None:
        if not text.isascii():
            try:
                text.decode()
            except UnicodeDecodeError:
                raise ValueError("expected JSON in UTF-8") from None
        self._text = text
        self._changes: dict[int, tuple[int, str | None]] = {}  # first byte -> byte after the last, new string or None
        self.root: Value = _parsed(text)

    def string(self, value: Value) -> str | None:
        """A string as it is now; None for any other value."""
        if not isinstance(value, tuple):
            return None
        start, end = value
        if self._text[start] != _QUOTE:
            return None
        changed = self._changes.get(start)
        return _decoded(self._text[start:end]) if changed is None else changed[1]

    def raw(self, value: Value) -> bytes:
        """The bytes of a value as they came, whatever was changed in it."""
        start, end = (value.start, value.end) if isinstance(value, Node) else value
        return self._text[start:end]

    def is_empty(self, value: Value) -> bool:
        """Whether a value is empty or false in Python's sense: `null`, `false`, a zero, an empty string, list or object."""
        if isinstance(value, Node):
            return not value.values
        text = self.raw(value)
        return text in {b"null", b"false", b'""'} or (text[:1] in b"-0" and float(text) == 0)

    def replace(self, value: Value, change: Callable[[str], str]) -> None:
        """Replace a string by the result of a function; any other value stays."""
        old = self.string(value)
        if old is not None and isinstance(value, tuple):
            new = change(old)
            if new != old:
                self._changes[value[0]] = (value[1], new)

    def remove(self, node: Node, indexes: Collection[int]) -> None:
        """Remove items of a list, or members of an object, with their commas."""
        kept_keys: list[str] = []
        kept: list[Value] = []
        end = node.start + 1
        run: int | None = None  # first byte of the run that is being removed
        for index, value in enumerate(node.values):
            if index in indexes:
                run = end if run is None else run
            else:
                if run is not None:
                    self._cut(run, end, leading=not kept)
                    run = None
                kept.append(value)
                if node.keys is not None:
                    kept_keys.append(node.keys[index])
            end = value.end if isinstance(value, Node) else value[1]
        if run is not None:
            self._cut(run, end, leading=False)
        node.values = kept
        if node.keys is not None:
            node.keys = kept_keys

    def result(self) -> bytes:
        """The text with its changes; the same object if nothing was changed."""
        if not self._changes:
            return self._text
        pieces, done = [], 0
        for start in sorted(self._changes):
            end, new = self._changes[start]
            if start < done:
                continue  # inside of what was removed
            pieces += [self._text[done:start], b"" if new is None else encode_basestring_ascii(new).encode()]
            done = end
        pieces.append(self._text[done:])
        return b"".join(pieces)

    def _cut(self, start: int, end: int, *, leading: bool) -> None:
        comma = _COMMA.match(self._text, end) if leading else None
        self._changes[start] = (comma.end() if comma else end, None)


def _decoded(raw: bytes) -> str:
    if b"\\" in raw:
        decoded: str = json.loads(raw)
        return decoded
    return raw[1:-1].decode()


def _parsed(text: bytes) -> Value:
    place = len(_BOM) if text.startswith(_BOM) else 0
    alone = _SCALAR_ALONE.match(text, place)
    if alone:
        return alone.span(1)
    opening = _OPENING.match(text, place)
    if not opening:
        raise _not_json(place)
    names: dict[bytes, str] = {}  # the keys of a list's items are the same
    place = opening.end()
    root = _opened(text, place)
    above, node = [root], root  # the root is above itself, so that the loop needs no special case
    after: re.Match[bytes] | None
    while True:
        match = (_ITEM if node.keys is None else _MEMBER).match(text, place)
        if match is None:
            if node.values or not (after := _CLOSING.match(text, place)):
                raise _not_json(place)
            place = after.end()  # an empty list or object
        else:
            if node.keys is not None:
                name = names.get(match[1])
                if name is None:
                    name = names[match[1]] = _decoded(match[1])
                node.keys.append(name)
            place = match.end()
            if match.lastindex == _BRACKET:
                above.append(node)
                node = _opened(text, place)
                above[-1].values.append(node)
                continue
            node.values.append(match.span(2))
        while text[place - 1] != _COMMA_MARK:
            if (text[place - 1] == _LIST_END) != (node.keys is None):
                raise _not_json(place)
            node.end = place
            if node is root:
                if not _REST.match(text, place):
                    raise _not_json(place)
                return root
            node = above.pop()
            if not (after := _AFTER.match(text, place)):
                raise _not_json(place)
            place = after.end()


def _opened(text: bytes, place: int) -> Node:
    return Node(place - 1, [] if text[place - 1] == _OBJECT else None)


def _not_json(place: int) -> ValueError:
    return ValueError(f"expected JSON at byte {place}")
