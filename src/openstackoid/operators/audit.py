"""Search in lines of audit: who of which cloud did what here, under which agreement; and what our users did elsewhere."""

import argparse
import contextlib
import re
import sys
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from openstackoid.core.errors import ConfigError
from openstackoid.core.scope import is_name
from openstackoid.core.services import service_type
from openstackoid.gateway.settings.loading import load
from openstackoid.operators.audit_lines import DAMAGED, Line, Reader
from openstackoid.output import printable, refuse

_DURATION: Final = re.compile(r"(\d{1,6})([smhd])\Z")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BAD: Final = 400


def direction(line: Line) -> str | None:
    """Where a request came from, and where it went.

    Returns:
        `in`: from a user of another cloud, here. `out`: from a user of this cloud, elsewhere. `local`: a scope let it stay here. None: it had
        no scope, or the line does not say.
    """
    here = line.get("cloud")
    home = line.get("home") or _home_of_scope(line)
    if isinstance(home, str) and home != here:
        return "in"
    if line.get("decision") in {"remote", "several"}:
        return "out"
    scoped = line.get("scope") or line.get("saved_scope") or line.get("by") == "haproxy"
    return "local" if scoped else None


def _home_of_scope(line: Line) -> str | None:
    """The cloud of the user, by the scope: where tokens pass through, the entry cloud names it in every request to another cloud."""
    scope = line.get("scope")
    identity = scope.get("identity") if isinstance(scope, dict) else None
    return identity if isinstance(identity, str) and is_name(identity) else None


def search(arguments: argparse.Namespace) -> list[Line]:
    """The lines that are asked for, oldest first, each with its `direction`; what could not be read is counted on standard error.

    Raises:
        ConfigError: a file cannot be read.
    """

    def default() -> Path:
        file = load(arguments.config).audit
        if file is None:
            raise ConfigError(
                f"{arguments.config}: audit goes to standard output there: name the files that hold it, or - and pipe it in"
            )
        return file

    wanted = _wanted(arguments)
    reader = Reader()
    kept: deque[Line] = deque(maxlen=arguments.lines if arguments.lines > 0 else None)
    kept.extend(line for line in reader.read(arguments.files, default) if wanted(line))
    if reader.damaged:
        message = (
            f"{reader.damaged} damaged lines; those that may be what is asked for are shown as far as they can be read"
        )
        print(f"openstackoid: {message}", file=sys.stderr)
    if reader.others:
        print(f"openstackoid: {reader.others} lines that are none of an audit were left out", file=sys.stderr)
    return [line | {"direction": direction(line)} for line in kept]


def _wanted(arguments: argparse.Namespace) -> Callable[[Line], bool]:
    since = None if arguments.since is None else _since(arguments)
    kind = None if arguments.service is None else service_type(arguments.service)
    if arguments.service is not None and kind is None:
        refuse(arguments, f"--service: expected a service type such as image, got {arguments.service!r}")

    def wanted(line: Line) -> bool:
        torn = DAMAGED in line  # the unreadable part may match the search
        way = direction(line)
        failed = line.get("error") is not None or not _below(line.get("status"), _BAD)
        if (
            way is None
            and not torn
            and not arguments.all
            and not (arguments.errors and line.get("home") is None and line.get("decision") != "local")
        ):
            return False  # a forged token has no known home cloud: such an error is of interest
        if arguments.direction is not None and way != arguments.direction and not (torn and way is None):
            return False
        if arguments.peer is not None and arguments.peer not in (others := _others(line)) and not (torn and not others):
            return False
        if since is not None and not _after(line.get("time"), since) and not (torn and "time" not in line):
            return False

        def either(expected: str | None, *names: str) -> bool:
            return (
                expected is None
                or any(line.get(name) == expected for name in names)
                or (torn and not any(name in line for name in names))
            )

        agreement = str(line.get("agreement") or "")
        return (
            (not arguments.errors or failed)
            and either(arguments.user, "user", "local_user")
            and either(arguments.project, "project", "local_project")
            and either(kind, "service")
            and (agreement.startswith(arguments.agreement or "") or either(arguments.agreement, "agreement"))
        )

    return wanted


def _others(line: Line) -> set[object]:
    """The other clouds of a request: the user's home cloud, and the cloud that served it."""
    clouds = {line.get("home") or _home_of_scope(line), None if line.get("decision") == "local" else line.get("peer")}
    return clouds - {line.get("cloud"), None}


def row(line: Line) -> tuple[object, ...]:
    """A line for people: time, direction, user, home cloud, project, cloud, request, status, error, agreement."""
    there = line.get("peer") if line.get("decision") == "remote" else line.get("cloud")
    did = " ".join(printable(line.get(key)) for key in ("method", "service", "path"))
    known = ("damaged line" if DAMAGED in line else line.get("error"), line.get("agreement"))
    return (
        line.get("time"),
        line["direction"],
        line.get("user"),
        line.get("home"),
        line.get("project"),
        there,
        did,
        line.get("status"),
        *known,
    )


def _below(status: object, limit: int) -> bool:
    return isinstance(status, int) and status < limit


def _after(time: object, since: datetime) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(time, str) and _zoned(datetime.fromisoformat(time)) >= since
    return False


def _since(arguments: argparse.Namespace) -> datetime:
    text = arguments.since
    if match := _DURATION.match(text):
        return datetime.now(UTC) - timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    try:
        return _zoned(datetime.fromisoformat(text))
    except ValueError:
        refuse(arguments, f"--since: expected 30s, 15m, 2h, 7d or a time such as 2030-01-31T12:00, got {text!r}")


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
