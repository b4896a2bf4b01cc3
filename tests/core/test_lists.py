"""The table of lists, by vectors that another implementation can read."""

import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest

from openstackoid.core.lists import LISTINGS, listing

VECTORS: Final = json.loads((Path(__file__).parents[1] / "vectors" / "lists.json").read_text())


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"{case['service']} {case['path']}?{case['query']}")
def test_lists_agree_with_the_vectors(case: dict[str, Any]) -> None:
    found = listing(case["service"], case["path"])
    assert found is not None
    keys = found.order(parse_qsl(case["query"])).keys
    assert {
        "items": found.items,
        "paging": found.paging.name,
        "next": found.next_link.name,
        "keys": [f"{'-' * key.descending}{key.field}" for key in keys],
    } == {name: case[name] for name in ("items", "paging", "next", "keys")}


@pytest.mark.parametrize(("service", "path"), VECTORS["no lists"])
def test_what_is_no_list(service: str, path: str) -> None:
    assert listing(service, path) is None


def test_no_path_has_two_rows() -> None:
    for case in VECTORS["cases"]:
        assert sum(row.service == case["service"] and bool(row.path.match(case["path"])) for row in LISTINGS) == 1
