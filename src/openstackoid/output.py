"""What commands print: tables for people, JSON for programs. What others wrote cannot steer the terminal."""

import argparse
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NoReturn


def printable(value: object) -> str:
    """A value on one line, without control characters; nothing is `-`."""
    if value is None or value == "":
        return "-"
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(value)
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows below their head, columns aligned."""
    cells = [tuple(map(printable, row)) for row in rows]
    widths = [max(len(row[column]) for row in (head, *cells)) for column in range(len(head))]

    def lines() -> Iterator[str]:
        for row in (head, tuple("-" * width for width in widths), *cells):
            yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    return "\n".join(lines())


def fields(pairs: Sequence[tuple[str, object]]) -> str:
    """Names with their values, one a line."""
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name.ljust(width)}  {printable(value)}" for name, value in pairs)


def as_json(document: object) -> str:
    """JSON that people can read, in printable ASCII."""
    return _printable(json.dumps(document, indent=2))


def json_line(document: object) -> str:
    """JSON on one line, in printable ASCII."""
    return _printable(json.dumps(document))


def _printable(text: str) -> str:
    # The one character of ASCII that JSON leaves as it is, and terminals need not.
    return text.replace("\x7f", "\\u007f")


def when(seconds: float | None) -> str:
    """Unix time as ISO 8601, UTC."""
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def refuse(arguments: argparse.Namespace, message: str) -> NoReturn:
    """End with exit code 2: the command was asked wrongly."""
    parser: argparse.ArgumentParser = arguments.parser
    parser.error(message)
