"""Archives as users have them, each built once for the same sources: Python with our wheel, what it requires, and nothing of this repository;
the archive for npm.
"""

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
_JAVASCRIPT = ROOT / "clients/javascript"
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


def javascript_sources() -> list[Path]:
    """What the package for JavaScript is made of, beside what code is made of for every language."""
    own = [path for path in _JAVASCRIPT.iterdir() if path.name not in {"node_modules", "dist", "src"}]
    own += [path for path in (_JAVASCRIPT / "src").iterdir() if path.name != "gen"]
    return [*own, _JAVASCRIPT / "node_modules/.package-lock.json"]  # the last: what npm has installed


def javascript() -> Path:
    """The archive for npm."""

    def build(made: Path) -> None:
        archives.javascript(made)

    sources = [*(ROOT / each for each in ("proto", "tools/clients.py", "tools/archives.py", "LICENSE"))]
    key = digest(
        [*sources, *javascript_sources()], [("node", "--version")], ("grpcio-tools", "googleapis-common-protos")
    )
    [archive] = built("npm", key, build).iterdir()
    return archive


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
