"""A virtual region, from its draft until it is retired."""

from dataclasses import replace
from typing import Any, Final

import pytest
from tests.regions.negotiating import TIME

from openstackoid.regions.errors import DocumentError, TermsError, TransitionError
from openstackoid.regions.objects.states import RegionEvent, RegionState
from openstackoid.regions.objects.virtual_region import VirtualRegion

LATER: Final = "2027-02-01T00:00:00Z"
DOCUMENT: Final[dict[str, Any]] = {
    "name": "north",
    "domain_id": "d" * 32,
    "services": ["compute", "image"],
    "quota": {"cores": 4},
}


def region() -> VirtualRegion:
    return VirtualRegion.create("a" * 32, DOCUMENT, TIME)


def test_it_is_offered_changed_withdrawn_retired() -> None:
    offered = region().cause(RegionEvent.OFFER, LATER, ("CloudA",))
    assert offered.is_offered_to("CloudA")
    assert not offered.is_offered_to("CloudB")
    changed = offered.change({"quota": {"cores": 8}}, LATER)
    assert (changed.version, changed.state, changed.quota) == (2, RegionState.OFFERED, {"cores": 8})
    assert changed.services == offered.services
    withdrawn = changed.cause(RegionEvent.WITHDRAW, LATER)
    assert not withdrawn.is_offered_to("CloudA")
    retired = withdrawn.cause(RegionEvent.RETIRE, LATER)
    with pytest.raises(TransitionError, match="nothing any more"):
        retired.change({}, LATER)


def test_it_is_offered_to_all_when_no_peer_is_named() -> None:
    assert region().cause(RegionEvent.OFFER, LATER).is_offered_to("CloudB")
    assert not region().is_offered_to("CloudB")


def test_an_offer_names_neither_the_domain_nor_resources() -> None:
    told = replace(region(), resources={"flavors": ["secret-id"]}).offer()
    assert "d" * 32 not in str(told)
    assert "secret-id" not in str(told)


def test_faults_are_refused() -> None:
    with pytest.raises(TermsError, match="never shared"):
        region().change({"services": ["identity"]}, LATER)
    with pytest.raises(TermsError, match="volumes"):
        region().change({"quota": {"volumes": 3}}, LATER)
    with pytest.raises(DocumentError, match="allows nothing"):
        region().change({"services": []}, LATER)
    with pytest.raises(TransitionError, match="expected change, offer, retire, got withdraw"):
        region().cause(RegionEvent.WITHDRAW, LATER)
