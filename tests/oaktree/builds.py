"""What compilers take long for, made once for the same sources and the same tools: it is kept in the user's cache."""

import hashlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from openstackoid.lab.environment import default_cache

_KEPT: Final = 14 * 86400  # seconds since its last use


def digest(sources: Iterable[Path], tools: Sequence[Sequence[str]], packages: Iterable[str]) -> str:
    """Names all that a build depends on: files, also those in folders, what programs answer, versions of Python's packages."""
    found = hashlib.sha256()
    for source in sources:
        files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
        for file in files:
            found.update(f"{file.relative_to(source.parent)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    for tool in tools:
        done = subprocess.run(tool, capture_output=True, check=True)
        found.update(f"{tool}\0".encode() + hashlib.sha256(done.stdout).digest())
    for package in packages:
        found.update(f"{package}\0{version(package)}\0".encode())
    return found.hexdigest()[:24]


def built(name: str, key: str, build: Callable[[Path], None], cache: Path | None = None) -> Path:
    """The folder that `build` has filled, now or before; nobody else writes to it."""
    cache = cache or default_cache() / "tests"
    cache.mkdir(parents=True, exist_ok=True)
    there = cache / f"{name}-{key}"
    if not there.exists():
        with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=cache) as folder:
            made = Path(folder) / "made"
            made.mkdir()
            build(made)
            try:
                made.rename(there)
            except OSError:
                # Somebody else has made the same meanwhile.
                assert there.exists()
    there.touch()
    for other in cache.glob(f"{name}-*"):
        if other.stat().st_mtime < time.time() - _KEPT:
            shutil.rmtree(other, ignore_errors=True)
    return there
