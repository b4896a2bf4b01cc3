"""Terms of a contract: read, written, refused with the place of the fault."""

from typing import Any

import pytest
from tests.regions.negotiating import DOCUMENT, TERMS

from openstackoid.regions.errors import AnonymityError, TermsError
from openstackoid.regions.objects.terms import Terms, TokenMode, digest


def test_terms_are_read_with_official_service_types_and_written_again() -> None:
    assert TERMS.services == ("image", "block-storage")
    assert TERMS.rules[0].method == "GET"
    written = TERMS.to_json()
    assert Terms.from_json(written) == TERMS
    assert written["until"] == DOCUMENT["until"]


def test_what_may_be_missing_has_a_default() -> None:
    names = ("virtual_region", "version", "region_name", "services", "from", "answer_by")
    least = Terms.from_json({name: DOCUMENT[name] for name in names})
    assert least.ends is None
    assert (least.grace_days, least.clean_up, least.anonymous, least.price) == (30, True, True, ())


@pytest.mark.parametrize(
    ("changed", "place", "reason"),
    [
        ({"until": "2026-01-01T00:00:00Z"}, "$.until", "after from"),
        ({"from": "2027-01-01"}, "$.from", "UTC"),
        ({"from": "2027-13-01T00:00:00Z"}, "$.from", "UTC"),
        ({"from": "2027-01-01T00:00:00+01:00"}, "$.from", "UTC"),
        ({"services": [], "rules": []}, "$.services", "allows nothing"),
        ({"services": ["image", "glance!"]}, "$.services[1]", "service type"),
        ({"services": ["identity"]}, "$.services[0]", "never shared"),
        ({"services": ["volumev3", "block-storage"]}, "$.services", "once"),
        ({"rules": [{"service": "compute", "method": "FETCH", "path": "/"}]}, "$.rules[0].method", "GET"),
        ({"rules": [{"service": "compute", "method": "GET", "path": "../x"}]}, "$.rules[0].path", "path"),
        ({"rules": [{"service": "identity", "method": "GET", "path": "/**"}]}, "$.rules[0].service", "never shared"),
        ({"quota": {"cpus": 3}}, "$.quota.cpus", "cores"),
        ({"quota": {"networks": 3}}, "$.quota.networks", "network service"),
        ({"grace_days": -1}, "$.grace_days", "0 to"),
        ({"price": [{**DOCUMENT["price"][0], "amount": "1e3"}]}, "$.price[0].amount", "decimal"),
    ],
)
def test_contradictions_are_refused_with_their_place(changed: dict[str, Any], place: str, reason: str) -> None:
    with pytest.raises(TermsError, match=reason) as caught:
        Terms.from_json(DOCUMENT | changed)
    assert caught.value.place == place


def test_a_digest_depends_on_values_alone() -> None:
    assert digest({"a": 1, "b": "ü"}) == digest({"b": "ü", "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert TERMS.digest == Terms.from_json(TERMS.to_json()).digest


def test_users_with_their_own_tokens_are_not_anonymous() -> None:
    with pytest.raises(AnonymityError, match="federated") as caught:
        Terms.from_json(DOCUMENT | {"token": "pass-through", "anonymous": True})
    assert (caught.value.place, caught.value.code, caught.value.status) == ("$.anonymous", "contract.anonymity", 400)
    without = {name: value for name, value in DOCUMENT.items() if name != "anonymous"}
    with pytest.raises(AnonymityError):
        Terms.from_json(without | {"token": "pass-through"})
    own = Terms.from_json(DOCUMENT | {"token": "pass-through", "anonymous": False})
    assert own.token is TokenMode.PASS_THROUGH
    assert Terms.from_json(own.to_json()) == own
    # Terms that were signed before there was a choice keep their digest.
    assert "token" not in TERMS.to_json()
    assert own.digest != Terms.from_json(DOCUMENT | {"anonymous": False}).digest
