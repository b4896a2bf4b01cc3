"""A provider that is killed, and one service of a provider: who else goes on, and what comes back."""

import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from tests.aggregator.regions import choose
from tests.dashboard.watching import Visit
from tests.market.market import Market, until
from tests.volume import FULL

pytestmark = pytest.mark.real


def test_a_provider_that_was_killed_is_named_and_comes_back_without_other_restarts(
    market: Market, visit: Callable[[str], Visit]
) -> None:
    lab, gone = market.lab, "ProviderTwo"
    visited = visit("xavier")
    page = visited.page
    page.goto("project/instances/")
    choose(page, "V2")
    others = {
        (name, part): lab.process(name, part) for name in lab.clouds if name != gone for part in lab.clouds[name].parts
    }
    try:
        for part in lab.clouds[gone].parts:
            kill(market, gone, part)
        until(lambda: not serves(market, "V2"))
        visited.until_notice("project/instances/", "The region V2 cannot be used now")
        visited.picture("aggregator-provider-down")
        # The other region works in the same session, and for who logs in now.
        choose(page, "V1")
        visited.until_notice("project/instances/", "")
        expect(page.get_by_role("heading", name="Instances")).to_be_visible()
        second = visit("xavier")
        choose(second.page, "V1")
        second.until_notice("project/volumes/", "")
        expect(second.page.get_by_role("heading", name="Volumes")).to_be_visible()
        second.forgive("status of 503")
        choose(page, "V2")
        visited.until_notice("project/instances/", "The region V2 cannot be used now")
    finally:
        lab.up(print)
        visited.forgive("status of 503")  # of pages that Horizon itself cannot show without the region
    until(lambda: serves(market, "V2"))
    visited.until_notice("project/instances/", "")
    expect(page.get_by_role("heading", name="Instances")).to_be_visible()
    assert {(name, part): lab.process(name, part) for name, part in others} == others


@pytest.mark.skipif(not FULL, reason="half a minute more: make test-full")
def test_the_servers_of_a_region_are_shown_while_its_block_storage_is_down(
    market: Market, visit: Callable[[str], Visit]
) -> None:
    visited = visit("xavier")
    page = visited.page
    page.goto("project/instances/")
    choose(page, "V1")
    try:
        kill(market, "ProviderOne", "block-storage")
        until(lambda: not market.xavier.send("GET", f"{market.xavier.catalog['V1', 'volumev3']}/volumes").ok)
        answer = page.goto("project/instances/")
        assert answer is not None
        assert answer.status == 200
        expect(page.get_by_role("heading", name="Instances")).to_be_visible()
        expect(page.get_by_role("link", name="Launch Instance")).to_be_visible()
    finally:
        market.lab.up(print)


def serves(market: Market, region: str) -> bool:
    """Whether a region answers: a page that is loaded to see that costs a hundred times as much."""
    return market.xavier.send("GET", f"{market.xavier.catalog[region, 'compute']}/servers").ok


def kill(market: Market, cloud: str, part: str) -> None:
    process = market.lab.process(cloud, part)
    assert process is not None
    for member in process.group():
        member.signal(signal.SIGKILL)
