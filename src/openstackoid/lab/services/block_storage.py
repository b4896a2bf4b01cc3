"""Cinder: API, scheduler and volume of one cloud, in one process.

One process, as nova's: their messages travel by oslo.messaging's ``fake://`` driver. They run on native threads, which cinder 29 calls
experimental.
"""

import os
import sys
from pathlib import Path
from typing import Any

from . import common

DATABASES = ("cinder",)
_BACKEND = "lab"


def preload() -> None:
    """Import cinder, with its own way of staying off eventlet, which it still imports."""
    os.environ["OS_CINDER_DISABLE_EVENTLET_PATCHING"] = "1"
    common.load(("cinder.monkey_patch",))
    from cinder import monkey_patch  # noqa: PLC0415

    monkey_patch.patch(backend="threading")
    from cinder import objects  # noqa: PLC0415

    objects.register_all()  # its other modules name classes that only this makes
    common.load(
        (
            "cinder.wsgi.wsgi",
            "cinder.api.v3.router",
            "cinder.volume.manager",
            "cinder.scheduler.manager",
            "cinder.scheduler.filter_scheduler",
            "cinder.db.migration",
            "os_brick",
        )
    )
    from . import volumes  # noqa: PLC0415

    sys.modules["openstackoid_lab_volumes"] = volumes


def make_schema(folder: Path, urls: dict[str, str]) -> None:
    """Run cinder's migrations, as ``cinder-manage db sync`` does."""
    from cinder.db import migration  # noqa: PLC0415
    from oslo_config import cfg  # noqa: PLC0415

    path = folder / "cinder.conf"
    path.write_text(f"[database]\nconnection = {urls['cinder']}\n")
    cfg.CONF([], project="cinder", default_config_files=[str(path)])
    migration.db_sync()


def prepare(order: dict[str, Any]) -> None:
    """Make the folder of locks."""
    Path(order["state"]).mkdir(mode=0o700, exist_ok=True)


def application(order: dict[str, Any]) -> Any:
    """Give cinder's WSGI application, as cinder.wsgi.api does, with scheduler and volume beside it."""
    sys.argv = ["cinder-api", "--config-file", f"{order['etc']}/cinder.conf"]
    from cinder.wsgi import wsgi  # noqa: PLC0415

    application = wsgi.initialize_application()
    start_services()
    return application


def start_services() -> None:
    """Start volume, then the scheduler, which waits for what volume tells of itself."""
    import os_brick  # noqa: PLC0415
    from cinder import service  # noqa: PLC0415
    from oslo_config import cfg  # noqa: PLC0415

    os_brick.setup(cfg.CONF)
    # As cinder.cmd.volume does, whose import would read arguments.
    cfg.CONF.register_opt(cfg.StrOpt("backend_host"), group=_BACKEND)
    host = f"{cfg.CONF.host}@{_BACKEND}"
    service.Service.create(host=host, service_name=_BACKEND, binary="cinder-volume", coordination=True).start()
    service.Service.create(binary="cinder-scheduler").start()
