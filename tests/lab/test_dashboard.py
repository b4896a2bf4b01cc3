"""What the lab writes for Horizon, without starting it."""

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openstackoid.lab import Lab, LabError, dashboard, state
from openstackoid.lab.environment import Environment
from openstackoid.lab.layout import DASHBOARD, plan

CLOUDS = plan(Path("/lab"), ["CloudOne", "CloudTwo"], "127.0.7.0", with_dashboard=True)
HOME = Environment(Path("/cache/dashboard-1"))
DEFAULTS = state.State(("CloudOne",), "127.0.7.0", with_gateway=True)


def loaded(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    exec((folder / "local" / "local_settings.py").read_text(), values)
    return values


def test_users_and_horizon_ask_the_cloud_through_its_frontend(tmp_path: Path) -> None:
    dashboard.write_settings(tmp_path, dashboard.settings(CLOUDS["CloudTwo"], HOME))
    found = loaded(tmp_path)
    assert found["OPENSTACK_KEYSTONE_URL"] == "http://127.0.8.2:5000/v3"
    assert found["ALLOWED_HOSTS"] == ["127.0.8.2"]
    assert found["SITE_BRANDING"] == "CloudTwo"


def test_settings_and_sessions_are_their_owners_only(tmp_path: Path) -> None:
    dashboard.write_settings(tmp_path / "made", dashboard.settings(CLOUDS["CloudOne"], HOME))
    for path in (tmp_path / "made").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    found = loaded(tmp_path / "made")
    assert found["SESSION_FILE_PATH"].startswith("/lab/CloudOne/")
    assert "SECRET_KEY" not in found


def test_static_files_are_those_of_the_environment_in_every_cloud() -> None:
    for cloud in CLOUDS.values():
        values = dashboard.settings(cloud, HOME)
        assert dashboard.shared(HOME).items() <= values.items()
        assert values["STATIC_ROOT"] == "/cache/dashboard-1/static"


def test_processes_of_horizon_inherit_no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OS_PASSWORD", "PYTHONSTARTUP", "https_proxy"):
        monkeypatch.setenv(name, "x")
    assert "x" not in dashboard.variables(HOME, Path("/f")).values()


def test_a_horizon_is_the_last_part_of_its_cloud_and_listens_at_the_frontend() -> None:
    cloud = CLOUDS["CloudOne"]
    assert cloud.parts[-1] == DASHBOARD
    assert cloud.listens(DASHBOARD) == (("127.0.7.2", 8080),)
    assert cloud.health(DASHBOARD) == f"{cloud.dashboard}auth/login/" == "http://127.0.7.2:8080/auth/login/"
    assert DASHBOARD not in replace(cloud, with_dashboard=False).parts


def test_a_lab_has_none_until_it_is_asked_for_and_keeps_it_then(tmp_path: Path) -> None:
    assert not state.merge(None, [], None, defaults=DEFAULTS).with_dashboard
    assert not state.merge(DEFAULTS, [], None, defaults=DEFAULTS, with_dashboard=None).with_dashboard
    added = state.merge(DEFAULTS, [], None, defaults=DEFAULTS, with_dashboard=True)
    assert added == replace(DEFAULTS, with_dashboard=True)
    assert state.merge(added, ["CloudTwo"], None, defaults=DEFAULTS, with_dashboard=None).with_dashboard
    asked = {"aggregator": True, "aggregator_dashboard": True}
    assert state.merge(None, [], None, defaults=DEFAULTS, **asked).aggregator_dashboard
    state.save(tmp_path, added)
    assert state.load(tmp_path) == added
    assert DASHBOARD in Lab(tmp_path).clouds["CloudOne"].parts


def test_a_damaged_setting_is_reported(tmp_path: Path) -> None:
    state.save(tmp_path, DEFAULTS)
    path = tmp_path / state.FILE
    path.write_text(path.read_text().replace('"with_dashboard": false', '"with_dashboard": "no"'))
    with pytest.raises(LabError, match="damaged"):
        state.load(tmp_path)
