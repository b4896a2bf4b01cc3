"""Scopes, which clients write, and what of them reaches HAProxy: never two commands, two lines, or another map's form."""

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import strategies as st
from tests.hostile.fuzzing import SHARP, fuzz, plain, words

from openstackoid.core import scope as scopes
from openstackoid.core.errors import ScopeError
from openstackoid.core.scope import Name
from openstackoid.haproxy import admin, image_downloads, maps
from openstackoid.haproxy.maps import Entry

names = st.sampled_from(["CloudOne", "CloudTwo", "@edge", "*", "around(CloudOne, 50ms)"]) | words
expressions = st.recursive(
    names, lambda inner: st.builds("{}{}{}".format, inner, st.sampled_from(["&", " | ", ",", "("]), inner), max_leaves=6
)
texts = st.one_of(
    st.dictionaries(st.sampled_from(["image", "glance", "*", "compute"]) | words, expressions, max_size=4).map(
        json.dumps
    ),
    st.text(st.sampled_from('{}":,&|()@* aC1\\' + SHARP), max_size=40),
    st.text('{["\\', max_size=200),
)


@fuzz({"text": '{"image": "CloudTwo", "glance": "CloudOne"}'}, {"text": "{" * 17000}, text=texts)
def test_a_scope_is_refused_or_means_the_same_to_who_reads_it_next(text: str) -> None:
    try:
        scope = scopes.parse(text)
    except ScopeError as error:
        plain(error)
        return
    written = scopes.format(scope)
    assert scopes.parse(written) == scope
    # Another reader: what a scope says of single clouds is what its JSON says.
    for kind, expression in json.loads(text).items():
        if kind in {"image", "compute", "*"} and re.fullmatch(r"\s*[A-Za-z0-9._-]+\s*", expression, re.ASCII):
            assert scope.get(kind) == Name(expression.strip())


def commands(sent: str) -> list[list[str]]:
    """What HAProxy's command line reads (management guide, 9.3): commands end at `;` and at a line's end, words at spaces;
    a backslash hides the next character, and `<<` begins a payload."""
    found: list[list[str]] = []
    for line in sent.splitlines():
        for command in re.split(r"(?<!\\);", line):
            assert "<<" not in command
            found.append(command.split(" "))
    return found


tricky = st.text(st.sampled_from(SHARP + "aZ09-_"), max_size=30) | st.text(max_size=20)


@fuzz(
    {"scope": "{}\nclear map x", "cloud": "CloudTwo", "token": "a;show info", "other": "a b"},
    {"scope": "{}", "cloud": "a|b", "token": "gAAAAA" + "a" * 177, "other": "\u2028"},
    scope=texts | tricky,
    cloud=tricky,
    token=tricky | st.just("gAAAAA" + "a" * 177),
    other=tricky,
)
def test_what_is_taught_is_one_command_and_one_line(scope: str, cloud: str, token: str, other: str) -> None:
    made = list(entries(scope, cloud, token, other))
    for entry in made:
        (key, value), line = (entry.key, entry.value), maps.text([entry])
        assert line.split(" ") == [key, value + "\n"]
        assert line.splitlines() == [line[:-1]]
        assert not re.search(r"[\x00-\x20\x7f-\uffff;<\\]", key + value)
    if made:
        sent = ";".join(f"set map /m {each.key} {each.value}" for each in made)
        assert commands(sent) == [["set", "map", "/m", each.key, each.value] for each in made]
        assert list(admin._batches([each.key for each in made]))


def entries(scope: str, cloud: str, token: str, other: str) -> Iterator[Entry]:
    """All that is ever written, of what strangers say; what cannot stand in a map is refused with a ValueError."""
    keys = [
        maps.way("image", scope, method="GET"),
        maps.user(token, scope),
        image_downloads.key(token, cloud) if token.isascii() else None,
    ]
    ids = (other, cloud, token)
    values = [
        maps.token(1.0, ids, cloud, token),
        image_downloads.value(1.0, (*ids, other, cloud), token),
        f"T{cloud}|image!{scope}",
    ]
    for key in keys:
        for value in values:
            if key is not None and value is not None:
                try:
                    yield Entry(key, value)
                except ValueError:
                    assert not (maps.is_writable(key) and maps.is_writable(value))


def test_the_model_of_haproxys_command_line_is_as_strict_as_haproxy() -> None:
    assert commands("set map /m k v;clear map /m\nshow info") == [
        ["set", "map", "/m", "k", "v"],
        ["clear", "map", "/m"],
        ["show", "info"],
    ]
    with pytest.raises(AssertionError):
        commands("add map /m <<")
