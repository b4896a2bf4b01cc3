"""What a contract lets gateways do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from tests.regions.negotiating import ID, REGION, TERMS

from openstackoid.regions.objects import grant
from openstackoid.regions.objects.states import ContractState
from openstackoid.regions.objects.terms import TokenMode
from openstackoid.regions.objects.virtual_region import VirtualRegion
from openstackoid.trust.contracts import ContractSide, GrantState
from openstackoid.trust.rules import Rule
from openstackoid.trust.store import Store

NOW: Final = TERMS.begins + timedelta(days=1)
ALL: Final = ("image", "block-storage", "compute")


def region(*services: str, **more: Any) -> VirtualRegion:
    made = VirtualRegion(REGION, "north", "d" * 32, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", services=services)
    return replace(made, **more)


@pytest.mark.parametrize("state", ContractState)
def test_a_contract_is_in_use_from_active_to_ended(state: ContractState) -> None:
    found = grant.provider(ID, "CloudA", state, TERMS, region(*ALL), NOW)
    mine = grant.consumer(ID, "CloudP", state, TERMS, "V1")
    if state.value not in set(GrantState):
        assert (found, mine) == (None, None)
        return
    assert found
    assert mine
    assert (found.side, found.state, found.region) == (ContractSide.PROVIDER, state.value, "")
    assert (mine.side, mine.state, mine.region) == (ContractSide.CONSUMER, state.value, "V1")
    assert (str(found.grant.projects), found.grant.pseudonyms) == (f"each:{'d' * 32}", True)
    creates = {rule.method for rule in found.grant.allows} - {"GET", "HEAD", "DELETE"}
    assert bool(creates) is (state is not ContractState.ENDING)


def test_nobody_is_admitted_before_the_contracts_time() -> None:
    early = TERMS.begins - timedelta(seconds=1)
    assert grant.provider(ID, "CloudA", ContractState.ACTIVE, TERMS, region(*ALL), early) is None


def test_terms_give_no_more_than_the_region_has() -> None:
    """Terms about image, block storage, and reads of compute."""
    reads = Rule("compute", "GET", "/v2.1/**")
    assert (TERMS.services, TERMS.rules) == (("image", "block-storage"), (reads,))

    def rights(offered: VirtualRegion) -> tuple[tuple[str, ...], tuple[Rule, ...]]:
        found = grant.provider(ID, "CloudA", ContractState.ACTIVE, TERMS, offered, NOW)
        assert found
        return found.grant.services, found.grant.rules

    assert rights(region(*ALL)) == (("image", "block-storage"), (reads,))
    assert rights(region("network")) == ((), ())
    assert rights(region("image", rules=(reads,))) == (("image",), (reads,))
    some = Rule("image", "GET", "/v2/images")
    assert rights(region("network", rules=(some, Rule("compute", "POST", "/**")))) == ((), (some,))


def test_what_is_in_the_region_is_said_to_gateways() -> None:
    offered = region(*ALL, resources={"flavors": ["1"], "zones": ["nova"]})
    found = grant.provider(ID, "CloudA", ContractState.ACTIVE, TERMS, offered, NOW)
    assert found
    assert found.resources.to_json() == {"flavors": ["1"], "zones": ["nova"]}
    assert grant.utc(0) == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("token", TokenMode)
def test_gateways_learn_with_which_tokens_users_come(token: TokenMode, tmp_path: Path) -> None:
    terms = replace(TERMS, token=token, anonymous=False)
    sold = grant.provider(ID, "CloudA", ContractState.ACTIVE, terms, region(*ALL), NOW)
    bound = grant.consumer("b" * 32, "CloudP", ContractState.ACTIVE, terms, "V1")
    assert sold
    assert bound
    store = Store(f"sqlite:///{tmp_path}/trust.sqlite")
    store.upgrade()
    store.contracts.replace(lambda: [sold, bound])
    passes = token is TokenMode.PASS_THROUGH
    assert {one.id: one.pass_through for one in store.contracts.all()} == {ID: passes, "b" * 32: passes}
    assert {one.id: one for one in store.contracts.all()} == {ID: sold, "b" * 32: bound}
    store.close()
