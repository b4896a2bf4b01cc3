"""`make test`: nothing is left out, parts run side by side, and what fails is seen."""

import sys
from pathlib import Path

from tools.check import PYTEST, ROOT, Part, parts, run, summary


def test_each_file_of_tests_is_in_one_part() -> None:
    found = list(parts(ROOT))
    named = sorted(word for part in found if part.kind == "unit" for word in part.command if word.endswith(".py"))
    files = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")}
    assert set(named) == {file for file in files if not file.startswith("tests/real/")}
    assert len(named) == len(set(named))
    [real] = [part for part in found if part.kind == "real"]
    assert real.command[-3:] == ("-m", "real", "tests")


def test_a_part_that_fails_is_seen_among_those_that_pass(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "test_well.py").write_text("def test_one(): pass\ndef test_two(): pass\n")
    (tmp_path / "test_ill.py").write_text(
        "import pytest\n@pytest.fixture\ndef gone(): raise OSError('12 passed in 3s')\n"
        "def test_one(): pass\ndef test_two(): assert False\ndef test_three(gone): pass\n"
    )
    (tmp_path / "test_none.py").touch()
    several = [Part(name, "unit", (*PYTEST, f"test_{name}.py")) for name in ("well", "ill", "none")]
    several.append(Part("dead", "unit", (sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")))
    results = run(several, at_once=2, root=tmp_path)
    assert [each.failed for each in results] == [False, True, False, True]
    lines = {line.split()[0]: line.split()[1:4] for line in summary(results).splitlines()}
    assert (lines["well"], lines["none"]) == (["2", "0", "0"], ["0", "0", "0"])
    assert (lines["ill"], lines["dead"]) == (["1", "2", "0"], ["0", "1", "0"])
    assert summary(results).splitlines()[-1] == "3 passed, 3 failed"
    assert all(each.cpu > 0 for each in results[:3])


def test_parts_run_side_by_side(tmp_path: Path) -> None:
    # Each waits until the other is there.
    code = (
        "import pathlib, sys, time\nhere, there = map(pathlib.Path, sys.argv[1:])\nhere.touch()\n"
        "end = time.monotonic() + 60\nwhile not there.exists() and time.monotonic() < end: time.sleep(0.01)\n"
        "sys.exit(not there.exists())"
    )
    names = ("a", "b")
    several = [
        Part(name, "unit", (sys.executable, "-c", code, name, other))
        for name, other in zip(names, names[::-1], strict=True)
    ]
    assert [each.code for each in run(several, at_once=2, root=tmp_path)] == [0, 0]
