"""For pytest, `-p tools.failures --failures FILE`: write the ids of the tests that failed, as JSON, so that they can run again alone."""

import json
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the file's path."""
    parser.addoption("--failures", type=Path, required=True, help="where the ids of failed tests are written")


def pytest_configure(config: pytest.Config) -> None:
    """Watch."""
    config.pluginmanager.register(_Failures(config.getoption("failures")))


class _Failures:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._failed: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed[report.nodeid] = None

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(json.dumps(list(self._failed)))
