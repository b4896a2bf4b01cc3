"""Statements of use and pseudonyms: signed by this cloud as a provider, answered by it as a consumer."""

import csv
import json
import secrets
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect
from tests.dashboard.desk import DOMAIN, Desk
from tests.dashboard.hostile import HOSTILE
from tests.dashboard.watching import Visit, row, submit
from tests.regions.planes import in_state, terms, until

from openstackoid.regions.objects import statement as statements
from openstackoid.regions.objects.terms import Terms
from openstackoid.regions.objects.usage import Line, Period
from openstackoid.regions.tables.usage import Usages
from openstackoid.storage.databases import Database
from openstackoid.trust import tokens

PRICE = [{"sku": "m1.small", "unit": "hour", "currency": "EUR", "amount": "0.01"}]
FORMULA = "=cmd|' /C calc'!A0"


def bought(desk: Desk) -> str:
    """The id of a contract by which CloudTwo uses a region of CloudOne, which measures it."""
    name = f"south-{secrets.token_hex(3)}"
    region = called(desk, "here", "POST", "/v1/virtual-regions", of_region(name))
    called(desk, "here", "POST", f"/v1/virtual-regions/{region['id']}/offer", {})
    document = terms(
        region["id"],
        region_name=name,
        price=PRICE,
        quota={"cores": 8},
        services=["compute", "image"],
        **{"from": "2020-01-01T00:00:00Z"},
    )
    made = called(desk, "provider", "POST", "/v1/contracts", {"provider": "CloudOne", "terms": document})
    desk.wait(in_state(desk.here, made["id"], "requested"))
    called(desk, "here", "POST", f"/v1/contracts/{made['id']}/events", {"event": "accept"})
    desk.wait(in_state(desk.provider, made["id"], "active"))
    cloud = desk.here.door.cloud
    project = tokens.project_pseudonym("p" * 32, f"contract:{made['id']}", desk.provider.keys)
    local = cloud.add_project(DOMAIN, f"of-{made['id'][:8]}")
    desk.here.mappings.reserve(f"contract:{made['id']}", project, "h" * 32, 10)
    desk.here.mappings.bind(f"contract:{made['id']}", project, "h" * 32, local)
    desk.here.quotas.prepare(made["id"], local, ("cores",))
    assert desk.here.quotas.grow(made["id"], local, {"cores": 8}, {"cores": 8})
    used = {"flavor": "m1.small", "started_at": "2026-05-01T00:00:00", "ended_at": "2026-05-02T12:00:00"}
    cloud.usages[local] = [used]
    return str(made["id"])


def of_region(name: str) -> dict[str, Any]:
    return {"name": name, "domain_id": DOMAIN, "services": ["compute", "image"], "quota": {"cores": 10}}


def called(desk: Desk, side: str, method: str, path: str, body: Any = None) -> Any:
    status, answer = desk.wait(getattr(desk, side).call(method, path, body))
    assert status < 300, answer
    return answer


def test_a_provider_signs_a_statement_and_compares_and_downloads_it(
    visit: Callable[[str], Visit], desk: Desk, tmp_path: Path
) -> None:
    contract = bought(desk)
    visited = visit("admin")
    page = visited.page
    page.goto(f"federation/contracts/{contract}/")
    expect(row(page, "cores", "8")).to_be_visible()
    expect(page.get_by_role("link", name="Who Is It")).not_to_be_attached()  # only the consumer knows
    page.get_by_role("link", name="Statements of Use").click()
    page.get_by_role("link", name="Sign Statement").click()
    fill(page, "2026-05-01", "2026-05-01")
    page.get_by_role("button", name="Sign Statement").click()
    expect(page.get_by_text("Expected a day after the first one at the end.")).to_be_visible()
    fill(page, "2026-05-01", "2999-01-01")
    page.get_by_role("button", name="Sign Statement").click()
    expect(page.get_by_text("usage.period").first).to_be_visible()
    fill(page, "2026-05-01", "2026-06-01")
    visited.check("sign-statement")
    submit(page, "Sign Statement")
    expect(row(page, "1", "2026-05-01", "2026-06-01")).to_contain_text("0.360000000 EUR")
    page.get_by_role("link", name="1", exact=True).click()
    expect(row(page, "2026-05-02", "12.000000")).to_be_visible()
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_text("Nothing differs.")).to_be_visible()
    visited.check("statement")
    lines = list(csv.reader(downloaded(page, "Download CSV", tmp_path).read_text().splitlines()))
    assert (lines[0][:3], lines[1][2:]) == (
        ["project", "name", "day"],
        ["2026-05-01", "m1.small", "hour", "24.000000", "0.240000000 EUR"],
    )
    whole = json.loads(downloaded(page, "Download JSON", tmp_path).read_text())
    assert (whole["totals"], whole["signed"].count(".")) == ({"EUR": "0.360000000"}, 2)

    answer = f"/v1/contracts/{contract}/statements/1/answer"

    async def there() -> bool:
        status, _ = await desk.provider.call("GET", f"/v1/contracts/{contract}/statements/1")
        return bool(status == 200)

    desk.wait(until(there))
    called(desk, "provider", "POST", answer, {"accepted": False, "reason": HOSTILE})

    async def answered() -> bool:
        _, found = await desk.here.call("GET", f"/v1/contracts/{contract}/statements/1")
        return bool(found["answer"])

    desk.wait(until(answered))
    page.get_by_role("link", name="All Statements").click()
    expect(row(page, "refused")).to_contain_text(HOSTILE)
    expect(page.get_by_role("link", name="Accept")).not_to_be_attached()
    visited.check("statements")
    assert "hacked" not in page.title()


def fill(page: Page, begin: str, end: str) -> None:
    page.get_by_label("From").fill(begin)
    page.get_by_label("Until").fill(end)


def downloaded(page: Page, link: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_a_consumer_answers_statements_of_hostile_text_and_resolves_a_pseudonym(
    visit: Callable[[str], Visit], desk: Desk, tmp_path: Path, offered: None
) -> None:
    contract = sold(desk)
    _signed_by_provider(desk, contract)
    visited = visit("admin")
    page = visited.page
    page.goto(f"federation/contracts/{contract}/statements/1/")
    expect(page.get_by_role("cell", name=HOSTILE[:30]).first).to_be_visible()
    assert FORMULA not in [cell[:18] for line in cells(downloaded(page, "Download CSV", tmp_path)) for cell in line]
    assert f"'{FORMULA}" in [cell for line in cells(tmp_path / f"statement-{contract[:8]}-1.csv") for cell in line]
    page.get_by_role("link", name="Compare").click()
    # The provider measures nothing: that is said, and the statement is shown.
    expect(page.get_by_text("(HTTP ").first).to_be_visible()
    expect(page.get_by_role("cell", name=HOSTILE[:30]).first).to_be_visible()
    page.get_by_role("link", name="All Statements").click()
    expect(page.get_by_role("link", name="Sign Statement")).not_to_be_attached()
    menu = row(page, "1")
    menu.locator(".dropdown-toggle").click()
    menu.get_by_role("link", name="Refuse").click()
    expect(page.get_by_label("Message to the other side")).to_have_attribute("required", "")
    page.get_by_label("Message to the other side").fill("too much")
    submit(page, "Refuse")
    expect(row(page, "1", "refused")).to_contain_text("too much")

    page.goto(f"federation/contracts/{contract}/")
    page.get_by_role("link", name="Who Is It").click()
    pseudonym = tokens.pseudonym("u" * 32, f"contract:{contract}", desk.here.keys)
    page.get_by_label("Pseudonym, or ID of a user at the provider").fill(pseudonym)
    expect(page.get_by_label("Reason")).to_have_attribute("required", "")
    page.get_by_label("Reason").fill("abuse report 7")
    visited.check("whois")
    submit(page, "Who Is It")
    expect(page.get_by_text(f"{pseudonym} is the user xavier").first).to_be_visible()
    assert '"reason": "abuse report 7"' in desk.here.log.read_text()
    assert "hacked" not in page.title()


def cells(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def sold(desk: Desk) -> str:
    """The id of a contract by which CloudOne uses a region of CloudTwo."""
    listed = desk.ask("GET", "/v1/virtual-regions")["virtual_regions"]
    region = next(region for region in listed if region["name"] == "north")
    document = terms(region["id"], version=region["version"], region_name=f"V3-{secrets.token_hex(3)}", price=PRICE)
    document |= {"from": "2020-01-01T00:00:00Z"}
    made = called(desk, "here", "POST", "/v1/contracts", {"provider": "CloudTwo", "terms": document})
    desk.wait(in_state(desk.provider, made["id"], "requested"))
    for event in ("accept", "provision", "activate"):
        desk.ask("POST", f"/v1/contracts/{made['id']}/events", {"event": event})
    desk.wait(in_state(desk.here, made["id"], "active"))
    return str(made["id"])


def _signed_by_provider(desk: Desk, contract: str) -> None:
    """A statement as a provider's control plane signs and sends it, with lines that an honest one would not have."""
    agreed = Terms.from_json(desk.ask("GET", f"/v1/contracts/{contract}")["terms"])
    period = Period.parse("2026-05-01", "2026-06-01")
    lines = [
        Line("a" * 32, "2026-05-01", FORMULA, "hour", Decimal(1)),
        Line("a" * 32, "2026-05-01", HOSTILE, "hour", Decimal(1)),
    ]
    made = statements.make(
        "CloudTwo", "CloudOne", contract, 1, period, lines, agreed, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    )
    text = statements.sign(made.document, desk.provider.keys, time.time())
    database = Database(desk.provider.database_url)
    Usages(database).add(made, text, "tests", ours=True, now=int(time.time()))
    database.close()

    async def arrived() -> bool:
        status, _ = await desk.here.call("GET", f"/v1/contracts/{contract}/statements/1")
        return bool(status == 200)

    desk.wait(until(arrived))
