"""Horizon as it is published, before a cloud of the lab: its users' own pages."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from tests.dashboard.watching import Visit, row

from openstackoid.lab import Lab, processes
from openstackoid.lab.layout import DASHBOARD
from openstackoid.lab.processes import Health

pytestmark = pytest.mark.real


def test_a_user_logs_in_and_sees_the_quotas_of_the_project(visit_lab: Callable[[str], Visit]) -> None:
    page = visit_lab("CloudOne").page
    page.goto("project/")
    expect(page.get_by_role("heading", name="Limit Summary")).to_be_visible()
    expect(page.get_by_text("Used 1 of 100", exact=True)).to_be_visible()  # networks


def test_a_user_launches_a_server_by_the_wizard(visit_lab: Callable[[str], Visit]) -> None:
    visited = visit_lab("CloudOne")
    page = visited.page
    page.goto("project/instances/")
    page.get_by_role("link", name="Launch Instance").click()
    wizard = page.locator(".ng-wizard")  # Horizon gives it no role
    # The wizard never accepts a flavor that is chosen before it has the quotas.
    expect(wizard.get_by_text("(10 Max)").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    wizard.get_by_label("Instance Name").fill("by-wizard")
    # The project's only network is allocated from the beginning.
    for step, item in (("Source", "cirros"), ("Flavor", "m1.tiny")):
        wizard.get_by_role("link", name=step).click()
        row = wizard.locator("tr:visible").filter(has=page.get_by_role("cell", name=item, exact=True))
        row.get_by_role("button").click()
    wizard.get_by_role("link", name="Networks", exact=True).click()
    wizard.get_by_role("button", name="Launch Instance").click()
    expect(page.get_by_role("link", name="by-wizard")).to_be_visible()
    # This Horizon answers 500 to a question for metadata definitions of a kind that has none.
    visited.forgive("metadefs", "max_workers")


def test_a_user_sees_resources_of_all_clouds_each_with_its_cloud(visit_lab: Callable[[str], Visit]) -> None:
    visited = visit_lab("CloudOne")
    page = visited.page
    page.goto("federation/resources/")
    expect(page.get_by_role("columnheader", name="IP Address")).to_be_visible()
    visited.check("servers")
    page.locator("#content_body").get_by_role("link", name="Images").click()  # Horizon gives tabs no role
    expect(row(page, "CloudOne", "cirros-cloudone")).to_be_visible()
    expect(row(page, "CloudTwo", "cirros-cloudtwo")).to_be_visible()
    visited.check("images")


def test_the_pages_of_admins_are_refused_to_a_user(visit_lab: Callable[[str], Visit]) -> None:
    visited = visit_lab("CloudOne")
    answer = visited.page.goto("admin/")
    assert answer is not None
    assert answer.status == 403
    visited.errors.clear()  # the browser reports the status


def test_the_lab_starts_a_horizon_that_ended_and_users_stay_logged_in(
    lab: Lab, visit_lab: Callable[[str], Visit]
) -> None:
    page = visit_lab("CloudOne").page
    process = lab.process("CloudOne", DASHBOARD)
    assert process is not None
    processes.stop(process.group(), 60)
    assert lab.up(print)
    assert {row.state for row in lab.status(60)} == {Health.RUNNING}
    page.goto("project/key_pairs")
    expect(page.get_by_role("button", name="alice")).to_be_visible()
