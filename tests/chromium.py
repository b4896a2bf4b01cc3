"""Debian's Chromium, without a window. Its shell alone, where it is installed, takes a quarter of the CPU: the browser has a window that nobody sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

_SHELL: Final = Path("/usr/bin/chromium-headless-shell")
_WHOLE: Final = Path("/usr/bin/chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as playwright:
        # Root's Chromium has no sandbox; it opens pages of the tests alone.
        program = _SHELL if _SHELL.exists() else _WHOLE
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()
