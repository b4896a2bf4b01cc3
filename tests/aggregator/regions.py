"""What the tests do with a region: choose it in Horizon's menu, look at it without Horizon."""

import json
from typing import Any, Final

from playwright.sync_api import Page, expect
from tests.market.market import PROJECT, Market

# Errors of Horizon's own in the console: metadata definitions are there for some kinds only, in the lab as in many clouds.
HORIZONS_OWN: Final = ("block-storage", "api/keystone/projects/", "metadefs", "max_workers", "rejection: undefined")


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


def network_of(market: Market, region: str) -> None:
    """A network for the wizard, which has it allocated from the beginning where it is the only one."""
    if not market.xavier.ask("GET", region, "network", "/v2.0/networks?router:external=false")["networks"]:
        made = market.xavier.ask(
            "POST", region, "network", "/v2.0/networks", 201, json={"network": {"name": "wizards"}}
        )
        subnet = {"network_id": made["network"]["id"], "ip_version": 4, "cidr": "10.3.0.0/24"}
        market.xavier.ask("POST", region, "network", "/v2.0/subnets", 201, json={"subnet": subnet})
