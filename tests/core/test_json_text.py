"""JSON whose strings are changed in place: every other byte stays, and what Python's reader does not take is not taken."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.core.json_text import JsonText, Node, Value

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=6))
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)),
    max_leaves=20,
)
# Texts that are nearly JSON.
pieces = st.sampled_from(
    [
        *'[]{},:" \n\t0-.eE+1/\\',
        '"a"',
        "12",
        "-0",
        "1e5",
        "NaN",
        "Infinity",
        "true",
        "null",
        "\\u00e9",
        "\\ud800",
        "\\x",
    ]
)


def plain(text: bytes, document: JsonText, value: Value) -> Any:
    """The value as Python's reader has it, from its places."""
    if not isinstance(value, Node):
        return json.loads(text[value[0] : value[1]])
    if value.keys is None:
        assert text[value.start] == ord("[")
        assert text[value.end - 1] == ord("]")
        return [plain(text, document, item) for item in value.values]
    return {key: plain(text, document, item) for key, item in value.members()}


def same(one: Any, other: Any) -> bool:
    return json.dumps(one) == json.dumps(other)  # NaN is not equal to itself


def strings(value: Value) -> list[Value]:
    if not isinstance(value, Node):
        return [value]
    return [found for item in value.values for found in strings(item)]


@given(documents, st.sampled_from([None, 0, 3]), st.booleans())
def test_places_are_those_of_the_values(document: Any, indent: int | None, escaped: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    try:
        text.decode()
    except UnicodeDecodeError:
        with pytest.raises(ValueError, match="UTF-8"):
            JsonText(text)
        return
    read = JsonText(text)
    assert same(plain(text, read, read.root), document)
    assert read.result() is text


@given(st.lists(pieces, max_size=12).map("".join))
def test_what_is_json_is_what_python_takes_for_it(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match="expected JSON"):
            JsonText(text.encode())
    else:
        read = JsonText(text.encode())
        assert same(plain(text.encode(), read, read.root), expected)


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b'"\xff"', b'{"a": "\xed\xa0\x80"}', b"\xef\xbb\xbf", b"\xfe\xff[]", b"[]\0"]
)
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="expected JSON"):
        JsonText(text)


def test_only_what_is_replaced_changes() -> None:
    text = (
        '\ufeff { "id":18446744073709551616,"a" : "x", "n": [NaN, -Infinity, 1E400, 1.0, 1e5, -0],\n'
        '\t"s": "\\ud800 \\/ \\u0041 é", "a": "x", "\\u0061": "\\u0078", "d": {"a": "x" } }\r\n'
    ).encode()
    read = JsonText(text)
    assert isinstance(read.root, Node)
    for key, value in read.root.members():
        if key == "a":
            read.replace(value, lambda old: {"x": 'new "é" \ud800'}[old])
    new = b'"new \\"\\u00e9\\" \\ud800"'
    expected = text.replace(b'"a" : "x"', b'"a" : ' + new).replace(b' "a": "x", "\\u', b' "a": ' + new + b', "\\u')
    assert read.result() == expected.replace(b'"\\u0078"', new)


def test_a_change_is_seen_by_the_next() -> None:
    read = JsonText(b'["a", 1, []]')
    assert isinstance(read.root, Node)
    for value in read.root.values:
        read.replace(value, lambda old: old + "b")
        read.replace(value, lambda old: old + "c")
    assert [read.string(value) for value in read.root.values] == ["abc", None, None]
    assert read.result() == b'["abc", 1, []]'


@given(st.lists(st.sampled_from(['"s"', "12", "[1, 2]", '{"x": "y"}', "[]"]), max_size=6), st.data(), st.booleans())
def test_what_is_removed_leaves_json(items: list[str], data: st.DataObject, listed: bool) -> None:
    gone = data.draw(st.sets(st.sampled_from(range(len(items))))) if items else set()
    blank = data.draw(st.sampled_from(["", " ", "\n  "]))
    members = [
        f"{blank}{item}{blank}" if listed else f'{blank}"{index}"{blank}: {item}{blank}'
        for index, item in enumerate(items)
    ]
    text = (f"[{','.join(members)}]" if listed else f"{{{','.join(members)}}}").encode()
    read = JsonText(text)
    assert isinstance(read.root, Node)
    for value in [found for item in read.root.values for found in strings(item)]:
        read.replace(value, str.upper)
    read.remove(read.root, gone)
    left = [index for index, _ in enumerate(items) if index not in gone]
    expected: Any = [json.loads(items[index].upper()) for index in left]
    if not listed:
        expected = dict(zip(map(str, left), [_upper(json.loads(items[index])) for index in left], strict=True))
    else:
        expected = [_upper(json.loads(items[index])) for index in left]
    assert json.loads(read.result()) == expected
    assert len(read.root.values) == len(left)


def _upper(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _upper(inner) for key, inner in value.items()}
    return value.upper() if isinstance(value, str) else value


@pytest.mark.parametrize(
    "text", ["null", "false", "0", "-0.0e5", '""', "[]", "{}", "1", '"0"', "[0]", "true", "NaN", "1e9"]
)
def test_what_is_empty_is_what_python_takes_for_it(text: str) -> None:
    read = JsonText(f"[{text}]".encode())
    assert isinstance(read.root, Node)
    assert read.is_empty(read.root.values[0]) is not bool(json.loads(text))


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        ("", "["), ("", '{"a":'), ("[", "1,"), ("[", '"a",'), ("{", '"a":1,'), ('"', "\\\\"), ('"', "x"), ("", " "),
        ("[", "1 "), ("-", "1"), ("1.", "1"), ("[", "[],"), ('{"', "a"), ('["', '\\"'), ("[1", " " * 9 + "\t"),
    ],
)  # fmt: skip
def test_no_text_is_read_twice(begin: str, more: str) -> None:
    """A parser that begins anew at every byte would not come to the end of this."""
    text = (begin + more * 500_000).encode()
    with contextlib.suppress(ValueError):
        assert JsonText(text).result() is text
