"""Markers of many clouds, what each cloud is asked, and links to the next page."""

import base64
import contextlib
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.core.errors import MarkerError
from openstackoid.core.lists import Listing, listing
from openstackoid.core.paging import LONGEST, PREFIX, Positions, Window, has_next, is_positions, linked

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


def row(service: str, path: str) -> Listing:
    found = listing(service, path)
    assert found is not None
    return found


SERVERS, IMAGES = row("compute", "/v2.1/servers/detail"), row("image", "/v2/images")
NETWORKS, ROLES = row("network", "/v2.0/networks"), row("identity", "/v3/roles")
PROJECTS, GROUPS = row("identity", "/v3/projects"), row("compute", "/v2.1/os-server-groups")
AGGREGATES = row("compute", "/v2.1/os-aggregates")


@given(st.dictionaries(NAMES, st.text(min_size=1, max_size=255), max_size=8), st.frozensets(NAMES, max_size=8))
def test_positions_are_read_as_they_were_written(after: dict[str, str], ended: frozenset[str]) -> None:
    positions = Positions(after, ended)
    text = positions.text()
    if text is None:
        return
    assert is_positions(text)
    assert len(text) <= LONGEST
    assert Positions.parse(text) == positions


def test_what_is_too_long_for_a_url_has_no_text() -> None:
    after = {f"Cloud{number}": base64.b16encode(number.to_bytes(16, "big") * 2).decode() for number in range(2000)}
    assert Positions(after).text() is None


def packed(document: Any) -> str:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(body)).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "clouds:1:",
        "clouds:2:AAAA",
        "clouds:1:" + "A" * LONGEST,
        packed([]),
        packed({"after": {}}),
        packed({"after": [], "ended": []}),
        packed({"after": {"A B": "1"}, "ended": []}),
        packed({"after": {"A": ""}, "ended": []}),
        packed({"after": {"A": 1}, "ended": []}),
        packed({"after": {"A": "x" * 256}, "ended": []}),
        packed({"after": {}, "ended": [[]]}),
        packed(b" " * (1 << 20) + b'{"after": {}, "ended": []}'),
        packed(b"[" * 60000),
        packed({"after": {}, "ended": []}) + "AAAA",
    ],
)
def test_a_marker_of_somebody_elses_making_is_refused(text: str) -> None:
    with pytest.raises(MarkerError):
        Positions.parse(text)


@given(st.text(max_size=80))
def test_no_text_does_anything_else(text: str) -> None:
    with contextlib.suppress(MarkerError):
        Positions.parse(PREFIX + text)


@pytest.mark.parametrize(
    ("of", "query", "limit", "marker", "offset", "asked"),
    [
        (SERVERS, "limit=2&marker=m&status=ACTIVE", 2, "m", 0, "status=ACTIVE&limit=2&marker=a"),
        (SERVERS, "", None, None, 0, "marker=a"),
        (SERVERS, "limit=0", 0, None, 0, "limit=0&marker=a"),
        (SERVERS, "limit=x&all_tenants=", None, None, 0, "limit=x&all_tenants=&marker=a"),
        (NETWORKS, "limit=0&name=%C3%A9", None, None, 0, "name=%C3%A9&marker=a"),
        (ROLES, "limit=1&marker=m", None, None, 0, ""),
        (GROUPS, "limit=2&offset=3", 2, None, 3, "limit=0"),
        (AGGREGATES, "limit=2", None, None, 0, "limit=2"),
    ],
)
def test_what_a_query_asks_for_and_what_a_cloud_is_asked(
    of: Listing, query: str, limit: int | None, marker: str | None, offset: int, asked: str
) -> None:
    window = Window.of(of, query)
    assert (window.limit, window.marker, window.offset) == (limit, marker, offset)
    assert window.asked(of, "a", window.limit) == asked


@pytest.mark.parametrize(
    ("of", "document", "expected"),
    [
        (SERVERS, {"servers_links": [{"rel": "next", "href": "http://x"}]}, True),
        (SERVERS, {"servers_links": [{"rel": "previous"}, 1]}, False),
        (SERVERS, {"servers_links": {"rel": "next"}}, False),
        (IMAGES, {"next": "/v2/images?marker=1"}, True),
        (IMAGES, {}, False),
        (PROJECTS, {"links": {"next": None}}, False),
        (PROJECTS, {"links": {"next": "http://x"}}, True),
        (PROJECTS, {"truncated": True, "links": []}, True),
        (ROLES, {"links": {"next": "http://x"}}, False),
    ],
)
def test_whether_a_cloud_has_more(of: Listing, document: dict[str, Any], expected: bool) -> None:
    assert has_next(of, document) is expected


def test_links_lead_to_the_page_of_all_clouds() -> None:
    query = "status=ACTIVE&limit=2&marker=old"
    given_ = {"servers_links": [{"rel": "next", "href": "http://peer/"}]}
    window = Window.of(SERVERS, query)
    found = linked(SERVERS, given_, "/v2.1/servers/detail", "http://one:8774", window, "new")
    assert found == {
        "servers_links": [
            {"rel": "next", "href": "http://one:8774/v2.1/servers/detail?status=ACTIVE&limit=2&marker=new"}
        ]
    }
    assert linked(SERVERS, given_, "/p", "b", window, None) == {}
    window = Window.of(IMAGES, "limit=2&marker=old")
    document = {"schema": "/s", "first": "/x", "next": "/y"}
    found = linked(IMAGES, document, "/v2/images", "http://one", window, "new")
    assert found == {"schema": "/s", "first": "/v2/images?limit=2", "next": "/v2/images?limit=2&marker=new"}
    found = linked(PROJECTS, {"truncated": True}, "/v3/projects", "http://one", Window.of(PROJECTS, ""), None)
    assert found == {"links": {"next": None, "self": "http://one/v3/projects", "previous": None}}
