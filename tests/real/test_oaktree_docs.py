"""The commands of the pages about oaktree, as users type them: `$ openstackoid oaktree ...` in `console` blocks, in their order."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import yaml

from openstackoid.lab import Lab

ROOT: Final = Path(__file__).parents[2]
CLOUDS: Final = ("CloudOne", "CloudTwo")
_BLOCK: Final = re.compile(r"^```console$(.*?)^```$", re.MULTILINE | re.DOTALL)
# What belongs to the commands: a file that is uploaded.
_OURS: Final = re.compile(r"openstackoid oaktree |head ")


def commands(page: str) -> list[str]:
    blocks = "\n".join(_BLOCK.findall((ROOT / page).read_text()))
    lines = blocks.replace("\\\n", "").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ") and _OURS.match(line, 2)]


@dataclass
class Home:
    """A user's home, after `make demo-oaktree`: what the pages find in the clouds.yaml there is Alice in two clouds."""

    path: Path
    runtime: Path

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OAKTREE_", "XDG_"))}
        programs = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        return kept | {"HOME": str(self.path), "XDG_RUNTIME_DIR": str(self.runtime), "PATH": programs}

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        words = ["bash", "-o", "pipefail", "-c", command]
        return subprocess.run(
            words, env=self.env, cwd=self.path, capture_output=True, text=True, check=False, timeout=180
        )

    def serve(self, command: str) -> "subprocess.Popen[bytes]":
        words = ["bash", "-c", f"exec {command.removesuffix('&')}"]
        with (self.path / "oaktree.log").open("wb") as log:
            server = subprocess.Popen(words, env=self.env, cwd=self.path, stderr=log)
        end = time.monotonic() + 60
        while self.run("openstackoid oaktree call clouds").returncode:
            assert server.poll() is None, (self.path / "oaktree.log").read_text()
            assert time.monotonic() < end
        return server


@pytest.fixture
def home(lab: Lab, tmp_path: Path) -> Iterator[Home]:
    folder = tmp_path / ".local/share/openstackoid/lab/oaktree"
    folder.mkdir(parents=True)
    entries = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {name: entries[name] for name in CLOUDS}}))
    # A socket's path has 107 characters at most.
    runtime = tempfile.mkdtemp(prefix="oak-")
    yield Home(tmp_path, Path(runtime))
    shutil.rmtree(runtime)


def names(home: Home) -> set[str]:
    found = set()
    for kind in ("server", "image", "network", "security-group"):
        done = home.run(f"openstackoid oaktree call list {kind} -c name -c id -f value")
        assert done.returncode == 0, done.stderr
        found |= set(done.stdout.splitlines())
    return found


@pytest.mark.parametrize("page", ["README.md", "docs/tutorials/oaktree.md"])
def test_the_commands_of_a_page_work_and_leave_nothing_behind(page: str, home: Home) -> None:
    first, *rest = commands(page)
    assert " serve " in first
    assert rest
    server = home.serve(first)
    try:
        before = names(home)
        for command in rest:
            done = home.run(command)
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert names(home) == before
    finally:
        server.terminate()
        server.wait(120)
