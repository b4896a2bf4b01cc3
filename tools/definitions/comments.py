"""Reads what openstacksdk's comments say of an attribute's type: `*Type: int*`, above it. Nothing else of them is used."""

import ast
import inspect
import re
from functools import cache
from pathlib import Path

_SAID = re.compile(r"\*\s*type:\s*([^*]+?)\s*\*", re.IGNORECASE)


def said_type(owner: type, attribute: str) -> str:
    """The type that the comment above an attribute says, in lower case; empty if there is none."""
    return _said(inspect.getsourcefile(owner) or "").get((owner.__name__, attribute), "")


@cache
def _said(path: str) -> dict[tuple[str, str], str]:
    """By class and attribute, for a module's source."""
    text = Path(path).read_text(encoding="utf-8")
    lines = text.splitlines()
    said = {}
    for owner in ast.walk(ast.parse(text)):
        if not isinstance(owner, ast.ClassDef):
            continue
        for statement in owner.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    found = _SAID.search(_comment_above(lines, statement.lineno))
                    if found:
                        said[owner.name, name] = found[1].lower()
    return said


def _comment_above(lines: list[str], number: int) -> str:
    """The comment that ends in the line before this one (from 1), as one line."""
    comment: list[str] = []
    for line in reversed(lines[: number - 1]):
        if not line.strip().startswith("#"):
            break
        comment.insert(0, line.strip().lstrip("#:").strip())
    return " ".join(comment)
