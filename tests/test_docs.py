"""The pages agree with each other and with the programs that they name."""

import re
import subprocess
import sys
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
_OAKTREE: Final = re.compile(r"\boaktree (serve|call (?:operation|group) [a-z]+|call [a-z]+)\b([^\n)|]*)")
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


def sphinx(builder: str, to: Path, *options: str) -> None:
    words = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-n",
        "-c",
        str(ROOT / "docs"),
        "-d",
        str(to / "trees"),
        "-b",
        builder,
    ]
    done = subprocess.run(
        [*words, *options, str(ROOT), str(to / "site")], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr


def test_the_site_has_every_page_and_no_broken_link_or_anchor(tmp_path: Path) -> None:
    sphinx("dummy", tmp_path, "-W", "--keep-going")


def test_a_page_of_the_site_loads_nothing_from_a_network(tmp_path: Path) -> None:
    # One page is enough: the theme is the same on all.
    sphinx("html", tmp_path, "-D", "include_patterns=docs/index.rst")
    page = (tmp_path / "site" / "docs" / "index.html").read_text()
    loaded = re.findall(r"<(?:script|img|iframe)\b[^>]*\bsrc=\"([^\"]+)|<link\b[^>]*\bhref=\"([^\"]+)", page)
    assert any("furo" in script or "furo" in link for script, link in loaded)
    assert not [found for found in loaded if "//" in "".join(found)]
    for sheet in (tmp_path / "site" / "_static").rglob("*.css"):
        assert not re.search(r"@import|url\([\"']?(?:https?:)?//", sheet.read_text()), sheet


def test_targets_of_make_in_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for page in PAGES for line in code(page) for word in re.findall(r"^make ([a-z][a-z -]+)", line)}
    assert {"demo", "demo-oaktree", "test"} <= named
    assert {word for words in named for word in words.split()} <= targets
