"""For pytest, `-p tools.times --times FILE`: write how much CPU time each file of tests takes, fixtures included, as JSON.

`tools/times.json` has them as they were measured; `tools.check` makes parts of about the same size from it. Only processes that were
waited for count.
"""

import collections
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

MEASURED: Final = Path(__file__).with_suffix(".json")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the file's path."""
    parser.addoption("--times", type=Path, required=True, help="where the times are written")


def pytest_configure(config: pytest.Config) -> None:
    """Count."""
    config.pluginmanager.register(_Times(config.rootpath, config.getoption("times")))


class _Times:
    def __init__(self, root: Path, path: Path) -> None:
        self._root, self._path = root, path
        self._seconds: dict[str, float] = collections.defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before = sum(os.times()[:4])
        try:
            return (yield)
        finally:
            self._seconds[str(item.path.relative_to(self._root))] += sum(os.times()[:4]) - before

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(json.dumps({file: round(seconds, 1) for file, seconds in self._seconds.items()}))
