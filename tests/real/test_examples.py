"""The examples, as users run them."""

import importlib
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from tests import commands
from tests.volume import FULL

from openstackoid.lab import Lab

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples"


@pytest.fixture
def output_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What an example prints, which must end well. It runs in this process, and `tests.commands` starts its commands of the stock client."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(importlib.import_module("shell"), "subprocess", commands)

    def run(example: str, *arguments: str) -> str:
        program = str(EXAMPLES / example)
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(program, run_name="__main__")
        text = capsys.readouterr().out
        assert ended.value.code == 0, f"{text}\n{ended.value.code}"
        return text

    return run


# What several clouds in one request come to, by the tour and by the demo.
SEVERAL = (
    r"image\.image +\| .*CloudOne: \S+, CloudTwo: \S+",  # `replica list`
    r"CloudTwo answered 400.*\n?.*It is in no cloud\.",
    r"\| everywhere +\| ACTIVE +\| CloudOne +\|",
    r"\| everywhere +\| (ACTIVE|BUILD) +\| CloudTwo +\|",
    r"\| everywhere +\| CloudTwo +\|",  # by a label
    r"\| cirros-cloudone +\| CloudOne +\|",
    r"CloudTwo is missing: peer\.timeout",
    r"\| CloudOne \| \S+ \| (copied|is there) ",
    r"\| image +\| CloudOne & CloudT\w+.* \| CloudTwo +\| alternatives +\|",  # `scope explain`
)


def shows_several(text: str) -> None:
    for line in SEVERAL:
        assert re.search(line, text), f"expected {line} in\n{text}"


def test_the_tour(lab: Lab, output_of: Callable[..., str]) -> None:
    text = output_of("tour.py", str(lab.directory))
    assert "tour-two | ACTIVE" in text
    assert "knows no cloud CloudNine" in text
    shows_several(text)


# With the full volume also in clouds of one owner, which `make demo` does not start.
@pytest.mark.topologies("each", *(("pass-through",) if FULL else ()), "gateway-only")
def test_the_demo(lab: Lab, output_of: Callable[..., str]) -> None:
    """It reads the trails of both clouds, and ends in an error where they do not show the image's way."""
    text = output_of("demo.py", "--dir", str(lab.directory), *([] if lab.state.with_haproxy else ["--gateway-only"]))
    assert "ACTIVE" in text
    assert "peer=CloudTwo" in text
    assert ("taught HAProxy" in text) is lab.state.with_haproxy
    shows_several(text)


def test_the_demo_of_oaktree(lab: Lab) -> None:
    command = [sys.executable, str(EXAMPLES / "demo_oaktree.py"), "--dir", str(lab.directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"oaktree-vm"' in done.stdout
    assert "CloudTwo" in done.stdout
