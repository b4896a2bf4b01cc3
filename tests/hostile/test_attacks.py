"""The list of attacks: long, and each line with a test and a file that there are."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
ROWS: Final = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs" / "explanation" / "attacks.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| who |")
]
_TEST: Final = re.compile(r"\[([\w/]+\.py)::(\w+)\]\((?:\.\./)+([\w/]+\.py)\)")


@cache
def named_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return {name for name in found if name.startswith("test_")}


def test_there_are_sixty_and_of_everybody() -> None:
    assert len(ROWS) >= 60
    assert {row[0] for row in ROWS} == {"peer", "foreign user", "user", "wire", "thief"}
    assert len({row[1] for row in ROWS}) == len(ROWS)


def test_each_is_tried_by_a_test_that_there_is() -> None:
    for row in ROWS:
        assert len(row) == 4, row
        named = _TEST.findall(row[3])
        assert named, row
        for file, name, link in named:
            assert file == link
            assert name in named_in(file), f"{file}::{name}"


def test_each_is_held_by_a_file_that_there_is() -> None:
    for row in ROWS:
        files = re.findall(r"`([\w/]+\.py)`", row[2])
        assert files or "HAProxy" in row[2], row
        assert all((ROOT / "src" / "openstackoid" / file).is_file() for file in files), row
