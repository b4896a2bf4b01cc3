"""The demo of regions, as users run it: killed, interrupted, and started again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.volume import FULL

from openstackoid.lab import Lab

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not FULL, reason="three clouds more, for two minutes: make test-full"),
]

DEMO: Final = Path(__file__).parents[2] / "examples" / "demo_regions.py"
ADDRESS: Final = "127.0.146.0"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "lab"
    Lab(tmp_path / "lab").reset()


def started(folder: Path) -> "subprocess.Popen[str]":
    """In a process group of its own, which gets what a terminal sends."""
    command = [sys.executable, str(DEMO), "--dir", str(folder), "--address", ADDRESS]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def ended(folder: Path, mark: str, how: signal.Signals) -> int:
    """Start a demo, and end it when it has printed a mark; its exit status."""
    with started(folder) as demo:
        assert demo.stdout is not None
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if mark in line:
                os.killpg(demo.pid, how)
                break
        else:
            pytest.fail(f"it never said {mark}:\n{''.join(lines)}")
        demo.communicate(timeout=300)
        return demo.returncode


def told(folder: Path) -> str:
    """What a demo prints that runs to its end."""
    with started(folder) as demo:
        text, _ = demo.communicate(timeout=900)
    assert demo.returncode == 0, text
    return text


def test_a_demo_goes_on_where_another_one_ended(folder: Path) -> None:
    assert ended(folder, "s  ", signal.SIGKILL) == -signal.SIGKILL  # while the clouds start
    assert ended(folder, "region offer list", signal.SIGINT) == 130
    assert ended(folder, "contract suspend", signal.SIGINT) == 130
    text = told(folder)
    assert "contract resume" in text
    assert text.count("ACTIVE") >= 2
    again = told(folder)  # V1 is a region of a new contract
    assert "region bind V1" in again
    assert "region bind V2" not in again
