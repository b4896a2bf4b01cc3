"""Writes messages, fields and comments in the language of definitions."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.definitions.registry import Entry


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message: type, name, number, comment, and what stands in brackets."""

    type: str
    name: str
    number: int
    comment: str
    option: str = ""


def message(name: str, comment: str, fields: Sequence[Field], before: Sequence[str] = ()) -> str:
    """A message with its comments; `before` are lines before its fields."""
    lines = [*comment_lines(comment, 0), f"message {name} {{", *before]
    for field in fields:
        lines += comment_lines(field.comment, 2)
        option = f" [{field.option}]" if field.option else ""
        lines.append(f"  {field.type} {field.name} = {field.number}{option};")
    return "\n".join([*lines, "}", ""])


def comment_lines(text: str, indent: int) -> list[str]:
    """A comment, indented by so many spaces."""
    start = " " * indent + "// "
    return textwrap.wrap(text, 140, initial_indent=start, subsequent_indent=start, break_on_hyphens=False)


def reserved(entries: Mapping[str, Entry]) -> list[str]:
    """Lines that keep numbers and names of former fields from being used again."""
    numbers = sorted(n for e in entries.values() for n in (*e.former, *((e.number,) if e.removed else ())))
    names = [name for name, e in entries.items() if e.removed]
    lines = []
    if numbers:
        lines.append(f"  reserved {', '.join(map(str, numbers))};")
    if names:
        quoted = ", ".join(f'"{name}"' for name in names)
        lines.append(f"  reserved {quoted};")
    return lines
