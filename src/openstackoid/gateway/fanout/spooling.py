"""The items of a large list wait in a file until they are sent, not in memory: the memory of a list of a thousand clouds is that of its order.

The head of a merged list names the clouds that are missing, so all clouds must have answered before its first byte: see
`docs/adr/0060-large-lists-wait-on-disk.md`. The file has no name (`tempfile.TemporaryFile`): no other process opens it by one, and nothing
of it stays when the process is killed. The event loop itself writes and reads it: the data are in the system's cache, and handing each part to
a thread made a list take half as much CPU again.
"""

import os
import tempfile
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final, overload

from openstackoid.core.errors import BusyError
from openstackoid.core.limits import size as written
from openstackoid.gateway.fanout.pages import Item, Page

_AHEAD: Final = 1 << 13  # bytes of a cloud's items that are read at once: items of all clouds are sent in turns


@dataclass(frozen=True, slots=True)
class Room:
    """Where, and how much, one list may hold.

    Attributes:
        memory: bytes of items in memory; further ones are in a file.
        disk: bytes of the file.
        directory: of the file; None for the system's, as `TMPDIR` says.
    """

    memory: int
    disk: int
    directory: Path | None = None


NO_ROOM: Final = Room(memory=0, disk=0)


class Spool:
    """The items of one list.

    Args:
        room: where, and how much.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._memory = room.memory
        self._size = 0
        self._file: _File | None = None

    def keep(self, cloud: str, page: Page) -> Page:
        """The page of a cloud, with its items in memory while there is room, else in the file.

        Raises:
            BusyError: the file has no room.
        """
        size = sum(map(len, page.items))
        if size <= self._memory:
            self._memory -= size
            return page
        if size > self._room.disk - self._size:
            raise BusyError(
                f"The list of {cloud} has no room: the items of one request may take {written(self._room.disk)}. "
                "Ask for less, with a limit."
            )
        start, self._size = self._size, self._size + size
        try:
            if self._file is None:
                self._file = _File(self._room.directory)
            self._file.write(b"".join(page.items), start)
        except OSError as error:
            raise BusyError(
                f"The list of {cloud} has no room on this gateway's disk: {os.strerror(error.errno or 0)}. "
                "Ask for less, with a limit."
            ) from None
        return replace(page, items=Stored(self._file, start, page.items), ids=_Packed(page.ids))


class Stored(Sequence[Item]):
    """Items in the file.

    Args:
        file: has them, one behind the other.
        start: where the first begins.
        items: the same in memory.
    """

    def __init__(self, file: "_File", start: int, items: Sequence[Item]) -> None:
        self._file = file
        self._start = start
        self._ends = array("I", accumulate(map(len, items), initial=0))
        self._ahead: tuple[int, list[Item]] = (0, [])  # the number of an item, and items from it on

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> list[Item]: ...
    def __getitem__(self, place: int | slice) -> Item | list[Item]:
        """One item, or neighbours by one read."""
        if isinstance(place, int):
            number = range(len(self))[place]
            return self._read(number, number + 1)[0]
        chosen = range(len(self))[place]
        if chosen.step != 1:
            return [self[number] for number in chosen]
        return self._read(chosen.start, chosen.stop) if chosen else []

    def __iter__(self) -> Iterator[Item]:
        """Every item, some read ahead at a time."""
        place = 0
        while place < len(self):
            self._read(place, place + 1)
            known, items = self._ahead
            yield from items[place - known :]
            place = known + len(items)

    def _read(self, first: int, last: int) -> list[Item]:
        """Neighbours, and those behind them that fit into the window: the next reads are of them."""
        known, items = self._ahead
        if not known <= first <= last <= known + len(items):
            begin = self._ends[first]
            after = max(last, bisect_right(self._ends, begin + _AHEAD) - 1)
            text = self._file.read(self._start + begin, self._ends[after] - begin)
            items = [text[here - begin : there - begin] for here, there in pairwise(self._ends[first : after + 1])]
            known = first
            self._ahead = (known, items)
        return items[first - known : last - known]


class _Packed(Sequence[str]):
    """Strings in one: 40 bytes for an id instead of 93."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._text = "".join(texts)
        self._ends = array("I", accumulate(map(len, texts), initial=0))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[number] for number in range(len(self))[place]]
        number = range(len(self))[place]
        return self._text[self._ends[number] : self._ends[number + 1]]


class _File:
    """A file without a name; closed with the last reference to it."""

    def __init__(self, directory: Path | None) -> None:
        file = tempfile.TemporaryFile(dir=directory, prefix="openstackoid-list-", buffering=0)  # noqa: SIM115 - see below
        self._number = file.fileno()
        weakref.finalize(self, file.close)

    def write(self, data: bytes, place: int) -> None:
        view = memoryview(data)
        while view:
            count = os.pwrite(self._number, view, place)
            view, place = view[count:], place + count

    def read(self, place: int, size: int) -> bytes:
        """Neighbouring bytes.

        Raises:
            OSError: the disk fails.
        """
        data = os.pread(self._number, size, place)
        while len(data) < size:
            more = os.pread(self._number, size - len(data), place + len(data))
            if not more:
                raise OSError(f"expected {size} bytes at {place}, got {len(data)}")
            data += more
        return data
