"""`make test`: nothing is left out, parts run side by side, and what fails is seen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tools.check import ROOT, failed_tests, run, run_again, summary
from tools.parts import PYTEST, Part, parts

# In two pieces, or this file would be one of those that have it.
MARK = "pytest.mark." + "real"  # not a mark of this file


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of pytest are under test, and none of the plugins that are installed, which take longer to import than those runs take."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def test_each_file_of_tests_is_in_one_part() -> None:
    found = [part for part in parts(ROOT, 2) if part.kind in {"integration", "real"}]
    named = sorted(word for part in found for word in part.command if word.endswith(".py"))
    assert named == sorted(str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py"))
    assert not any(word in {"-k", "-m"} for part in found for word in part.command[len(PYTEST) :])


def test_tests_on_real_clouds_are_in_the_parts_of_those() -> None:
    real = {word for part in parts(ROOT, 2) if part.kind == "real" for word in part.command if word.endswith(".py")}
    marked = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py") if MARK in file.read_text()}
    assert real == marked | {str(file.relative_to(ROOT)) for file in (ROOT / "tests/real").glob("test_*.py")}


def test_shares_of_a_folder_are_of_about_the_same_size(tmp_path: Path) -> None:
    (tmp_path / "tests" / "real").mkdir(parents=True)
    seconds = {f"tests/test_{number}.py": 20.0 + 2 * number for number in range(18)}
    for file in seconds:
        (tmp_path / file).touch()
    (tmp_path / "times.json").write_text(json.dumps(seconds))
    shares = [part for part in parts(tmp_path, 2, tmp_path / "times.json") if part.name.startswith("tests ")]
    assert [part.name for part in shares] == [
        "tests 1/6",
        "tests 2/6",
        "tests 3/6",
        "tests 4/6",
        "tests 5/6",
        "tests 6/6",
    ]
    assert max(part.seconds for part in shares) - min(part.seconds for part in shares) <= 36


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


def _noting(tmp_path: Path, place: int, name: str, text: str) -> Part:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    (tmp_path / f"test_{name}.py").write_text(text)
    return Part(name, "unit", (*PYTEST, f"test_{name}.py", "-p", "tools.failures", "--failures", f"{place}.failed"))


def test_what_fails_once_by_chance_is_named_and_does_not_fail_the_whole(tmp_path: Path) -> None:
    once = "import pathlib\nhere = pathlib.Path('been')\n"
    once += "def test_other(): pass\ndef test_it():\n  was = here.exists()\n  here.touch()\n  assert was\n"
    several = [_noting(tmp_path, 0, "once", once), _noting(tmp_path, 1, "ever", "def test_it(): assert False\n")]
    first = run(several, at_once=1, root=tmp_path)
    assert [each.failed for each in first] == [True, True]
    tests = [failed_tests(tmp_path, place) for place in range(2)]
    assert tests == [["test_once.py::test_it"], ["test_ever.py::test_it"]]
    ended = run_again(first, tests, root=tmp_path)
    assert [each.failed for each in ended] == [False, True]
    assert [each.flaky for each in ended] == [("test_once.py::test_it",), ()]
    assert summary(ended).splitlines()[-1] == "2 passed, 1 failed"


def test_many_failures_are_no_chance(tmp_path: Path) -> None:
    text = "import pathlib, pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_it(n):\n"
    text += "  here = pathlib.Path(f'been{n}')\n  was = here.exists()\n  here.touch()\n  assert was\n"
    first = run([_noting(tmp_path, 0, "six", text)], at_once=1, root=tmp_path)
    assert run_again(first, [failed_tests(tmp_path, 0)], root=tmp_path) == first


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


def test_what_servers_of_a_part_have_used_is_counted_and_none_is_left(tmp_path: Path) -> None:
    # One that works and ends, and one that would stay; both leave their parent.
    server = (
        "import os, sys, time\nif os.fork(): os._exit(0)\nos.setsid()\n"
        "open(sys.argv[1], 'w').write(str(os.getpid()))\n"
        "while time.process_time() < 0.5: pass\nif sys.argv[1] == 'stays': time.sleep(3600)\n"
    )
    start = (
        f"import subprocess, sys\nfor name in sys.argv[1:]: subprocess.run([sys.executable, '-c', {server!r}, name])"
    )
    [result] = run([Part("servers", "real", (sys.executable, "-c", start, "ends", "stays"))], at_once=1, root=tmp_path)
    assert (result.code, result.failed) == (0, False)
    assert result.cpu > 1
    stays = (tmp_path / "stays").read_text()
    assert f"still running, killed: {stays} " in result.output
    assert not Path(f"/proc/{stays}").exists()


def test_times_of_files_are_written(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    busy = "import time\ndef test_it():\n  end = time.process_time() + 1\n  while time.process_time() < end: pass\n"
    (tmp_path / "test_busy.py").write_text(busy)
    (tmp_path / "test_idle.py").write_text("def test_it(): pass\n")
    command = [*PYTEST, "-p", "tools.times", "--times", "times.json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=300)
    times = json.loads((tmp_path / "times.json").read_text())
    assert times["test_busy.py"] > times["test_idle.py"]
