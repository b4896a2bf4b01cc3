"""What a visit to Horizon must not do."""

from playwright.sync_api import ConsoleMessage, Page


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
        if message.type == "error":
            self.errors.append(f"{self.page.url}: {message.text} ({message.location})")
