"""What a virtual region must be like: a small language over its metadata. Pure.

    flavors.vcpus>=8 and location.country=FR and price.currency=EUR
    storage.volume_types.encrypted=true and (zones.name=az1 or not network.ipv6=false)

    requirement := both ('or' both)*
    both        := atom ('and' atom)*
    atom        := 'not' atom | '(' requirement ')' | PATH OPERATOR VALUE
    PATH        := NAME ('.' NAME)*                 NAME := [a-z][a-z0-9_-]*
    OPERATOR    := '=' | '!=' | '>=' | '<=' | '>' | '<'
    VALUE       := NUMBER | 'true' | 'false' | WORD | "'" anything but ' "'"

A path through a list holds if one of its items does. Conditions on the same list that stand in one `both` must hold for the same item: `flavors.vcpus>=8 and
flavors.ram>=16384` asks for one flavor with both. What a region does not state is unknown, and so is the negation of it; only what is certainly
true is met (Kleene's logic). Numbers are compared with numbers, texts with texts; anything else is unknown.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from openstackoid.regions.errors import RequirementError

LONGEST: Final = 1024  # characters
DEEPEST: Final = 16  # brackets and negations within each other
Value: TypeAlias = bool | Decimal | str
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<bracket>[()])|(?P<operator>!=|>=|<=|=|>|<)|(?P<quoted>'[^']*')|(?P<word>[A-Za-z0-9][A-Za-z0-9._:+-]*))"
)
_PATH: Final = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)*\Z")
_NUMBER: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,9})?\Z")
_COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison: `path`, `operator`, `value`."""

    path: tuple[str, ...]
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Not:
    """What must not be."""

    part: "Requirement"


@dataclass(frozen=True, slots=True)
class AllOf:
    """What must all be."""

    parts: tuple["Requirement", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Of which one must be."""

    parts: tuple["Requirement", ...]


Requirement: TypeAlias = Condition | Not | AllOf | AnyOf


def parse(text: str) -> Requirement:
    """Read a requirement.

    Raises:
        RequirementError: it is malformed; shows the place.
    """
    if len(text) > LONGEST:
        raise RequirementError(f"expected {LONGEST} characters at most, got {len(text)}", text, LONGEST)
    return _Parser(text).whole()


def paths(requirement: Requirement) -> set[str]:
    """The dotted paths that a requirement names."""
    match requirement:
        case Condition():
            return {".".join(requirement.path)}
        case Not():
            return paths(requirement.part)
        case _:
            return set().union(*(paths(part) for part in requirement.parts))


def met(requirement: Requirement, values: Mapping[str, Any]) -> bool:
    """Whether values certainly meet a requirement.

    Args:
        requirement: as `parse` returns it.
        values: metadata's plain values, group -> field -> value.
    """
    return _truth(requirement, values) is True


class _Parser:
    """Recursive descent over a text; `place` is where the next token begins."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._next = 0

    def whole(self) -> Requirement:
        requirement = self._any(0)
        if self._next < len(self._tokens):
            raise self._unexpected("and, or, or the end")
        return requirement

    def _split(self) -> "list[tuple[str, str, int]]":
        place, tokens = 0, []
        while self._text[place:].strip():
            match = _TOKEN.match(self._text, place)
            if match is None:
                raise RequirementError(
                    "expected a path such as location.country, a comparison or a bracket", self._text, place
                )
            kind = match.lastgroup or ""
            tokens.append((kind, match.group(kind), match.start(kind)))
            place = match.end()
        return tokens

    def _any(self, depth: int) -> Requirement:
        parts = [self._all(depth)]
        while self._take("word", "or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self, depth: int) -> Requirement:
        parts = [self._atom(depth)]
        while self._take("word", "and"):
            parts.append(self._atom(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _atom(self, depth: int) -> Requirement:
        if depth > DEEPEST:
            raise self._unexpected(f"{DEEPEST} brackets and negations within each other at most")
        if self._take("word", "not"):
            return Not(self._atom(depth + 1))
        if self._take("bracket", "("):
            inner = self._any(depth + 1)
            if not self._take("bracket", ")"):
                raise self._unexpected(")")
            return inner
        path = self._word("a path such as location.country")
        if not _PATH.match(path):
            self._next -= 1
            raise self._unexpected("a path such as location.country")
        if self._peek()[0] != "operator":
            raise self._unexpected("one of = != >= <= > <")
        operator = self._peek()[1]
        self._next += 1
        return Condition(tuple(path.split(".")), operator, self._value())

    def _value(self) -> Value:
        kind, text, _ = self._peek()
        if kind == "quoted":
            self._next += 1
            return text[1:-1]
        text = self._word("a value")
        if text in {"true", "false"}:
            return text == "true"
        return Decimal(text) if _NUMBER.match(text) else text

    def _word(self, expected: str) -> str:
        kind, text, _ = self._peek()
        if kind != "word":
            raise self._unexpected(expected)
        self._next += 1
        return text

    def _take(self, kind: str, text: str) -> bool:
        taken = self._peek()[:2] == (kind, text)
        self._next += taken
        return taken

    def _peek(self) -> tuple[str, str, int]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "the end", len(self._text))

    def _unexpected(self, expected: str) -> RequirementError:
        _, text, place = self._peek()
        return RequirementError(f"expected {expected}, got {text[:40]}", self._text, place)


def _truth(requirement: Requirement, values: Any) -> bool | None:
    match requirement:
        case Condition():
            return _one_item((requirement,), values)
        case Not():
            truth = _truth(requirement.part, values)
            return None if truth is None else not truth
        case AnyOf():
            truths = [_truth(part, values) for part in requirement.parts]
            return True if True in truths else None if None in truths else False
        case _:
            truths = [_truth(part, values) for part in requirement.parts if not isinstance(part, Condition)]
            conditions = [part for part in requirement.parts if isinstance(part, Condition)]
            for prefix in dict.fromkeys(_to_list(part.path, values) for part in conditions):
                truths.append(
                    _one_item(tuple(part for part in conditions if _to_list(part.path, values) == prefix), values)
                )
            return False if False in truths else None if None in truths else True


def _to_list(path: tuple[str, ...], values: Any) -> tuple[str, ...]:
    """The beginning of a path that leads to a list; empty if none does."""
    for length, name in enumerate(path, 1):
        values = values.get(name) if isinstance(values, Mapping) else None
        if isinstance(values, list):
            return path[:length]
    return ()


def _one_item(conditions: tuple[Condition, ...], values: Any) -> bool | None:
    """Whether conditions hold: those that share a list, for one item of it."""
    prefix = _to_list(conditions[0].path, values)
    if not prefix:
        truths = [_compare(condition, condition.path, values) for condition in conditions]
        return False if False in truths else None if None in truths else True
    items = values
    for name in prefix:
        items = items[name]
    truths = []
    for item in items:
        inner = [_compare(condition, condition.path[len(prefix) :], item) for condition in conditions]
        truths.append(False if False in inner else None if None in inner else True)
    return True if True in truths else None if None in truths else False


def _compare(condition: Condition, path: tuple[str, ...], value: Any) -> bool | None:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return _compared(condition.operator, _comparable(value), condition.value)


def _compared(operator: str, left: Value | None, right: Value) -> bool | None:
    if left is None or type(left) is not type(right):
        return None
    if isinstance(left, bool) and operator not in {"=", "!="}:
        return None
    return _COMPARED[operator](left, right)


def _comparable(value: Any) -> Value | None:
    """A value as conditions compare it: numbers exactly, also those that stand as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return Decimal(str(value))
    if isinstance(value, str):
        try:
            return Decimal(value) if _NUMBER.match(value) else value
        except InvalidOperation:
            return value
    return None
