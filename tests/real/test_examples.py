"""The examples, as users run them."""

import subprocess
import sys
from pathlib import Path

import pytest

from openstackoid.lab import Lab

EXAMPLES = Path(__file__).parents[2] / "examples"


def told(example: str, *arguments: str) -> str:
    """What an example prints, which must end well."""
    command = [sys.executable, str(EXAMPLES / example), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tour(lab: Lab) -> None:
    text = told("tour.py", str(lab.directory))
    assert "tour-two | ACTIVE" in text
    assert "It is in no cloud." in text
    assert "knows no cloud CloudNine" in text


@pytest.mark.topologies("each", "pass-through", "gateway-only")
def test_the_demo(lab: Lab) -> None:
    """It reads the trails of both clouds, and ends in an error where they do not show the image's way."""
    text = told("demo.py", "--dir", str(lab.directory), *([] if lab.state.with_haproxy else ["--gateway-only"]))
    assert "ACTIVE" in text
    assert "peer=CloudTwo" in text
    assert ("taught HAProxy" in text) is lab.state.with_haproxy


def test_the_demo_of_oaktree(lab: Lab) -> None:
    text = told("demo_oaktree.py", "--dir", str(lab.directory))
    assert '"oaktree-vm"' in text
    assert "CloudTwo" in text
