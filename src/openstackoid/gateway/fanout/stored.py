"""Items, ids and sort keys of one cloud's page in a file, read from their beginning on: of each cloud a window of them is in memory.

items       one behind the other
ids, keys   each with a line feed before it; of an item as many keys as the order of the list has, one after the other. If one is no string, or has
            a line feed of its own: as JSON, each with a comma and a line feed before it
"""

import errno
import json
import logging
import os
import tempfile
import threading
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise, repeat
from pathlib import Path
from typing import IO, Any, Final

from openstackoid.core.errors import BusyError
from openstackoid.gateway.fanout.pages import Item

_LOG: Final = logging.getLogger(__name__)
_AHEAD: Final = 1 << 13  # bytes of a cloud's items that are read at once: items of all clouds are sent in turns
_LINES: Final = 1 << 10  # bytes of its ids or keys, which are several times larger as objects
_LINE: Final = b"\n"
_VALUE: Final = b",\n"
_ENCODER: Final = json.JSONEncoder(separators=(_VALUE.decode(), ":"))  # orjson and msgspec refuse integers of any size


class File:
    """A file without a name; closed with the last reference to it.

    Args:
        directory: where it takes its room; None for the system's.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, directory: Path | None) -> None:
        file = tempfile.TemporaryFile(dir=directory, prefix="openstackoid-list-", buffering=0)  # noqa: SIM115 - see below
        self._number = file.fileno()
        weakref.finalize(self, _close, file).atexit = False  # the system closes what is open at the end

    def write(self, data: bytes, place: int) -> None:
        """Write all of some bytes.

        Raises:
            OSError: the disk fails, or is full.
        """
        view = memoryview(data)
        while view:
            count = os.pwrite(self._number, view, place)
            view, place = view[count:], place + count

    def read(self, place: int, size: int) -> bytes:
        """Neighbouring bytes.

        Raises:
            BusyError: the disk fails.
        """
        try:
            return self._whole(place, size)
        except OSError as error:
            _LOG.error("the file of a list cannot be read: %s", error)
            raise BusyError(
                f"The list cannot be read from this gateway's disk: {os.strerror(error.errno or 0)}. "
                "Ask for less, with a limit."
            ) from None

    def _whole(self, place: int, size: int) -> bytes:
        data = os.pread(self._number, size, place)
        while len(data) < size:
            more = os.pread(self._number, size - len(data), place + len(data))
            if not more:
                raise OSError(errno.EIO, f"expected {size} bytes at {place}, got {len(data)}")
            data += more
        return data


def _close(file: IO[bytes]) -> None:
    """In a thread: while a large file is closed, the system frees its blocks, which takes 15 ms for 80 MB."""
    threading.Thread(target=file.close, name="closes-list").start()


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a file.

    Attributes:
        file: of the list.
        start: where the part begins, in bytes.
        end: where it ends.
    """

    file: File
    start: int
    end: int


class StoredItems(Collection[Item]):
    """Items, in order.

    Args:
        span: where they are, one behind the other.
        items: the same in memory.
    """

    def __init__(self, span: Span, items: Iterable[Item]) -> None:
        self._span = span
        self._ends = array("I", accumulate(map(len, items), initial=0))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __contains__(self, item: object) -> bool:
        return any(item == stored for stored in self)

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(self._windows())

    def _windows(self) -> Iterator[list[bytes]]:
        first = 0
        while first < len(self):
            last = max(first + 1, bisect_right(self._ends, self._ends[first] + _AHEAD) - 1)
            yield self._read(first, last)
            first = last

    def _read(self, first: int, last: int) -> list[bytes]:
        begin = self._ends[first]
        text = self._span.file.read(self._span.start + begin, self._ends[last] - begin)
        return [text[here - begin : there - begin] for here, there in pairwise(self._ends[first : last + 1])]


class StoredRows(Collection[tuple[Any, ...]]):
    """Rows of as many values each, in order.

    Args:
        span: where the values are (`values_as_stored`).
        count: of the rows.
        width: values of a row.
    """

    def __init__(self, span: Span, count: int, width: int) -> None:
        self._span = span
        self._count = count
        self._width = width

    def __len__(self) -> int:
        return self._count

    def __contains__(self, row: object) -> bool:
        return any(row == stored for stored in self)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        if not self._width:
            return repeat((), self._count)
        return zip(*[_values(self._span)] * self._width, strict=True)


class StoredIds(Collection[str]):
    """Ids, in order.

    Args:
        span: where they are (`values_as_stored`).
        count: of the ids.
    """

    def __init__(self, span: Span, count: int) -> None:
        self._span = span
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __contains__(self, value: object) -> bool:
        return any(value == stored for stored in self)

    def __iter__(self) -> Iterator[str]:
        return _values(self._span)


def values_as_stored(values: Iterable[Any]) -> bytes:
    """Strings, numbers and None as they are in the file."""
    listed = list(values)
    if not listed:
        return b""
    if set(map(type, listed)) == {str}:
        text = "\n".join(listed)
        if text.count("\n") == len(listed) - 1:
            return _LINE + text.encode(errors="surrogatepass")
    return _VALUE + _ENCODER.encode(listed)[1:-1].encode()


def _values(span: Span) -> Iterator[Any]:
    return chain.from_iterable(_windows(span))


def _windows(span: Span) -> Iterator[list[Any]]:
    """The values, some at a time: nothing else is held while they are used."""
    place = span.start
    while place < span.end:
        values, place = _window(span, place)
        yield values


def _window(span: Span, place: int) -> tuple[list[Any], int]:
    """Some values, and where the next ones begin."""
    window = _LINES
    while True:
        text = span.file.read(place, min(window, span.end - place))
        border = _LINE if text.startswith(_LINE) else _VALUE
        size = len(text) if place + len(text) == span.end else text.rfind(border)
        if size > 0:
            break
        window *= 2  # one value is longer
    whole = text[len(border) : size]
    values = whole.decode(errors="surrogatepass").split("\n") if border == _LINE else json.loads(b"[%b]" % whole)
    return values, place + size
