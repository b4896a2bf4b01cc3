"""A user of the aggregator in a browser: two regions in Horizon's menu, each shown alone; what is a provider's stands at the provider."""

import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from tests.aggregator.regions import HORIZONS_OWN, asked, choose, network_of, servers
from tests.dashboard.watching import Visit
from tests.market.market import PROJECT, Market, until

pytestmark = pytest.mark.real


def test_the_menu_has_the_virtual_regions_and_a_page_asks_no_other(
    market: Market, visit: Callable[[str], Visit]
) -> None:
    visited = visit("xavier")
    page = visited.page
    page.goto("project/instances/")
    page.get_by_role("button", name=PROJECT).click()
    for region in ("V1", "V2"):
        expect(page.get_by_role("link", name=region)).to_be_visible()
    # The aggregator's own region has nothing that Horizon could show.
    expect(page.get_by_role("link", name="RegionOne")).not_to_be_attached()
    page.keyboard.press("Escape")
    for region, other, path in (("V1", "V2", "project/"), ("V2", "V1", "project/network_topology/")):
        choose(page, region)
        here, there = len(asked(market, region)), len(asked(market, other))
        page.goto(path)
        if region == "V1":
            expect(page.get_by_text("Used 0 of 10", exact=True).first).to_be_visible()  # instances: a pie chart
        page.wait_for_load_state("networkidle")
        assert len(asked(market, region)) > here
        assert asked(market, other)[there:] == []


def test_a_server_by_the_wizard_is_at_the_provider_and_in_no_other_region(
    market: Market, visit: Callable[[str], Visit]
) -> None:
    network_of(market, "V1")
    visited = visit("xavier")
    page = visited.page
    page.goto("project/instances/")
    choose(page, "V1")
    page.get_by_role("link", name="Launch Instance").click()
    wizard = page.locator(".ng-wizard")  # Horizon gives it no role
    # The wizard never accepts a flavor that is chosen before it has the quotas.
    expect(wizard.get_by_text("(10 Max)").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    name = f"by-wizard-{secrets.token_hex(3)}"
    wizard.get_by_label("Instance Name").fill(name)
    for step, item in (("Source", "cirros"), ("Flavor", "m1.tiny")):
        wizard.get_by_role("link", name=step).click()
        if step == "Source":
            wizard.get_by_text("No", exact=True).first.click()  # no new volume
        row = wizard.locator("tr:visible").filter(has=page.get_by_role("cell", name=item, exact=True))
        row.get_by_role("button").click()
    wizard.get_by_role("link", name="Networks", exact=True).click()
    wizard.get_by_role("button", name="Launch Instance").click()
    expect(page.get_by_role("link", name=name)).to_be_visible()
    visited.picture("aggregator-instances")

    (here,) = [server for server in servers(market, "V1") if server["name"] == name]
    there = market.pia.ask("GET", "RegionOne", "compute", f"/servers/{here['id']}")["server"]
    project = market.pia.ask("GET", "RegionOne", "identity", f"/projects/{there['tenant_id']}")["project"]
    domains = market.pia.ask("GET", "RegionOne", "identity", "/domains?name=of-V1")["domains"]
    assert project["domain_id"] == domains[0]["id"]
    assert [server for server in servers(market, "V2") if server["name"] == name] == []
    choose(page, "V2")
    expect(page.get_by_role("heading", name="Instances")).to_be_visible()
    expect(page.get_by_role("link", name=name)).not_to_be_attached()
    market.xavier.ask("DELETE", "V1", "compute", f"/servers/{here['id']}", 204)
    until(lambda: not [server for server in servers(market, "V1") if server["name"] == name])
    visited.forgive(*HORIZONS_OWN)
