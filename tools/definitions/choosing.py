"""Chooses a field's type: what we decided, else what the class declares, else what its comment says, else text."""

from typing import Final

from openstack import format as sdk_format
from openstack import resource

from tools.definitions.classes import Attribute
from tools.definitions.tables import LIST, STRINGS, STRUCT, STRUCTS, TYPES

_DECLARED: Final = {str: "string", int: "int64", float: "double", bool: "bool", dict: STRUCT}
_SAID: Final = {
    "string": "string",
    "str": "string",
    "enum": "string",
    "datetime": "string",
    "int": "int64",
    "float": "double",
    "bool": "bool",
    "boolean": "bool",
    "dict": STRUCT,
    "list of dicts": STRUCTS,
    "list of str": STRINGS,
    "list of tag": STRINGS,
    "list of availability": STRINGS,
    "list": LIST,
}
# What a kind's attribute is called in the generic service's catalog.
_CATALOG: Final = {
    "string": "string",
    "int64": "int",
    "double": "float",
    "bool": "bool",
    STRUCT: "object",
    LIST: "list",
}


def field_type(kind: str, attribute: Attribute) -> str:
    """The type of a field, as in a definition: "string", "repeated google.protobuf.Struct"."""
    return _known(kind, attribute, typed=True) or "string"


def catalog_type(kind: str, attribute: Attribute, *, typed: bool) -> str:
    """The type in the generic service's catalog: "string", "int", "bool", "float", "list", "object", or "any".

    Args:
        kind: the attribute's kind.
        attribute: the attribute.
        typed: the kind has a message; its choices count.
    """
    known = _known(kind, attribute, typed=typed)
    if not known:
        return "string" if typed or attribute.parent or attribute.name in {"id", "name"} else "any"
    return "list" if known.startswith("repeated ") else _CATALOG.get(known, "any")


def _known(kind: str, attribute: Attribute, *, typed: bool) -> str:
    chosen = TYPES.get(f"{kind}.{attribute.name}")
    if chosen:
        return chosen
    declared = attribute.declared
    # A class may declare another type than most of its namesakes: DNS's links are an object.
    if declared is not None and not issubclass(declared, list):
        return _scalar(declared)
    if attribute.element is not None:
        element = _scalar(attribute.element)
        return f"repeated {element}" if element in {"string", STRUCT} else LIST
    if typed and attribute.name in TYPES:
        return TYPES[attribute.name]
    said = next((value for word, value in _SAID.items() if attribute.said.startswith(word)), "")
    return said or (LIST if declared is not None else "")


def _scalar(declared: type) -> str:
    if issubclass(declared, sdk_format.BoolStr | sdk_format.FlexibleBoolStr):
        return "bool"
    if issubclass(declared, resource.Resource | dict):
        return STRUCT
    return _DECLARED.get(declared, "string")
