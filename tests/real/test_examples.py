"""The classic tour, as users run it."""

import os
import subprocess
import sys
from pathlib import Path

from openstackoid.lab import Lab

TOUR = Path(__file__).parents[2] / "examples" / "tour.py"


def test_the_tour(lab: Lab) -> None:
    done = subprocess.run(
        [sys.executable, str(TOUR), str(lab.directory)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tour-two | ACTIVE" in done.stdout
    assert "knows no cloud CloudNine" in done.stdout
