"""Links in answers lead to another base; nothing else changes."""

import json
from typing import Any

import pytest

from openstackoid.core.json_text import JsonText
from openstackoid.core.links import Links

OLD, NEW = "http://two.example:9292", "http://one.example/image"


def changed(document: Any) -> Any:
    text = JsonText(json.dumps(document).encode())
    LINKS.document(text)
    return json.loads(text.result())


LINKS = Links({OLD: NEW, f"{OLD}/inner": "http://one.example/inner", f"{OLD}/kept": f"{OLD}/kept"})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (OLD, NEW),
        (f"{OLD}/v2/images?a=http://two.example:9292#x", f"{NEW}/v2/images?a=http://two.example:9292#x"),
        (f"{OLD}?limit=1", f"{NEW}?limit=1"),
        (f"{OLD}/inner/v2", "http://one.example/inner/v2"),
        (f"{OLD}/innermost", f"{NEW}/innermost"),
        (f"{OLD}/kept/v2", f"{OLD}/kept/v2"),
        (f"{OLD}0/v2", f"{OLD}0/v2"),
        ("http://two.example/v2", "http://two.example/v2"),
        ("/v2/images", "/v2/images"),
        ("", ""),
    ],
)
def test_the_longest_base_wins_and_ends_at_a_boundary(url: str, expected: str) -> None:
    assert LINKS.url(url) == expected


def test_links_are_found_by_their_fields() -> None:
    document: dict[str, Any] = {
        "servers": [{"links": [{"href": f"{OLD}/1"}], "name": OLD, "metadata": {"href": OLD}, "id": 1}],
        "next": f"{OLD}/n",
        "self": None,
        "catalog": [{"endpoints": [{"url": OLD}]}],
        "properties": {"url": OLD},
        "tags": [OLD],
    }
    assert changed(document) == document | {
        "servers": [document["servers"][0] | {"links": [{"href": f"{NEW}/1"}]}],
        "next": f"{NEW}/n",
        "catalog": [{"endpoints": [{"url": NEW}]}],
    }


def test_a_text_without_a_base_need_not_be_read() -> None:
    assert LINKS.concern(json.dumps({"next": f"{OLD}/x"}).encode())
    assert LINKS.concern(b'{"next": "http:\\/\\/two.example:9292\\/x"}')
    assert not LINKS.concern(b'{"next": "http://elsewhere"}')
    assert not LINKS.concern(b'{"name": "no link"}')
    assert not LINKS.concern(b'{"name": "a / and a \\" in it"}')
    assert LINKS.changes
    assert not Links({OLD: OLD}).changes
    assert not Links({OLD: OLD}).concern(OLD.encode())


@pytest.mark.parametrize("document", [None, 1, "x", [], [[["x"]]], {"href": 1}])
def test_any_document_will_do(document: Any) -> None:
    assert changed(document) == document


def test_depth_costs_no_stack() -> None:
    deep = JsonText(b"[" * 100_000 + f'{{"href": "{OLD}"}}'.encode() + b"]" * 100_000)
    LINKS.document(deep)
    assert deep.result().strip(b"[]") == f'{{"href": "{NEW}"}}'.encode()
