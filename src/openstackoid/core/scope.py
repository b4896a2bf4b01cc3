r"""The scope language: which cloud serves which service.

    scope      := '{' [ pair (',' pair)* ] '}'            a JSON object of strings
    pair       := TYPE ':' expression                     TYPE: a service type, or "*" for those that are not named
    expression := both ('|' both)*                        the first that answers
    both       := atom ('&' atom)*                        all of them
    atom       := NAME | '*' | '@' LABEL | 'around(' NAME ',' NUMBER 'ms' ')' | '(' expression ')'
    NAME, LABEL := [A-Za-z0-9][A-Za-z0-9._-]{0,63}
    NUMBER     := [0-9]{1,6} [ '.' [0-9]{1,3} ]

Spaces may stand between the parts. Good:

    {"image": "CloudTwo"}                          image from CloudTwo, the rest from the entry cloud
    {"compute": "CloudOne & CloudTwo"}             both
    {"image": "CloudTwo | CloudThree"}             the first that answers
    {"*": "@edge", "identity": "CloudOne"}         every cloud labelled edge; users from CloudOne
    {"image": "around(CloudOne, 50ms)"}            every cloud within 50 ms of CloudOne
    {"volumev3": "CloudTwo"}                       an alias: the same as block-storage

Bad, each a `ScopeError` that shows the place:

    {"image": CloudTwo}      not JSON           {"image": "Cloud Two"}   two names and no operator
    {"image": ["CloudTwo"]}  not a string       {"image": "a", "glance": "b"}   one service twice
    {"image": "A &"}         half an operation  {"im age": "A"}          no service type

The short form of a command line, `image=CloudTwo,compute=CloudOne`, means the same and is read by `parse_short`;
it has no spaces or commas inside an expression but those inside brackets.

`parse(format(scope)) == scope` for every scope. Reading is linear in the text: hostile texts cost no more than honest ones.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Final, TypeAlias

from openstackoid.core.errors import ScopeError
from openstackoid.core.services import service_type

LONGEST: Final = 16384  # characters: more than any HTTP head in front of OpenStack lets pass
DEEPEST: Final = 16  # brackets within brackets
MOST_SERVICES: Final = 96  # the service-types authority knows fewer
MOST_PARTS: Final = 192  # names, operators and brackets of one scope: who means more clouds says * or @label
REST: Final = "*"
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_NAME_ONLY: Final = re.compile(_NAME + r"\Z")
_TOKEN: Final = re.compile(
    rf"[ \t]*(?:(?P<around>around[ \t]*\([ \t]*(?P<near>{_NAME})[ \t]*,[ \t]*(?P<ms>[0-9]{{1,6}}(?:\.[0-9]{{1,3}})?)[ \t]*ms[ \t]*\))"
    rf"|@(?P<label>{_NAME})|(?P<name>{_NAME})(?![A-Za-z0-9._-])|(?P<op>[&|()*]))"
)
# Both match a string whole wherever they meet one, unfinished ones too: a search that begins again at each escaped quote
# inside would take time quadratic in the text.
_NESTING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[{\[]', re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?([ \t\r\n]*+:[ \t\r\n]*+)?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Name:
    """One cloud."""

    cloud: str

    def __str__(self) -> str:
        return self.cloud


@dataclass(frozen=True, slots=True)
class Every:
    """`*`: every cloud that is known."""

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True, slots=True)
class Label:
    """`@edge`: every cloud that carries the label."""

    label: str

    def __str__(self) -> str:
        return f"@{self.label}"


@dataclass(frozen=True, slots=True)
class Around:
    """`around(A, 50ms)`: every cloud within a round-trip time of one, in milliseconds."""

    cloud: str
    ms: Decimal

    def __str__(self) -> str:
        return f"around({self.cloud}, {self.ms:f}ms)"


@dataclass(frozen=True, slots=True)
class Both:
    """`a & b`: all of them. At least two operands, none of which is a `Both`."""

    operands: tuple["Expression", ...]

    def __str__(self) -> str:
        return " & ".join(f"({part})" if isinstance(part, First) else str(part) for part in self.operands)


@dataclass(frozen=True, slots=True)
class First:
    """`a | b`: the first that answers. At least two operands, none of which is a `First`."""

    operands: tuple["Expression", ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.operands))


Expression: TypeAlias = Name | Every | Label | Around | Both | First


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope as a value: equal scopes are equal however they were written.

    Attributes:
        entries: (official service type or "*", expression), sorted by type; "*" is first.
    """

    entries: tuple[tuple[str, Expression], ...] = ()

    @classmethod
    def of(cls, entries: Mapping[str, Expression]) -> "Scope":
        """A scope of official service types."""
        return cls(tuple(sorted(entries.items())))

    def __bool__(self) -> bool:
        return bool(self.entries)

    def get(self, service: str) -> Expression | None:
        """What the scope says of a service type: its own entry, else that of "*", else None."""
        rest: Expression | None = None
        for kind, expression in self.entries:
            if kind == service:
                return expression
            if kind == REST:
                rest = expression
        return rest

    def explicit(self, entry: str) -> "Scope":
        """The scope with nothing left to guess: "*" and "identity" filled in.

        A service that is not named is bound to the entry cloud; once a request has left it, nobody could tell.

        Args:
            entry: the name of the cloud that the request met first.
        """
        filled = dict(self.entries)
        rest = filled.setdefault(REST, Name(entry))
        filled.setdefault("identity", rest)
        return Scope.of(filled)

    def stays(self, cloud: str) -> bool:
        """Whether no service that is named is of another cloud."""
        return all(expression == Name(cloud) for _, expression in self.entries)


def is_name(text: str) -> bool:
    """Whether a text is a NAME of the grammar: a cloud, a label, a saved scope."""
    return _NAME_ONLY.match(text) is not None


def parse(text: str) -> Scope:
    """Read a scope from JSON.

    Args:
        text: as it came from a header or a command line; 16,384 characters at most.

    Raises:
        ScopeError: for whatever is wrong; nothing else is ever raised.
    """
    if len(text) > LONGEST:
        raise ScopeError(f"a scope has {LONGEST} characters at most, this one has {len(text)}", text, LONGEST)
    pairs = _object(text)
    if len(pairs) > MOST_SERVICES:
        raise ScopeError(f"expected {MOST_SERVICES} services at most, not {len(pairs)}", text, 0)
    parts = 0
    entries: dict[str, Expression] = {}
    for key, key_at, value, at in _located(text, pairs):
        kind = REST if key == REST else service_type(key)
        if kind is None:
            raise ScopeError(f"expected a service type such as image, or *, not {_show(key)}", text, key_at)
        if kind in entries:
            raise ScopeError(f"the service {kind} is named twice (aliases count)", text, key_at)
        if not isinstance(value, str):
            raise ScopeError(f"expected a string that names a cloud for {kind}, not {_kind_of(value)}", text, at)
        entries[kind], used = _expression(value, text, at, MOST_PARTS - parts)
        parts += used
    return Scope.of(entries)


def parse_short(text: str) -> Scope:
    """Read a scope from JSON or from the short form, `image=CloudTwo,compute=CloudOne`.

    Raises:
        ScopeError: as `parse`.
    """
    if text.lstrip()[:1] == "{":
        return parse(text)
    if len(text) > LONGEST:
        raise ScopeError(f"a scope has {LONGEST} characters at most, this one has {len(text)}", text, LONGEST)
    pairs: dict[str, Expression] = {}
    parts = 0
    for start, part in _split(text):
        key, equals, value = part.partition("=")
        if not equals:
            raise ScopeError("expected SERVICE=CLOUD, or a JSON object", text, start)
        kind = REST if key.strip() == REST else service_type(key.strip())
        if kind is None:
            raise ScopeError(f"expected a service type such as image, or *, not {_show(key.strip())}", text, start)
        if kind in pairs:
            raise ScopeError(f"the service {kind} is named twice (aliases count)", text, start)
        if len(pairs) == MOST_SERVICES:
            raise ScopeError(f"expected {MOST_SERVICES} services at most", text, start)
        pairs[kind], used = _expression(value.strip(" \t"), text, start + len(key) + 1, MOST_PARTS - parts)
        parts += used
    return Scope.of(pairs)


def format(scope: Scope) -> str:  # noqa: A001 - the module is the namespace: scope.parse, scope.format
    """Write a scope as the shortest JSON, in ASCII, fit for a header."""
    return json.dumps({kind: str(expression) for kind, expression in scope.entries}, separators=(",", ":"))


def _object(text: str) -> list[tuple[str, Any]]:
    """The pairs of a JSON object, doubled keys kept."""
    if not text.lstrip(" \t\r\n").startswith("{"):
        raise ScopeError("expected a JSON object", text, len(text) - len(text.lstrip(" \t\r\n")))
    depth = 0
    # The only thing in JSON that nests is a list or an object, and a scope has one object: nothing else need be read.
    for count, found in enumerate(_NESTING.finditer(text)):
        if count > 2 * MOST_SERVICES:  # the brace, then a key and a value for each
            raise ScopeError(f"expected {MOST_SERVICES} services at most", text, found.start())
        if found[0] in "{[":
            depth += 1
            if depth > 1:
                raise ScopeError("expected a string that names a cloud, not a list or an object", text, found.start())
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except json.JSONDecodeError as error:
        raise ScopeError(f"not JSON ({error.msg})", text, error.pos) from None
    except ValueError:  # an integer of more than 4300 digits
        raise ScopeError("not JSON that can be read", text, 0) from None
    return pairs if isinstance(pairs, list) else []


def _located(text: str, pairs: list[tuple[str, Any]]) -> Iterator[tuple[str, int, Any, int]]:
    """The pairs, each key and value with its place in the text, found in one pass over the strings: keys have a colon."""
    keys = [found.span() for found in _STRING.finditer(text) if found[1] is not None]
    for (key, value), (key_at, at) in zip(pairs, keys, strict=True):
        yield key, key_at, value, at


def _expression(source: str, text: str, at: int, most: int) -> tuple[Expression, int]:
    """Read one expression of at most so many parts; `at` is where its text begins, for messages. Also tells its parts."""
    offset = at + 1 if text[at : at + 1] == '"' else at
    tokens = list(islice(_tokens(source, text, offset), most + 1))
    if len(tokens) > most:
        raise ScopeError(
            f"expected {MOST_PARTS} names and operators at most; * and @label mean many", text, tokens[-1][1]
        )
    expression, used = _first(tokens, 0, text, offset + len(source), 0)
    if used != len(tokens):
        raise ScopeError("expected & or | between clouds", text, tokens[used][1])
    return expression, len(tokens)


_Token: TypeAlias = tuple[Expression | str, int]


def _tokens(source: str, text: str, offset: int) -> Iterator[_Token]:
    position, end = 0, len(source.rstrip(" \t"))
    while position < end:
        found = _TOKEN.match(source, position)
        if found is None:
            position += len(source[position:]) - len(source[position:].lstrip(" \t"))
            raise ScopeError(
                f"expected a cloud's name, *, @label, around(NAME, NUMBERms), & or |, not {_show(source[position : position + 16])}",
                text,
                offset + position,
            )
        start = offset + found.start(found.lastgroup or 0)
        if found["around"]:
            start = offset + found.start("around")
            yield Around(found["near"], Decimal(found["ms"]).normalize()), start
        elif found["label"]:
            yield Label(found["label"]), start
        elif found["name"]:
            yield Name(found["name"]), start
        else:
            yield found["op"], start
        position = found.end()


def _first(tokens: list[_Token], index: int, text: str, end: int, depth: int) -> tuple[Expression, int]:
    parts, index = _chain(tokens, index, "|", _both, text, end, depth)
    return (parts[0] if len(parts) == 1 else First(_flat(parts, First))), index


def _both(tokens: list[_Token], index: int, text: str, end: int, depth: int) -> tuple[Expression, int]:
    parts, index = _chain(tokens, index, "&", _atom, text, end, depth)
    return (parts[0] if len(parts) == 1 else Both(_flat(parts, Both))), index


def _chain(
    tokens: list[_Token], index: int, operator: str, inner: Any, text: str, end: int, depth: int
) -> tuple[list[Expression], int]:
    part, index = inner(tokens, index, text, end, depth)
    parts = [part]
    while index < len(tokens) and tokens[index][0] == operator:
        part, index = inner(tokens, index + 1, text, end, depth)
        parts.append(part)
    return parts, index


def _flat(parts: list[Expression], kind: type[Both] | type[First]) -> tuple[Expression, ...]:
    return tuple(inner for part in parts for inner in (part.operands if isinstance(part, kind) else (part,)))


def _atom(tokens: list[_Token], index: int, text: str, end: int, depth: int) -> tuple[Expression, int]:
    if index >= len(tokens):
        raise ScopeError("expected a cloud's name", text, end)
    token, at = tokens[index]
    if token == "*":  # noqa: S105 - an operator, no secret
        return Every(), index + 1
    if token == "(":  # noqa: S105
        if depth >= DEEPEST:
            raise ScopeError(f"brackets may stand {DEEPEST} deep at most", text, at)
        expression, index = _first(tokens, index + 1, text, end, depth + 1)
        if index >= len(tokens) or tokens[index][0] != ")":
            raise ScopeError("expected )", text, tokens[index][1] if index < len(tokens) else end)
        return expression, index + 1
    if isinstance(token, str):
        raise ScopeError(f"expected a cloud's name, not {token}", text, at)
    return token, index + 1


def _split(text: str) -> Iterator[tuple[int, str]]:
    """The parts between commas that stand in no brackets."""
    depth = start = 0
    for position, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "," and depth <= 0:
            yield start, text[start:position]
            start = position + 1
    yield start, text[start:]


def _show(value: str) -> str:
    return json.dumps(value if len(value) <= 40 else value[:40] + "...")  # noqa: PLR2004 - enough to recognise


def _kind_of(value: Any) -> str:
    return {bool: "true or false", int: "a number", float: "a number", type(None): "null"}.get(type(value), "a list")
