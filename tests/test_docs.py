"""The pages agree with each other and with the programs that they name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from openstackoid.cli import main

ROOT: Final = Path(__file__).parents[1]
# Not ours: what is installed, and what is built.
_OTHERS: Final = {"node_modules", "build", "dist"}
PAGES: Final = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in _OTHERS for part in path.relative_to(ROOT).parts)
)
_FENCED: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_COMMAND: Final = re.compile(r"\b(lab (?:up|status|env|logs|down|reset)|gateway check|gateway)\b([^`\n)]*)")
# Queries have backticks of their own.
_OAKTREE: Final = re.compile(r"\boaktree (serve|call operation [a-z]+|call [a-z]+)\b([^\n)|]*)")
_OPTION: Final = re.compile(r"(?<!\S)\[?(--?[a-z][a-z-]*)")


def anchors(page: Path) -> set[str]:
    headings = _HEADING.findall(_FENCED.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code(page: Path) -> Iterator[str]:
    """Lines of code blocks, and code within lines."""
    text = page.read_text()
    for block in _FENCED.findall(text):
        yield from block.splitlines()[1:-1]
    for line in _FENCED.sub("", text).splitlines():
        yield from [line.strip()] if line.startswith("    ") else re.findall(r"`([^`]+)`", line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(_FENCED.sub("", page.read_text())):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / target).resolve() for target in _LINK.findall(index.read_text())}
    assert {page for page in PAGES if index.parent in page.parents} <= listed | {index}


def test_options_in_the_pages_exist(capsys: pytest.CaptureFixture[str]) -> None:
    seen = set()
    for page in PAGES:
        for line in code(page):
            for command, rest in _COMMAND.findall(line) if re.search(r"openstackoid |^lab ", line) else ():
                seen |= {(command, option) for option in _OPTION.findall(rest)}
            for command, rest in _OAKTREE.findall(line):
                seen |= {(f"oaktree {command}", option) for option in _OPTION.findall(rest)}
    assert ("lab up", "--cloud") in seen
    assert ("gateway", "--config") in seen
    assert {("oaktree serve", "--clouds"), ("oaktree call list", "--sort")} <= seen
    for command, option in sorted(seen):
        with pytest.raises(SystemExit):
            main([*command.split(), "--help"])
        assert re.search(rf"{option}\b", capsys.readouterr().out), f"openstackoid {command} {option}"


def test_targets_of_make_in_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for page in PAGES for line in code(page) for word in re.findall(r"^make ([a-z][a-z -]+)", line)}
    assert {"demo", "demo-oaktree", "test"} <= named
    assert {word for words in named for word in words.split()} <= targets
