"""Merge sorted streams of keys. The result is the order of the streams: for each key of the merged list, the stream that it comes from. Pure.

Of each stream, some keys at a time are in memory.

The keys between two bounds are sorted at a time: one sort of 100,000 is one step in C, during which all other threads would wait 50 ms, and a
heap, which takes one key at a time, needs three times the CPU. The streams are read twice: once to find bounds with about as many keys between
any two, and once to merge.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from typing import Any, Final

_SAMPLED: Final = 64  # of so many keys, one is looked at to find bounds
_STEP: Final = 64  # of the keys that are looked at, one is a bound: some 4,096 keys are sorted at a time
_AHEAD: Final = 32  # keys of a stream that are read at a time


def merge_streams(streams: Sequence[Callable[[], Iterator[Any]]], count: int, *, reverse: bool) -> "array[int]":
    """The stream of each key, in order, as an index; of equal keys, those of the first stream come first.

    Args:
        streams: begin to read a stream of keys that are in order.
        count: of the keys of all streams.
        reverse: whether the order is descending.
    """
    sample: list[Any] = []
    if count > _SAMPLED * _STEP:
        keys = chain.from_iterable(begin() for begin in streams)
        sample = sorted(islice(keys, 0, None, _SAMPLED), reverse=reverse)
    rest = [_Stream(begin(), reverse=reverse) for begin in streams]
    order = array("I")
    bounds = sample[_STEP::_STEP]
    for place, bound in enumerate(bounds):
        if place and bound == bounds[place - 1]:  # many keys equal it, perhaps all: they are counted, not held
            for number, stream in enumerate(rest):
                order.extend(repeat(number, stream.drop(bound)))
        else:
            _sort(order, [stream.take(bound) for stream in rest], reverse=reverse)
    _sort(order, [stream.rest() for stream in rest], reverse=reverse)
    return order


def _sort(order: "array[int]", streams: Sequence[Iterable[Any]], *, reverse: bool) -> None:
    """Add the streams of some keys, sorted by these."""
    keys: list[Any] = []
    owners: list[int] = []
    for number, stream in enumerate(streams):
        keys += stream
        owners += [number] * (len(keys) - len(owners))
    places = sorted(range(len(keys)), key=keys.__getitem__, reverse=reverse)
    order.fromlist([owners[place] for place in places])


class _Stream:
    """What is left of a stream.

    Args:
        keys: in order.
        reverse: whether this order is descending.
    """

    __slots__ = ("_keys", "_reverse", "_window")

    def __init__(self, keys: Iterator[Any], *, reverse: bool) -> None:
        self._keys = keys
        self._reverse = reverse
        self._window: list[Any] = []  # ascending

    def take(self, bound: Any) -> list[Any]:
        """Take the keys in front of a bound, which is a key of any stream; the order of equal ones is any."""
        taken: list[Any] = []
        while True:
            window = self._window
            if self._reverse:
                place = bisect_right(window, bound)
                taken += window[place:]
                del window[place:]
            else:
                place = bisect_left(window, bound)
                taken += window[:place]
                del window[:place]
            if window or not self._read():
                return taken

    def drop(self, bound: Any) -> int:
        """Take the keys that equal a bound and are the next ones; returns how many."""
        count = 0
        while self._window or self._read():
            window = self._window
            if self._reverse:
                place = bisect_left(window, bound)
                taken = slice(place, None)
                count += len(window) - place
            else:
                place = bisect_right(window, bound)
                taken = slice(place)
                count += place
            del window[taken]
            if window:
                break
        return count

    def rest(self) -> Iterator[Any]:
        """All keys that are left; the order of equal ones is any."""
        return chain(self._window, self._keys)

    def _read(self) -> bool:
        """Read some keys, when all that were read are taken. Whether there are any."""
        self._window = list(islice(self._keys, _AHEAD))
        if self._reverse:
            self._window.reverse()
        return bool(self._window)
