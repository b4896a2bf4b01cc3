"""What a visit to Horizon must not do, and what is kept of it."""

import os
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import ConsoleMessage, Page

_AXE: Final = Path(__file__).parents[2] / "clients" / "javascript" / "node_modules" / "axe-core" / "axe.min.js"
# Our part of a page: what is around it, and the arrow of a menu of actions, are Horizon's.
_CONTENT: Final = {"include": [["#content_body"]], "exclude": [[".actions_column .dropdown-toggle"]]}
_SERIOUS: Final = {"serious", "critical"}
# Colours are those of Horizon's theme, in all of its tables.
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
        answer = self.page.goto(path)
        assert answer is not None
        if answer.status == 403:
            self.errors.clear()  # the browser reports the status
        return answer.status == 403

    def check(self, name: str) -> None:
        """Look for what would keep people out who use a keyboard or a screen reader; keep a picture where one is wanted."""
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate(_AXE.read_text())
        found: Any = self.page.evaluate("([content, options]) => axe.run(content, options)", [_CONTENT, _OPTIONS])
        serious = [
            (violation["id"], violation["help"], [node["html"] for node in violation["nodes"]])
            for violation in found["violations"]
            if violation["impact"] in _SERIOUS
        ]
        if folder := os.environ.get("OPENSTACKOID_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")
        assert serious == [], serious
