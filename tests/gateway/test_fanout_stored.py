"""A cloud's page in a file: what is read from it is what was written, and memory does not hold it."""

import json
import math
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.lists import row
from tests.volume import volume

from openstackoid.core.lists import Key, Order
from openstackoid.core.merging import Part, merge
from openstackoid.gateway.fanout.documents import Document
from openstackoid.gateway.fanout.pages import Page, read
from openstackoid.gateway.fanout.spooling import NO_ROOM, Room, Spool

ANYWHERE: Final = Room(memory=0, disk=1 << 30)
TEXTS: Final = st.text('ab\n,"\\ é\U0001f600', max_size=5) | st.integers(0, 3000).map("x\n".__mul__)
HOSTILE: Final[st.SearchStrategy[Any]] = st.one_of(
    TEXTS,
    st.just("\ud800"),
    st.integers(),
    st.sampled_from([1 << 4000, math.nan, math.inf, -math.inf, 5e-324, None, True, False, [], {"a": [1]}]),
    st.floats(),
)


def page(items: list[bytes], ids: list[str], keys: list[Any], *, more: bool = False) -> Page:
    return Page(items, ids, Part(keys, more=more), {}, None)


@settings(max_examples=volume(400), deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=40) | st.integers(0, 20_000).map(bytes), TEXTS), max_size=40))
def test_items_and_ids_are_read_as_they_were_written(rows: list[tuple[bytes, str]]) -> None:
    items, ids = [item for item, _ in rows], [text for _, text in rows]
    spool = Spool(ANYWHERE)
    pages = [spool.keep(name, page(items, ids, [()] * len(rows))) for name in ("One", "Two")]
    for stored in pages:
        assert (list(stored.items), list(stored.ids)) == (items, ids)
        assert (len(stored.items), len(stored.ids), len(stored.part.keys)) == (len(rows),) * 3
        assert list(stored.part.keys) == [()] * len(rows)
        assert all(stored.marker(number) == text for number, text in enumerate(ids))
        assert all(text in stored.ids for text in ids)
        assert "no such id" not in stored.ids


@settings(max_examples=volume(400), deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(HOSTILE, HOSTILE), max_size=9) | st.lists(st.tuples(TEXTS, TEXTS), max_size=9),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.booleans(), min_size=1, max_size=2),
)
def test_keys_in_a_file_give_the_order_of_those_in_memory(lists: list[list[Any]], descending: list[bool]) -> None:
    spool = Spool(ANYWHERE)
    pages = [
        page([b"{}"] * len(rows), [], [values[: len(descending)] for values in rows], more=number == 2)
        for number, rows in enumerate(lists)
    ]
    stored = [spool.keep(str(number), one) for number, one in enumerate(pages)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("openstackoid.core.streams._SAMPLED", 2)
        patch.setattr("openstackoid.core.streams._STEP", 2)
        found = merge([one.part for one in stored], descending)
    assert found == merge([one.part for one in pages], descending)


def test_a_page_without_items_takes_no_room() -> None:
    empty = page([], [], [])
    assert Spool(NO_ROOM).keep("One", empty) is empty


def made(cloud: int, number: int, *, same: bool) -> Page:
    """A page of so many servers, as a cloud answers it."""
    servers = [
        {"id": f"{cloud:08}-{item:027}", "created": f"2026-01-01T00:{0 if same else number - item:07}Z", "x": "x" * 100}
        for item in range(number)
    ]
    return read(
        row("servers"), Order((Key("created", descending=True),)), json.dumps({"servers": servers}).encode(), None
    )


@contextmanager
def traced() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def most(clouds: int, number: int, descending: list[bool], *, same: bool) -> int:
    """Bytes that a list takes, from when its pages are read until it is sent."""
    with traced():
        spool = Spool(ANYWHERE)
        pages = [spool.keep(str(cloud), made(cloud, number, same=same)) for cloud in range(clouds)]
        tracemalloc.reset_peak()
        merged = merge([one.part for one in pages], descending)
        document = Document(b"[", pages, merged, None, 0, b"]")
        size = sum(map(len, document.chunks()))
        assert size > 100 * clouds * number
        return tracemalloc.get_traced_memory()[1]


@pytest.mark.parametrize(
    ("descending", "same"), [([True], False), ([True], True), ([], False)], ids=["sorted", "equal", "one by one"]
)
def test_the_memory_of_a_list_is_a_few_bytes_an_item(descending: list[bool], same: bool) -> None:
    most(2, 100, descending, same=same)  # what is imported and cached at the first time
    clouds, few, many = 20, 300, volume(2000, 2)
    grown = most(clouds, many, descending, same=same) - most(clouds, few, descending, same=same)
    assert grown < 24 * clouds * (many - few)  # an array that grows is copied
