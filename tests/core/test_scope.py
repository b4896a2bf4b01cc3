"""The scope language: what it accepts, what it says of the rest, and what a hostile text costs."""

import contextlib
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openstackoid.core.errors import ScopeError
from openstackoid.core.scope import (
    LONGEST,
    MOST_PARTS,
    MOST_SERVICES,
    AllClouds,
    AllOf,
    Around,
    Expression,
    FirstOf,
    Label,
    Name,
    Scope,
    is_name,
    parse,
    parse_short,
)
from openstackoid.core.scope import text as reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "scope.json").read_text(encoding="utf-8")
)
READERS: dict[str, "Callable[[str], Scope]"] = {
    "valid": parse,
    "invalid": parse,
    "short_valid": parse_short,
    "short_invalid": parse_short,
}

few = settings(max_examples=40)  # scopes are dear to draw
names = st.builds(str.__add__, st.sampled_from("aZ09"), st.text("bY18._-", max_size=6))
numbers = st.integers(0, 999_999_999).map(lambda thousandths: (Decimal(thousandths) / 1000).normalize())
atoms = st.one_of(
    st.builds(Name, names), st.just(AllClouds()), st.builds(Label, names), st.builds(Around, names, numbers)
)


def _combined(kind: type[AllOf] | type[FirstOf]) -> "Callable[[list[Expression]], Expression]":
    def combine(parts: list[Expression]) -> Expression:
        flat = [inner for part in parts for inner in (part.operands if isinstance(part, kind) else (part,))]
        return kind(tuple(flat))

    return combine


expressions: st.SearchStrategy[Expression] = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(_combined(AllOf)),
        st.lists(inner, min_size=2, max_size=3).map(_combined(FirstOf)),
    ),
    max_leaves=5,
)
kinds = st.sampled_from(["*", "compute", "image", "network", "block-storage", "identity", "my-own-service"])
scopes = st.dictionaries(kinds, expressions, max_size=3).map(Scope.of)
# What stands in scopes, so that texts made of it come close to valid ones.
pieces = st.sampled_from(
    [
        '{"image":',
        "{",
        "}",
        '"',
        '\\"',
        "\\",
        ":",
        ",",
        "image",
        "*",
        "Cloud",
        " ",
        "&",
        "|",
        "(",
        ")",
        "@",
        "around(",
        "ms",
        "5",
        "[",
        "=",
        "é",
        "\0",
    ]
)


def _meaning(expression: Expression) -> dict[str, Any]:
    match expression:
        case Name(cloud):
            return {"name": cloud}
        case AllClouds():
            return {"every": True}
        case Label(label):
            return {"label": label}
        case Around(cloud, ms):
            return {"around": cloud, "ms": f"{ms:f}"}
        case AllOf(operands):
            return {"both": [_meaning(operand) for operand in operands]}
        case FirstOf(operands):
            return {"first": [_meaning(operand) for operand in operands]}


def _cases(*lists: str) -> "list[Any]":
    return [
        pytest.param(READERS[name], case, id=f"{name}-{index}")
        for name in lists
        for index, case in enumerate(VECTORS[name])
    ]


@pytest.mark.parametrize(("read", "case"), _cases("valid", "short_valid"))
def test_valid_vectors(read: "Callable[[str], Scope]", case: dict[str, Any]) -> None:
    scope = read(case["text"])
    assert {kind: _meaning(expression) for kind, expression in scope.entries} == case["entries"]
    assert reading.format(scope) == case["canonical"]
    assert parse(case["canonical"]) == scope


@pytest.mark.parametrize(("read", "case"), _cases("invalid", "short_invalid"))
def test_invalid_vectors(read: "Callable[[str], Scope]", case: dict[str, Any]) -> None:
    with pytest.raises(ScopeError) as caught:
        read(case["text"])
    assert caught.value.code == case["code"]
    if case["position"] is not None:
        assert caught.value.position == case["position"]


@few
@given(scopes)
def test_what_is_written_is_read_again(scope: Scope) -> None:
    written = reading.format(scope)
    assert parse(written) == scope
    assert reading.format(parse(written)) == written
    assert written.isascii()
    assert written.isprintable()


@few
@given(scopes)
def test_the_short_form_means_the_same(scope: Scope) -> None:
    if scope:  # an empty one has no short form
        assert parse_short(",".join(f"{kind}={expression}" for kind, expression in scope.entries)) == scope
    assert parse_short(reading.format(scope)) == scope


@given(
    st.one_of(
        st.text(),
        st.lists(pieces, max_size=24).map("".join),
        st.lists(pieces, max_size=12).map(lambda p: '{"image":"' + "".join(p) + '"}'),
    )
)
def test_hostile_texts_raise_nothing_but_scope_errors(text: str) -> None:
    _only_scope_errors(text)


@few
@given(scopes, st.data())
def test_damaged_scopes_raise_nothing_but_scope_errors(scope: Scope, data: st.DataObject) -> None:
    text = reading.format(scope)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    _only_scope_errors(text[:start] + data.draw(st.one_of(pieces, st.text(max_size=3))) + text[end:])


@pytest.mark.parametrize(
    "text",
    [
        "[" * 16000,
        '{"a":' * 3000,
        "{" + '"a":1,' * 2000,
        '{"image":' + "9" * 16000 + "}",
        "\ud800",
        '{"image":"\ud800"}',
        '{"image":"\\ud800"}',
    ],
)
def test_texts_that_decoders_choke_on(text: str) -> None:
    with pytest.raises(ScopeError):
        parse(text)


def _only_scope_errors(text: str) -> None:
    for read in (parse, parse_short):
        try:
            scope = read(text)
        except ScopeError as error:
            assert 0 <= error.position <= len(text)  # noqa: PT017 - either outcome is right
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert parse(reading.format(scope)) == scope


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(" " * (LONGEST + 1), id="characters"),
        pytest.param(json.dumps({f"a{n}": "b" for n in range(MOST_SERVICES + 1)}), id="services"),
        pytest.param(json.dumps({"image": "&".join(["a"] * MOST_PARTS)}), id="parts"),
        pytest.param(
            json.dumps({"image": "a", "compute": "&".join(["a"] * (MOST_PARTS // 2 + 1))}), id="parts over services"
        ),
    ],
)
def test_what_is_too_much(text: str) -> None:
    with pytest.raises(ScopeError, match="at most"):
        parse(text)


def test_as_much_as_may_be() -> None:
    assert (
        len(parse(json.dumps({f"a{n}": "b&c" if n == 0 else "b" for n in range(MOST_SERVICES)})).entries)
        == MOST_SERVICES
    )
    assert parse(" " * (LONGEST - 2) + "{}") == Scope()


HOSTILE: dict[str, "Callable[[int], str]"] = {
    "unfinished string of escapes": lambda size: '{"' + '\\"' * (size // 2),
    "string of escapes": lambda size: '{"image":"' + '\\"' * (size // 2) + '"}',
    "quotes": lambda size: "{" + '"' * size,
    "spaces": lambda size: '{"image":"a' + " " * size + '"}',
    "spaces in around": lambda size: '{"image":"around(a' + " " * size + '"}',
    "around in around": lambda size: '{"image":"' + "around(a" * (size // 8) + '"}',
    "names": lambda size: '{"image":"' + "a " * (size // 2) + '"}',
    "brackets": lambda size: '{"image":"' + "(" * size + '"}',
    "a number": lambda size: '{"image":' + "1" * size + "}",
    "services": lambda size: "{" + ",".join(f'"a{n}":"b"' for n in range(size // 11)) + "}",
    "short form": lambda size: ",".join(f"a{n}=b" for n in range(size // 7)),
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_cost_is_linear_in_python(shape: str) -> None:
    """Counts the calls and lines that reading takes: no clock, so the same everywhere."""
    assert _lines(HOSTILE[shape](8000)) <= 2 * _lines(HOSTILE[shape](4000)) + 64


@pytest.mark.parametrize("pattern", [reading._NESTING, reading._STRING], ids=["nesting", "string"])
@pytest.mark.parametrize(
    "text", ['"' + '\\"' * 100, '"' + '\\"' * 100 + '"', '"' + "\\\n" * 100, '"' + "a" * 100, '"' + "\\" * 101]
)
def test_strings_are_matched_whole(pattern: Any, text: str) -> None:
    """What no count of lines sees: a search that begins again inside a string has cost quadratic in the text."""
    assert len(pattern.findall(text)) == 1


def _lines(text: str) -> int:
    count = 0

    def trace(_frame: "FrameType", _event: str, _argument: object) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for read in (parse, parse_short):
            with contextlib.suppress(ScopeError):
                read(text)
    finally:
        sys.settrace(before)
    return count


def test_get_falls_back_to_the_rest() -> None:
    scope = parse('{"*": "A", "image": "B"}')
    assert scope.get("image") == Name("B")
    assert scope.get("compute") == Name("A")
    assert parse('{"image": "B"}').get("compute") is None


@few
@given(scopes, names)
def test_explicit_leaves_nothing_to_guess(scope: Scope, entry: str) -> None:
    explicit = scope.explicit(entry)
    for kind in ("*", "identity", "image", "my-own-service"):
        assert explicit.get(kind) == (scope.get(kind) or Name(entry))
    assert {"*", "identity"} <= {kind for kind, _ in explicit.entries}
    assert explicit.explicit("another") == explicit


def test_scopes_are_values() -> None:
    one, other = parse('{"image": "a", "compute": "b"}'), parse('{"compute":"b","glance-like":"c","image":"a"}')
    assert one != other
    assert one == parse('{"compute": "b", "image": "(a)"}')
    assert hash(one) == hash(parse_short("compute=b,image=a"))
    assert one
    assert not Scope()
    assert Around("a", Decimal("50.0")) == Around("a", Decimal(50))


@pytest.mark.parametrize(
    ("text", "good"),
    [("CloudOne", True), ("a" * 64, True), ("a" * 65, False), ("", False), ("-a", False), ("a\n", False), ("é", False)],
)
def test_is_name(text: str, good: bool) -> None:
    assert is_name(text) is good


@pytest.mark.parametrize(
    ("text", "only", "leads", "operators"),
    [
        ('{"image": "A"}', "A", True, False),
        ('{"*": "A", "compute": "B"}', "A", True, False),
        ('{"image": "A & B"}', None, True, True),
        ('{"image": "B | (A & C)"}', None, True, True),
        ('{"image": "around(A, 5ms)"}', None, True, True),
        ('{"image": "*"}', None, False, True),
        ('{"image": "@A"}', None, False, True),
        ('{"compute": "A"}', None, False, False),
    ],
)
def test_a_scope_says_where_it_leads(text: str, only: str | None, leads: bool, operators: bool) -> None:
    scope = parse(text)
    assert scope.only("image") == only
    assert scope.leads_to("A", "image") is leads
    assert scope.leads_to("A") is ("A" in scope.clouds())
    assert scope.has_operators is operators


def test_only_names_of_a_cloud() -> None:
    assert parse('{"image": "A", "compute": "A"}').only_names("A")
    assert not parse('{"image": "A", "compute": "B"}').only_names("A")
    assert not parse('{"image": "A & A"}').only_names("A")
