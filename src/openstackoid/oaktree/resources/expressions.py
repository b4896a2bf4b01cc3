"""JMESPath expressions of callers, validated before any request is sent. Pure.

JMESPath returns null for an attribute that does not exist, and fails at each resource for an unknown function: a typo would give an empty
list, or a watch that never ends. The attributes of resources are known here, so they are checked where the expression is about the resource itself; the
content of free-form objects, such as metadata, is not. An attribute that openstacksdk does not know yet can be written as `attributes.NAME` of a generic
resource, or `other.NAME` of a typed one.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jmespath
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from jmespath import exceptions as jmespath_exceptions
from jmespath.functions import Functions

from openstackoid.oaktree import errors
from openstackoid.oaktree.resources.kinds import Kind

_LONGEST: Final = 2048
_FUNCTIONS: Final[Mapping[str, Any]] = Functions.FUNCTION_TABLE
# Forms of names that only APIs use, and openstacksdk's attributes never: OS-EXT-STS:vm_state, accessIPv4.
_FOREIGN: Final = re.compile(r".*[:.-].*|(?=.*[a-z]).*[A-Z].*")
_SHOWN: Final = 12


@dataclass(frozen=True)
class Shape:
    """The known structure of a value.

    Attributes:
        fields: the names of its fields, each with the shape of the value; None for a string, number or boolean, which has no fields.
        open: whether it may have other fields, with names unlike openstacksdk's.
    """

    fields: Mapping[str, "Shape | None"] | None
    open: bool = False


_SCALAR: Final = Shape(None)


def shape_of(kind: Kind, message: type[Message]) -> Shape:
    """The shape of a resource in queries."""
    fields = _fields(message.DESCRIPTOR)
    if "attributes" not in fields:
        return Shape(fields)
    return Shape({**dict.fromkeys(kind.attributes.by_name), **fields, "attributes": None}, open=True)


def _fields(descriptor: Any) -> dict[str, Shape | None]:
    return {field.name: _shape(field) for field in descriptor.fields}


def _shape(field: FieldDescriptor) -> Shape | None:
    if field.is_repeated:
        return None
    if field.message_type is None:
        return _SCALAR
    if field.message_type.full_name.startswith("google.protobuf."):
        return None
    return Shape(_fields(field.message_type))


def compiled(name: str, expression: str, shape: Shape | None = None) -> Any:
    """Compile and validate an expression.

    Args:
        name: the field of the request.
        expression: JMESPath.
        shape: the shape of the values that it is applied to; None if it is unknown.

    Raises:
        errors.InvalidError: the expression is malformed, or names unknown fields; gives the position.
    """
    if len(expression) > _LONGEST:
        raise errors.invalid(name, f"expected at most {_LONGEST} characters, got {len(expression)}")
    try:
        expression_ = jmespath.compile(expression)
        _check(name, expression_.parsed, shape)
    except (jmespath_exceptions.JMESPathError, RecursionError) as error:
        raise errors.invalid(name, f"expected a JMESPath expression: {str(error).splitlines()[0]}") from error
    return expression_


def path(name: str, text: str, shape: Shape) -> None:
    """Validate a path of attributes, such as "location.cloud".

    Raises:
        errors.InvalidError: the path cannot exist.
    """
    here: Shape | None = shape
    for part in text.split("."):
        here = _field(name, part, here)


def _check(name: str, node: Mapping[str, Any], here: Shape | None) -> Shape | None:
    """Validate a part of an expression, and return the shape of its value; raises InvalidError."""
    children = node["children"]
    match node["type"]:
        case "field":
            return _field(name, node["value"], here)
        case "current" | "identity":
            return here
        case "subexpression" | "pipe":
            for child in children:
                here = _check(name, child, here)
            return here
        case "projection" | "value_projection" | "filter_projection" | "index_expression":
            _check(name, children[0], here)
            for child in children[1:]:
                _check(name, child, None)
        case "expref":
            _check(name, children[0], None)
        case "function_expression":
            _function(name, node)
            for child in children:
                _check(name, child, here)
        case "index" | "slice" | "literal":
            pass
        case _:
            for child in children:
                _check(name, child, here)
    return None


def _field(name: str, wanted: str, here: Shape | None) -> Shape | None:
    if here is None:
        return None
    if here.fields is None:
        raise errors.invalid(name, f"nothing in what it is in can be named {wanted!r}: that is a text or a number")
    if wanted in here.fields:
        return here.fields[wanted]
    if here.open and _FOREIGN.fullmatch(wanted):
        return None
    raise errors.invalid(
        name, f"there is no attribute {wanted!r}{_like(wanted, here.fields)}; a text is written as '{wanted[:40]}'"
    )


def _function(name: str, node: Mapping[str, Any]) -> None:
    wanted, given = node["value"], len(node["children"])
    if wanted not in _FUNCTIONS:
        raise errors.invalid(name, f"JMESPath has no function {wanted!r}{_like(wanted, _FUNCTIONS)}")
    signature = _FUNCTIONS[wanted]["signature"]
    variadic = bool(signature) and signature[-1].get("variadic", False)
    if given < len(signature) or (given > len(signature) and not variadic):
        least = "at least " if variadic else ""
        raise errors.invalid(name, f"{wanted}() takes {least}{len(signature)} arguments, got {given}")


def _like(wanted: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(wanted, names, 3)
    if close:
        return f" (is it {' or '.join(close)}?)"
    return f"; there are {', '.join(names)}" if len(names) <= _SHOWN else ""
