"""Lines of audit files, whole and damaged.

A line is damaged if a disk was full, a process was killed, or a syslog server cut it. An attacker who wants to hide a request would damage its
line, so no damaged line is left out: the readable fields are shown, with the line's text.
"""

import contextlib
import gzip
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from openstackoid.core.errors import ConfigError

Line = dict[str, Any]
# The key under which a damaged line has its text.
DAMAGED: Final = "damaged"
# How a line begins; within a string the quotes would be escaped.
_BEGIN: Final = re.compile(rb'(?=\{"time":)')
_FIELD: Final = re.compile(
    rb'"(time|cloud|by|way|status|error|decision|peer|service|home|user|project|local_user|local_project|agreement|client'
    rb'|request_id|global_request_id|method|path)":("(?:[^"\\]|\\.)*+"|null|[0-9]{1,9}(?=[,}]))'
)


@dataclass
class Reader:
    """Lines of files, oldest first.

    Attributes:
        damaged: lines of which only a part could be read, so far.
        others: lines that are not audit lines, such as HAProxy's own messages.
    """

    damaged: int = 0
    others: int = 0

    def read(self, files: Iterable[Path | None], default: Callable[[], Path]) -> Iterator[Line]:
        """Every line of audit.

        Args:
            files: paths; `-` is standard input.
            default: gives the file to read if there are none.

        Raises:
            ConfigError: a file cannot be read.
        """
        for file in list(files) or [default()]:
            name = str(file)
            try:
                with _open(name) as lines:
                    yield from self._lines(lines)
            except (OSError, EOFError) as error:
                raise ConfigError(f"{name}: {getattr(error, 'strerror', None) or error}") from None

    def _lines(self, lines: Iterable[bytes]) -> Iterator[Line]:
        torn: tuple[bytes, Line] | None = None
        for text in lines:
            for piece, line in self.pieces(text.strip()):
                # A line that had no room on a full disk is written again, whole, after its first part.
                if torn and not piece.startswith(torn[0]):
                    self.damaged += 1
                    yield torn[1]
                torn = (piece, line) if DAMAGED in line else None
                if torn is None:
                    yield line
        if torn:
            self.damaged += 1
            yield torn[1]

    def pieces(self, text: bytes) -> Iterator[tuple[bytes, Line]]:
        """The lines in a line: several, where the end of one was lost."""
        complete = False
        for piece in _BEGIN.split(text):
            line = _whole(piece) or _damaged(piece)
            if line:
                complete = True
                yield piece, straight(line) if line.get("by") == "haproxy" else line
        self.others += bool(text) and not complete


def _whole(text: bytes) -> Line | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(line, dict) and isinstance(line.get("time"), str) and isinstance(line.get("cloud"), str):
        line.pop(DAMAGED, None)
        return line
    return None


def _damaged(text: bytes) -> Line | None:
    """The readable fields of a line; None if it is not an audit line."""
    fields: Line = {}
    for name, value in _FIELD.findall(text):
        with contextlib.suppress(ValueError):
            fields[name.decode()] = json.loads(value)
    return fields | {DAMAGED: text.decode("utf-8", "backslashreplace")} if fields else None


def straight(line: Line) -> Line:
    """Convert HAProxy's line of a request that bypassed the gateway to the gateway's fields (haproxy/render.py)."""
    told = {key: None if value in {"-", ""} else value for key, value in line.items()}
    here = told.get("cloud")
    remote = told.pop("way", None) in {"R", "T"}
    told |= {"decision": "remote" if remote else "local", "error": None}
    told["peer"] = told.get("peer") if remote else here
    # At the peering address the line names the user's home cloud; elsewhere users are this cloud's own.
    return told | {"home": told.get("home") or (here if told.get("user") else None)}


@contextlib.contextmanager
def _open(name: str) -> Iterator[Iterable[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
    elif name.endswith(".gz"):
        with gzip.open(name) as file:
            yield file
    else:
        with Path(name).open("rb") as file:
            yield file
