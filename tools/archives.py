"""`python -m tools.archives python|javascript [FOLDER]` builds a client as people install it: a wheel of the stubs alone, or an archive for npm.

Each is built in a folder of its own, from the sources and the definitions, so that nothing else of this repository gets into it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from openstackoid.lab import installing
from tools import clients

ROOT: Final = Path(__file__).parents[1]
_JAVASCRIPT: Final = ROOT / "clients/javascript"
_NOT_SOURCES: Final = shutil.ignore_patterns("node_modules", "gen", "dist", "__pycache__")


def python(to: Path) -> Path:
    """Build the wheel; returns it.

    Raises:
        subprocess.CalledProcessError: the build failed; it has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        shutil.copytree(ROOT / "clients/python", source)
        shutil.copytree(ROOT / "src/oaktree", source / "oaktree", ignore=_NOT_SOURCES)
        shutil.copy(ROOT / "LICENSE", source)
        uv = Path(sys.executable).with_name("uv")
        command = (uv, "build", "-q", "--wheel", "--out-dir", to.absolute(), source)
        subprocess.run(command, env=installing.environment(os.environ), check=True)  # noqa: S603
    return max(to.glob("openstackoid_oaktree-*.whl"), key=lambda path: path.stat().st_mtime)


def javascript(to: Path) -> Path:
    """Build the archive for npm; returns it. Needs what `make node` installs.

    Raises:
        clients.MissingError: a program is not installed.
        subprocess.CalledProcessError: the build failed; it has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        shutil.copytree(_JAVASCRIPT, source, ignore=_NOT_SOURCES)
        shutil.copy(ROOT / "LICENSE", source)
        (source / "node_modules").symlink_to(_JAVASCRIPT / "node_modules")
        clients.generate("javascript", source / "src/gen")
        subprocess.run((source / "node_modules/.bin/tsc", "-p", source), check=True)  # noqa: S603
        npm = shutil.which("npm")
        if npm is None:
            raise clients.MissingError("npm is missing: apt-get install npm")
        to.mkdir(parents=True, exist_ok=True)
        command = (npm, "pack", "--silent", "--pack-destination", to.absolute())
        subprocess.run(command, cwd=source, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
    return max(to.glob("openstackoid-oaktree-*.tgz"), key=lambda path: path.stat().st_mtime)


_ARCHIVES: Final[dict[str, Callable[[Path], Path]]] = {"python": python, "javascript": javascript}


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.archives", description=__doc__)
    parser.add_argument("language", choices=_ARCHIVES)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build/archives")
    asked = parser.parse_args(arguments)
    try:
        print(_ARCHIVES[asked.language](asked.folder))
    except clients.MissingError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
