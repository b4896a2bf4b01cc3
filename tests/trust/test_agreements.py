"""Agreements as values: grants that cannot give away more than somebody wrote down."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from openstackoid.trust.agreements import TRANSITIONS, Agreement, State, Statement, is_fingerprint
from openstackoid.trust.grants import ADMIN_WORD, HOME, POWERFUL, Grant, Projects
from openstackoid.trust.rules import METHODS, Rule, allowed

NAMES: Final = st.text("abcdefgXYZ_-09 é", min_size=1, max_size=12)
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def grant(**document: Any) -> Grant:
    return Grant.model_validate(document)


def refused(expected: str, **document: Any) -> None:
    with pytest.raises(ValidationError, match=expected):
        grant(**document)


def test_a_grant_of_nothing_allows_nothing() -> None:
    nothing = Grant()
    assert (nothing.allows, nothing.offered, nothing.projects) == ((), [], Projects("each", "default"))
    assert nothing.roles == {"member": "member", "reader": "reader"}
    assert nothing.home == HOME
    assert {rule.method for rule in HOME} == {"GET", "HEAD"}


def test_services_and_rules() -> None:
    rule = {"service": "volumev3", "method": "get", "path": "/v3/*/volumes"}
    made = grant(services=["Image", "compute"], rules=[rule], projects="each:default", rate=1)
    assert made.offered == ["block-storage", "compute", "image"]
    assert made.rules == (Rule("block-storage", "GET", "/v3/*/volumes"),)
    assert all(allowed(made.allows, "image", method, "/v2/images") for method in METHODS)
    assert not allowed(made.allows, "network", "GET", "/v2.0/networks")
    assert Grant.model_validate_json(made.model_dump_json()) == made
    assert made.model_dump(mode="json")["projects"] == "each:default"
    assert str(made.rules[0]) == "GET block-storage /v3/*/volumes"


@pytest.mark.parametrize("service", ["identity", "Identity", "keystone", "IDENTITY"])
def test_identity_is_never_shared(service: str) -> None:
    if service == "keystone":  # a project's name, no type of a service: nothing of Keystone goes by it
        assert grant(services=[service]).offered == ["keystone"]
        return
    rule = {"service": service, "method": "GET", "path": "/v3/auth/tokens"}
    for document in ({"services": [service]}, {"rules": [rule]}, {"home": [rule]}):
        refused("identity is never shared", **document)


@given(st.sampled_from(sorted(POWERFUL)), st.data(), NAMES)
def test_no_case_of_a_powerful_role_is_given_without_the_word(role: str, data: st.DataObject, theirs: str) -> None:
    flips = data.draw(st.lists(st.booleans(), min_size=len(role), max_size=len(role)))
    ours = "".join(letter.upper() if flip else letter for letter, flip in zip(role, flips, strict=True))
    for word in ({}, {"admin_roles": "yes"}, {"admin_roles": ADMIN_WORD.upper()}):
        refused("gives people of another cloud power", roles={theirs: ours}, **word)
    assert grant(roles={theirs: ours}, admin_roles=ADMIN_WORD).roles == {theirs.lower(): ours}


@given(st.dictionaries(NAMES, NAMES, max_size=4))
def test_their_roles_are_known_in_lower_case(roles: dict[str, str]) -> None:
    made = grant(roles=roles)
    assert set(made.roles) == {name.lower() for name in roles}
    assert set(made.roles.values()) <= set(roles.values())


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"roles": {"member": "a,b"}}, "without commas"),
        ({"roles": {"": "member"}}, "names of roles"),
        ({"roles": {"member": "a\n"}}, "names of roles"),
        ({"roles": {"member": "a" * 256}}, "255 characters"),
        ({"services": ["no/service"]}, "expected service types"),
        ({"services": "image"}, "services"),
        ({"rules": [{"service": "image", "method": "GET"}]}, "expected service, method and path"),
        (
            {"rules": [{"service": "image", "method": "GET", "path": "/", "more": "x"}]},
            "expected service, method and path",
        ),
        ({"rules": [{"service": "image", "method": "BREW", "path": "/"}]}, "expected a method of GET"),
        ({"rules": [{"service": "image", "method": "GET", "path": "/../"}]}, "expected a path"),
        ({"rules": ["GET image /"]}, "rules"),
        ({"rate": 0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": float("inf")}, "rate"),
        ({"moonlight": True}, "moonlight"),
    ],
)
def test_what_is_no_grant(document: dict[str, Any], expected: str) -> None:
    refused(expected, **document)


@pytest.mark.parametrize("text", ["same", "one:0123abc", "each:default"])
def test_projects(text: str) -> None:
    assert str(Projects.parse(text)) == text
    assert grant(projects=text).projects == Projects.parse(text)


@pytest.mark.parametrize(
    "text", ["", "SAME", "same:", "same:x", "one", "one:", "each:a/b", "each:a b", "two:x", "one:a\n"]
)
def test_what_is_no_project(text: str) -> None:
    with pytest.raises(ValueError, match="expected same, one:PROJECT_ID or each:DOMAIN_ID"):
        Projects.parse(text)


def test_every_event_of_every_state_is_told() -> None:
    assert {event: set(states) for event, states in TRANSITIONS.items()} == {name: set(State) for name in TRANSITIONS}
    assert {states[state] for states in TRANSITIONS.values() for state in states} == {
        State.ACTIVE,
        State.SUSPENDED,
        None,
    }
    for state in State:
        agreement = Agreement("0" * 32, "CloudTwo", "https://cloudtwo.example", "A" * 43, state, Grant())
        assert agreement.active is (state == "active")


@given(JSON)
def test_a_peer_can_say_anything_and_is_understood_or_refused(document: Any) -> None:
    try:
        statement = Statement.from_json(document)
    except ValueError:
        return
    assert Statement.from_json(json.loads(json.dumps(statement.to_json()))) == statement


@given(
    st.none() | st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    st.sampled_from(State),
    st.lists(st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True)),
)
def test_statements_come_back_as_they_went(identity: str | None, state: State, names: list[str]) -> None:
    statement = Statement(identity, state, tuple(names), tuple(names))
    assert Statement.from_json(statement.to_json()) == statement


@pytest.mark.parametrize(
    ("text", "expected"),
    [("A" * 43, True), ("-_9" + "a" * 40, True), ("A" * 42, False), ("A" * 42 + "=", False), ("A" * 43 + "\n", False)],
)
def test_fingerprints(text: str, expected: bool) -> None:
    assert is_fingerprint(text) is expected
