"""Lint and tests, in parts side by side, and what came of each: `make test`.

    python -m tools.check [KIND...] [--note]      lint | unit | integration | real: those only

Parts (see `tools.parts`) are processes. Tests on real clouds, two parts, run from the first moment beside as many other parts as there
are processors: they mostly wait. What a part writes is shown whole when it ends. The time of CPU in the summary includes what servers
that a part has started have used: see `tools.reaper`. With `--note`, what each file of tests took is noted for the next runs: see `tools.times`.

A few tests that fail run once more when all others have ended. What passes then depends on time or on its neighbours: it is named in the
last lines as a defect to mend, and does not fail the whole.
"""

import argparse
import dataclasses
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tools.parts import KINDS, PYTEST, Part, parts
from tools.times import MEASURED

ROOT: Final = Path(__file__).parents[1]
_REAPER: Final = (sys.executable, "-S", "-E", str(ROOT / "tools" / "reaper.py"))
_NOTHING_FOUND: Final = 5  # pytest's exit code where marks leave nothing
_TESTS_FAILED: Final = 1  # pytest's exit code where all ran
_MOST_AGAIN: Final = 5  # more failures than this are no chance
_COUNT: Final = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed)\b")
_LAST_LINE: Final = re.compile(
    r"^\D*\d+ (?:passed|failed|errors?|skipped|deselected|xfailed)\b.* in [\d.]+s.*$", re.MULTILINE
)


@dataclasses.dataclass(frozen=True)
class Result:
    """How it ended."""

    part: Part
    code: int
    output: str
    wall: float
    cpu: float
    flaky: tuple[str, ...] = ()
    """The tests that failed, if all passed when they ran again."""

    @property
    def failed(self) -> bool:
        """Whether anything is not as it must be."""
        return self.code not in {0, _NOTHING_FOUND} and not self.flaky

    @property
    def counts(self) -> dict[str, int]:
        """How many tests ended how, by pytest's last line; a part that fails without one counts as one that failed."""
        counted = dict.fromkeys(("passed", "failed", "skipped"), 0)
        for line in _LAST_LINE.findall(self.output)[-1:]:
            for number, word in _COUNT.findall(line):
                counted[{"error": "failed", "errors": "failed", "xfailed": "passed"}.get(word, word)] += int(number)
        if self.flaky:
            counted |= {"passed": counted["passed"] + len(self.flaky), "failed": 0}
        elif self.failed and not counted["failed"]:
            counted["failed"] = 1
        return counted


def run(several: Iterable[Part], *, at_once: int, root: Path) -> list[Result]:
    """Run them, and show what each writes when it has ended."""
    running: set[subprocess.Popen[bytes]] = set()
    showing = threading.Lock()

    def one(part: Part) -> Result:
        began = time.monotonic()
        with tempfile.TemporaryFile() as output:
            environment = os.environ | {"MAKEFLAGS": ""}
            process = subprocess.Popen(  # noqa: S603 - ours
                (*_REAPER, *part.command), cwd=root, env=environment, stdout=output, stderr=subprocess.STDOUT
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
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}: those only")
    parser.add_argument("--note", action="store_true", help=f"note in {MEASURED.name} what each file of tests took")
    given = parser.parse_args(arguments)
    # What is in `unit` is in `integration`, too.
    kinds = set(given.kinds) or set(KINDS) - {"unit"}
    if unknown := kinds - set(KINDS):
        parser.error(f"expected {', '.join(KINDS)}, not {', '.join(sorted(unknown))}")
    # Else the parts would go on without it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    processors = len(os.sched_getaffinity(0))
    wanted = [part for part in parts(ROOT, processors) if part.kind in kinds]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder)
        results = run(_noted(wanted, notes), at_once=max(2, processors) + 2 * ("real" in kinds), root=ROOT)
        if given.note:
            _note(notes)
        results = run_again(results, [failed_tests(notes, place) for place in range(len(results))], root=ROOT)
    for test in (test for each in results for test in each.flaky):
        print(f"FLAKY, passed only when it ran again: {test}")
    print(summary(results))
    print(f"{time.monotonic() - began:.0f} seconds")
    return 1 if any(each.failed for each in results) else 0


def run_again(results: Sequence[Result], tests: Sequence[Sequence[str]], *, root: Path) -> list[Result]:
    """Run the tests that failed once more, one part after the other, if they are few.

    Args:
        results: of all parts.
        tests: of each part, the ids of its tests that failed.
        root: the folder to run in.

    Returns:
        The results; a part whose tests passed the second time has these as `flaky`, and has not failed.
    """
    by_tests = {place for place, each in enumerate(results) if each.code == _TESTS_FAILED and tests[place]}
    if not 0 < sum(len(tests[place]) for place in by_tests) <= _MOST_AGAIN:
        return list(results)
    ended = list(results)
    for place in sorted(by_tests):
        part = dataclasses.replace(results[place].part, command=(*PYTEST, *tests[place]))
        [second] = run([part], at_once=1, root=root)
        if not second.failed:
            ended[place] = dataclasses.replace(results[place], flaky=tuple(tests[place]))
    return ended


def failed_tests(folder: Path, place: int) -> list[str]:
    """The ids of the tests that failed in a part; none if it ended before it could write them."""
    path = folder / f"{place}.failed"
    found: list[str] = json.loads(path.read_text()) if path.exists() else []
    return found


def _noted(several: Iterable[Part], folder: Path) -> Iterable[Part]:
    """The same parts, told where to write what their files took and what failed."""
    for place, part in enumerate(several):
        times, failed = str(folder / f"{place}.json"), str(folder / f"{place}.failed")
        more = ("-p", "tools.times", "--times", times, "-p", "tools.failures", "--failures", failed)
        yield part if part.kind == "lint" else dataclasses.replace(part, command=(*part.command, *more))


def _note(folder: Path) -> None:
    known: dict[str, float] = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    for path in folder.glob("*.json"):
        known |= json.loads(path.read_text())
    there = {file: seconds for file, seconds in sorted(known.items()) if (ROOT / file).exists()}
    MEASURED.write_text(json.dumps(there, indent=0) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
