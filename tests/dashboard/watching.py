"""Visits to Horizon in a browser: what they must not do, and what is kept of them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from tests.chromium import chromium

PATIENCE: Final = 120_000  # milliseconds until a page must show what is expected

_PICTURES: Final = Path(__file__).parents[2] / "build" / "screenshots"
_AXE: Final = Path(__file__).parents[2] / "clients" / "javascript" / "node_modules" / "axe-core" / "axe.min.js"
# Our part of a page: what is around it, and the arrow of a menu of actions, are Horizon's.
_CONTENT: Final = {"include": [["#content_body"]], "exclude": [[".actions_column .dropdown-toggle"]]}
_SERIOUS: Final = {"serious", "critical"}
# Links and buttons of Horizon's default theme have too little contrast, also in Horizon's own pages.
_HORIZONS_COLOURS: Final = [[".breadcrumb"], [".nav-tabs"], [".btn"], ["td a"], ["th a"], [".table_actions"]]
# What is right is neither described nor sent here.
_FIND: Final = "([content, options]) => axe.run(content, options).then(found => found.violations)"
_OPTIONS: Final = {"rules": {"color-contrast": {"enabled": False}}}


class Visit:
    """A page of a logged-in user.

    Attributes:
        page: the browser's page.
        errors: what its console or its scripts reported.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.errors.append(f"{page.url}: {error}"))

    def _note(self, message: ConsoleMessage) -> None:
        # A request of AngularJS that the way to the next page cut off has this status.
        if message.type == "error" and '"status":-1' not in message.text:
            self.errors.append(f"{self.page.url}: {message.text} ({message.location})")

    def refused(self, path: str) -> bool:
        """Whether a page is refused to this user."""
        # With the browser's cookies, and without drawing it.
        return self.page.request.get(path, headers={"Accept": "text/html"}).status == 403

    def check(self, name: str, *, contrast: bool = False) -> None:
        """Look for what would keep people out who use a keyboard or a screen reader; keep a picture.

        Args:
            name: of the picture.
            contrast: whether to look at the contrast of text alone.
        """
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate(_AXE.read_text())
        content: dict[str, Any] = _CONTENT
        options: dict[str, Any] = _OPTIONS
        if contrast:
            content = _CONTENT | {"exclude": [*_CONTENT["exclude"], *_HORIZONS_COLOURS]}
            options = {"runOnly": ["color-contrast"]}
        found: Any = self.page.evaluate(_FIND, [content, options | {"resultTypes": ["violations"]}])
        serious = [
            (violation["id"], violation["help"], [node["html"] for node in violation["nodes"]])
            for violation in found
            if violation["impact"] in _SERIOUS
        ]
        self.picture(name)
        assert serious == [], serious

    def picture(self, name: str) -> None:
        """Keep a picture of the page: in `build/screenshots`, which CI may keep, or in the folder that is wanted."""
        self.page.screenshot(path=Path(os.environ.get("OPENSTACKOID_SCREENSHOTS", _PICTURES)) / f"{name}.png")

    def forgive(self, *marks: str) -> None:
        """Leave out errors of the console that are Horizon's own."""
        self.errors = [error for error in self.errors if not any(mark in error for mark in marks)]

    def until_notice(self, path: str, notice: str) -> None:
        """Load a page until it has a notice, or with an empty one until it has none; Horizon's own messages count, too."""
        for _ in range(PATIENCE // 1000):
            self.page.goto(path)
            messages = self.page.get_by_role("alert").or_(self.page.locator(".messages .alert")).all_inner_texts()
            if any(notice in message for message in messages) if notice else not messages:
                return
            self.page.wait_for_timeout(1000)
        pytest.fail(f"expected the notice {notice!r}, got {messages}")


@contextmanager
def patient() -> Iterator[Browser]:
    """A browser; `expect` is as patient as its pages."""
    expect.set_options(timeout=PATIENCE)
    with chromium() as started:
        yield started


def new_visit(browser: Browser, url: str) -> Visit:
    """A page with a session of its own, before the log-in."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=url)
    context.set_default_timeout(PATIENCE)
    return Visit(context.new_page())


def sign_in(page: Page, auth: Mapping[str, str], first: str = "") -> None:
    """Log in by the form, with an `auth` of clouds.yaml, and see the first page that is named, or Horizon's."""
    page.goto(f"auth/login/?next=/{first}" if first else "auth/login/")
    page.get_by_label("User Name").fill(auth["username"])
    page.get_by_label("Password", exact=True).fill(auth["password"])
    page.get_by_role("button", name="Sign In").click()
    expect(page.get_by_role("button", name=auth["username"]).last).to_be_visible()


def row(page: Page, *texts: str) -> Any:
    """The row of a table with all of these cells."""
    found = page.get_by_role("row")
    for text in texts:
        found = found.filter(has=page.get_by_role("cell", name=text, exact=True))
    return found


def submit(page: Page, name: str) -> None:
    """Send the form in the foreground; a script of Horizon's sends it, then leads to another page."""
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()
