"""Converts JSON to protobuf's Struct, and messages to JSON. Pure."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from google.protobuf import struct_pb2
from google.protobuf.message import Message

JSON = Any
# The cache of converted objects: their number, and the maximum size of each as JSON, in bytes.
_KEPT: Final = 4096
_SMALL: Final = 512
_EXACT: Final = 2**53  # the largest integer up to which a double holds every integer


def document(message: Message) -> dict[str, JSON]:
    """Convert a message to JSON, for queries and for people: the fields that are set, by their names, with numbers as numbers."""
    return {field.name: to_python(value) for field, value in message.ListFields()}


def to_python(value: Any) -> JSON:
    """Convert a field's value to JSON; integral numbers of a Struct become ints."""
    match value:
        case struct_pb2.Struct():
            return {name: to_python(field) for name, field in value.fields.items()}
        case struct_pb2.ListValue():
            return [to_python(element) for element in value.values]
        case struct_pb2.Value():
            return _of_value(value)
        case Message():
            return document(value)
        case str() | bytes() | bool() | int() | float() | None:
            return value
        case Mapping():
            return {name: to_python(item) for name, item in value.items()}
        case Sequence() as items:
            return [to_python(item) for item in items]
        case _:
            return [to_python(item) for item in value]


def _of_value(value: struct_pb2.Value) -> JSON:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return to_python(value.struct_value)
        case "list_value":
            return to_python(value.list_value)
        case _:
            return None


def put_object(struct: Any, value: dict[str, JSON]) -> None:
    """Put an object into an empty Struct. A thousand servers have few flavors and images: a copy of a cached Struct costs a fifth."""
    try:
        packed = orjson.dumps(value)
    except TypeError:  # for example an integer of more than 64 bits
        packed = b""
    if 0 < len(packed) <= _SMALL:
        struct.CopyFrom(_made(packed))
    else:
        fill(struct, value)


@functools.lru_cache(_KEPT)
def _made(packed: bytes) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    fill(struct, orjson.loads(packed))
    return struct


def fill(struct: Any, value: Mapping[str, JSON]) -> None:
    """Put values into an empty Struct, at half the cost of `Struct.update`, whose checks our own values do not need."""
    struct.SetInParent()  # mark the field as present, even if the Struct is empty
    fields = struct.fields
    for name, item in value.items():
        if type(item) is str:  # the common case: saves a call
            fields[str(name)].string_value = item
        else:
            put_value(fields[str(name)], item)


def extend(items: Any, value: Iterable[JSON]) -> None:
    """Put values into an empty ListValue."""
    items.SetInParent()
    add = items.values.add
    for item in value:
        put_value(add(), item)


def put_value(target: Any, value: JSON) -> None:
    """Set one value. Types other than JSON's, and numbers that a double cannot hold exactly, become strings."""
    kind = type(value)
    if kind is str:
        target.string_value = value
    elif value is None:
        target.null_value = 0
    elif kind is bool:
        target.bool_value = value
    elif kind is float or (kind is int and -_EXACT <= value <= _EXACT):
        target.number_value = value
    elif kind is dict or isinstance(value, Mapping):
        fill(target.struct_value, value)
    elif isinstance(value, list | tuple | set):
        extend(target.list_value, value)
    else:
        target.string_value = str(value)
