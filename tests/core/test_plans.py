"""Plans: what each form of a scope means for a request, and that no target ever sees an operator."""

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.core import scope as scopes
from openstackoid.core.catalog import Cloud
from openstackoid.core.plans import All, Alternatives, Known, One, Plan, Reject, plan
from openstackoid.core.routing import Facts
from openstackoid.core.scope import Name, Scope

SERVICES: Final = ("block-storage", "compute", "identity", "image", "network", "placement")


def cloud(name: str, *services: str, labels: str = "") -> Cloud:
    urls = {kind: f"http://{name}/{kind}".lower() for kind in services or SERVICES}
    return Cloud(name, urls, frozenset(labels.split()))


KNOWN: Final = Known(
    entry="A",
    clouds={
        "A": cloud("A"),
        "B": cloud("B", labels="edge"),
        "C": cloud("C", labels="edge far"),
        "D": cloud("D", "image", "identity", labels="edge"),
        "E": None,
    },
    labels={"C": frozenset({"near"})},
    round_trips={"B": 12.5, "C": 80.0},
)


def planned(scope: dict[str, str], service: str = "compute", method: str = "GET", path: str = "/v2.1/servers") -> Plan:
    text = "{" + ", ".join(f'"{kind}": "{expression}"' for kind, expression in scope.items()) + "}"
    return plan(Facts(service, method, path), scopes.parse(text), KNOWN)


def clouds(found: Plan) -> list[list[str]]:
    match found:
        case One(target):
            return [[target.cloud]]
        case All(targets):
            return [[target.cloud for target in targets]]
        case Alternatives(choices):
            return [group for choice in choices for group in clouds(choice)]
        case Reject(error):
            raise error


def own(found: Plan, name: str) -> dict[str, str]:
    targets = found.targets if isinstance(found, All) else (found.target,) if isinstance(found, One) else ()
    scope = next(target.scope for target in targets if target.cloud == name)
    return {kind: str(expression) for kind, expression in scope.entries}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("B", [["B"]]),
        ("B & A", [["A", "B"]]),
        ("B & B", [["B"]]),
        ("B | A", [["B"], ["A"]]),
        ("B | B", [["B"]]),
        ("B & A | C", [["A", "B"], ["C"]]),
        # D says that it has no compute service, E never said anything.
        ("*", [["A", "B", "C", "E"]]),
        ("@edge", [["B"]]),  # the label that an operator gave C replaces C's own
        ("@near", [["C"]]),
        ("@edge | D", [["B"], ["D"]]),
        ("D & A", [["A", "D"]]),  # named, so that it is missed
        ("around(A, 12.5ms)", [["A", "B"]]),
        ("around(A, 12ms)", [["A"]]),
        ("around(A, 80ms) & E", [["A", "B", "C", "E"]]),
        ("@nobody | @near", [["C"]]),
    ],
)
def test_expressions_become_names(expression: str, expected: list[list[str]]) -> None:
    assert clouds(planned({"compute": expression})) == expected


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ({"compute": "@nobody"}, "scope.empty"),
        ({"compute": "A & @nobody"}, "scope.empty"),
        ({"placement": "@edge & Z"}, "cloud.unknown"),
        ({"compute": "*", "imgae": "B"}, "service.unknown"),
        ({"compute": "around(Z, 5ms)"}, "cloud.unknown"),
        ({"compute": "around(B, 5ms)"}, "scope.around"),
        ({"compute": "(A | B) & C"}, "scope.operators"),
        ({"compute": "A & B", "image": "@nobody"}, "scope.empty"),
    ],
)
def test_what_means_no_cloud_is_refused_with_a_code(scope: dict[str, str], code: str) -> None:
    found = planned(scope)
    assert isinstance(found, Reject)
    assert found.error.code == code


def test_more_clouds_than_allowed_are_refused() -> None:
    found = plan(Facts("compute", path="/v2.1/servers"), scopes.parse('{"compute": "*"}'), replace(KNOWN, most=3))
    assert isinstance(found, Reject)
    assert found.error.code == "scope.wide"


def test_a_peer_that_sends_operators_on_is_refused() -> None:
    found = plan(Facts("compute", hops=("Z",)), scopes.parse('{"compute": "*"}'), KNOWN)
    assert isinstance(found, Reject)
    assert found.error.code == "scope.operators"


def test_the_parts_of_a_server_are_of_its_cloud_and_images_stay_where_they_were() -> None:
    found = planned({"compute": "A & B"})
    follows = dict.fromkeys(("compute", "network", "placement", "block-storage"), "B")
    assert own(found, "B") == follows | {"*": "A", "identity": "A"}


def test_what_the_scope_names_itself_does_not_follow() -> None:
    assert own(planned({"compute": "A & B", "network": "C"}), "B")["network"] == "C"
    assert "network" not in own(planned({"compute": "A & B", "*": "C"}), "B")


def test_the_same_expression_is_the_same_cloud_and_another_one_the_target_if_it_can() -> None:
    found = planned({"compute": "A & B", "image": "A & B", "network": "B & C", "key-manager": "C | A"})
    assert own(found, "B") | {"*": "A"} == own(found, "B")
    assert {kind: own(found, "B")[kind] for kind in ("image", "network", "key-manager")} == {
        "image": "B",
        "network": "B",
        "key-manager": "C",
    }
    assert {kind: own(found, "A")[kind] for kind in ("image", "network")} == {"image": "A", "network": "B"}


def test_a_service_that_is_named_plainly_sees_no_operator_of_the_others() -> None:
    found = planned({"compute": "B", "image": "*"})
    assert isinstance(found, One)
    assert own(found, "B") == {"compute": "B", "image": "B", "*": "A", "identity": "A"}


@pytest.mark.parametrize(
    ("scope", "where"),
    [
        ({"*": "B & C"}, "A"),
        ({"*": "B & C", "identity": "B"}, "B"),
        ({"identity": "@edge"}, "B"),
        ({"identity": "*"}, "A"),
        ({"*": "B", "compute": "*"}, "B"),
    ],
)
def test_login_is_in_one_cloud_and_all_targets_pass_on_its_tokens(scope: dict[str, str], where: str) -> None:
    found = planned(scope, "identity", "POST", "/v3/auth/tokens")
    assert clouds(found) == [[where]]
    for target in [target for group in [planned(scope)] if isinstance(group, All) for target in group.targets]:
        assert target.scope.get("identity") == Name(where)


def test_lists_of_keystone_are_asked_everywhere() -> None:
    found = planned({"identity": "A & B"}, "identity", "GET", "/v3/projects")
    assert clouds(found) == [["A", "B"]]
    assert own(found, "B")["identity"] == "B"
    # "*" alone means the rest of the services; a token is of one cloud.
    assert clouds(planned({"*": "A & B"}, "identity", "GET", "/v3/projects")) == [["A"]]


@pytest.mark.parametrize(
    "path", ["/", "/v2.1", "/v2.1/", "/v2/schemas/images", "/v2.1/extensions", "/v2.0/extensions.json"]
)
def test_what_is_the_same_everywhere_is_asked_once(path: str) -> None:
    assert clouds(planned({"compute": "*"}, path=path)) == [["A"]]
    assert clouds(planned({"compute": "C & B"}, path=path)) == [["B"]]


NAMES: Final = st.sampled_from("ABCDE").map(str)
ATOMS: Final = st.one_of(
    NAMES,
    st.just("*"),
    st.sampled_from(["edge", "near", "far", "none"]).map("@{}".format),
    st.integers(0, 100).map("around(A, {}ms)".format),
)
EXPRESSIONS: Final = st.recursive(
    ATOMS,
    lambda inner: st.tuples(inner, st.sampled_from([" & ", " | "]), inner).map(
        lambda three: f"({three[0]}){three[1]}({three[2]})"
    ),
    max_leaves=6,
)
SCOPES: Final = st.dictionaries(st.sampled_from([*SERVICES, "*"]), EXPRESSIONS, max_size=5)


@given(SCOPES, st.sampled_from(SERVICES), st.sampled_from(["GET", "POST"]))
def test_no_target_sees_an_operator_and_each_serves_what_is_asked(
    scope: dict[str, str], service: str, method: str
) -> None:
    found = planned(scope, service, method, "/v2/things")
    if isinstance(found, Reject):
        assert found.error.code in {"scope.empty", "scope.operators"}
        return
    for choice in found.choices if isinstance(found, Alternatives) else (found,):
        targets = choice.targets if isinstance(choice, All) else (choice.target,)
        assert len({target.cloud for target in targets}) == len(targets)
        assert [target.cloud for target in targets] == sorted(target.cloud for target in targets)
        identities = set()
        for target in targets:
            assert not target.scope.has_operators
            assert target.scope.get(service) == Name(target.cloud)
            assert dict(target.scope.entries).keys() >= {"*", "identity"}
            identities.add(target.scope.get("identity"))
        assert service == "identity" or len(identities) == 1


@given(SCOPES)
def test_the_scope_of_a_target_is_a_scope(scope: dict[str, str]) -> None:
    found = planned(scope)
    if isinstance(found, All):
        for target in found.targets:
            assert scopes.parse(scopes.format(target.scope)) == target.scope
            assert target.scope == Scope.of(dict(target.scope.entries))
