"""Merge several lists into one: the order of the items, up to the point where it is certain. Pure.

The order is (sort keys, cloud): of items with equal keys those of the first cloud come first. Inside one cloud the cloud's own order is
kept: databases sort names in different ways, and a peer may answer in any order. So the items taken of a cloud are always the beginning
of its list, a position in the merged list is one item of each cloud, and paging with any page size gives the same items
in the same order as one answer would: no item is lost or duplicated.

    A: created 9, 5, 2     B: created 7, 5     ->  A9 B7 A5 B5 A2     owners: A B A B A

A cloud whose items are used up while it has more stops the merge: its next item may be the next one of all.
"""

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, repeat
from operator import itemgetter
from typing import Any, Final

from openstackoid.core.streams import merge_streams

LARGE: Final = 2000  # items: more are merged in a thread beside the event loop


@dataclass(frozen=True, slots=True)
class Part:
    """One cloud's items.

    Attributes:
        keys: the sort values of each item, in the cloud's own order. A value may be any JSON. They may be read from elsewhere: a merge goes through
            them twice, and holds some of each cloud.
        more: whether the cloud has items after these.
        texts: whether all values are strings; None to look at them.
    """

    keys: Collection[Sequence[Any]]
    more: bool = False
    texts: bool | None = None

    @property
    def has_texts(self) -> bool:
        """Whether all values are strings."""
        return set(map(type, chain.from_iterable(self.keys))) <= {str} if self.texts is None else self.texts


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged list, as positions of its items.

    Attributes:
        owners: the part of each item, in order, as indexes: four bytes an item.
        taken: for each part, the number of its items in the list.
        more: whether items are known to follow these.
    """

    owners: Sequence[int]
    taken: tuple[int, ...]
    more: bool

    def runs(self) -> Iterator[tuple[int, int]]:
        """(index of a part, number of consecutive items), in order; neighbouring runs are of different parts."""
        return runs(self.owners)

    def places(self) -> Iterator[tuple[int, int]]:
        """(index of a part, index of an item in it), in order."""
        used = [0] * len(self.taken)
        for part in self.owners:
            yield part, used[part]
            used[part] += 1


def runs(owners: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Equal neighbours: (value, number of them), in order."""
    return ((owner, sum(1 for _ in same)) for owner, same in groupby(owners))


def merge(parts: Sequence[Part], descending: Sequence[bool], limit: int | None = None) -> Merged:
    """Merge several clouds' items.

    Args:
        parts: of each cloud, in the order that decides between equal keys.
        descending: the direction of each sort key; if empty, the clouds' lists are concatenated.
        limit: items to take at most.
    """
    order = _order(parts, descending)
    certain = len(order)
    if any(part.more for part in parts):
        last = {part: position for position, part in enumerate(order)}
        certain = min(last.get(index, -1) + 1 for index, part in enumerate(parts) if part.more)
    if limit is not None:
        certain = min(certain, limit)
    owners = order[:certain] if certain < len(order) else order
    taken = Counter(owners)
    return Merged(
        owners,
        tuple(taken[part] for part in range(len(parts))),
        certain < len(order) or any(part.more for part in parts),
    )


def _order(parts: Sequence[Part], descending: Sequence[bool]) -> "array[int]":
    """The part of each item, in order."""
    if not descending or len(parts) == 1:
        return array("I", chain.from_iterable(repeat(index, len(part.keys)) for index, part in enumerate(parts)))
    texts = all(part.has_texts for part in parts)
    reverse = len(set(descending)) == 1 and descending[0]
    streams = [partial(_bounded, part, descending, texts=texts) for part in parts]
    return merge_streams(streams, sum(len(part.keys) for part in parts), reverse=reverse)


def _bounded(part: Part, descending: Sequence[bool], *, texts: bool) -> Iterator[Any]:
    """The keys of a cloud in a form in which any two of all clouds can be compared, read as they are needed.

    An item after a greater item of its own cloud gets the greater item's key: then the streams are sorted.
    """
    rows: Iterable[Sequence[Any]] = part.keys if texts else (tuple(map(_comparable, row)) for row in part.keys)
    if len(descending) == 1:
        keys: Iterable[Any] = map(itemgetter(0), rows)
    elif len(set(descending)) == 1:
        keys = map(tuple, rows)
    else:
        keys = (
            tuple(_Descending(value) if down else value for value, down in zip(row, descending, strict=True))
            for row in rows
        )
        return _ascending(keys)
    return _descending(keys) if descending[0] else _ascending(keys)


def _ascending(keys: Iterable[Any]) -> Iterator[Any]:
    """Each key, or the greatest one before it."""
    rest = iter(keys)
    greatest = next(rest, None)
    if greatest is None:  # no key is None: they are strings and tuples
        return
    yield greatest
    for key in rest:
        if greatest < key:  # noqa: PLR1730 - `max`, and `accumulate` with it, take five times as long
            greatest = key
        yield greatest


def _descending(keys: Iterable[Any]) -> Iterator[Any]:
    """Each key, or the least one before it."""
    rest = iter(keys)
    least = next(rest, None)
    if least is None:
        return
    yield least
    for key in rest:
        if key < least:  # noqa: PLR1730 - as above
            least = key
        yield least


def simple(value: Any) -> str | float | None:
    """A value that has the same place in any order: itself, if it is a string or a number, else None. NaN is none."""
    if isinstance(value, str):
        return value
    # NaN is not equal to itself.
    return value if isinstance(value, (int, float)) and value == value else None  # noqa: PLR0124


def _comparable(value: Any) -> tuple[int, Any]:
    """A value in a form in which any two can be compared: values other than strings and numbers come first, as SQL's NULL does here."""
    kept = simple(value)
    return (0, 0) if kept is None else (2, kept) if isinstance(kept, str) else (1, kept)


class _Descending:
    """A value whose order is turned, among others whose order is not."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(self._value == other._value)

    def __lt__(self, other: "_Descending") -> bool:
        return bool(other._value < self._value)
