"""Clients as people install them: from their archives, in environments with nothing of this repository."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oaktree import installed
from tests.oaktree.answering import Oaktree, running

ROOT = Path(__file__).parents[2]
LISTED = "one web-one ACTIVE\ntwo web-two ACTIVE\n"
FAILED = "CloudsFailedError: what was listed is not all: dead/RegionOne: no answer"


@pytest.fixture
def oaktree(tmp_path: Path) -> Iterator[Oaktree]:
    with running(Oaktree(tmp_path)) as server:
        yield server


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command, cwd=cwd, env=kept | environment, capture_output=True, text=True, check=False, timeout=600
    )


def test_the_wheel_alone_lists_everywhere(oaktree: Oaktree, tmp_path: Path) -> None:
    python = installed.python()
    shutil.copy(ROOT / "examples/oaktree/list_everywhere.py", tmp_path)
    done = run(python, "list_everywhere.py", cwd=tmp_path, OAKTREE_TARGET=f"unix:{oaktree.socket}")
    assert (done.stdout, done.returncode) == (LISTED, 1)
    assert FAILED in done.stderr
    there = run(installed.UV, "pip", "list", "--python", python, cwd=tmp_path).stdout.split()
    # What openstacksdk finds by itself, where it is installed.
    done = run(
        python, "-c", "from importlib.metadata import entry_points; print(entry_points(group='keystoneauth1.plugin'))"
    )
    assert "oaktree.openstacksdk.plugin:Loader" in done.stdout
    assert (next(python.parents[1].glob("lib/*/site-packages/oaktree")) / "openstacksdk/transport.py").exists()
    assert not {"openstacksdk", "keystoneauth1", "openstackoid", "aiohttp", "sqlalchemy"} & set(there)
    done = run(python, "-c", "import oaktree.client, oaktree.v1.network_pb2; import openstackoid", cwd=tmp_path)
    assert "No module named 'openstackoid'" in done.stderr


def test_the_archive_for_npm_alone_lists_everywhere(oaktree: Oaktree, tmp_path: Path) -> None:
    archive = installed.javascript()
    with tarfile.open(archive) as packed:
        names = set(packed.getnames())
    (tmp_path / "unpacked").mkdir()
    run("tar", "-xf", archive, cwd=tmp_path / "unpacked")
    assert {"package/dist/index.js", "package/dist/index.d.ts", "package/dist/gen/oaktree/v1/compute_pb.js"} <= names
    assert {"package/package.json", "package/README.md", "package/LICENSE"} <= names
    assert not [name for name in names if "/src/" in name or "node_modules" in name]
    # As npm puts it there, beside what it needs.
    modules = tmp_path / "project/node_modules"
    modules.mkdir(parents=True)
    for path in (ROOT / "clients/javascript/node_modules").iterdir():
        if not path.name.startswith((".", "typescript")):
            (modules / path.name).symlink_to(path)
    shutil.move(tmp_path / "unpacked/package", modules / "openstackoid-oaktree")
    shutil.copy(ROOT / "examples/oaktree/list-everywhere.mjs", tmp_path / "project")
    done = run("node", "list-everywhere.mjs", cwd=tmp_path / "project", OAKTREE_TARGET=f"unix:{oaktree.socket}")
    assert (done.stdout, done.returncode) == (LISTED, 1), done.stderr
    assert FAILED in done.stderr
