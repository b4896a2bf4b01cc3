"""Horizon's pages of what a user has in a region: each acts at the region's provider and in no other region."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.aggregator.regions import HORIZONS_OWN, choose, network_of
from tests.dashboard.watching import Visit
from tests.market.market import Market, until
from tests.volume import FULL

pytestmark = pytest.mark.real


def test_the_topology_has_the_networks_of_the_region(market: Market, visit: Callable[[str], Visit]) -> None:
    network_of(market, "V1")
    visited = visit("xavier")
    page = visited.page
    page.goto("project/network_topology/")
    choose(page, "V1")
    page.goto("project/network_topology/")
    for name in ("wizards", "internet"):
        expect(page.locator("svg").get_by_text(name, exact=True).first).to_be_visible()
    visited.picture("aggregator-topology")


def test_a_floating_ip_is_allocated_and_released(market: Market, visit: Callable[[str], Visit]) -> None:
    visited = visit("xavier")
    page = visited.page
    page.goto("project/floating_ips/")
    choose(page, "V1")
    page.get_by_role("link", name="Allocate IP To Project").click()
    page.get_by_role("button", name="Allocate IP", exact=True).click()
    address = page.get_by_role("cell", name="203.0.113.")
    expect(address).to_be_visible()
    text = address.inner_text().strip()
    path = f"/v2.0/floatingips?floating_ip_address={text}"
    (mine,) = market.xavier.ask("GET", "V1", "network", path)["floatingips"]
    (there,) = market.pia.ask("GET", "RegionOne", "network", path)["floatingips"]
    assert mine["id"] == there["id"]
    market.xavier.ask("DELETE", "V1", "network", f"/v2.0/floatingips/{mine['id']}", 204)
    page.goto("project/floating_ips/")
    expect(page.get_by_role("heading", name="Floating IPs")).to_be_visible()
    expect(address).not_to_be_attached()


def test_a_volume_is_made_where_the_region_has_block_storage(market: Market, visit: Callable[[str], Visit]) -> None:
    visited = visit("xavier")
    page = visited.page
    page.goto("project/volumes/")
    choose(page, "V1")
    name = f"volume-{secrets.token_hex(3)}"
    page.get_by_role("link", name="Create Volume").click()
    page.get_by_label("Volume Name").fill(name)
    page.get_by_role("button", name="Create Volume").click()
    expect(page.get_by_role("link", name=name)).to_be_visible()

    def available() -> Any:
        found = market.xavier.ask("GET", "V1", "volumev3", f"/volumes/detail?name={name}&status=available")["volumes"]
        return found[0] if found else None

    volume = until(available)
    there = market.pia.ask("GET", "RegionOne", "volumev3", f"/volumes/detail?all_tenants=1&name={name}")["volumes"]
    assert [found["id"] for found in there] == [volume["id"]]
    visited.picture("aggregator-volumes")
    # Its use is in the charts of the region; the other region has no such panel.
    page.goto("project/")
    chart = page.locator(".d3_quota_bar").filter(has=page.get_by_text("Volumes", exact=True))  # it has no role
    expect(chart).to_contain_text("Used 1 of 10")
    choose(page, "V2")
    expect(page.get_by_role("heading", name="Limit Summary")).to_be_visible()
    expect(page.get_by_role("link", name="Volumes")).not_to_be_attached()
    market.xavier.ask("DELETE", "V1", "volumev3", f"/volumes/{volume['id']}", 202)


@pytest.mark.skipif(not FULL, reason="half a minute more: make test-full")
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
