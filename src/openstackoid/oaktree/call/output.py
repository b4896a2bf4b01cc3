"""Resources on standard output: a table, JSON, JSON lines, YAML, or values for shell scripts."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from oaktree.v1.resource_pb2 import Resource
from openstackoid.oaktree.call import columns
from openstackoid.oaktree.call.columns import Column
from openstackoid.output import as_json, fields, json_line, printable, table


def document(message: Message) -> dict[str, Any]:
    """Convert a message to JSON, with the names of its fields. A Struct has only doubles: integral values become ints."""
    found: dict[str, Any] = _whole(MessageToDict(message, preserving_proto_field_name=True))
    return found


def resource(message: Resource) -> dict[str, Any]:
    """Convert a resource to JSON: its attributes, and its location."""
    found = document(message)
    named = {name: found[name] for name in ("id", "name") if found.get(name)}
    attributes = {name: value for name, value in sorted(found.get("attributes", {}).items()) if name not in named}
    return {**named, **attributes, "location": found.get("location", {})}


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _whole(item) for name, item in value.items()}
        case list():
            return [_whole(item) for item in value]
    return value


def line(found: Mapping[str, Any], chosen: Sequence[Column]) -> str:
    """One resource as a line of JSON: the chosen columns, or all attributes."""
    return json_line(chosen_of(found, chosen))


def chosen_of(found: Mapping[str, Any], chosen: Sequence[Column]) -> Mapping[str, Any]:
    """The chosen columns of a resource; all attributes if none were chosen."""
    return {column.name: column.of(found) for column in chosen} if chosen else found


def many(kind: str, found: Sequence[Mapping[str, Any]], chosen: Sequence[Column], form: str) -> None:
    """Print resources of one kind."""
    if form == "table":
        wanted = list(chosen) or columns.usual(kind, found)
        grid([column.name for column in wanted], columns.rows(wanted, found))
    elif form == "csv":
        wanted = list(chosen) or columns.usual(kind, found)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([[column.name for column in wanted], *_printable(columns.rows(wanted, found))])
    elif form in ("jsonl", "value"):
        for row in found:
            print(line(row, chosen) if form == "jsonl" else values(kind, row, chosen))
    else:
        whole([chosen_of(row, chosen) for row in found], form)


def _printable(rows: Iterable[Iterable[object]]) -> list[list[str]]:
    return [[printable("" if cell is None else cell) for cell in row] for row in rows]


def values(kind: str, found: Mapping[str, Any], chosen: Sequence[Column]) -> str:
    """The cells of one resource, with spaces between them."""
    wanted = list(chosen) or columns.usual(kind, [])
    return " ".join(printable(columns.cell(column.of(found))) for column in wanted)


def pairs(found: Mapping[str, Any]) -> None:
    """Print the values of a document, one per line, without those that are missing."""
    print(fields([(name, _text(value)) for name, value in found.items() if value not in (None, "", [], {})]))


def one(kind: str, found: Mapping[str, Any], chosen: Sequence[Column], form: str) -> None:
    """Print one resource: as a table, one line per attribute that is set."""
    if form == "table" and chosen:
        print(fields([(column.name, columns.cell(column.of(found))) for column in chosen]))
    elif form == "csv":
        many(kind, [found], chosen, form)
    elif form == "table":
        pairs(found)
    elif form == "jsonl":
        print(line(found, chosen))
    elif form == "value":
        print(values(kind, found, chosen))
    else:
        whole(chosen_of(found, chosen), form)


def whole(found: Any, form: str) -> None:
    """Print a document as JSON or YAML."""
    if form == "yaml":
        import yaml  # noqa: PLC0415 - for this alone

        print(yaml.safe_dump(found, sort_keys=False), end="")
    else:
        print(as_json(found))


def documents(found: Any, form: str) -> None:
    """Print a document, or a list of them, as JSON, JSON lines, or YAML."""
    if form == "jsonl":
        for row in found if isinstance(found, list) else [found]:
            print(json_line(row))
    else:
        whole(found, form)


def grid(head: Iterable[str], cells: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    print(table(list(head), cells))


def _text(value: Any) -> object:
    """The full text of a value: unlike a table's cell, the output of one resource has room for it."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) and "cloud" not in value else _cell(value)


def _cell(value: Any) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) and value else columns.cell(value)
