"""Groups of resources that refer to each other: members, their order, and the values of references. Pure.

    ${NAME.EXPRESSION}   a value of another member in the same cloud-region; EXPRESSION is JMESPath over its attributes
    ${index}             the number of this copy of the member, from 1
    $${                  the text "${"

A text that is one reference becomes the value itself (a list, a number); in longer texts, values are inserted as text.
"""

import graphlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jmespath
from jmespath import exceptions as jmespath_exceptions

from oaktree.v1 import group_pb2
from openstackoid.oaktree import errors
from openstackoid.oaktree.resources.structs import to_python

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_REFERENCE: Final = re.compile(r"(\$?)\$\{([^{}]*)\}")
_INDEX: Final = "index"
MOST: Final = 200  # resources of a group in one cloud-region


@dataclass(frozen=True)
class Member:
    """A member of a group.

    Attributes:
        name: its name in references.
        kind: the kind of its resources.
        attributes: the attributes of each, with references.
        count: how many.
        needs: the names of the members that it refers to.
    """

    name: str
    kind: str
    attributes: Mapping[str, Any]
    count: int
    needs: frozenset[str]


def parse(given: Sequence[group_pb2.Member]) -> list[Member]:
    """Parse the members of a request. Returns them in an order in which each comes after those that it refers to.

    Raises:
        errors.InvalidError: a name, a count or a reference is invalid, or members refer to each other in a circle; names the field.
    """
    if not given:
        raise errors.invalid("members", "expected at least one")
    members: dict[str, Member] = {}
    for index, entry in enumerate(given):
        field = f"members[{index}]"
        if not _NAME.fullmatch(entry.name) or entry.name == _INDEX or entry.name in members:
            raise errors.invalid(
                f"{field}.name", f"expected a name of its own: a letter, then letters, digits and _; not {_INDEX!r}"
            )
        if not 0 <= entry.count <= MOST:
            raise errors.invalid(f"{field}.count", f"expected 0 to {MOST}, got {entry.count}")
        attributes = to_python(entry.resource.attributes)
        assert isinstance(attributes, dict)  # noqa: S101 - a Struct
        needs = {name for text in _texts(attributes) for name, _ in _references(text, f"{field}.resource.attributes")}
        members[entry.name] = Member(entry.name, entry.resource.kind, attributes, entry.count or 1, frozenset(needs))
    for index, entry in enumerate(given):
        if unknown := members[entry.name].needs - members.keys():
            field = f"members[{index}].resource.attributes"
            raise errors.invalid(field, f"no member is named {min(unknown)!r}; members: {', '.join(sorted(members))}")
    if sum(one.count for one in members.values()) > MOST:
        raise errors.invalid("members", f"expected at most {MOST} resources in each cloud-region")
    try:
        order = list(
            graphlib.TopologicalSorter({name: member.needs for name, member in members.items()}).static_order()
        )
    except graphlib.CycleError as error:
        raise errors.invalid("members", f"these refer to each other in a circle: {', '.join(error.args[1])}") from error
    return [members[name] for name in order]


def resolved(member: Member, index: int, made: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The attributes of one copy of a member, with values in place of references.

    Args:
        member: the member.
        index: the number of the copy, from 1.
        made: the attributes of the resources of each member that it refers to.

    Raises:
        errors.InvalidError: a reference has no value, or no single value in a longer text.
    """

    def value(reference: str) -> Any:
        name, _, expression = reference.partition(".")
        if name == _INDEX:
            return index
        resources = made[name]
        same = resources[index - 1 : index] if len(resources) == member.count else resources
        values = [jmespath.search(expression, dict(copy)) for copy in same]
        if None in values:
            raise errors.invalid(f"{member.name}: ${{{reference}}}", f"{name} has no such value")
        return values[0] if len(values) == 1 else values

    def insert(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        inserted = value(match[2])
        if isinstance(inserted, list | dict):
            raise errors.invalid(f"{member.name}: ${{{match[2]}}}", "expected one value within a longer text")
        return str(inserted).lower() if isinstance(inserted, bool) else str(inserted)

    def replaced(given: Any) -> Any:
        if isinstance(given, str):
            whole = _REFERENCE.fullmatch(given)
            return value(whole[2]) if whole and not whole[1] else _REFERENCE.sub(insert, given)
        if isinstance(given, Mapping):
            return {name: replaced(entry) for name, entry in given.items()}
        return [replaced(entry) for entry in given] if isinstance(given, list) else given

    return {name: replaced(attribute) for name, attribute in member.attributes.items()}


def _texts(given: Any) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, Mapping | list):
        for inner in given.values() if isinstance(given, Mapping) else given:
            yield from _texts(inner)


def _references(text: str, field: str) -> Iterator[tuple[str, str]]:
    """The members that a text refers to, each with the expression."""
    for match in _REFERENCE.finditer(text):
        if match[1] or match[2] == _INDEX:
            continue
        name, dot, expression = match[2].partition(".")
        try:
            jmespath.compile(expression)
        except jmespath_exceptions.JMESPathError:
            dot = ""
        if not (dot and _NAME.fullmatch(name)):
            raise errors.invalid(
                field, f'expected "${{NAME.EXPRESSION}}" or "${{index}}" ("$${{" for the text), got {match[0][:80]!r}'
            )
        yield name, expression
