"""Python as users of our wheel have it: the wheel, what it requires, and nothing of this repository."""

import os
import subprocess
import sys
from pathlib import Path

from tests.oaktree.builds import built, digest
from tools import archives

from openstackoid.lab import installing

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
_CONSTRAINTS = ROOT / "constraints.txt"
_WHEEL = (ROOT / "src/oaktree", ROOT / "clients/python", ROOT / "tools/archives.py", ROOT / "LICENSE", _CONSTRAINTS)


def python(*others: str) -> Path:
    """The interpreter of an environment with the wheel and other packages; it is made once for the same sources."""

    def build(made: Path) -> None:
        there = made / "venv/bin/python"
        run(UV, "venv", "-q", "--python", sys.executable, made / "venv")
        run(UV, "pip", "install", "-q", "--python", there, "-c", _CONSTRAINTS, archives.python(made), *others)

    files = [file for source in _WHEEL for file in ([source] if source.is_file() else sorted(source.rglob("*")))]
    sources = [file for file in files if file.is_file() and "__pycache__" not in file.parts]
    tools = [(sys.executable, "-c", f"import sys; print(sys.version, {others})")]
    return built("wheel", digest(sources, tools, ("uv",)), build) / "venv/bin/python"


def run(*command: str | Path) -> None:
    """Run a command that must succeed, with the index that the installation uses."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, env=environment | installing.environment(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def example(
    name: str, *words: str, packages: tuple[str, ...] = (), **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a program of `examples/oaktree` with it."""
    kept = {variable: value for variable, value in os.environ.items() if not variable.startswith("PYTHON")}
    command: list[str | Path] = [python(*packages), "-W", "error", ROOT / "examples/oaktree" / name, *words]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=False, timeout=300)
