"""Horizon, as it is published, for the clouds of a lab; gunicorn and WhiteNoise serve it.

Its environment is apart from the services': both want different versions of the same libraries. Static files are collected and
compressed once, when the environment is made: they depend on the installed packages alone. What a cloud has of its own are settings, a key
and its users' sessions, in the cloud's folder.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from . import environment, processes, state
from .environment import Environment
from .errors import LabError
from .layout import DASHBOARD, DASHBOARD_PORT, Cloud

PACKAGES: Final = ("gunicorn", "horizon", "whitenoise")
APPLICATION: Final = Path(__file__).with_name("services") / "horizon.py"
_MODULE: Final = "openstack_dashboard.settings"
# Horizon's own (openstack_dashboard/defaults.py), but for `create_volume`: the lab's block storage has no data to start a server from.
_LAUNCH_DEFAULTS: Final = {
    "config_drive": False,
    "create_volume": False,
    "hide_create_volume": False,
    "disable_image": False,
    "disable_instance_snapshot": False,
    "disable_volume": False,
    "disable_volume_snapshot": False,
    "enable_scheduler_hints": True,
    "enable_metadata": True,
    "enable_net_ports": True,
    "default_availability_zone": "Any",
}
_HEAD: Final = '"""Settings of Horizon, which `openstackoid lab up` writes anew."""\n\n'


def ensure(cache: Path, progress: Callable[[str], None]) -> Environment:
    """Find the environment of Horizon, or make it.

    Raises:
        LabError: the environment cannot be made; the message has the output of the program that failed.
    """
    versions = environment.constraints("dashboard-constraints.txt")

    panels = panels_source()

    def make(home: Environment) -> None:
        progress("installing Horizon into an environment of its own")
        environment.install(home, versions, (*PACKAGES, str(panels)))
        add_panels(home)
        compress(home)

    files = sorted(path for path in panels.rglob("*") if path.is_file() and path.suffix != ".pyc")
    contents = [f"{path.relative_to(panels)} {path.read_text(encoding='utf-8')}" for path in files]
    inputs = "\n".join([sys.version, *PACKAGES, versions, render(shared(Environment(Path("/")))), *contents])
    return environment.made_once(cache / f"dashboard-{hashlib.sha256(inputs.encode()).hexdigest()[:12]}", make)


def panels_source() -> Path:
    """Find the package of our panels: in the checkout, or where this package installs it.

    Raises:
        LabError: it is in neither.
    """
    places = (Path(__file__).parents[3] / "dashboard", Path(sys.prefix) / "share" / "openstackoid" / "dashboard")
    for place in places:
        if (place / "openstackoid_dashboard").is_dir():
            return place
    raise LabError(f"no panels for Horizon: expected {' or '.join(map(str, places))}; install openstackoid anew")


def add_panels(home: Environment) -> None:
    """Copy what Horizon reads from its own folders, as a plugin's operators do."""
    local = home.site / "openstack_dashboard" / "local"
    for folder in ("enabled", "local_settings.d"):
        for path in (home.site / "openstackoid_dashboard" / folder).glob("_*.py"):
            shutil.copy(path, local / folder)


def compress(home: Environment) -> None:
    """Collect and compress the static files of all panels, into the environment."""
    folder = home.path / "build"
    write_settings(folder, {**shared(home), "SECRET_KEY": "builds static files"})
    for command in (("collectstatic", "--noinput", "--verbosity=0"), ("compress", "--force")):
        done = subprocess.run(
            [str(home.python), "-m", "django", *command],
            env=variables(home, folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise LabError(f"Horizon's {command[0]} failed:\n{done.stdout[-2000:].strip()}")
    shutil.rmtree(folder)


def shared(home: Environment) -> dict[str, Any]:
    """Give the settings on which the static files depend."""
    return {
        "STATIC_ROOT": str(home.path / "static"),
        "COMPRESS_OFFLINE": True,
        # Without a cache that works, the templates of Horizon's JavaScript are left out silently.
        "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        "AVAILABLE_THEMES": [("default", "Default", "themes/default")],
    }


def settings(cloud: Cloud, home: Environment) -> dict[str, Any]:
    """Give the settings of a cloud's Horizon; its key is made by Horizon itself, in ``LOCAL_PATH``."""
    return {
        **shared(home),
        "LOCAL_PATH": str(cloud.dashboard_folder),
        "ALLOWED_HOSTS": [cloud.frontend_host],
        "SITE_BRANDING": cloud.name,
        "OPENSTACK_KEYSTONE_URL": cloud.auth_url,
        "OPENSTACK_KEYSTONE_DEFAULT_ROLE": "member",
        # A browser's upload goes through Horizon: the image service allows no other origins.
        "HORIZON_IMAGES_UPLOAD_MODE": "legacy",
        # Users stay logged in when Horizon restarts. A session holds a token: the folder is its owner's only.
        "SESSION_ENGINE": "django.contrib.sessions.backends.file",
        "SESSION_FILE_PATH": str(cloud.dashboard_folder / "sessions"),
        "TIME_ZONE": "UTC",
        "LAUNCH_INSTANCE_DEFAULTS": _LAUNCH_DEFAULTS,
    }


def render(values: Mapping[str, Any]) -> str:
    """Write settings as the Python module that Horizon imports."""
    return _HEAD + "".join(f"{name} = {value!r}\n" for name, value in values.items())


def write_settings(folder: Path, values: Mapping[str, Any]) -> None:
    """Write the package ``local``, where Horizon looks for settings."""
    state.write_private(folder / "local" / "__init__.py", "")
    state.write_private(folder / "local" / "local_settings.py", render(values))


def variables(home: Environment, folder: Path) -> dict[str, str]:
    """Give the environment of Horizon's processes, without proxies, PYTHON* and OS_* of the caller."""
    return {
        "PATH": f"{home.path / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(folder),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "DJANGO_SETTINGS_MODULE": _MODULE,
    }


def start(cloud: Cloud, home: Environment) -> None:
    """Start a cloud's Horizon, without waiting for it."""
    folder = cloud.dashboard_folder
    write_settings(folder, settings(cloud, home))
    (folder / "sessions").mkdir(exist_ok=True, mode=0o700)
    shutil.copyfile(APPLICATION, folder / "lab_horizon.py")
    command = [
        str(home.python), "-m", "gunicorn", "--bind", f"{cloud.frontend_host}:{DASHBOARD_PORT}",
        "--workers", "1", "--threads", "4", "--timeout", "120", "--worker-tmp-dir", str(folder), "--no-control-socket",
        "lab_horizon:application",
    ]  # fmt: skip
    processes.spawn(command, cloud.log(DASHBOARD), variables(home, folder), cloud.pid_file(DASHBOARD))
