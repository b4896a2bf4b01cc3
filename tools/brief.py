"""For pytest, `-p tools.brief`: hypothesis tries a tenth of what it tries otherwise, for tests that run after every change."""

from hypothesis import settings

settings.register_profile("brief", max_examples=10, database=None)
settings.load_profile("brief")
