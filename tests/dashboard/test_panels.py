"""The dashboard Federation: what users see, what operators do, and what neither gets."""

import re
import secrets
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect
from tests.dashboard.conftest import REGION
from tests.dashboard.desk import Desk
from tests.dashboard.front import LONELY
from tests.dashboard.hostile import HOSTILE
from tests.dashboard.watching import Visit, row, submit
from tests.regions.door import MEMBER
from tests.regions.planes import in_state, terms, until

MOST_COMPARED = 16  # offers, by the control plane
PAGES_OF_OPERATORS = (
    "audit/",
    "audit/?user=bob",
    "agreements/",
    "agreements/add",
    "agreements/CloudTwo/",
    "agreements/CloudTwo/allow",
    "agreements/CloudTwo/trust",
    "offers/",
    "offers/compare?offers=CloudTwo/north,CloudTwo/south",
    "offers/CloudTwo/north/",
    "offers/CloudTwo/north/request",
    "contracts/",
    f"contracts/{'0' * 32}/",
    f"contracts/{'0' * 32}/accept",
    f"contracts/{'0' * 32}/whois",
    f"contracts/{'0' * 32}/statements/",
    f"contracts/{'0' * 32}/statements/sign",
    f"contracts/{'0' * 32}/statements/1/",
    f"contracts/{'0' * 32}/statements/1/?compare=now",
    f"contracts/{'0' * 32}/statements/1/statement.csv",
    f"contracts/{'0' * 32}/statements/1/statement.json",
    f"contracts/{'0' * 32}/statements/1/accept",
    f"contracts/{'0' * 32}/statements/1/refuse",
    "bindings/",
    "bindings/bind",
    "regions/",
    f"regions/{'0' * 32}/",
    "regions/create",
    "usage/",
    f"regions/{'0' * 32}/offer",
    f"regions/{'0' * 32}/declare",
)


def test_a_user_sees_the_peers_and_what_they_serve(visit: Callable[[str], Visit], desk: Desk) -> None:
    visited = visit("alice")
    page = visited.page
    page.goto("federation/")
    expect(row(page, "CloudTwo", "up")).to_contain_text("compute")
    expect(row(page, "CloudTwo")).to_contain_text("here: active, there: active")
    visited.check("clouds")


def test_a_user_sees_resources_of_several_clouds_in_one_table_and_which_are_missing(
    visit: Callable[[str], Visit], desk: Desk
) -> None:
    visited = visit("alice")
    page = visited.page
    page.goto("federation/resources/")
    expect(row(page, "CloudTwo", HOSTILE)).to_be_visible()
    expect(row(page, "CloudOne", "ours")).to_be_visible()
    expect(page.get_by_text("Not in the list: CloudNine, peer.timeout").first).to_be_visible()
    visited.check("resources")
    for kind, column in (("Images", "Visibility"), ("Networks", "External"), ("Volumes", "Size in GiB")):
        page.locator("#content_body").get_by_role("link", name=kind).click()  # Horizon gives tabs no role
        expect(page.get_by_role("columnheader", name=column)).to_be_visible()
        expect(row(page, "CloudTwo", HOSTILE)).to_be_visible()
        expect(row(page, "CloudOne", "ours")).to_be_visible()
    visited.check("resources-volumes")
    assert "hacked" not in page.title()
    # The next page of a list is of the same tab.
    page.context.add_cookies([{"name": "API_RESULT_PAGE_SIZE", "value": "1", "url": page.url}])
    page.goto("federation/resources/?tab=resources__networks")
    page.get_by_role("link", name="Next").first.click()
    expect(page).to_have_url(re.compile("network_marker=i1"))
    expect(page.get_by_role("columnheader", name="External")).to_be_visible()
    page.context.clear_cookies(name="API_RESULT_PAGE_SIZE")


def test_a_region_without_services_has_a_page_of_resources_that_says_so(visit: Callable[[str], Visit]) -> None:
    page = visit(LONELY).page
    page.goto("federation/resources/")
    expect(page.get_by_text("This region has no services with resources.")).to_be_visible()


def test_a_user_asks_why_a_request_is_refused(visit: Callable[[str], Visit], desk: Desk) -> None:
    visited = visit("alice")
    page = visited.page
    page.goto("federation/questions/")
    page.get_by_label("Service").fill("image")
    page.get_by_label("or scope").fill('{"image": "CloudNine"}')
    page.get_by_label("Path").fill("/v2/images")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name="It is refused")).to_be_visible()
    expect(page.get_by_text("No cloud is named CloudNine.").first).to_be_visible()
    expect(page.get_by_text(f"asked: {HOSTILE}")).to_be_visible()
    visited.check("explain")
    assert "hacked" not in page.title()


def test_who_is_no_operator_gets_neither_panels_nor_the_api(visit: Callable[[str], Visit], desk: Desk) -> None:
    visited = visit("alice")
    page = visited.page
    page.goto("federation/")
    expect(page.get_by_role("link", name="Resources")).to_be_attached()
    for name in ("Peers and Agreements", "Audit", "Offers", "Contracts", "Bound Regions", "Virtual Regions"):
        expect(page.get_by_role("link", name=name)).not_to_be_attached()
    assert [path for path in PAGES_OF_OPERATORS if not visited.refused(f"federation/{path}")] == []
    for path in ("contracts", "offers?provider=CloudTwo", "virtual-regions", "bindings"):
        answer = requests.get(f"{desk.here.url}/v1/{path}", headers={"X-Auth-Token": MEMBER}, timeout=60)
        assert answer.status_code == 403, path
    for path in ("audit", "agreements"):
        url = f"{desk.gateway.url}/openstackoid/v1/{path}"
        assert requests.get(url, headers={"X-Auth-Token": MEMBER}, timeout=60).status_code == 403, path


def test_an_operator_creates_offers_withdraws_and_retires_a_region(visit: Callable[[str], Visit], desk: Desk) -> None:
    visited = visit("admin")
    page = visited.page
    page.goto("federation/regions/")
    page.get_by_role("link", name="Create Virtual Region").click()
    name = f"west-{secrets.token_hex(3)}"
    page.get_by_label("Name").first.fill(name)
    page.get_by_role("checkbox", name="compute").check()
    page.get_by_role("checkbox", name="m1.probed").check()
    page.get_by_label("Quota: cores").fill("8")
    visited.check("create-region")
    submit(page, "Create Virtual Region")
    expect(row(page, name, "draft")).to_be_visible()
    page.get_by_role("link", name=name).click()
    expect(page.get_by_text("probed-image")).to_be_visible()
    visited.check("region")
    declares(visited, name)
    page.goto("federation/regions/")
    row(page, name).get_by_role("link", name="Offer").click()
    page.get_by_role("checkbox", name="CloudTwo").check()
    submit(page, "Offer Virtual Region")
    expect(row(page, name, "offered", "CloudTwo")).to_be_visible()
    visited.check("regions")
    row(page, name).get_by_role("button", name="Withdraw").click()
    expect(row(page, name, "withdrawn")).to_be_visible()


def declares(visited: Visit, name: str) -> None:
    """Declare metadata: a fault is shown at its field, whether it is a field's own, the file's or the text's."""
    page = visited.page
    page.goto("federation/regions/")
    found = row(page, name)
    found.locator(".dropdown-toggle").click()
    found.get_by_role("link", name="Declare Metadata").click()
    fault = page.locator(".form-group.has-error")  # the field of the fault
    page.get_by_label("Country").fill("xx")
    page.get_by_label("City").fill(HOSTILE)
    page.get_by_role("button", name="Declare Metadata").click()
    expect(fault).to_contain_text("Country")
    expect(fault).to_contain_text("$.location.country: ")
    page.get_by_label("Country").fill("FR")
    page.get_by_label("All of it in YAML").fill("cpu: {overcommit: 0}")
    page.get_by_role("button", name="Declare Metadata").click()
    expect(fault).to_contain_text("$.cpu.overcommit: ")
    page.get_by_label("All of it in YAML").fill("cpu: [")
    page.get_by_role("button", name="Declare Metadata").click()
    expect(fault).to_contain_text("line 1: ")
    page.get_by_label("All of it in YAML").fill("cpu: {overcommit: 4}")
    page.get_by_label("Prices, one a line").fill("m1.small hour 0.012\nm1.large hour much")
    page.get_by_label("YAML file").set_input_files(
        {"name": "m.yaml", "mimeType": "text/yaml", "buffer": b"sla: {support: office hours}"}
    )
    page.get_by_role("button", name="Declare Metadata").click()
    expect(fault).to_contain_text("$.price.items")
    visited.check("declare")
    page.get_by_label("Prices, one a line").fill("m1.small hour 0.012")
    page.get_by_label("Currency").fill("EUR")
    page.get_by_label("YAML file").set_input_files(
        {"name": "m.yaml", "mimeType": "text/yaml", "buffer": b"sla: {support: office hours}"}
    )
    submit(page, "Declare Metadata")
    page.get_by_role("link", name=name).click()
    for path, value in (("location.city", HOSTILE), ("cpu.overcommit", "4"), ("sla.support", "office hours")):
        expect(page.get_by_role("row").filter(has_text=path)).to_contain_text(value)
    assert "hacked" not in page.title()


def test_an_operator_compares_offers_that_are_selected_or_all(
    visit: Callable[[str], Visit], desk: Desk, offered: None
) -> None:
    more: dict[str, str] = {}  # name -> id

    def offer() -> str:
        name = f"east-{secrets.token_hex(3)}"
        more[name] = desk.ask("POST", "/v1/virtual-regions", REGION | {"name": name})["id"]
        desk.ask("POST", f"/v1/virtual-regions/{more[name]}/offer", {})
        return name

    third = offer()
    visited = visit("admin")
    page = visited.page
    page.goto("federation/offers/")
    compared = page.get_by_role("columnheader")
    page.get_by_role("link", name="Compare All").click()
    expect(compared.filter(has_text=f"CloudTwo/{third}")).to_be_visible()
    page.goto("federation/offers/")
    for name in ("north", "south"):
        page.get_by_role("checkbox", name=f"Select CloudTwo/{name}").check()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(row(page, "FR", "DE")).to_contain_text("location.country")
    expect(compared).to_have_text(["Field", "CloudTwo/north", "CloudTwo/south"])
    visited.check("compare")
    page.goto("federation/offers/")
    page.get_by_role("checkbox", name="Select CloudTwo/south").check()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text("Select two offers or more.")).to_be_visible()
    # No more than the control plane compares: not some of them as if they were all.
    while len(more) <= MOST_COMPARED:
        last = offer()
    page.goto("federation/offers/")
    expect(page.get_by_role("checkbox", name=f"Select CloudTwo/{last}")).to_be_visible()
    expect(page.get_by_role("link", name="Compare All")).not_to_be_attached()
    for region in more.values():
        desk.ask("POST", f"/v1/virtual-regions/{region}/withdraw", {})


def test_an_operator_filters_offers_and_negotiates_a_contract(
    visit: Callable[[str], Visit], desk: Desk, offered: None
) -> None:
    visited = visit("admin")
    page = visited.page
    page.goto("federation/offers/")
    expect(row(page, "north", "CloudTwo")).to_contain_text("m1.small: 0.012 EUR/hour")
    expect(row(page, "north", "CloudTwo")).to_contain_text(HOSTILE)
    expect(page.get_by_role("img", name="Where the offers are")).to_contain_text("CloudTwo/south")
    visited.check("offers")

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
    there = until_there(desk, contract, "requested")
    assert there["terms"]["quota"] == {"cores": 20}
    terms = there["terms"] | {"grace_days": 5}
    desk.ask("POST", f"/v1/contracts/{contract}/events", {"event": "counter", "terms": terms, "reason": HOSTILE})
    show(page, "countered")
    expect(page.get_by_text(HOSTILE)).to_be_visible()
    visited.check("contract")
    page.get_by_role("link", name="Accept", exact=True).click()
    submit(page, "Accept")
    show(page, "agreed")
    until_there(desk, contract, "agreed")
    expect(page.get_by_role("img", name="this one is agreed")).to_be_visible()
    for event in ("provision", "activate", "suspend"):
        desk.ask("POST", f"/v1/contracts/{contract}/events", {"event": event})
    show(page, "suspended")
    desk.ask("POST", f"/v1/contracts/{contract}/events", {"event": "resume"})
    show(page, "active")
    page.get_by_role("link", name="End", exact=True).click()
    submit(page, "End")
    show(page, "ending")
    assert "hacked" not in page.title()


def test_an_operator_binds_a_region_and_unbinds_it(visit: Callable[[str], Visit], desk: Desk, offered: None) -> None:
    region_name = f"V2-{secrets.token_hex(3)}"
    contract = active(desk, region_name)
    visited = visit("admin")
    page = visited.page
    page.goto("federation/bindings/")
    page.get_by_role("link", name="Bind Region").click()
    page.get_by_label("Contract").select_option(label=f"{region_name} (CloudTwo, active)")
    visited.check("bind")
    submit(page, "Bind Region")
    expect(row(page, region_name, "CloudTwo", "active")).to_contain_text("compute, image")
    assert ("compute", "public") in desk.here.door.catalog.of(region_name)
    visited.check("bindings")
    page.goto("federation/usage/?begin=2026-12-01&until=2026-12-03")
    expect(page.get_by_role("img", name="EUR a day, by region")).to_be_visible()
    of_region = page.get_by_role("row").filter(has_text=region_name)
    expect(of_region).to_contain_text("0.432")
    expect(page.get_by_role("rowheader", name="blackboard")).to_be_visible()
    visited.check("usage")
    page.get_by_label("Currency or unit").fill("hour")
    page.get_by_role("button", name="Show").click()
    expect(of_region).to_contain_text("36.000000")
    page.goto("federation/bindings/")
    row(page, region_name).get_by_role("button", name="Unbind Region").click()
    # Horizon asks again, in a window without a role.
    page.locator(".modal.in").get_by_text("Unbind Region", exact=True).last.click()
    # The catalog is cleaned in the background.
    desk.wait(until(lambda: gone(desk, region_name)))
    page.goto("federation/bindings/")
    expect(row(page, region_name)).not_to_be_attached()
    assert desk.here.door.catalog.of(region_name) == {}
    desk.ask("POST", f"/v1/contracts/{contract}/events", {"event": "end"})


async def gone(desk: Desk, region_name: str) -> bool:
    """Whether a region is bound no more."""
    _, answer = await desk.here.call("GET", "/v1/bindings")
    return region_name not in {binding["region"] for binding in answer["bindings"]}


def active(desk: Desk, region_name: str) -> str:
    """The id of a contract that is active on both sides."""
    region = next(
        region for region in desk.ask("GET", "/v1/virtual-regions")["virtual_regions"] if region["name"] == "north"
    )
    agreed = terms(region["id"], version=region["version"], region_name=region_name, services=["compute", "image"])
    body = {"provider": "CloudTwo", "terms": agreed | {"from": "2020-01-01T00:00:00Z"}}
    status, made = desk.wait(desk.here.call("POST", "/v1/contracts", body))
    assert status == 201, made
    until_there(desk, made["id"], "requested")
    for event in ("accept", "provision", "activate"):
        desk.ask("POST", f"/v1/contracts/{made['id']}/events", {"event": event})
    desk.wait(in_state(desk.here, made["id"], "active"))
    return str(made["id"])


def show(page: Page, state: str) -> None:
    """Load the contract's page until it has this state: messages take their time."""
    for _ in range(120):
        if page.get_by_role("definition").first.inner_text() == state:
            return
        page.wait_for_timeout(500)
        page.reload()
    pytest.fail(f"expected {state}, got {page.get_by_role('definition').first.inner_text()}")


def until_there(desk: Desk, contract: str, state: str) -> Any:
    """The provider's copy of a contract, when it has come to a state."""

    async def reached() -> Any:
        status, document = await desk.provider.call("GET", f"/v1/contracts/{contract}")
        return document if status == 200 and document["state"] == state else None

    return desk.wait(until(reached))
