"""The container file, as far as it shows without a container runtime: its form, what it copies, and what its steps would do here.

No test builds the image: nothing here can run one.
"""

import json
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from .conftest import DEPLOY, HERE, ROLE

FILE = DEPLOY / "container" / "Containerfile"
# The instructions of https://docs.docker.com/reference/dockerfile/ that may stand in an image of OCI's form.
INSTRUCTIONS = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "STOPSIGNAL", "CMD"}


def steps() -> list[tuple[str, str]]:
    """(instruction, the rest) of each line, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in text.splitlines()) if word
    ]


def of(instruction: str) -> list[str]:
    return [rest for word, rest in steps() if word == instruction]


def test_the_form() -> None:
    assert {word for word, _ in steps()} <= INSTRUCTIONS
    assert steps()[0][0] == "FROM"
    first, second = of("FROM")
    assert first == f"{second} AS build"
    assert first.startswith("docker.io/library/python:3.11-"), "as the tests have it, and by its full name"
    for command in of("RUN"):
        done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_what_is_copied_is_there_and_all_that_a_wheel_needs(tmp_path: Path) -> None:
    ignored = [line.strip() for line in (HERE / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    sources: set[str] = set()
    for words in map(shlex.split, of("COPY")):
        if words[0] != "--from=build":
            sources.update(words[:-1])
    for name in sources:
        assert (HERE / name).exists(), name
        assert not any(fnmatch(name, pattern.removeprefix("**/")) for pattern in ignored), name
    # The step that makes the wheel, in a tree that has nothing else.
    for name in sources:
        (tmp_path / name).symlink_to(HERE / name)
    command = next(command for command in of("RUN") if "pip wheel" in command)
    words = shlex.split(command.replace("/dist", str(tmp_path / "dist")))
    assert words[0] == "python"
    done = subprocess.run(
        [sys.executable, *words[1:], "--no-build-isolation"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "dist").glob("openstackoid-*.whl")
    assert f"{wheel.name}[gateway]" in subprocess.run(
        ["sh", "-c", f'echo "$(ls {tmp_path}/dist/openstackoid-*.whl)[gateway]"'], capture_output=True, text=True, check=True
    ).stdout  # fmt: skip


def test_it_runs_as_a_user_and_installs_nothing_by_its_name() -> None:
    (user,) = of("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert f"--uid {user.partition(':')[0]}" in " ".join(of("RUN"))
    install = next(command for command in of("RUN") if "pip install" in command)
    assert "-c constraints.txt" in install
    assert '"$(ls /dist/openstackoid-*.whl)[' in install


def test_what_it_starts_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    from openstackoid.cli import main  # noqa: PLC0415 - as a user of the image would

    (command,) = map(json.loads, of("CMD"))
    program, group, *options = command
    assert program == "openstackoid"
    with pytest.raises(SystemExit) as end:
        main([group, "--help"])
    assert end.value.code == 0
    assert all(option in capsys.readouterr().out for option in options if option.startswith("--"))
    places = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    assert Path(options[-1]).parent == Path(places["openstackoid_config_dir"])
    assert places["openstackoid_data_dir"] in of("VOLUME")
