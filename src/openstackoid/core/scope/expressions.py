"""The parser of one expression: which clouds, joined by `&`, `|` and brackets. It reads from left to right, once."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, Final, TypeAlias

from openstackoid.core.errors import ScopeError
from openstackoid.core.scope.values import NAME, AllClouds, AllOf, Around, Expression, FirstOf, Label, Name

DEEPEST: Final = 16  # brackets within brackets
MOST_PARTS: Final = 192  # names, operators and brackets of one scope: for more clouds there are * and @label
_TOKEN: Final = re.compile(
    rf"[ \t]*(?:(?P<around>around[ \t]*\([ \t]*(?P<near>{NAME})[ \t]*,[ \t]*(?P<ms>[0-9]{{1,6}}(?:\.[0-9]{{1,3}})?)[ \t]*ms[ \t]*\))"
    rf"|@(?P<label>{NAME})|(?P<name>{NAME})(?![A-Za-z0-9._-])|(?P<op>[&|()*]))"
)


def read(source: str, text: str, at: int, most: int) -> tuple[Expression, int]:
    """Read one expression.

    Args:
        source: the expression.
        text: the whole scope, for messages.
        at: where the expression begins in it.
        most: names, operators and brackets that it may have.

    Returns:
        The expression, and how many names, operators and brackets it has.

    Raises:
        ScopeError: the text is not an expression, or has too many parts.
    """
    offset = at + 1 if text[at : at + 1] == '"' else at
    tokens = list(islice(_tokens(source, text, offset), most + 1))
    if len(tokens) > most:
        raise ScopeError(
            f"expected {MOST_PARTS} names and operators at most; * and @label mean many", text, tokens[-1][1]
        )
    expression, used = _first_of(tokens, 0, text, offset + len(source), 0)
    if used != len(tokens):
        raise ScopeError("expected & or | between clouds", text, tokens[used][1])
    return expression, len(tokens)


_Token: TypeAlias = tuple[Expression | str, int]


def _tokens(source: str, text: str, offset: int) -> Iterator[_Token]:
    position, end = 0, len(source.rstrip(" \t"))
    while position < end:
        match = _TOKEN.match(source, position)
        if match is None:
            position += len(source[position:]) - len(source[position:].lstrip(" \t"))
            raise ScopeError(
                f"expected a cloud's name, *, @label, around(NAME, NUMBERms), & or |, not {shown(source[position : position + 16])}",
                text,
                offset + position,
            )
        start = offset + match.start(match.lastgroup or 0)
        if match["around"]:
            start = offset + match.start("around")
            yield Around(match["near"], Decimal(match["ms"]).normalize()), start
        elif match["label"]:
            yield Label(match["label"]), start
        elif match["name"]:
            yield Name(match["name"]), start
        else:
            yield match["op"], start
        position = match.end()


def _first_of(tokens: list[_Token], index: int, text: str, end: int, depth: int) -> tuple[Expression, int]:
    parts, index = _chain(tokens, index, "|", _all_of, text, end, depth)
    return (parts[0] if len(parts) == 1 else FirstOf(_flat(parts, FirstOf))), index


def _all_of(tokens: list[_Token], index: int, text: str, end: int, depth: int) -> tuple[Expression, int]:
    parts, index = _chain(tokens, index, "&", _atom, text, end, depth)
    return (parts[0] if len(parts) == 1 else AllOf(_flat(parts, AllOf))), index


def _chain(
    tokens: list[_Token], index: int, operator: str, inner: Any, text: str, end: int, depth: int
) -> tuple[list[Expression], int]:
    part, index = inner(tokens, index, text, end, depth)
    parts = [part]
    while index < len(tokens) and tokens[index][0] == operator:
        part, index = inner(tokens, index + 1, text, end, depth)
        parts.append(part)
    return parts, index


def _flat(parts: list[Expression], kind: type[AllOf] | type[FirstOf]) -> tuple[Expression, ...]:
    return tuple(inner for part in parts for inner in (part.operands if isinstance(part, kind) else (part,)))


def _atom(tokens: list[_Token], index: int, text: str, end: int, depth: int) -> tuple[Expression, int]:
    if index >= len(tokens):
        raise ScopeError("expected a cloud's name", text, end)
    token, at = tokens[index]
    if token == "*":  # noqa: S105 - an operator, no secret
        return AllClouds(), index + 1
    if token == "(":  # noqa: S105
        if depth >= DEEPEST:
            raise ScopeError(f"brackets may stand {DEEPEST} deep at most", text, at)
        expression, index = _first_of(tokens, index + 1, text, end, depth + 1)
        if index >= len(tokens) or tokens[index][0] != ")":
            raise ScopeError("expected )", text, tokens[index][1] if index < len(tokens) else end)
        return expression, index + 1
    if isinstance(token, str):
        raise ScopeError(f"expected a cloud's name, not {token}", text, at)
    return token, index + 1


def shown(value: str) -> str:
    """Format an untrusted text for a message: quoted, and short."""
    return json.dumps(value if len(value) <= 40 else value[:40] + "...")  # noqa: PLR2004 - enough to recognise
