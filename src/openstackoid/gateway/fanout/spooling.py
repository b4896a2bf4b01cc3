"""The items of a large list wait in a file until they are sent, not in memory: the memory of a list of a thousand clouds hardly grows with its items.

The head of a merged list names the clouds that are missing, so all clouds must have answered before its first byte: see
`docs/adr/0060-large-lists-wait-on-disk.md`. The file has no name (`tempfile.TemporaryFile`): no other process opens it by one, and nothing
of it stays when the process is killed. The event loop itself writes and reads it: the data are in the system's cache, and handing each part to
a thread made a list take half as much CPU again.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Final

from openstackoid.core.errors import BusyError
from openstackoid.core.limits import size as written
from openstackoid.core.merging import simple
from openstackoid.gateway.fanout.pages import Item, Page
from openstackoid.gateway.fanout.stored import (
    File,
    Span,
    StoredIds,
    StoredItems,
    StoredRows,
    values_as_stored,
)

_BESIDE: Final = 256  # bytes of an item in memory beside its text: its id and its sort keys, as objects


@dataclass(frozen=True, slots=True)
class Room:
    """Where, and how much, one list may hold.

    Attributes:
        memory: bytes of items in memory, with their ids and sort keys; further ones are in a file.
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
        self._file: File | None = None

    def keep(self, cloud: str, page: Page) -> Page:
        """The page of a cloud, with its items in memory while there is room, else in the file.

        Raises:
            BusyError: the file has no room.
        """
        size = sum(map(len, page.items))
        if (held := size + _BESIDE * len(page.items)) <= self._memory:
            self._memory -= held
            return page
        has_texts = page.part.has_texts
        values = chain.from_iterable(page.part.keys)
        ids, keys = values_as_stored(page.ids), values_as_stored(values if has_texts else map(simple, values))
        spans = self._write(cloud, [*page.items, ids, keys], [size, len(ids), len(keys)])
        width = len(next(iter(page.part.keys), ()))
        return replace(
            page,
            items=StoredItems(spans[0], page.items),
            ids=StoredIds(spans[1], len(page.ids)),
            part=replace(page.part, keys=StoredRows(spans[2], len(page.items), width), texts=has_texts),
        )

    def _write(self, cloud: str, pieces: Sequence[Item], sizes: Sequence[int]) -> list[Span]:
        """Write something of a cloud behind what is in the file.

        Args:
            cloud: its name.
            pieces: to write.
            sizes: bytes of what is in them, one behind the other.

        Returns:
            Where each of these is.

        Raises:
            BusyError: the file has no room.
        """
        places = list(accumulate(sizes, initial=self._size))
        if places[-1] > self._room.disk:
            raise BusyError(
                f"The list of {cloud} has no room: the items of one request may take {written(self._room.disk)}. "
                "Ask for less, with a limit."
            )
        try:
            if self._file is None:
                self._file = File(self._room.directory)
            self._file.write(b"".join(pieces), self._size)
        except OSError as error:
            raise BusyError(
                f"The list of {cloud} has no room on this gateway's disk: {os.strerror(error.errno or 0)}. "
                "Ask for less, with a limit."
            ) from None
        file, self._size = self._file, places[-1]
        return [Span(file, start, end) for start, end in pairwise(places)]
