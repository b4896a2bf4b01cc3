"""decide() and explain(), by the vectors that another implementation can read."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.core import scope as scopes
from openstackoid.core.catalog import Cloud
from openstackoid.core.routing import CloudMap, Facts, Local, Reject, Remote, decide, explain

VECTORS: Final = json.loads((Path(__file__).parents[1] / "vectors" / "routing.json").read_text())
CASES: Final[list[dict[str, Any]]] = VECTORS["cases"]


def shuffled(pairs: dict[str, Any], order: int) -> dict[str, Any]:
    """The same object, its keys in one of their orders."""
    keys = list(pairs)
    start = order % (len(keys) or 1)
    keys = keys[start:] + keys[:start]
    return {key: pairs[key] for key in (keys if order % 2 else reversed(keys))}


def values(case: dict[str, Any], order: int = 1) -> tuple[Facts, scopes.Scope, CloudMap]:
    clouds = VECTORS["federations"][case["federation"]]

    def cloud(document: dict[str, Any]) -> Cloud:
        return Cloud.from_json(document | {"services": shuffled(document["services"], order)})

    peers = {name: document and cloud(document) for name, document in shuffled(clouds["peers"], order).items()}
    facts = Facts(**(case["facts"] | {"hops": tuple(case["facts"]["hops"])}))
    scope = scopes.parse(json.dumps(shuffled(case["scope"], order)))
    return facts, scope, CloudMap(cloud(clouds["here"]), peers)


def test_the_names_of_cases_are_unique() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_decide_and_explain_agree_with_the_vectors(case: dict[str, Any]) -> None:
    facts, scope, clouds = values(case)
    decision = decide(facts, scope, clouds)
    assert case["expect"] == {
        "decision": type(decision).__name__.lower(),
        "cloud": decision.cloud,
        "url": decision.url if isinstance(decision, Remote) else None,
        "code": decision.error.code if isinstance(decision, Reject) else None,
    }
    told = explain(facts, scope, clouds)
    assert {key: told[key] for key in ("decision", "cloud", "url")} == {
        key: case["expect"][key] for key in ("decision", "cloud", "url")
    }
    assert (told["error"] or {}).get("openstackoid_code") == case["expect"]["code"]
    assert told["why"][-1] == decision.why
    assert json.loads(json.dumps(told)) == told


@given(st.sampled_from(CASES), st.integers(0, 20))
def test_no_order_changes_a_decision(case: dict[str, Any], order: int) -> None:
    one, other = decide(*values(case)), decide(*values(case, order))
    assert type(one) is type(other)
    assert (one.cloud, one.why) == (other.cloud, other.why)


@given(st.sampled_from(CASES))
def test_an_explicit_scope_means_the_same(case: dict[str, Any]) -> None:
    facts, scope, clouds = values(case)
    one, other = decide(facts, scope, clouds), decide(facts, scope.explicit(clouds.here.name), clouds)
    assert (type(one), one.cloud) == (type(other), other.cloud)


def test_a_peer_decides_again_and_serves_it() -> None:
    """What leaves the entry ends at the next gateway: the explicit scope names the cloud that it reaches."""
    documents = VECTORS["federations"]["three"]
    here, there = Cloud.from_json(documents["here"]), Cloud.from_json(documents["peers"]["CloudTwo"])
    scope = scopes.parse('{"image": "CloudTwo"}')
    first = decide(Facts("image"), scope, CloudMap(here, {"CloudTwo": there}))
    assert isinstance(first, Remote)
    sent = scopes.parse(scopes.format(scope.explicit("CloudOne")))
    assert decide(Facts("image", hops=("CloudOne",)), sent, CloudMap(there)) == Local(
        "CloudTwo", "image is of CloudTwo, which is this cloud"
    )


def test_a_refusal_says_the_remedy() -> None:
    case = next(case for case in CASES if case["name"] == "server create, network elsewhere")
    decision = decide(*values(case))
    remedy = decision.why.partition("--os-scope '")[2].partition("'")[0]
    facts, _, clouds = values(case)
    assert isinstance(decide(facts, scopes.parse(remedy), clouds), Local)
    assert "network from CloudTwo" in decision.why
