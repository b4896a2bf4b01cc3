"""Access rules: what they name passes, and nothing that only looks like it."""

import re
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.trust.rules import METHODS, Rule, allowed, covers, is_pattern, is_plain, whole

SEGMENTS: Final = st.text("abcXYZ019._~-:@!$&'()+,=", min_size=1, max_size=6).filter(lambda text: set(text) != {"."})
PATHS: Final = st.lists(SEGMENTS, min_size=1, max_size=5).map(lambda segments: "/" + "/".join(segments))
WILD: Final = st.one_of(SEGMENTS, st.sampled_from(["*", "**", "{id}"]))
PATTERNS: Final = st.lists(WILD, min_size=1, max_size=5).map(lambda segments: "/" + "/".join(segments))
TRICKS: Final = [
    "//",
    "/./",
    "/../",
    "/%2e%2e/",
    "/%2E/",
    "%2f",
    "%2F",
    ";",
    "/;",
    ";a=b/",
    "\\",
    "%5c",
    "%00",
    "%",
    " ",
    "?",
    "#",
]


def image(*patterns: str) -> list[Rule]:
    return [Rule("image", "GET", pattern) for pattern in patterns]


def passes(path: str, *patterns: str) -> bool:
    return allowed(image(*patterns), "image", "GET", path)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/v2/images", "/v2/images", True),
        ("/v2/images", "/v2/images/", False),
        ("/v2/images/", "/v2/images", False),
        ("/v2/images", "/v2/imagesx", False),
        ("/v2/images", "/x/v2/images", False),
        ("/v2/images", "/V2/images", False),
        ("/v2/images/*", "/v2/images/1", True),
        ("/v2/images/*", "/v2/images/", False),
        ("/v2/images/*", "/v2/images/1/file", False),
        ("/v2/images/{id}/file", "/v2/images/1/file", True),
        ("/v2/images/{id}/file", "/v2/images/1/2/file", False),
        ("/v2/images/**", "/v2/images/1/file", True),
        ("/v2/images/**", "/v2/images/", True),
        ("/v2/images/**", "/v2/images", False),
        ("/v2/*.json", "/v2/all.json", True),
        ("/v2/*.json", "/v2/all-json", False),
        ("/**", "/", True),
        ("/v2/a.c", "/v2/abc", False),
        ("/v2/(a)+", "/v2/a", False),
        ("/v2/(a)+", "/v2/(a)+", True),
    ],
)
def test_patterns(pattern: str, path: str, expected: bool) -> None:
    assert is_pattern(pattern)
    assert passes(path, pattern) is expected


@pytest.mark.parametrize(
    "path", ["", "v2", "/v2?x", "/v2/../v3", "/./v2", "/a%20b", "/a;b", "/a b", "/{", "/{a b}", "/é", "/a\n"]
)
def test_what_is_no_pattern(path: str) -> None:
    assert not is_pattern(path)


@given(PATHS)
def test_a_path_is_its_own_pattern_and_no_other_method_or_service_is_meant(path: str) -> None:
    assert is_plain(path)
    assert passes(path, path)
    assert not allowed(image(path), "compute", "GET", path)
    assert not any(allowed(image(path), "image", method, path) for method in (*METHODS[1:], "get", "OPTIONS", "TRACE"))


@given(PATTERNS, PATHS)
def test_patterns_mean_what_their_segments_mean(pattern: str, path: str) -> None:
    def matches(wanted: list[str], found: list[str]) -> bool:
        if not wanted or not found:
            return wanted == found
        if wanted[0] == "**":
            return any(matches(wanted[1:], found[index:]) for index in range(1, len(found) + 1))
        return (wanted[0] in {"*", "{id}"} or wanted[0] == found[0]) and matches(wanted[1:], found[1:])

    assert passes(path, pattern) is matches(pattern.split("/")[1:], path.split("/")[1:])


@given(PATHS, st.sampled_from(TRICKS), st.data())
def test_what_two_readers_could_read_in_two_ways_passes_nothing(path: str, trick: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(path)))
    tricky = path[:place] + trick + path[place:]
    if trick in {"/./", "/../"}:
        assert not is_plain(path + trick)
        assert not passes(path + trick + "v2/images", "/**", path, path + trick)
    elif not re.search("%(20|[89A-Fa-f][0-9A-Fa-f])", tricky):  # with what follows, "%" may be an honest escape
        assert not passes(tricky, "/**", path, "/**/*")


@given(PATHS, st.sampled_from(["upper", "lower", "swapcase"]))
def test_case_counts(path: str, change: str) -> None:
    other = getattr(path, change)()
    assert passes(other, path) is (other == path)


@given(PATHS, st.integers(0, 30))
def test_an_escape_never_stands_for_its_character(path: str, place: int) -> None:
    place = 1 + place % (len(path) - 1)
    escaped = path[:place] + "%" + format(ord(path[place]), "02x") + path[place + 1 :]
    assert not passes(escaped, path, "/**")
    assert quote(path, safe="/~._-:@!$&'()+,=") == path


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_answered(pattern: str, path: str) -> None:
    if is_pattern(pattern) and passes(path, pattern):
        assert is_plain(path)
        assert re.fullmatch(r"/[\x21-\x7e]*", path)


@pytest.mark.parametrize(
    "path", ["", "/", "/a/", "//", "/a//b", "/a/.", "/a/..", "/a/.b", "/a/...", "*", "/a\n", "http://x/a"]
)
def test_whole_services(path: str) -> None:
    rules = whole(["image"])
    expected = path in {"/", "/a/", "/a/.b", "/a/..."}
    assert all(allowed(rules, "image", method, path) is expected for method in METHODS)
    assert not allowed(rules, "compute", "GET", path)


BEFORE, AFTER = "/v2/images/", "/file"


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [
        *(
            (each, True)
            for each in ("/**", "/v2/**", "/v2/images/**", "/v2/images/*/file", "/v2/images/{id}/file", "/*/*/*/*")
        ),
        *((each, True) for each in ("/v2/images/**/file", "/v2/images/**le", "/v2/images/***/file")),
        *((each, False) for each in ("/v2/images/*", "/v2/images/a*/file", "/v2/images/*a/file", "/v2/images/a/file")),
        *((each, False) for each in ("/v2/images/*-*/file", "/v2/images/0**", "/v2/images/*/files", "/v2/*/file")),
    ],
)
def test_a_rule_covers_a_segment_if_it_takes_whatever_stands_there(pattern: str, covered: bool) -> None:
    assert covers(image(pattern), "image", "GET", BEFORE, AFTER) is covered
    assert not covers(image(pattern), "image", "PUT", BEFORE, AFTER)
    assert not covers(image(pattern), "compute", "GET", BEFORE, AFTER)


@given(st.sampled_from(["/v2", "/*", "/**", ""]), PATTERNS, st.uuids())
def test_what_is_covered_is_allowed(head: str, pattern: str, uuid: object) -> None:
    for written in (head + pattern, f"/v2/images{pattern}", f"/v2/images{pattern}/file"):
        if is_pattern(written) and covers(image(written), "image", "GET", BEFORE, AFTER):
            assert allowed(image(written), "image", "GET", f"{BEFORE}{uuid}{AFTER}")
