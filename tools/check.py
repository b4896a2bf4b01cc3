"""Lint and all tests, in parts side by side, and what came of each: `make test`.

    python -m tools.check [PART...]      lint | unit | real: those only

A part is a process: pytest on a folder of tests, or on a share of one that is large; the tests on real clouds, whose addresses
are fixed, are one part. Those run from the first moment to the last beside as many others as there are processors: they mostly
wait. What a part writes is shown whole when it ends.
"""

import argparse
import dataclasses
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
# Side by side, runs would overwrite each other's lists of what failed last.
PYTEST: Final = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
# Files of a share; more are split.
SHARE: Final = 24
_NOTHING_FOUND: Final = 5  # pytest's exit code where marks leave nothing
_COUNT: Final = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed)\b")
_LAST_LINE: Final = re.compile(
    r"^\D*\d+ (?:passed|failed|errors?|skipped|deselected|xfailed)\b.* in [\d.]+s.*$", re.MULTILINE
)


@dataclasses.dataclass(frozen=True)
class Part:
    """What runs as one process."""

    name: str
    kind: str
    command: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Result:
    """How it ended."""

    part: Part
    code: int
    output: str
    wall: float
    cpu: float

    @property
    def failed(self) -> bool:
        """Whether anything is not as it must be."""
        return self.code not in {0, _NOTHING_FOUND}

    @property
    def counts(self) -> dict[str, int]:
        """How many tests ended how, by pytest's last line; a part that fails without one counts as one that failed."""
        counted = dict.fromkeys(("passed", "failed", "skipped"), 0)
        for line in _LAST_LINE.findall(self.output)[-1:]:
            for number, word in _COUNT.findall(line):
                counted[{"error": "failed", "errors": "failed", "xfailed": "passed"}.get(word, word)] += int(number)
        if self.failed and not counted["failed"]:
            counted["failed"] = 1
        return counted


def parts(root: Path) -> Iterator[Part]:
    """All parts, in the order in which they begin: what takes long first."""
    yield Part("real", "real", (*PYTEST, "-m", "real", "tests"))
    yield Part("lint", "lint", ("make", "--no-print-directory", "lint"))
    folders = {folder: list(folder.rglob("test_*.py")) for folder in (root / "tests").iterdir() if folder.is_dir()}
    shares = [("tests", sorted((root / "tests").glob("test_*.py")))]
    for folder, files in folders.items():
        number = -(-len(files) // SHARE)
        for share in range(number):
            name = f"tests/{folder.name}" + (f" {share + 1}/{number}" if number > 1 else "")
            # Neighbours in the alphabet are about the same, and often equally dear.
            shares.append((name, sorted(files)[share::number]))
    shares.sort(key=lambda each: -sum(file.stat().st_size for file in each[1]))
    for name, files in shares:
        if files and name != "tests/real":
            named = [str(file.relative_to(root)) for file in files]
            yield Part(name, "unit", (*PYTEST, "-m", "not real", *named))


def run(several: Iterable[Part], *, at_once: int, root: Path) -> list[Result]:
    """Run them, and show what each writes when it has ended."""
    running: set[subprocess.Popen[bytes]] = set()
    showing = threading.Lock()

    def one(part: Part) -> Result:
        began = time.monotonic()
        with tempfile.TemporaryFile() as output:
            environment = os.environ | {"MAKEFLAGS": ""}
            process = subprocess.Popen(  # noqa: S603 - ours
                part.command, cwd=root, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
            running.add(process)
            # With what it and those that it waited for have used, which `wait` does not give.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            running.discard(process)
            output.seek(0)
            text = output.read().decode(errors="replace")
        ended = Result(part, process.returncode, text, time.monotonic() - began, _cpu(usage))
        with showing:
            print(f"── {part.name} ──\n{text}", flush=True)
        return ended

    with ThreadPoolExecutor(at_once) as threads:
        try:
            return list(threads.map(one, several))
        except BaseException:
            for process in running:
                process.terminate()
            raise


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def summary(results: Sequence[Result]) -> str:
    """A line a part, and how many tests passed and failed."""
    lines = [f"{'part':<20}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}{'of CPU':>8}"]
    for each in results:
        counts = "".join(f"{number:>{width}}" for number, width in zip(each.counts.values(), (8, 8, 9), strict=True))
        lines.append(f"{each.part.name:<20}{counts}{each.wall:>9.0f}{each.cpu:>8.0f}")
    passed, failed = (sum(each.counts[word] for each in results) for word in ("passed", "failed"))
    return "\n".join([*lines, f"{passed} passed, {failed} failed"])


def main(arguments: Sequence[str]) -> int:
    """Run what is named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tools.check", description="Lint and tests, in parts side by side.")
    parser.add_argument("kinds", nargs="*", metavar="PART", help="lint, unit, real: those only")
    kinds = set(parser.parse_args(arguments).kinds) or {"lint", "unit", "real"}
    if unknown := kinds - {"lint", "unit", "real"}:
        parser.error(f"expected lint, unit or real, not {', '.join(sorted(unknown))}")
    # Else the parts would go on without it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wanted = [part for part in parts(ROOT) if part.kind in kinds]
    results = run(wanted, at_once=max(2, len(os.sched_getaffinity(0))) + ("real" in kinds), root=ROOT)
    print(summary(results))
    return 1 if any(each.failed for each in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
