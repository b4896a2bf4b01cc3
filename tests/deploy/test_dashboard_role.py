"""The Ansible role that adds the panels to a Horizon: here, an environment with the folders that Horizon reads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from openstackoid.lab import installing

from .conftest import GIVE_BYTECODE, HERE, ansible_settings, build

LOCAL = (
    "enabled/_8010_federation.py",
    "local_settings.d/_8010_federation_policies.py",
    "local_settings.d/_8011_federation_regions.py",
)


@pytest.fixture
def horizon(tmp_path: Path) -> Path:
    """The folder of an environment; its `openstack_dashboard` has folders for plugins, as Horizon's."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "venv", "-q", "--seed", "-p", sys.executable, str(tmp_path / "horizon")]
    subprocess.run(command, check=True, env=installing.environment(os.environ))
    subprocess.run([*GIVE_BYTECODE, tmp_path / "horizon"], check=True)
    (site,) = (tmp_path / "horizon" / "lib").glob("python*/site-packages")
    for folder in ("enabled", "local_settings.d"):
        (site / "openstack_dashboard" / "local" / folder).mkdir(parents=True)
    (site / "openstack_dashboard" / "__init__.py").touch()
    return tmp_path / "horizon"


def play(folder: Path, horizon: Path, wheel: Path, *options: str) -> str:
    variables = {
        "openstackoid_dashboard_wheel": str(wheel),
        "openstackoid_dashboard_python": str(horizon / "bin" / "python"),
        "openstackoid_dashboard_restart_command": f"echo restarted >> {folder}/restarts",
    }
    playbook = folder / "playbook.json"
    hosts = {"hosts": "localhost", "connection": "local", "gather_facts": False, "roles": ["openstackoid_dashboard"]}
    playbook.write_text(json.dumps([hosts | {"vars": variables}]))
    given = ansible_settings(folder / "ansible") | {
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", *options, str(playbook)]
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_panels_are_installed_and_enabled_and_horizon_restarts_once(tmp_path: Path, horizon: Path) -> None:
    wheel = build(HERE / "dashboard", "wheel", tmp_path / "wheel")
    (site,) = horizon.glob("lib/python*/site-packages")
    play(tmp_path, horizon, wheel, "--check")
    assert not (site / "openstackoid_dashboard").exists()
    play(tmp_path, horizon, wheel)
    for name in LOCAL:
        copied, ours = (site / package / name for package in ("openstack_dashboard/local", "openstackoid_dashboard"))
        assert copied.read_bytes() == ours.read_bytes()
    assert "changed=0" in play(tmp_path, horizon, wheel)
    assert (tmp_path / "restarts").read_text().splitlines() == ["restarted"]
