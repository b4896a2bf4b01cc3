"""Placement: what compute has room for."""

from pathlib import Path
from typing import Any

from . import common

DATABASES = ("placement",)


def preload() -> None:
    """Import placement."""
    common.load(("placement.wsgi", "placement.deploy", "placement.db.sqlalchemy.migration"))


def make_schema(folder: Path, urls: dict[str, str]) -> None:
    """Create placement's tables, as its ``sync_on_startup`` does."""
    from oslo_config import cfg  # noqa: PLC0415
    from placement import conf, db_api  # noqa: PLC0415
    from placement.db.sqlalchemy import migration  # noqa: PLC0415

    path = folder / "placement.conf"
    path.write_text(f"[placement_database]\nconnection = {urls['placement']}\n")
    config = cfg.ConfigOpts()
    conf.register_opts(config)
    config([], project="placement", default_config_files=[str(path)])
    db_api.configure(config)
    migration.upgrade("head")


def prepare(_order: dict[str, Any]) -> None:
    """Have nothing to prepare."""


def application(order: dict[str, Any]) -> Any:
    """Give placement's WSGI application."""
    common.set_folder("OS_PLACEMENT_CONFIG_DIR", order["etc"])
    from placement import wsgi  # noqa: PLC0415

    return wsgi.init_application()
