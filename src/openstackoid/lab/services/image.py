"""Glance: images."""

from pathlib import Path
from typing import Any

from . import common

DATABASES = ("glance",)


def preload() -> None:
    """Import glance."""
    common.load(("glance.common.wsgi_app", "glance.api.v2.router", "glance.api.middleware.version_negotiation"))
    common.load(("glance.api.middleware.context", "oslo_messaging._drivers.impl_rabbit"))
    common.load_drivers("glance_store", "glance_store.drivers")


def make_schema(folder: Path, urls: dict[str, str]) -> None:
    """Run glance's migrations, as ``glance-manage db sync`` does."""
    from glance.cmd import manage  # noqa: PLC0415
    from glance.common import config  # noqa: PLC0415
    from oslo_config import cfg  # noqa: PLC0415

    path = folder / "glance-api.conf"
    path.write_text(f"[database]\nconnection = {urls['glance']}\n")
    config.set_config_defaults()
    cfg.CONF([], project="glance", prog="glance-manage", default_config_files=[str(path)])
    manage.DbCommands().sync()


def prepare(order: dict[str, Any]) -> None:
    """Make the folder where images are kept."""
    Path(order["store"]).mkdir(mode=0o700, exist_ok=True)


def application(order: dict[str, Any]) -> Any:
    """Give glance's WSGI application."""
    common.set_folder("OS_GLANCE_CONFIG_DIR", order["etc"])
    from glance.common import wsgi_app  # noqa: PLC0415

    return wsgi_app.init_app()
