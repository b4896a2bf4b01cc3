"""Access rules' patterns: they match what a matcher of another kind matches, whatever peers and users write into them."""

import functools
import re

from hypothesis import strategies as st
from tests.hostile.fuzzing import fuzz

from openstackoid.trust.rules import Rule, allowed, is_pattern, is_plain

pieces = st.lists(
    st.sampled_from(
        ["/", "a", "b", "ab", "*", "**", "{id}", "{", "}", ".", "..", "%2f", "%20", ";", "\0", "é", "+", "(", "$"]
    ),
    max_size=14,
).map("".join)
patterns = pieces.map("/".__add__) | st.builds(
    lambda piece, times, end: "/v2/" + piece * times + end,
    st.sampled_from(["**a", "*a", "{id}a", "**/", "a**"]),
    st.integers(0, 12),
    st.sampled_from(["", "b", "/x"]),
)
paths = pieces.map("/".__add__) | st.builds(lambda times, end: "/v2/" + "a" * times + end, st.integers(0, 60), pieces)


def matches(pattern: str, path: str) -> bool:
    """By a table instead of an expression: `*` and `{name}` are one character or more of a segment, `**` are any, none too."""
    parts = re.findall(r"\*\*|\*|\{\w+\}|.", pattern)

    @functools.cache
    def fits(part: int, place: int) -> bool:
        if part == len(parts):
            return place == len(path)
        wanted = parts[part]
        if wanted == "**":
            return fits(part + 1, place) or (place < len(path) and fits(part, place + 1))
        if place == len(path):
            return False
        if wanted == "*" or len(wanted) > 1:
            return path[place] != "/" and (fits(part + 1, place + 1) or fits(part, place + 1))
        return path[place] == wanted and fits(part + 1, place + 1)

    return fits(0, 0)


@fuzz(
    {"pattern": "/v2/" + "**a" * 12, "path": "/v2/" + "a" * 100 + "b"},
    {"pattern": "/v2/***", "path": "/v2/a"},
    {"pattern": "/**", "path": "/"},
    pattern=patterns,
    path=paths,
)
def test_a_pattern_matches_what_it_says(pattern: str, path: str) -> None:
    if not is_pattern(pattern):
        return
    passed = allowed([Rule("image", "GET", pattern)], "image", "GET", path)
    assert passed is (is_plain(path) and matches(pattern, path))
