"""What all services share: imports, the database's transactions, the HTTP server."""

import contextlib
import gc
import http
import importlib
import importlib.metadata
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

# Imported before the services' zygotes are forked: everything here is shared by all of them.
LIBRARIES = (
    "sqlalchemy.orm",
    "sqlalchemy.dialects.sqlite",
    "oslo_db.sqlalchemy.enginefacade",
    "alembic.command",
    "oslo_log.log",
    "oslo_policy.policy",
    "oslo_messaging",
    "oslo_messaging._drivers.impl_fake",
    "oslo_messaging.notify._impl_noop",
    "oslo_middleware",
    "keystonemiddleware.auth_token",
    "keystoneauth1.loading._plugins.identity.generic",
    "paste.deploy",
    "paste.urlmap",
    "stevedore",
    "routes",
    "webob",
    "cheroot.wsgi",
)

THREADS = 16


class NoEventlet:
    """Keeps libraries from importing eventlet when it is there (futurist does), since nova refuses to run with it.

    nova.monkey_patch.poison_eventlet does the same, and fails when it comes too late.
    """

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Refuse eventlet, leave the rest to others."""
        if name.partition(".")[0] == "eventlet":
            raise ImportError("services run on native threads here, without eventlet")
        return None


def preload() -> None:
    """Import what all services share."""
    guard = NoEventlet()
    sys.meta_path.insert(0, guard)
    backend = importlib.import_module("oslo_service.backend")
    backend.init_backend(backend.BackendType.THREADING)
    load(LIBRARIES)
    sys.meta_path.remove(guard)
    sqlite = importlib.import_module(".sqlite", __package__)
    sqlite.begin_writers_immediately()
    sqlite.keep_connections()
    importlib.import_module(".messaging", __package__).deliver_at_once()


def load(modules: tuple[str, ...]) -> None:
    """Import modules for their presence in memory."""
    for module in modules:
        importlib.import_module(module)


def load_drivers(distribution: str, groups: str) -> None:
    """Import the drivers of a package that are named in groups of entry points with this beginning, if what they need is installed."""
    for point in importlib.metadata.distribution(distribution).entry_points:
        if point.group.startswith(groups):
            with contextlib.suppress(ImportError):
                importlib.import_module(point.module)


def configure_mappers() -> None:
    """Configure SQLAlchemy's mappers of all models so far: before the fork for all clouds, and before the first request.

    Two first requests at the same time would configure them twice.
    """
    from sqlalchemy import orm  # noqa: PLC0415

    orm.configure_mappers()


def url(path: Path) -> str:
    """Give oslo.db's URL of a database file; a connection waits up to a minute for a lock."""
    return f"sqlite:///{path}?timeout=60"


def set_folder(variable: str, folder: str) -> None:
    """Set a service's configuration files in the form that its WSGI entry point reads."""
    os.environ[variable] = folder


def serve(application: Callable[..., Any], host: str, port: int) -> None:
    """Serve until SIGTERM, which lets running requests finish for a moment."""
    from cheroot import wsgi  # noqa: PLC0415

    configure_mappers()
    server = wsgi.Server((host, port), application, numthreads=THREADS, server_name=host, request_queue_size=256)
    server.shutdown_timeout = 2
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop, args=(server,)).start())
    server.prepare()
    gc.freeze()
    gc.enable()
    server.serve()
    # stop() ends the process; serve() comes back a little earlier.
    time.sleep(server.shutdown_timeout + 1)


def stop(server: Any) -> None:
    """End the process: threads of a service (nova's timers) would keep it alive otherwise."""
    server.stop()
    os._exit(0)


def wait_until_answering(address: str, seconds: float = 60) -> None:
    """Wait until a URL answers with any status below 500."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310  # the lab's own address
                return
        except urllib.error.HTTPError as error:
            if error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise SystemExit(f"{address} did not answer within {seconds:.0f} s")
        time.sleep(0.1)
