"""The panels for operators of any cloud with a gateway: who used what, and agreements; the gateway behind them is a real one."""

from collections.abc import Callable

import requests
from playwright.sync_api import Page, expect
from tests.dashboard.desk import Desk
from tests.dashboard.gateways import CHAIN, REFUSED
from tests.dashboard.hostile import HOSTILE
from tests.dashboard.watching import Visit, row, submit

AUDIT, AGREEMENTS = "federation/audit/", "federation/agreements/"


def requests_shown(page: Page) -> list[str]:
    """The requests of the page, as its table has them."""
    cells = page.locator("#audit tbody tr td:nth-child(6)")  # Horizon gives cells no name
    return [text.strip() for text in cells.all_inner_texts()]


def test_an_operator_sees_who_used_what_a_page_at_a_time(visit: Callable[[str], Visit], desk: Desk) -> None:
    visited = visit("admin")
    page = visited.page
    page.goto(AUDIT)
    expect(page.get_by_role("columnheader", name="Served By")).to_be_visible()
    first = row(page, REFUSED)
    expect(first).to_contain_text("bob @ CloudTwo")
    expect(first).to_contain_text(HOSTILE.replace('"', "%22").replace("\\", "%5C")[:8])
    expect(page.get_by_role("row").filter(has_text="/v2/images/of-all")).to_contain_text("CloudTwo, CloudNine")
    seen = requests_shown(page)
    assert len(seen) == 20  # Horizon's size of a page
    visited.check("audit")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("row").filter(has_text="GET image /v2/images/0").last).to_be_visible()
    seen += requests_shown(page)
    assert (len(seen), len(set(seen))) == (34, 34)
    expect(page.get_by_role("link", name="Older")).not_to_be_attached()
    page.get_by_role("link", name="Newest").click()
    expect(first).to_be_visible()
    assert "hacked" not in page.title()


def test_an_operator_filters_the_audit_and_follows_a_chain(visit: Callable[[str], Visit], desk: Desk) -> None:
    visited = visit("admin")
    page = visited.page
    page.goto(AUDIT)
    for label, value, found in (
        ("Status", "4xx", 1),
        ("Cloud", "CloudNine", 1),
        ("Project ID", "theirs", 2),
        ("User ID", "nobody", 0),
        ("Service", "compute", 1),
    ):
        field = page.get_by_label(f"{label}:", exact=True)
        field.fill(value)
        with page.expect_navigation():
            page.get_by_role("button", name="Filter Requests").click()
        expect(field).to_have_value(value)
        assert len([text for text in requests_shown(page) if "No items" not in text]) == found, label
        field.fill("")  # the next one alone
    page.goto(f"{AUDIT}?service=compute")
    page.get_by_role("link", name=CHAIN).click()
    expect(page.get_by_role("row").filter(has_text="/v2/images/of-the-chain")).to_be_visible()
    assert len(requests_shown(page)) == 2
    # By the keyboard alone.
    page.goto(AUDIT)
    page.get_by_label("Since").focus()
    page.keyboard.type("yesterday")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Enter a valid value.")).to_be_visible()
    visited.check("audit-filter")


def test_an_operator_adds_a_peer_allows_suspends_and_removes_it(visit: Callable[[str], Visit], desk: Desk) -> None:
    visited, stranger = visit("admin"), desk.gateway.stranger
    page = visited.page
    page.goto(AGREEMENTS)
    expect(row(page, "CloudTwo", "active", "federated")).to_be_visible()
    page.get_by_role("link", name="Add Peer").click()
    page.get_by_label("URL where its gateway meets peers").fill(stranger.url)
    page.get_by_label("Fingerprint of its key").fill("A" * 43)
    page.get_by_role("checkbox", name="image").check()
    visited.check("add-peer")
    page.get_by_role("button", name="Add Peer").click()
    # What the gateway refuses is said in the form, and what was typed is still there.
    expect(page.get_by_text("peer.refused").first).to_be_visible()
    expect(page.get_by_role("checkbox", name="image")).to_be_checked()
    page.get_by_label("Fingerprint of its key").fill(stranger.keys.fingerprint)
    submit(page, "Add Peer")
    expect(row(page, "CloudThree", "proposed")).to_contain_text("image")
    visited.check("agreements")

    row(page, "CloudThree").get_by_role("link", name="Allow").click()
    page.get_by_label("Roles, one a line: theirs=ours").fill("admin=admin")
    page.get_by_role("button", name="Allow", exact=True).click()
    field = page.locator(".form-group.has-error")  # the field of the fault
    expect(field).to_contain_text("Roles, one a line")
    expect(field).to_contain_text("grant.roles: admin gives people of another cloud power")
    page.get_by_label("Roles, one a line: theirs=ours").fill(f"{HOSTILE}=member")
    page.get_by_label("Requests a second").fill("5")
    submit(page, "Allow")
    expect(row(page, "CloudThree", "active")).to_be_visible()
    page.get_by_role("link", name="CloudThree").click()
    expect(page.get_by_role("cell", name=HOSTILE[:20]).first).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="allow").first).to_contain_text("admin-token")
    visited.check("agreement")
    page.goto(AGREEMENTS)
    chosen(page, "Suspend")
    expect(row(page, "CloudThree", "suspended")).to_be_visible()
    chosen(page, "Remove Peer")
    # Horizon asks again, in a window without a role.
    page.locator(".modal.in").get_by_text("Remove Peer", exact=True).last.click()
    expect(row(page, "CloudThree")).not_to_be_attached()
    assert "hacked" not in page.title()


def chosen(page: Page, action: str) -> None:
    """Choose an action of CloudThree's row."""
    found = row(page, "CloudThree")
    found.locator(".dropdown-toggle").click()
    found.get_by_role("button", name=action).click()


def test_forms_without_csrf_tokens_and_texts_of_others_change_nothing(
    visit: Callable[[str], Visit], desk: Desk
) -> None:
    visited = visit("admin")
    page = visited.page
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    session = {"sessionid": cookies["sessionid"]}
    statements = f"contracts/{'0' * 32}/statements"
    for path in (
        *("agreements/add", "agreements/CloudTwo/allow", "agreements/CloudTwo/trust", "agreements/"),
        *(f"{statements}/", f"{statements}/sign", f"{statements}/1/accept", f"{statements}/1/refuse"),
        *(f"contracts/{'0' * 32}/whois", f"regions/{'0' * 32}/declare", "offers/"),
    ):
        url = f"{desk.url.rstrip('/')}/federation/{path}"
        answer = requests.post(url, data={"x": "y"}, cookies=session, timeout=60, allow_redirects=False)
        # Horizon's own answer.
        assert (answer.status_code, "csrf_failure=" in answer.headers["Location"]) == (302, True), path
    page.goto(f"{AUDIT}?peer={HOSTILE[:40]}&marker=%3Cscript%3E")
    expect(page.get_by_text("marker.invalid").first).to_be_visible()
    assert "hacked" not in page.title()
