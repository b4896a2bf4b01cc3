"""Patterns of operators and of users cost one step for each character of a path, and mean what they meant as regular expressions."""

import re
import sys
from types import FrameType
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.gateway.owners import refusal
from tests.hostile.honest import Honest
from tests.volume import volume

from openstackoid.trust import rules
from openstackoid.trust.grants import Grant
from openstackoid.trust.rules import (
    LONGEST_PATH,
    LONGEST_PATTERN,
    METHODS,
    MOST_WILDCARDS,
    Rule,
    allowed,
    covers,
    is_pattern,
    is_plain,
)

# Few letters, so that patterns and paths meet; short, for the old way of comparing takes exponential time.
PATTERNS: Final = st.lists(st.sampled_from(["/", "a", "b", "*", "**", "{id}", ".", "+"]), max_size=10).map(
    lambda parts: "/" + "".join(parts)
)
PATHS: Final = st.text("/ab.+", max_size=12).map(lambda text: "/" + text)


def meant(pattern: str, path: str) -> bool:
    """The meaning, as a regular expression (keystonemiddleware, auth_token/__init__.py, `_path_matches`)."""
    parts = re.split(r"(\*\*|\*|\{[A-Za-z0-9_]+\})", pattern)
    texts = [".*" if part == "**" else "[^/]+" if index % 2 else re.escape(part) for index, part in enumerate(parts)]
    return re.fullmatch("".join(texts), path, re.DOTALL) is not None


def matches(pattern: str, path: str) -> bool:
    return allowed([Rule("image", "GET", pattern)], "image", "GET", path)


@settings(max_examples=volume(500))
@given(PATTERNS, PATHS)
@example("/**", "/")
@example("/a***b", "/aab")
@example("/**{id}**", "/a")
def test_patterns_mean_what_regular_expressions_mean(pattern: str, path: str) -> None:
    if is_pattern(pattern) and is_plain(path):
        assert matches(pattern, path) is meant(pattern, path)


@settings(max_examples=volume(500))
@given(PATTERNS, st.sampled_from(["/", "/a/", "/a", "/a/b/"]), st.sampled_from(["", "/", "/a", "/b/a", "b"]))
def test_what_covers_a_segment_means_the_same(pattern: str, before: str, after: str) -> None:
    if is_pattern(pattern):
        expected = meant(pattern, f"{before}\0{after}")
        assert covers([Rule("image", "GET", pattern)], "image", "GET", before, after) is expected


def steps(pattern: str, path: str) -> int:
    """Lines that run inside the module, to compare once."""
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if frame.f_code.co_filename != rules.__file__:
            return None
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        matches(pattern, path)
    finally:
        sys.settrace(before)
    return lines


WORST: Final = [
    "/v2/" + "**a" * 15,
    "/v2/" + "*a" * 15,
    "/v2/" + "*" * 31,
    "/" + "{x}" * 16,
    "/**" + "/*" * 14,
    "/" + "a" * 255,
]


@pytest.mark.parametrize("pattern", WORST)
def test_a_path_takes_one_step_for_each_character(pattern: str) -> None:
    """A regular expression takes longer than anybody waits: 100 letters to the power of the wildcards."""
    assert is_pattern(pattern)
    for size in (100, 1000, LONGEST_PATH):
        for path in ("/v2/" + "a" * (size - 5) + "b", "/" + "a/" * ((size - 2) // 2), "/v2/" + "a" * (size - 4)):
            assert steps(pattern, path) <= 5 * (size + LONGEST_PATTERN)  # each part of the pattern is read once


def test_patterns_and_paths_have_limits() -> None:
    assert is_pattern("/" + "a" * (LONGEST_PATTERN - 1))
    assert not is_pattern("/" + "a" * LONGEST_PATTERN)
    assert is_pattern("/" + "*" * (2 * MOST_WILDCARDS))
    assert not is_pattern("/" + "a*" * (MOST_WILDCARDS + 1))
    assert matches("/**", "/" + "a" * (LONGEST_PATH - 1))
    assert not matches("/**", "/" + "a" * LONGEST_PATH)
    with pytest.raises(ValidationError, match="256 characters and 16 wildcards at most"):
        Grant.model_validate({"rules": [{"service": "image", "method": METHODS[0], "path": "/" + "**a" * 17}]})


def test_rules_of_an_application_credential_stop_no_gateway(gateway_alone: Honest) -> None:
    def limited(*paths: str) -> str:
        limits = [{"id": "x", "service": "image", "method": "GET", "path": path} for path in paths]
        credential = {"id": "c", "name": "c", "restricted": True, "access_rules": limits}
        return gateway_alone.cloud.keystone.issue("alice", "member", application_credential=credential)

    path = "/v2/" + "a" * 100
    worst = limited(*["/v2/" + "**a" * 15 + "b"] * 64)
    assert refusal(gateway_alone.ask(path, token=worst)) == (403, "token.scope")
    assert gateway_alone.ask(path, token=limited(*["/v2/x"] * 63, "/v2/**a")).status == 200
    answer = gateway_alone.ask(path, token=limited(*["/v2/x"] * 64, "/v2/**a"))
    assert refusal(answer) == (403, "token.scope")
    assert "65 access rules" in answer.error
    assert refusal(gateway_alone.ask(path, token=limited("/v2/" + "**a" * 17))) == (403, "token.scope")
