"""Keeps the numbers of fields: a name that once had a number has it for good, and a type that was promised stays.

The file: {message: {field: {"number": 3, "type": "string"}}}. A field whose attribute is gone has "removed": true and becomes a
reserved number and name; should the attribute come back, it gets them back, with the same type only.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

# protobuf keeps them for itself.
_FORBIDDEN: Final = range(19000, 20000)


class RetypedError(Exception):
    """A field would change its type, which would break those who use it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A field's place in its message.

    Attributes:
        number: on the wire.
        type: as in the definition.
        removed: openstacksdk has no such attribute any more.
        former: numbers that the field had with other types; nobody may have them again.
    """

    number: int
    type: str
    removed: bool = False
    former: tuple[int, ...] = ()


def renew(
    message: str,
    entries: Mapping[str, Entry],
    fields: Iterable[tuple[str, str]],
    *,
    first: int,
    retype: Iterable[str] = (),
) -> dict[str, Entry]:
    """The entries of a message, for the fields that it has now.

    Args:
        message: its name, for errors.
        entries: what the registry says.
        fields: names and types, in the order in which new ones get their numbers.
        first: the first number that these fields may have.
        retype: "message.field" of those that may change their type: they get a new number, and the old one is reserved.

    Returns:
        In the order of their numbers; numbers that exist are the same.

    Raises:
        RetypedError: a field's type is another one than before.
    """
    wanted = dict(fields)
    renewed = {name: Entry(e.number, e.type, name not in wanted, e.former) for name, e in entries.items()}
    following = max((number for e in entries.values() for number in (e.number, *e.former)), default=first - 1) + 1
    for name, wanted_type in wanted.items():
        entry = entries.get(name)
        if entry is not None and entry.type == wanted_type:
            continue
        former: tuple[int, ...] = ()
        if entry is not None:
            if f"{message}.{name}" not in retype:
                raise RetypedError(
                    f"{message}.{name} is {entry.type!r} since it was first defined, and would become {wanted_type!r}: "
                    f"keep its type in TYPES of tools/definitions/tables.py, or break users with --retype {message}.{name}"
                )
            former = (*entry.former, entry.number)
        if following in _FORBIDDEN:
            following = _FORBIDDEN.stop
        renewed[name] = Entry(following, wanted_type, former=former)
        following += 1
    return dict(sorted(renewed.items(), key=lambda item: item[1].number))


def load(text: str) -> dict[str, dict[str, Entry]]:
    """Reads the registry's file."""
    return {
        message: {
            name: Entry(e["number"], e["type"], e.get("removed", False), tuple(e.get("former", ())))
            for name, e in fields.items()
        }
        for message, fields in json.loads(text).items()
    }


def dump(registry: Mapping[str, Mapping[str, Entry]]) -> str:
    """Writes the registry's file, a line a field."""
    messages = []
    for message, entries in sorted(registry.items()):
        lines = [f'    "{name}": {json.dumps(_plain(entry))}' for name, entry in entries.items()]
        messages.append(f'  "{message}": {{\n' + ",\n".join(lines) + "\n  }")
    return "{\n" + ",\n".join(messages) + "\n}\n"


def _plain(entry: Entry) -> dict[str, object]:
    plain: dict[str, object] = {"number": entry.number, "type": entry.type}
    if entry.removed:
        plain["removed"] = True
    if entry.former:
        plain["former"] = list(entry.former)
    return plain
