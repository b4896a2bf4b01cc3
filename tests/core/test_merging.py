"""Merging: against a merge of streams, item by item; and walks in pages of any size against one answer."""

import heapq
import math
from collections.abc import Collection, Iterator, Sequence
from functools import cmp_to_key
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.volume import volume

from openstackoid.core import streams
from openstackoid.core.merging import Part, merge, simple

values = st.one_of(
    st.text("abAB", max_size=2),
    st.integers(-2, 2),
    st.sampled_from([1 << 70, float(1 << 70), (1 << 70) + 1]),
    st.none(),
    st.booleans(),
    st.floats(),
    st.lists(st.none(), max_size=1),
)
names = st.text("abc", max_size=1)


def clouds(kind: st.SearchStrategy[Any]) -> st.SearchStrategy[list[list[tuple[Any, Any]]]]:
    return st.lists(st.lists(st.tuples(kind, kind), max_size=6), min_size=1, max_size=5)


directions = st.lists(st.booleans(), min_size=1, max_size=2)


class Stored(Collection[Any]):
    """Rows that can only be gone through, as those of a file are read."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def __contains__(self, row: object) -> bool:
        raise NotImplementedError


def one_by_one(lists: Sequence[Sequence[Any]], descending: Sequence[bool]) -> list[int]:
    """The cloud of each item: of the clouds' next items, the one that comes first is taken."""

    def rank(value: Any) -> tuple[int, Any]:
        if isinstance(value, str):
            return 2, value
        if isinstance(value, (int, float)) and not (isinstance(value, float) and math.isnan(value)):
            return 1, value
        return 0, 0

    def compare(mine: tuple[Any, int], theirs: tuple[Any, int]) -> int:
        for one, other, backwards in zip(mine[0], theirs[0], descending, strict=True):
            if rank(one) != rank(other):
                return 1 if (rank(one) > rank(other)) != backwards else -1
        return mine[1] - theirs[1]

    left = [list(rows) for rows in lists]
    found = []
    while heads := [(rows[0], cloud) for cloud, rows in enumerate(left) if rows]:
        cloud = min(heads, key=cmp_to_key(compare))[1]
        found.append(cloud)
        del left[cloud][0]
    return found


@settings(max_examples=volume(2000), deadline=None)
@given(clouds(values) | clouds(names), directions, st.integers(1, 4), st.integers(1, 2), st.booleans())
def test_the_next_item_of_a_cloud_that_comes_first_is_taken(
    lists: list[list[tuple[Any, Any]]], descending: list[bool], sampled: int, step: int, stored: bool
) -> None:
    cut = [[row[: len(descending)] for row in rows] for rows in lists]
    parts = [Part(rows) for rows in cut]
    if stored:
        flags = [Part(rows).has_texts for rows in cut]
        parts = [
            Part(Stored([tuple(map(simple, row)) for row in rows]), texts=texts)
            for rows, texts in zip(cut, flags, strict=True)
        ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_SAMPLED", sampled)
        patch.setattr(streams, "_STEP", step)
        patch.setattr(streams, "_AHEAD", 2)
        assert list(merge(parts, descending).owners) == one_by_one(cut, descending)


def walked(
    lists: Sequence[Sequence[Any]], descending: Sequence[bool], size: int, fetched: int
) -> list[tuple[int, int]]:
    """The items of a walk: pages of `size`, and of each cloud `fetched` items at a time behind those that were taken."""
    used, found = [0] * len(lists), []
    while True:
        parts = [
            Part(items[at : at + fetched], more=len(items) > at + fetched)
            for items, at in zip(lists, used, strict=True)
        ]
        page = merge(parts, descending, size)
        assert len(page.owners) <= size
        found += [(part, used[part] + index) for part, index in page.places()]
        used = [at + taken for at, taken in zip(used, page.taken, strict=True)]
        if not page.more:
            return found
        assert any(page.taken), "a page without an item, and more behind it"


@given(clouds(names), directions.filter(lambda ways: len(set(ways)) == 1))
def test_sorted_lists_become_one_that_is_sorted(lists: list[list[tuple[str, str]]], descending: list[bool]) -> None:
    width, backwards = len(descending), descending[0]
    cut = [sorted((row[:width] for row in rows), reverse=backwards) for rows in lists]
    merged = merge([Part(rows) for rows in cut], descending)
    assert [cut[part][index] for part, index in merged.places()] == sorted(
        (row for rows in cut for row in rows), reverse=backwards
    )
    streams = [[(row, part) for row in rows] for part, rows in enumerate(cut)]
    expected = [part for _, part in heapq.merge(*streams, key=lambda pair: pair[0], reverse=backwards)]
    assert [part for part, _ in merged.places()] == expected


@given(clouds(values), directions, st.integers(1, 7), st.integers(1, 7))
def test_a_walk_in_pages_gives_what_one_answer_gives(
    lists: list[list[tuple[Any, Any]]], descending: list[bool], size: int, fetched: int
) -> None:
    cut = [[row[: len(descending)] for row in rows] for rows in lists]
    whole = merge([Part(rows) for rows in cut], descending)
    assert not whole.more
    assert sorted(whole.places()) == [(part, index) for part, rows in enumerate(cut) for index in range(len(rows))]
    assert walked(cut, descending, size, fetched) == list(whole.places())


@given(clouds(names), directions)
def test_directions_hold_one_by_one(lists: list[list[tuple[str, str]]], descending: list[bool]) -> None:
    ordered = [_by(rows, descending) for rows in lists]
    merged = merge([Part([row[: len(descending)] for row in rows]) for rows in ordered], descending)
    found = [ordered[part][index] for part, index in merged.places()]
    assert [row[: len(descending)] for row in found] == [row[: len(descending)] for row in _by(found, descending)]


def _by(rows: list[tuple[str, str]], descending: list[bool]) -> list[tuple[str, str]]:
    for column in reversed(range(len(descending))):
        rows = sorted(rows, key=lambda row: row[column], reverse=descending[column])
    return rows


def test_without_keys_clouds_follow_each_other() -> None:
    merged = merge([Part([()] * 2), Part([]), Part([()] * 3)], [])
    assert list(merged.runs()) == [(0, 2), (2, 3)]


def test_a_cloud_that_has_more_stops_the_merge_where_its_items_end() -> None:
    merged = merge([Part([("a",), ("c",)], more=True), Part([("b",), ("d",)])], [False])
    assert list(merged.owners) == [0, 1, 0]
    assert (merged.taken, merged.more) == ((2, 1), True)


def test_a_cloud_with_more_and_no_item_lets_nothing_pass() -> None:
    assert merge([Part([], more=True), Part([("a",)])], [False]).taken == (0, 0)


@pytest.mark.parametrize(("limit", "more"), [(2, True), (3, False)])
def test_of_equal_keys_those_of_the_first_cloud_come_first(limit: int, more: bool) -> None:
    merged = merge([Part([("x",), ("x",)]), Part([("x",)])], [True], limit)
    assert list(merged.owners) == ([0, 0] if limit == 2 else [0, 0, 1])
    assert merged.more is more


@pytest.mark.parametrize("descending", [[False], [True], [True, True]], ids=str)
def test_many_items_are_merged_as_few_are(descending: list[bool]) -> None:
    random = Random(7)
    lists = [[(random.randrange(300), random.choice([None, "a", 1])) for _ in range(2500)] for _ in range(4)]
    cut = [sorted((row[: len(descending)] for row in rows), key=repr) for rows in lists]  # not quite their order
    small = walked(cut, descending, 50, 100)
    whole = merge([Part(rows) for rows in cut], descending)
    assert list(whole.places()) == small
