"""One real cloud with its Horizon, and a browser: Debian's Chromium, without a window."""

from collections.abc import Callable, Iterator

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.dashboard.watching import Visit

from openstackoid.lab import Lab

ADDRESS = "127.0.111.0"
CHROMIUM = "/usr/bin/chromium"
PATIENCE = 60_000  # milliseconds until a page must show what is expected


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("lab"), ["CloudOne"], ADDRESS, with_dashboard=True)
    try:
        made.up(print)
        yield made
    finally:
        made.reset()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        # Root's Chromium has no sandbox; it opens pages of the lab alone.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(lab: Lab, browser: Browser) -> Iterator[Callable[[str], Visit]]:
    """Log in as a user of clouds.yaml; no page that is visited may have an error in its console."""
    visits: list[Visit] = []

    def log_in(entry: str) -> Visit:
        context = browser.new_context(
            viewport={"width": 1280, "height": 800}, base_url=lab.clouds["CloudOne"].dashboard
        )
        context.set_default_timeout(PATIENCE)
        visits.append(Visit(context.new_page()))
        sign_in(visits[-1].page, yaml.safe_load(lab.clouds_yaml.read_text())["clouds"][entry]["auth"])
        return visits[-1]

    yield log_in
    for one in visits:
        one.page.context.close()
        assert one.errors == []


def sign_in(page: Page, auth: dict[str, str]) -> None:
    page.goto("auth/login/")
    page.get_by_label("User Name").fill(auth["username"])
    page.get_by_label("Password", exact=True).fill(auth["password"])
    page.get_by_role("button", name="Sign In").click()
    expect(page.get_by_role("button", name=auth["username"])).to_be_visible()
