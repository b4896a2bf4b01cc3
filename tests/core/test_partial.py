"""Headers of answers of several clouds: what is written is what is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.core.partial import ITEMS, LONGEST, MISSING, read_items, read_missing, write_items, write_missing

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), st.data())
def test_items_are_read_as_they_were_written(names: list[str], data: st.DataObject) -> None:
    runs = data.draw(st.lists(st.tuples(st.integers(0, len(names) - 1), st.integers(1, 30)), max_size=30))
    owners = [index for index, count in runs for _ in range(count)]
    text = write_items(names, owners)[ITEMS]
    assert read_items(text) == [names[index] for index in owners]


def test_items_take_two_bytes_at_worst() -> None:
    text = write_items(["A", "B"], [number % 2 for number in range(1000)])[ITEMS]
    assert len(text) <= 2 * 1000 + len("A B;")


def test_items_that_have_no_room_are_left_out() -> None:
    assert write_items(["A", "B"], [number % 2 for number in range(LONGEST)]) == {}


@given(st.lists(st.tuples(NAMES, st.sampled_from(["peer.timeout", "status.503"])), max_size=600))
def test_missing_clouds_are_named_or_counted(missed: list[tuple[str, str]]) -> None:
    headers = write_missing(missed)
    assert (MISSING in headers) == bool(missed)
    found = read_missing(headers.get(MISSING, ""))
    assert len(headers.get(MISSING, "")) <= LONGEST
    if found and found[-1][0] == "...":
        assert len(found) - 1 + int(found[-1][1].removeprefix("more=")) == len(missed)
        found.pop()
    assert found == missed[: len(found)]


@pytest.mark.parametrize("text", ["A;1", "A;x", "A;0*x", "A;-1", f"A;0*{1 << 40}", ";0"])
def test_malformed_items(text: str) -> None:
    with pytest.raises(ValueError, match=ITEMS):
        read_items(text)
