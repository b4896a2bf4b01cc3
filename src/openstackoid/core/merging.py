"""Merge several lists into one: the order of the items, up to the point where it is certain. Pure.

The order is (sort keys, cloud): of items with equal keys those of the first cloud come first. Inside one cloud the cloud's own order is
kept: databases sort names in different ways, and a peer may answer in any order. So the items taken of a cloud are always the beginning
of its list, a position in the merged list is one item of each cloud, and paging with any page size gives the same items
in the same order as one answer would: no item is lost or duplicated.

    A: created 9, 5, 2     B: created 7, 5     ->  A9 B7 A5 B5 A2     owners: A B A B A

A cloud whose items are used up while it has more stops the merge: its next item may be the next one of all.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, repeat
from typing import Any, Final

LARGE: Final = 2000  # items: more are merged in a thread beside the event loop
_SAMPLED: Final = 64  # of so many keys, one is looked at to find bounds
_STEP: Final = 64  # of the keys that are looked at, one is a bound: some 4,096 keys are sorted at a time


@dataclass(frozen=True, slots=True)
class Part:
    """One cloud's items.

    Attributes:
        keys: the sort values of each item, in the cloud's own order. A value may be any JSON.
        more: whether the cloud has items after these.
    """

    keys: Sequence[Sequence[Any]]
    more: bool = False


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
    return ((owner, len(list(same))) for owner, same in groupby(owners))


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
    owners = order[:certain]
    taken = Counter(owners)
    return Merged(
        owners,
        tuple(taken[part] for part in range(len(parts))),
        certain < len(order) or any(part.more for part in parts),
    )


def _order(parts: Sequence[Part], descending: Sequence[bool]) -> "array[int]":
    """The part of each item, in order."""
    owners = array("I", (index for index, part in enumerate(parts) for _ in part.keys))
    if not descending or len(parts) == 1:
        return owners
    # An item after a greater item of its own cloud gets the greater item's key: then a stable sort, which runs in C, gives the same result as
    # a merge of streams, item by item.
    rows = [key for part in parts for key in part.keys]
    columns = [_comparable(rows, column) for column in range(len(descending))]
    if len(set(descending)) == 1:
        flat: list[Any] = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
        bound = min if descending[0] else max
        return _merged([list(accumulate(flat[start:end], bound)) for start, end in _spans(parts)], descending[0])
    mixed = [_Mixed(row, descending) for row in zip(*columns, strict=True)]
    bounded = [key for start, end in _spans(parts) for key in accumulate(mixed[start:end], _later)]
    positions = sorted(range(len(bounded)), key=bounded.__getitem__)
    return array("I", [owners[position] for position in positions])


def _merged(streams: Sequence[list[Any]], reverse: bool) -> "array[int]":
    """The stream of each key, in order; of equal keys, those of the first stream come first.

    The keys between two bounds are sorted at a time: one sort of 100,000 is one step in C, during which all other threads would wait 50 ms,
    and a heap, which takes one key at a time, needs three times the CPU.

    Args:
        streams: of keys that are in order each.
        reverse: whether the order is descending.
    """
    numbers: Sequence[int] = range(len(streams))
    if reverse:  # what is bisected is ascending; the result is turned around again, and equal keys with it
        streams, numbers = [stream[::-1] for stream in reversed(streams)], numbers[::-1]
    sample = sorted([key for stream in streams for key in stream][::_SAMPLED])
    order = array("I")
    begins = [0] * len(streams)
    for bound in (*(sample[place : place + 1] for place in range(_STEP, len(sample), _STEP)), []):
        keys: list[Any] = []
        owners = array("I")
        for place, stream in enumerate(streams):
            begin = begins[place]
            begins[place] = end = bisect_left(stream, bound[0], begin) if bound else len(stream)
            keys += stream[begin:end]
            owners.extend(repeat(numbers[place], end - begin))
        order.extend(map(owners.__getitem__, sorted(range(len(keys)), key=keys.__getitem__)))
    if reverse:
        order.reverse()
    return order


def _spans(parts: Sequence[Part]) -> Iterator[tuple[int, int]]:
    start = 0
    for part in parts:
        yield start, start + len(part.keys)
        start += len(part.keys)


def _comparable(rows: Sequence[Sequence[Any]], column: int) -> list[Any]:
    """The values of one key in a form in which any two can be compared: values other than strings and numbers come first, as SQL's NULL does here."""
    values = [row[column] for row in rows]
    if set(map(type, values)) <= {str}:
        return values
    return [
        (1, value)
        if isinstance(value, (int, float)) and value == value  # noqa: PLR0124 - NaN is not equal to itself
        else (2, value)
        if isinstance(value, str)
        else (0, 0)
        for value in values
    ]


class _Mixed:
    """Values with a direction each."""

    __slots__ = ("_descending", "_values")

    def __init__(self, values: Sequence[Any], descending: Sequence[bool]) -> None:
        self._values = values
        self._descending = descending

    def __lt__(self, other: "_Mixed") -> bool:
        for mine, theirs, descending in zip(self._values, other._values, self._descending, strict=True):
            if mine != theirs:
                return bool(mine > theirs if descending else mine < theirs)
        return False


def _later(first: _Mixed, second: _Mixed) -> _Mixed:
    return max(second, first)
