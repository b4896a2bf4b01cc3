"""Asks buf whether definitions follow the rules, and whether they would break who uses those of the last release."""

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tools.definitions import stubs

RELEASED: Final = Path("proto/released.binpb")
_RULES: Final = Path("proto/buf.yaml")
# A package of npm: see clients/javascript/package.json.
_BUF: Final = Path(__file__).parents[2] / "clients/javascript/node_modules/.bin/buf"


class MissingError(Exception):
    """buf is not installed."""


def problems(root: Path) -> str:
    """What buf says of the definitions, a line for each problem; empty if there is none.

    Args:
        root: a folder with `proto`, and in it the rules and the descriptors of the last release.

    Raises:
        MissingError: buf is not installed.
        stubs.ProtocError: the definitions do not compile.
    """
    if not _BUF.exists():
        raise MissingError("buf is missing: make install, or (cd clients/javascript && npm install)")
    with tempfile.TemporaryDirectory() as scratch:
        now = Path(scratch, "now.binpb")
        stubs.compile_descriptors(root / "proto", now, comments=True)
        config = ("--config", str(root / _RULES))
        return _buf("lint", str(now), *config) + _buf("breaking", str(now), "--against", str(root / RELEASED), *config)


def release(root: Path) -> None:
    """Keeps the definitions as they are: from now on, breaking these is a problem."""
    stubs.compile_descriptors(root / "proto", root / RELEASED, comments=False)


def _buf(*arguments: str) -> str:
    done = subprocess.run([_BUF, *arguments], capture_output=True, text=True, check=False)  # noqa: S603
    # 0: nothing to say. 100: problems, on standard output. Anything else: it could not look.
    return done.stdout + (done.stderr if done.returncode else "")
