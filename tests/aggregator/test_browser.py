"""A user of the aggregator in a browser: two regions in Horizon's menu, each shown alone; what is a provider's stands at the provider."""

import json
import os
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.dashboard.watching import Visit
from tests.market.market import PROJECT, XAVIER, Market, until

from openstackoid.lab.layout import GATEWAY, HAPROXY

pytestmark = pytest.mark.real

# Horizon's own, before any cloud without block storage, and with metadata definitions for some kinds only, as the lab's.
HORIZONS_OWN = ("block-storage", "api/keystone/projects/", "metadefs", "max_workers", "rejection: undefined")


def choose(page: Page, region: str) -> None:
    """Choose a region by Horizon's menu, as often as a user would: a slow part of the page before may write its older session over the choice."""
    for _ in range(3):
        page.get_by_role("button", name=PROJECT).click()
        page.get_by_role("link", name=region).click()
        page.wait_for_load_state("networkidle")
        if region in page.get_by_role("button", name=PROJECT).inner_text():
            break
    expect(page.get_by_role("button", name=PROJECT)).to_contain_text(region)


def asked(market: Market, region: str) -> list[str]:
    """The requests of a region that the aggregator's gateway has on record."""
    lines = map(json.loads, market.lab.clouds["Aggregator"].audit.read_text().splitlines())
    return [line["path"] for line in lines if line.get("region") == region or f"/scope/{region}/" in line["path"]]


def servers(market: Market, region: str) -> list[Any]:
    found: list[Any] = market.xavier.ask("GET", region, "compute", "/servers/detail")["servers"]
    return found


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


def network_of(market: Market, region: str) -> None:
    """A network for the wizard, which has it allocated from the beginning where it is the only one."""
    if not market.xavier.ask("GET", region, "network", "/v2.0/networks?router:external=false")["networks"]:
        made = market.xavier.ask(
            "POST", region, "network", "/v2.0/networks", 201, json={"network": {"name": "wizards"}}
        )
        subnet = {"network_id": made["network"]["id"], "ip_version": 4, "cidr": "10.3.0.0/24"}
        market.xavier.ask("POST", region, "network", "/v2.0/subnets", 201, json={"subnet": subnet})


@pytest.mark.skipif("OPENSTACKOID_FULL" not in os.environ, reason="half a minute more: make test-full")
def test_an_image_goes_up_from_the_browser_and_a_key_pair_is_made(
    market: Market, visit: Callable[[str], Visit], tmp_path: Path
) -> None:
    visited = visit("xavier")
    page = visited.page
    page.goto("project/images")
    choose(page, "V1")
    name, data = f"from-browser-{secrets.token_hex(3)}", secrets.token_bytes(1 << 20)
    file = tmp_path / "image.raw"
    file.write_bytes(data)
    page.get_by_role("button", name="Create Image").click()
    page.get_by_role("textbox", name="Image Name").fill(name)
    page.locator("input[type=file]").set_input_files(file)  # the button opens the system's own dialogue
    page.get_by_role("combobox").first.select_option("Raw")
    page.get_by_role("button", name="Create Image").last.click()
    expect(page.get_by_role("link", name=name)).to_be_visible()

    def active() -> Any:
        found = market.xavier.ask("GET", "V1", "image", f"/v2/images?name={name}&status=active")["images"]
        return found[0] if found else None

    image = until(active)
    assert image["owner"] == market.xavier.project
    assert market.xavier.ask("GET", "V1", "image", f"/v2/images/{image['id']}/file").content == data
    visited.picture("aggregator-images")
    visited.forgive(*HORIZONS_OWN)

    page.goto("project/key_pairs")
    page.get_by_role("link", name="Create Key Pair").click()
    page.get_by_label("Key Pair Name").fill(name)
    page.get_by_role("button", name="Create Key Pair").click()
    until(lambda: market.xavier.send("GET", f"{market.xavier.catalog['V1', 'compute']}/os-keypairs/{name}").ok)
    other = market.xavier.send("GET", f"{market.xavier.catalog['V2', 'compute']}/os-keypairs/{name}")
    assert other.status_code == 404


def test_a_provider_that_was_killed_is_named_and_comes_back_without_other_restarts(
    market: Market, visit: Callable[[str], Visit]
) -> None:
    visited = visit("xavier")
    page = visited.page
    page.goto("project/instances/")
    choose(page, "V2")
    killed = [market.lab.process("Provider", part) for part in (HAPROXY, GATEWAY)]
    others = [market.lab.process("Aggregator", part) for part in market.lab.clouds["Aggregator"].parts]
    try:
        for process in killed:
            assert process is not None
            for member in process.group():
                member.signal(signal.SIGKILL)
        visited.until_notice("project/instances/", "The region V2 cannot be used now")
        visited.picture("aggregator-provider-down")
        # Who comes now can log in; the aggregator's own pages and the other region's name are there.
        second = visit("xavier")
        second.forgive("status of 503")  # of pages that Horizon itself cannot show without the region
        second.page.goto("identity/")
        expect(second.page.get_by_role("cell", name=PROJECT, exact=True).first).to_be_visible()
        expect(second.page.get_by_role("button", name=XAVIER).last).to_be_visible()
    finally:
        market.lab.up(print)
        visited.forgive("status of 503")
    visited.until_notice("project/instances/", "")
    expect(page.get_by_role("heading", name="Instances")).to_be_visible()
    assert [market.lab.process("Aggregator", part) for part in market.lab.clouds["Aggregator"].parts] == others
