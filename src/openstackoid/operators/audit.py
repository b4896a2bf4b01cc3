"""Search in lines of audit: who of which cloud did what here, under which agreement; and what our users did elsewhere."""

import argparse
import sys
from collections import deque
from dataclasses import replace
from pathlib import Path

from openstackoid.audit.filters import Filter, direction, read
from openstackoid.audit.lines import DAMAGED, Line, Reader
from openstackoid.core.errors import ConfigError
from openstackoid.gateway.settings.loading import load
from openstackoid.output import printable, refuse


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

    wanted = _filter(arguments).matches
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


def _filter(arguments: argparse.Namespace) -> Filter:
    names = ("direction", "peer", "user", "project", "agreement", "service", "status", "request", "since", "until")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    try:
        asked = read(given)
    except ValueError as error:
        refuse(arguments, f"--{error}")
    return replace(asked, errors=arguments.errors, all=arguments.all)


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
