"""For pytest, `-p tools.brief`: hypothesis tries a tenth of what it tries otherwise, for tests that run after every change."""

from hypothesis import settings


def pytest_configure() -> None:
    """Change what `tests/conftest.py` has set, which was loaded before."""
    settings.register_profile("brief", settings.get_profile("busy"), max_examples=10, database=None)
    settings.load_profile("brief")
