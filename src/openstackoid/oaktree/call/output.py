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
    converted: dict[str, Any] = _whole(MessageToDict(message, preserving_proto_field_name=True))
    return converted


def resource(message: Resource) -> dict[str, Any]:
    """Convert a resource to JSON: its attributes, and its location."""
    converted = document(message)
    named = {name: converted[name] for name in ("id", "name") if converted.get(name)}
    attributes = {name: value for name, value in sorted(converted.get("attributes", {}).items()) if name not in named}
    return {**named, **attributes, "location": converted.get("location", {})}


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _whole(item) for name, item in value.items()}
        case list():
            return [_whole(item) for item in value]
    return value


def line(row: Mapping[str, Any], chosen: Sequence[Column]) -> str:
    """One resource as a line of JSON: the chosen columns, or all attributes."""
    return json_line(chosen_of(row, chosen))


def chosen_of(row: Mapping[str, Any], chosen: Sequence[Column]) -> Mapping[str, Any]:
    """The chosen columns of a resource; all attributes if none were chosen."""
    return {column.name: column.of(row) for column in chosen} if chosen else row


def many(kind: str, rows: Sequence[Mapping[str, Any]], chosen: Sequence[Column], form: str) -> None:
    """Print resources of one kind."""
    if form == "table":
        wanted = list(chosen) or columns.usual(kind, rows)
        grid([column.name for column in wanted], columns.rows(wanted, rows))
    elif form == "csv":
        wanted = list(chosen) or columns.usual(kind, rows)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([[column.name for column in wanted], *_printable(columns.rows(wanted, rows))])
    elif form in ("jsonl", "value"):
        for row in rows:
            print(line(row, chosen) if form == "jsonl" else values(kind, row, chosen))
    else:
        whole([chosen_of(row, chosen) for row in rows], form)


def _printable(rows: Iterable[Iterable[object]]) -> list[list[str]]:
    return [[printable("" if cell is None else cell) for cell in row] for row in rows]


def values(kind: str, row: Mapping[str, Any], chosen: Sequence[Column]) -> str:
    """The cells of one resource, with spaces between them."""
    wanted = list(chosen) or columns.usual(kind, [])
    return " ".join(printable(columns.cell(column.of(row))) for column in wanted)


def pairs(row: Mapping[str, Any]) -> None:
    """Print the values of a document, one per line, without those that are missing."""
    print(fields([(name, _text(value)) for name, value in row.items() if value not in (None, "", [], {})]))


def one(kind: str, row: Mapping[str, Any], chosen: Sequence[Column], form: str) -> None:
    """Print one resource: as a table, one line per attribute that is set."""
    if form == "table" and chosen:
        print(fields([(column.name, columns.cell(column.of(row))) for column in chosen]))
    elif form == "csv":
        many(kind, [row], chosen, form)
    elif form == "table":
        pairs(row)
    elif form == "jsonl":
        print(line(row, chosen))
    elif form == "value":
        print(values(kind, row, chosen))
    else:
        whole(chosen_of(row, chosen), form)


def whole(document_: Any, form: str) -> None:
    """Print a document as JSON or YAML."""
    if form == "yaml":
        import yaml  # noqa: PLC0415 - for this alone

        print(yaml.safe_dump(document_, sort_keys=False), end="")
    else:
        print(as_json(document_))


def documents(documents_: Any, form: str) -> None:
    """Print a document, or a list of them, as JSON, JSON lines, or YAML."""
    if form == "jsonl":
        for row in documents_ if isinstance(documents_, list) else [documents_]:
            print(json_line(row))
    else:
        whole(documents_, form)


def grid(head: Iterable[str], cells: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    print(table(list(head), cells))


def _text(value: Any) -> object:
    """The full text of a value: unlike a table's cell, the output of one resource has room for it."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) and "cloud" not in value else _cell(value)


def _cell(value: Any) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) and value else columns.cell(value)
