"""The dashboard Federation: what users see, what operators do, and what neither gets."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect
from tests.dashboard.conftest import Planes
from tests.dashboard.watching import Visit
from tests.real.conftest import User
from tests.regions.planes import until

from openstackoid.lab import Lab

pytestmark = pytest.mark.real

HOSTILE = "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">"
REGION = {
    "name": "north",
    "description": HOSTILE,
    "domain_id": "default",
    "services": ["compute", "image"],
    "quota": {"cores": 20},
}
DECLARED = {
    "location": {"country": "FR", "city": HOSTILE},
    "price": {"currency": "EUR", "items": [{"sku": "m1.small", "unit": "hour", "amount": "0.012"}]},
}
PAGES_OF_OPERATORS = (
    "offers/",
    "offers/compare?offers=CloudTwo/north,CloudTwo/south",
    "offers/CloudTwo/north/",
    "offers/CloudTwo/north/request",
    "contracts/",
    f"contracts/{'0' * 32}/",
    f"contracts/{'0' * 32}/accept",
    "regions/",
    "regions/create",
    f"regions/{'0' * 32}/offer",
)


def row(page: Page, *texts: str) -> Any:
    """The row of a table with all of these cells."""
    found = page.get_by_role("row")
    for text in texts:
        found = found.filter(has=page.get_by_role("cell", name=text, exact=True))
    return found


@pytest.fixture(scope="module")
def offered(planes: Planes) -> None:
    """The provider offers two regions; their texts are hostile."""
    for name, declared in (("north", DECLARED), ("south", DECLARED | {"location": {"country": "DE"}})):
        region = planes.ask("POST", "/v1/virtual-regions", REGION | {"name": name})
        values = {"source": "declared", "values": declared}
        planes.ask("POST", f"/v1/virtual-regions/{region['id']}/metadata", values)
        planes.ask("POST", f"/v1/virtual-regions/{region['id']}/offer", {})


def test_a_user_sees_the_peers_and_what_they_serve(visit: Callable[[str], Visit], planes: Planes) -> None:
    visited = visit("CloudOne")
    page = visited.page
    page.goto("federation/")
    expect(row(page, "CloudTwo", "up")).to_contain_text("compute")
    expect(row(page, "CloudTwo")).to_contain_text("here: active, there: active")
    visited.check("clouds")


def test_a_user_sees_resources_of_all_clouds_each_with_its_cloud(visit: Callable[[str], Visit], planes: Planes) -> None:
    visited = visit("CloudOne")
    page = visited.page
    page.goto("federation/resources/")
    expect(page.get_by_role("columnheader", name="IP Address")).to_be_visible()
    visited.check("servers")
    page.locator("#content_body").get_by_role("link", name="Images").click()  # Horizon gives tabs no role
    expect(row(page, "CloudOne", "cirros-cloudone")).to_be_visible()
    expect(row(page, "CloudTwo", "cirros-cloudtwo")).to_be_visible()
    visited.check("images")


def test_who_is_no_operator_gets_neither_panels_nor_the_api(
    visit: Callable[[str], Visit], planes: Planes, lab: Lab
) -> None:
    visited = visit("CloudOne")
    page = visited.page
    page.goto("federation/")
    expect(page.get_by_role("link", name="Resources")).to_be_attached()
    for name in ("Offers", "Contracts", "Virtual Regions"):
        expect(page.get_by_role("link", name=name)).not_to_be_attached()
    assert [path for path in PAGES_OF_OPERATORS if not visited.refused(f"federation/{path}")] == []
    token = User(lab, "CloudOne").token()
    for path in ("contracts", "offers?provider=CloudTwo", "virtual-regions"):
        answer = requests.get(f"{planes.here.url}/v1/{path}", headers={"X-Auth-Token": token}, timeout=60)
        assert answer.status_code == 403, path


def test_an_operator_creates_offers_withdraws_and_retires_a_region(
    visit: Callable[[str], Visit], planes: Planes
) -> None:
    visited = visit("CloudOne-admin")
    page = visited.page
    page.goto("federation/regions/")
    page.get_by_role("link", name="Create Virtual Region").click()
    name = f"west-{secrets.token_hex(3)}"
    page.get_by_label("Name").first.fill(name)
    page.get_by_role("checkbox", name="compute").check()
    page.get_by_label("Quota: cores").fill("8")
    visited.check("create-region")
    submit(page, "Create Virtual Region")
    expect(row(page, name, "draft")).to_be_visible()
    row(page, name).get_by_role("link", name="Offer").click()
    page.get_by_role("checkbox", name="CloudTwo").check()
    submit(page, "Offer Virtual Region")
    expect(row(page, name, "offered", "CloudTwo")).to_be_visible()
    visited.check("regions")
    row(page, name).get_by_role("button", name="Withdraw").click()
    expect(row(page, name, "withdrawn")).to_be_visible()


def test_an_operator_compares_offers_and_negotiates_a_contract(
    visit: Callable[[str], Visit], planes: Planes, offered: None
) -> None:
    visited = visit("CloudOne-admin")
    page = visited.page
    page.goto("federation/offers/")
    expect(row(page, "north", "CloudTwo")).to_contain_text("m1.small: 0.012 EUR/hour")
    expect(row(page, "north", "CloudTwo")).to_contain_text(HOSTILE)
    visited.check("offers")
    page.get_by_role("link", name="Compare These Offers").click()
    expect(row(page, "FR", "DE")).to_contain_text("location.country")
    visited.check("compare")

    page.goto("federation/offers/")
    page.get_by_label("Requirement").fill("location.country=FR")
    page.get_by_role("button", name="Filter Offers").click()
    expect(row(page, "north")).to_be_visible()
    expect(row(page, "south")).not_to_be_attached()
    page.get_by_role("link", name="north").click()
    expect(page.get_by_role("rowheader", name="location.city")).to_be_visible()
    visited.check("offer")
    page.get_by_role("link", name="Request Contract").click()
    region_name = f"V1-{secrets.token_hex(3)}"
    page.get_by_label("Region name at this cloud").fill(region_name)
    page.get_by_label("Message to the provider").fill("hello")
    submit(page, "Request Contract")
    page.get_by_role("link", name=region_name).click()
    expect(page.get_by_role("heading", name=f"Contract {region_name}")).to_be_visible()

    contract = page.url.rstrip("/").rpartition("/")[2]
    there = until_there(planes, contract, "requested")
    assert there["terms"]["quota"] == {"cores": 20}
    terms = there["terms"] | {"grace_days": 5}
    planes.ask("POST", f"/v1/contracts/{contract}/events", {"event": "counter", "terms": terms, "reason": HOSTILE})
    show(page, "countered")
    expect(page.get_by_text(HOSTILE)).to_be_visible()
    visited.check("contract")
    page.get_by_role("link", name="Accept", exact=True).click()
    submit(page, "Accept")
    show(page, "agreed")
    until_there(planes, contract, "agreed")
    for event in ("provision", "activate", "suspend"):
        planes.ask("POST", f"/v1/contracts/{contract}/events", {"event": event})
    show(page, "suspended")
    planes.ask("POST", f"/v1/contracts/{contract}/events", {"event": "resume"})
    show(page, "active")
    page.get_by_role("link", name="End", exact=True).click()
    submit(page, "End")
    show(page, "ending")
    assert "hacked" not in page.title()


def submit(page: Page, name: str) -> None:
    """Send the form in the foreground; a script of Horizon's sends it, then leads to another page."""
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()


def show(page: Page, state: str) -> None:
    """Load the contract's page until it has this state: messages take their time."""
    for _ in range(120):
        if page.get_by_role("definition").first.inner_text() == state:
            return
        page.wait_for_timeout(500)
        page.reload()
    pytest.fail(f"expected {state}, got {page.get_by_role('definition').first.inner_text()}")


def until_there(planes: Planes, contract: str, state: str) -> Any:
    """The provider's copy of a contract, when it has come to a state."""

    async def reached() -> Any:
        status, document = await planes.provider.call("GET", f"/v1/contracts/{contract}")
        return document if status == 200 and document["state"] == state else None

    return planes.wait(until(reached))
