"""What `make test` and its smaller sisters run: parts, each a process, of about the same size where they are shares of one folder.

How large a file of tests is has been measured: see `tools.times`. A file that has not been yet counts by its length.
"""

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.times import MEASURED

# Side by side, runs would overwrite each other's lists of what failed last.
PYTEST: Final = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
KINDS: Final = ("lint", "unit", "integration", "real")
# Tests of values, without any server, that are run after every change: all of them take seconds. They are in `integration`, too.
_UNIT: Final = (
    "tests/core/",
    "tests/gateway/test_reference.py",
    "tests/haproxy/test_maps.py",
    "tests/lab/test_config.py",
    "tests/lab/test_layout.py",
    "tests/trust/test_agreements.py",
    "tests/trust/test_rules.py",
    "tests/trust/test_tokens.py",
)
# Seconds of CPU of a share: a folder that takes longer is split.
_SHARE: Final = 120.0
_LINT: Final = 60.0
_BYTES_A_SECOND: Final = 2000.0
# How a file of tests on real clouds says so; in the folder `real`, all are.
_REAL: Final = "pytest.mark.real"


@dataclasses.dataclass(frozen=True)
class Part:
    """What runs as one process."""

    name: str
    kind: str
    command: Sequence[str]
    seconds: float = 0.0
    """Of CPU, as measured before."""


def parts(root: Path, processors: int, measured: Path = MEASURED) -> Iterator[Part]:
    """All parts, in the order in which they begin: what takes long first.

    Tests on real clouds mostly wait, in part for each other: they are two parts, since those of the lab have addresses of their own.
    """
    times: dict[str, float] = json.loads(measured.read_text()) if measured.exists() else {}
    files = {
        str(file.relative_to(root)): times.get(str(file.relative_to(root)), file.stat().st_size / _BYTES_A_SECOND)
        for file in sorted((root / "tests").rglob("test_*.py"))
    }
    clouds = {file: seconds for file, seconds in files.items() if file.startswith("tests/real/")}
    lab = {
        file: seconds for file, seconds in files.items() if file not in clouds and _REAL in (root / file).read_text()
    }
    yield from (_part("real clouds", "real", clouds), _part("real lab", "real", lab))
    several = [Part("lint", "lint", ("make", "--no-print-directory", "lint"), _LINT)]
    folders: dict[str, dict[str, float]] = {}
    for file in files.keys() - clouds.keys() - lab.keys():
        folders.setdefault(file.rpartition("/")[0], {})[file] = files[file]
    for folder, inside in folders.items():
        several += _shared(folder, "integration", inside, round(sum(inside.values()) / _SHARE))
    yield from sorted(several, key=lambda part: -part.seconds)
    values = {file: seconds for file, seconds in files.items() if file.startswith(_UNIT)}
    yield from _shared("unit", "unit", values, processors, "-p", "tools.brief")


def _shared(name: str, kind: str, files: Mapping[str, float], number: int, *options: str) -> Iterator[Part]:
    """Split files into shares: the dearest first, each to the share that has least so far."""
    shares: list[dict[str, float]] = [{} for _ in range(min(max(1, number), len(files)))]
    for file in sorted(files, key=lambda file: (-files[file], file)):
        min(shares, key=lambda share: sum(share.values()))[file] = files[file]
    for place, share in enumerate(shares, 1):
        yield _part(name if len(shares) == 1 else f"{name} {place}/{len(shares)}", kind, share, *options)


def _part(name: str, kind: str, files: Mapping[str, float], *options: str) -> Part:
    return Part(name, kind, (*PYTEST, *options, *sorted(files)), sum(files.values()))
