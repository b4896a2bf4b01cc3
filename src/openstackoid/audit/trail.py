"""Pages of a trail of audit, newest lines first, read from the ends of its files in bounded pieces. Calls block: in a coroutine, `asyncio.to_thread`.

A source is a file and those that it was rotated to: `audit.jsonl`, `audit.jsonl.1`, `audit.jsonl.2.gz`, `audit.jsonl-20300131`. Several sources, such
as the gateway's and HAProxy's, are merged by time.

A page reads `BUDGET` bytes at most, or one piece of each source. Where it ends, the marker of the next page says how far each source was read:
digest of the file's first bytes, which stays when a file is renamed, copied or compressed, and an offset into its uncompressed text.
"""

import gzip
import hashlib
import heapq
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Final

from openstackoid.audit.lines import DAMAGED, Line, Reader

BUDGET: Final = 2 << 20  # bytes of a page: a tenth of a second of one core
_PIECE: Final = 256 << 10  # bytes; a line is far shorter
_HEAD: Final = 512  # bytes by which a file is known
_MOST: Final = 100  # files of a source
_SLACK: Final = timedelta(minutes=1)  # several processes write to one file: its times are not quite in order
_TIME: Final = re.compile(rb'\{"time": ?"([0-9T:.-]{19,30}Z?)')
_FINISHED: Final = "-"
_PLACE: Final = re.compile(r"[0-9a-f]{16}\.\d{1,15}\Z")


class MarkerError(ValueError):
    """A marker that is of no page here."""


class StoppedError(Exception):
    """Nobody waits for the page any more."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, newest first.

    Attributes:
        lines: those that are wanted.
        marker: of the next page; None if there is none.
        reached: time of the oldest line that was looked at; None if there was none.
        damaged: lines of which only a part could be read, among those that were looked at.
    """

    lines: list[Line]
    marker: str | None
    reached: str | None
    damaged: int


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a source. `begin`: time of its first line, as text; `key`: digest of its first bytes."""

    path: Path
    key: str
    begin: str

    def before(self, end: int | None, most: int, stopped: Callable[[], bool]) -> tuple[bytes, int]:
        """The text before an offset, or before the end: (bytes, offset of the first)."""
        if self.path.suffix == ".gz":
            return _unpacked_before(self.path, end, most, stopped)
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            stop = size if end is None else min(end, size)
            begin = max(0, stop - most)
            file.seek(begin)
            return file.read(stop - begin), begin


@dataclass
class _Source:
    """How far a source was read: all that is newer than `place` is done."""

    path: Path
    place: str | None  # None: nothing yet
    files: list[_File] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Item:
    """A line, and the place that its source is at once it was looked at."""

    time: str
    line: Line
    source: _Source
    place: str


class _SpentError(Exception):
    """The budget is used up."""


class Trail:
    """Files of audit.

    Args:
        paths: of sources; one that is missing counts as empty.
        stopped: asked before each piece that is read or unpacked; when it is true, the page ends with StoppedError.
    """

    def __init__(self, paths: Sequence[Path], stopped: Callable[[], bool] = _never) -> None:
        self._paths = paths
        self._stopped = stopped

    def page(
        self,
        wanted: Callable[[Line], bool],
        limit: int,
        marker: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Page:
        """Return the newest lines that match, older than a marker.

        Args:
            wanted: whether a line belongs to the answer.
            limit: of lines, 1 or more.
            marker: of an earlier page.
            since: older lines are not looked for.
            until: files that begin later are not opened.

        Raises:
            MarkerError: the marker is malformed, or of a file that is gone.
            OSError: a file cannot be read.
            StoppedError: `stopped` became true.
        """
        reading = _Reading(self._sources(marker), since, until, self._stopped)
        found: list[Line] = []
        reached = None
        more = False
        try:
            for item in reading.items():
                if len(found) == limit:
                    more = True
                    break
                item.source.place = item.place
                reached = item.line.get("time") or reached
                if wanted(item.line):
                    found.append(item.line)
        except _SpentError:
            more = True
        marked = ",".join(source.place or "" for source in reading.sources) if more else None
        return Page(found, marked, reached, reading.reader.damaged)

    def _sources(self, marker: str | None) -> list[_Source]:
        places = [None] * len(self._paths) if marker is None else [part or None for part in marker.split(",")]
        if len(places) != len(self._paths) or not all(
            place is None or place == _FINISHED or _PLACE.match(place) for place in places
        ):
            raise MarkerError("expected the marker of an earlier page of this gateway")
        sources = []
        for path, place in zip(self._paths, places, strict=True):
            files = [] if place == _FINISHED else _files(path)
            if place is not None and place != _FINISHED:
                keys = [file.key for file in files]
                if (key := place.partition(".")[0]) not in keys:
                    raise MarkerError("the file that the page ended in is gone: begin again without a marker")
                files = files[keys.index(key) :]
            sources.append(_Source(path, place, files))
        return sources


class _Reading:
    """One page's reading. `reader` counts damaged lines."""

    def __init__(
        self, sources: list[_Source], since: datetime | None, until: datetime | None, stopped: Callable[[], bool]
    ) -> None:
        self.sources = sources
        self.reader = Reader()
        self._since = _text(since - _SLACK) if since else None
        self._until = _text(until) if until else None
        self._stopped = stopped
        self._left = BUDGET

    def items(self) -> Iterator[_Item]:
        """Lines of all sources, newest first."""
        return heapq.merge(*map(self._of_source, self.sources), key=attrgetter("time"), reverse=True)

    def _of_source(self, source: _Source) -> Iterator[_Item]:
        first = True
        newest = "~"  # lines without a time keep their place in the file
        end = int(source.place.partition(".")[2]) if source.place and source.place != _FINISHED else None
        for file in source.files:
            if self._until is not None and file.begin >= self._until:
                end = None
                continue
            while end != 0:
                if self._left <= 0 and not first:
                    raise _SpentError
                if self._stopped():
                    raise StoppedError
                first = False
                text, begin = file.before(end, BUDGET if file.path.suffix == ".gz" else _PIECE, self._stopped)
                self._left -= len(text)
                begin, pieces = self._lines(text, begin)
                for offset, line in reversed(pieces):
                    time = line.get("time")
                    newest = min(newest, time) if isinstance(time, str) else newest
                    if self._since is not None and isinstance(time, str) and time < self._since:
                        source.place = _FINISHED
                        return
                    yield _Item(newest, line, source, f"{file.key}.{offset}")
                source.place = f"{file.key}.{begin}"
                end = begin
            end = None
        source.place = _FINISHED

    def _lines(self, text: bytes, begin: int) -> tuple[int, list[tuple[int, Line]]]:
        """The whole lines of a piece of text: (offset of the first, [(offset, line)]), oldest first."""
        if begin:
            newline = text.find(b"\n")
            cut = newline + 1 if 0 <= newline < len(text) - 1 else 0  # what is longer than a piece is no line of audit
            text, begin = text[cut:], begin + cut
        kept: list[tuple[int, bytes, Line]] = []
        offset = begin
        for row in text.split(b"\n"):
            at = 0
            for piece, line in self.reader.pieces(row.strip()):
                # A line that had no room on a full disk is written again, whole, after its first part.
                if kept and DAMAGED in kept[-1][2] and piece.startswith(kept[-1][1]):
                    kept.pop()
                at = row.find(piece, at)
                kept.append((offset + at, piece, line))
                at += len(piece)
            offset += len(row) + 1
        self.reader.damaged += sum(DAMAGED in line for _, _, line in kept)
        return begin, [(at, line) for at, _, line in kept]


def _files(path: Path) -> list[_File]:
    """A source's files, newest first; empty ones are left out."""
    rotated = re.compile(re.escape(path.name) + r"(?:[.-][A-Za-z0-9._-]+)?\Z")
    try:
        paths = [entry for entry in path.parent.iterdir() if rotated.match(entry.name) and entry.is_file()]
    except FileNotFoundError:
        return []
    found = [file for file in map(_file, paths) if file is not None]
    return sorted(found, key=attrgetter("begin"), reverse=True)[:_MOST]


def _file(path: Path) -> _File | None:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(_HEAD)
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (FileNotFoundError, EOFError, gzip.BadGzipFile):
        return None  # rotated in this moment, or not yet packed
    head = head.partition(b"\n")[0]
    time = _TIME.search(head)
    return (
        _File(path, hashlib.sha256(head).hexdigest()[:16], time[1].decode() if time else _text(changed))
        if head
        else None
    )


def _unpacked_before(path: Path, end: int | None, most: int, stopped: Callable[[], bool]) -> tuple[bytes, int]:
    """What stands before an offset of a packed file's text; it is unpacked from its beginning, of which only this part is kept."""
    kept = bytearray()
    begin = 0
    with gzip.open(path) as file:
        while end is None or begin + len(kept) < end:
            if stopped():
                raise StoppedError
            text = file.read(_PIECE if end is None else min(_PIECE, end - begin - len(kept)))
            if not text:  # cut, or no longer as long
                break
            kept += text
            if len(kept) > 2 * most:
                begin += len(kept) - most
                del kept[: len(kept) - most]
    extra = max(0, len(kept) - most)
    return bytes(kept[extra:]), begin + extra


def _text(time: datetime) -> str:
    """A time as lines have it, so that texts compare as times."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
