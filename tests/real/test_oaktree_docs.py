"""The commands of the pages about oaktree, as users type them: `$ openstackoid oaktree ...` in `console` blocks, in their order."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from openstack.config import OpenStackConfig
from openstack.connection import Connection
from tests import commands as starts

from openstackoid.lab import Lab

# openstacksdk warns its own code of what it will drop.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")

ROOT: Final = Path(__file__).parents[2]
CLOUDS: Final = ("CloudOne", "CloudTwo")
_BLOCK: Final = re.compile(r"^```console$(.*?)^```$", re.MULTILINE | re.DOTALL)
# What belongs to the commands: a file that is uploaded.
_OURS: Final = re.compile(r"openstackoid oaktree |head ")
_SHELL: Final = re.compile(r"[|<>&$~]")


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
    def clouds_yaml(self) -> Path:
        return self.path / ".local/share/openstackoid/lab/oaktree/clouds.yaml"

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OAKTREE_", "XDG_"))}
        programs = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        return kept | {"HOME": str(self.path), "XDG_RUNTIME_DIR": str(self.runtime), "PATH": programs}

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run what a page has: in a shell if it needs one, else by a fork of a process that has imported the libraries."""
        options: Any = {"cwd": self.path, "capture_output": True, "text": True, "timeout": 180}
        if _SHELL.search(re.sub(r"'[^']*'", "", command)):
            return subprocess.run(["bash", "-o", "pipefail", "-c", command], env=self.env, check=False, **options)
        program, *words = shlex.split(command)
        # The home of the tests: `call` reads nothing there.
        env = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OAKTREE_"))}
        env["XDG_RUNTIME_DIR"] = str(self.runtime)
        return starts.run([Path(sys.executable).with_name(program), *words], env=env, check=False, **options)

    def serve(self, command: str) -> "subprocess.Popen[bytes]":
        words = ["bash", "-c", f"exec {command.removesuffix('&')}"]
        with (self.path / "oaktree.log").open("wb") as log:
            server = subprocess.Popen(words, env=self.env, cwd=self.path, stderr=log)
        end = time.monotonic() + 60
        while (
            not (self.runtime / "oaktree.sock").is_socket() or self.run("openstackoid oaktree call clouds").returncode
        ):
            assert server.poll() is None, (self.path / "oaktree.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        return server


@pytest.fixture
def home(lab: Lab, tmp_path: Path) -> Iterator[Home]:
    entries = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]
    # A socket's path has 107 characters at most.
    made = Home(tmp_path, Path(tempfile.mkdtemp(prefix="oak-")))
    made.clouds_yaml.parent.mkdir(parents=True)
    made.clouds_yaml.write_text(yaml.safe_dump({"clouds": {name: entries[name] for name in CLOUDS}}))
    yield made
    shutil.rmtree(made.runtime)


def names(home: Home) -> set[tuple[str, str]]:
    """The ids and names of what Alice has and sees in both clouds."""
    config = OpenStackConfig(config_files=[str(home.clouds_yaml)], load_envvars=False)
    found: set[tuple[str, str]] = set()
    for name in CLOUDS:
        with Connection(config=config.get_one(name)) as cloud:
            proxies = cloud.compute.servers, cloud.image.images, cloud.network.networks, cloud.network.security_groups
            found |= {(each.id, each.name) for listed in proxies for each in listed()}
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
