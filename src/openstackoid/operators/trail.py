"""`openstackoid audit`: who of which cloud did what here, under which agreement; and what our users did elsewhere."""

import argparse
import contextlib
import gzip
import json
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from openstackoid.core.errors import ConfigError
from openstackoid.core.services import service_type
from openstackoid.gateway.config import load
from openstackoid.output import as_json, printable, refuse, table

Line = dict[str, Any]
_DURATION: Final = re.compile(r"(\d{1,6})([smhd])\Z")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BAD: Final = 400
_HEAD: Final = ("Time", "", "User", "Of", "Project", "At", "Did", "Status", "Error", "Agreement")


def direction(line: Line) -> str | None:
    """`in`: a user of another cloud, here. `out`: a user of this cloud, elsewhere. None: it crossed nothing, or nobody knows."""
    home, here = line.get("home"), line.get("cloud")
    if isinstance(home, str) and home != here:
        return "in"
    if line.get("decision") == "remote" and home == here:
        return "out"
    return None


@dataclass
class Reader:
    """Lines of files, oldest first.

    Attributes:
        damaged: lines that are no audit lines, so far.
    """

    damaged: int = 0

    def read(self, files: Iterable[Path | None], default: Callable[[], Path]) -> Iterator[Line]:
        """Every line that can be read.

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
        for text in lines:
            if not text.strip():
                continue
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                line = None
            if isinstance(line, dict) and isinstance(line.get("time"), str) and isinstance(line.get("cloud"), str):
                yield straight(line) if line.get("by") == "haproxy" else line
            else:
                self.damaged += 1


def run(arguments: argparse.Namespace) -> int:
    """Print what is asked for."""

    def default() -> Path:
        found = load(arguments.config).audit
        if found is None:
            raise ConfigError(
                f"{arguments.config}: audit goes to standard output there: name the files that hold it, or - and pipe it in"
            )
        return found

    wanted = _wanted(arguments)
    reader = Reader()
    kept: deque[Line] = deque(maxlen=arguments.lines if arguments.lines > 0 else None)
    kept.extend(line for line in reader.read(arguments.files, default) if wanted(line))
    if arguments.format == "json":
        print(as_json([line | {"direction": direction(line)} for line in kept]))
    else:
        print(table(_HEAD, [_row(line) for line in kept]) if kept else "nothing found")
    if reader.damaged:
        print(f"openstackoid: {reader.damaged} damaged lines were left out", file=sys.stderr)
    return 0


def _wanted(arguments: argparse.Namespace) -> Callable[[Line], bool]:
    since = None if arguments.since is None else _since(arguments)
    kind = None if arguments.service is None else service_type(arguments.service)
    if arguments.service is not None and kind is None:
        refuse(arguments, f"--service: expected a service type such as image, got {arguments.service!r}")

    def wanted(line: Line) -> bool:
        way = direction(line)
        failed = line.get("error") is not None or not _below(line.get("status"), _BAD)
        if way is None and not (arguments.errors and line.get("home") is None and line.get("decision") != "local"):
            return False  # nobody's home is known of a token that is forged: that is an error, and of interest
        if arguments.direction is not None and way != arguments.direction:
            return False
        if arguments.peer is not None and arguments.peer not in _others(line):
            return False
        if since is not None and not _after(line["time"], since):
            return False
        agreement = str(line.get("agreement") or "")
        return (
            (not arguments.errors or failed)
            and (arguments.user is None or arguments.user in {line.get("user"), line.get("local_user")})
            and (arguments.project is None or arguments.project in {line.get("project"), line.get("local_project")})
            and (arguments.agreement is None or agreement.startswith(arguments.agreement))
            and (kind is None or line.get("service") == kind)
        )

    return wanted


def _others(line: Line) -> set[object]:
    """The other clouds of a request: where its user is of, and where it went."""
    return {line.get("home"), None if line.get("decision") == "local" else line.get("peer")} - {line["cloud"]}


def _row(line: Line) -> tuple[object, ...]:
    there = line.get("peer") if line.get("decision") == "remote" else line["cloud"]
    did = " ".join(printable(line.get(key)) for key in ("method", "service", "path"))
    known = (line.get("error"), line.get("agreement"))
    return (
        line["time"],
        direction(line),
        line.get("user"),
        line.get("home"),
        line.get("project"),
        there,
        did,
        line.get("status"),
        *known,
    )


def straight(line: Line) -> Line:
    """A line that HAProxy wrote of a request that went straight, in the gateway's words (haproxy/render.py)."""
    told = {key: None if value in {"-", ""} else value for key, value in line.items()}
    remote = told.pop("way", None) in {"R", "T"}
    told |= {"decision": "remote" if remote else "local", "error": None}
    told["peer"] = told.get("peer") if remote else told["cloud"]
    # At the door of other clouds it says whose user it was; elsewhere they are this cloud's own.
    return told | {"home": told.get("home") or (told["cloud"] if told.get("user") else None)}


def _below(status: object, limit: int) -> bool:
    return isinstance(status, int) and status < limit


def _after(time: str, since: datetime) -> bool:
    with contextlib.suppress(ValueError):
        return _zoned(datetime.fromisoformat(time)) >= since
    return False


def _since(arguments: argparse.Namespace) -> datetime:
    text = arguments.since
    if found := _DURATION.match(text):
        return datetime.now(UTC) - timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    try:
        return _zoned(datetime.fromisoformat(text))
    except ValueError:
        refuse(arguments, f"--since: expected 30s, 15m, 2h, 7d or a time such as 2030-01-31T12:00, got {text!r}")


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


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
