"""What is installed: a wheel and an sdist hold all that an operator needs, and nothing of who built them."""

import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from .conftest import HERE, build

# Folder of the tree -> where a wheel puts it.
SHARED = {
    "dashboard": "share/openstackoid/dashboard",
    "deploy": "share/openstackoid/deploy",
    "docs": "share/doc/openstackoid/docs",
}


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    """Files of the tree, as git knows them; new ones, too, unless they are ignored."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=HERE, check=True, capture_output=True, text=True).stdout.splitlines()
    return {name for name in listed if (HERE / name).is_file()}


@pytest.fixture(scope="module")
def installed(wheel: Path) -> set[str]:
    """Names in the wheel, data files as they are below PREFIX."""
    with zipfile.ZipFile(wheel) as archive:
        return {name.partition(".data/data/")[2] or name for name in archive.namelist()}


def test_a_wheel_has_all_code_and_its_data(installed: set[str], tracked: set[str]) -> None:
    code = {name.removeprefix("src/") for name in tracked if name.startswith(("src/openstackoid/", "src/oaktree/"))}
    assert len(code) > 300
    assert code <= installed


def test_a_wheel_has_the_docs_the_change_log_and_what_is_deployed(installed: set[str], tracked: set[str]) -> None:
    for folder, place in SHARED.items():
        files = {name for name in tracked if name.startswith(f"{folder}/")}
        assert len(files) > 20
        assert {name.replace(folder, place, 1) for name in files} <= installed
    assert "share/doc/openstackoid/CHANGELOG.md" in installed


def test_nothing_else_is_in_a_wheel(installed: set[str]) -> None:
    places = ("openstackoid/", "oaktree/", "openstackoid-", "share/doc/openstackoid/", "share/openstackoid/")
    assert [name for name in installed if not name.startswith(places)] == []


def test_the_wheel_of_the_panels_has_their_templates_and_what_horizon_reads(tracked: set[str], tmp_path: Path) -> None:
    files = {
        name.removeprefix("dashboard/") for name in tracked if name.startswith("dashboard/openstackoid_dashboard/")
    }
    assert {".html", ".py", ".yaml"} <= {Path(name).suffix for name in files}
    with zipfile.ZipFile(build(HERE / "dashboard", "wheel", tmp_path)) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == files


def test_an_sdist_is_the_tree_and_makes_the_same_wheel(installed: set[str], tracked: set[str], tmp_path: Path) -> None:
    (tmp_path / "sdist").mkdir()
    sdist = build(HERE, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert tracked <= names
    (tmp_path / "tree").mkdir()
    subprocess.run(["tar", "-xf", sdist, "-C", tmp_path / "tree"], check=True)
    (tree,) = (tmp_path / "tree").iterdir()
    (tmp_path / "wheel").mkdir()
    with zipfile.ZipFile(build(tree, "wheel", tmp_path / "wheel")) as archive:
        assert {name.partition(".data/data/")[2] or name for name in archive.namelist()} == installed
