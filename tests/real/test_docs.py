"""The commands of the pages, as users type them: `$ openstack ...` in `console` blocks, in their order."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from .conftest import User
from .http_client import HttpClient

ROOT: Final = Path(__file__).parents[2]
_BLOCK: Final = re.compile(r"^```console$(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT: Final = "$ openstack "
_PLACEHOLDERS: Final = ("...", "<", "$(")


def commands(page: str) -> list[str]:
    lines = [line for block in _BLOCK.findall((ROOT / page).read_text()) for line in block.splitlines()]
    found = [line.removeprefix("$ ") for line in lines if line.startswith(_PROMPT)]
    return [command for command in found if not any(mark in command for mark in _PLACEHOLDERS)]


@pytest.fixture
def tidy(alice: User) -> Iterator[None]:
    """Servers that a page leaves behind would be in the way of other tests."""
    http = HttpClient(alice)

    def servers() -> set[str]:
        return {server["id"] for server in http.ask("GET", "compute", "/v2.1/servers", "CloudOne")["servers"]}

    before = servers()
    yield
    if left := servers() - before:
        alice.ok(f"openstack server delete --wait {' '.join(sorted(left))}")


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize(
    "page", ["README.md", "docs/tutorials/scopes.md", "docs/how-to/several-clouds.md", "docs/how-to/saved-scopes.md"]
)
def test_the_commands_of_a_page_work(page: str, alice: User) -> None:
    listed = commands(page)
    assert listed
    for command in listed:
        alice.ok(command)
