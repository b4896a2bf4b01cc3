"""Documents are measured before they are parsed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.core import limits
from openstackoid.core.limits import Limit, LimitError

JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=9) | st.sampled_from(['"', "\\", "[", '{"', ',]"', "\\\\"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)
LIMIT = Limit(1000, depth=3, values=10)


def measured(node: Any) -> tuple[int, int]:
    """Depth, and values: of each list and object itself, and what a comma stands before."""
    if not isinstance(node, (list, dict)):
        return 0, 0
    inner = [measured(each) for each in (node.values() if isinstance(node, dict) else node)]
    depth = 1 + max((each[0] for each in inner), default=0)
    return depth, 1 + max(0, len(inner) - 1) + sum(each[1] for each in inner)


@given(JSON)
def test_what_is_within_passes_and_what_is_beyond_does_not(document: Any) -> None:
    depth, values = measured(document)
    for indent in (None, 2):
        text = json.dumps(document, indent=indent).encode()
        limits.check(text, Limit(len(text), depth, values))
        for less in (
            Limit(len(text) - 1, depth, values),
            Limit(len(text), depth - 1, values),
            Limit(len(text), depth, values - 1),
        ):
            if min(less.depth, less.values) >= 0:
                with pytest.raises(LimitError, match="expected"):
                    limits.check(text, less)


@pytest.mark.parametrize(
    "text",
    [
        *(
            b"[" * 4,
            b"[[[[]]]]",
            b"{}," * 11,
            b"]" * 2000,
            b"]" * 999 + b"{" * 4,
            b'"' + b"a" * 1000,
            b'[",", ' + b"0," * 10 + b"0]",
        ),
        *(b'["\\\\", [[[]]]]', b'{"a\\"": [{"b": []}]}' + b"[[[[", b"x" * 1001),
    ],
)
def test_what_is_refused(text: bytes) -> None:
    with pytest.raises(LimitError, match="expected"):
        limits.check(text, LIMIT)


@pytest.mark.parametrize(
    "text", [b"", b"1", b'"[[[[[[,,,,,,,,,,,,,', b'["[[[[,,,,,,,,,,,,,\\"[[[["]', b"nonsense", b'"\\']
)
def test_what_stands_in_strings_does_not_count(text: bytes) -> None:
    limits.check(text, LIMIT)


def test_foreign_texts_are_shown_short() -> None:
    assert limits.shown("a\n\u202eb") == "'a\\n\\u202eb'"
    assert len(limits.shown("x" * 10_000)) < 100
    assert [limits.size(16 << 20), limits.size(64 << 10)] == ["16 MiB", "64 KiB"]
