"""The oldest openstacksdk that is promised has all that is served: every kind's class, and the server itself lists with it."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Imports every kind's class, then the server.
CHECK = """
import json, openstack.version
from openstackoid.oaktree import server
from openstackoid.oaktree.resources.kinds import Kinds
kinds = [kind.attributes for kind in Kinds()]
print(json.dumps([openstack.version.__version__, len(kinds)]))
"""


def promised() -> str:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    [found] = [match[1] for each in extras["oaktree"] if (match := re.fullmatch(r"openstacksdk>=([\d.]+)", each))]
    return found


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with that version alone."""
    folder = tmp_path_factory.mktemp("oldest")
    uv = Path(sys.executable).with_name("uv")
    version = promised()
    wanted = f"openstacksdk=={version}" + ("" if version.count(".") > 1 else ".0")
    command = [
        str(uv),
        "pip",
        "install",
        "-q",
        "--python",
        sys.executable,
        "--no-deps",
        "--target",
        str(folder),
        wanted,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no package index answers: {done.stderr.strip()[:200]}")
    return folder


def test_it_has_every_kind(oldest: Path) -> None:
    path = os.pathsep.join([str(oldest), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-c", CHECK],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    version, kinds = json.loads(done.stdout.splitlines()[-1])
    assert version.startswith(promised())
    assert kinds == len(json.loads((ROOT / "src/openstackoid/oaktree/kinds.json").read_text())["kinds"])
