"""`openstackoid manual`: a page for man(1) that has every command."""

import shutil
import subprocess

import pytest

from openstackoid.cli import main
from openstackoid.commands.listing import COMMANDS


@pytest.fixture
def page(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["manual"]) == 0
    return capsys.readouterr().out


def test_every_command_stands_in_it(page: str) -> None:
    assert page.startswith('.\\" ')
    for command in COMMANDS:
        assert f'.SS "openstackoid {command.name}"'.replace("-", r"\-") in page
    assert r"\-\-compromised" in page
    assert r"\-\-worker" not in page.replace(r"\-\-workers", ""), "for the program itself alone"


def test_roff_takes_it(page: str) -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("expected groff, which Debian has with man: apt-get install groff-base")
    done = subprocess.run([groff, "-man", "-ww", "-Tascii"], input=page, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "openstackoid gateway check --config" in done.stdout
