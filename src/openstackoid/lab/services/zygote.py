"""Processes that import once and fork often.

What makes OpenStack slow to start is importing it, not running it: a second or more for each service, the same for every
cloud. So one parent imports what all services share, forks a *zygote* for each service, which imports the service and
makes its schema once in a template database, and forks one server for each cloud over a copy of that template::

    start() ── common libraries
      ├── zygote of identity ── keystone ──┬── server in CloudOne
      │                                    └── server in CloudTwo
      ├── zygote of compute  ── nova ──────┬── ...

The zygotes end as soon as they have forked; the servers go on alone, each in a session of its own, and share with each
other the memory of what was imported before the fork.
"""

import gc
import importlib
import json
import os
import shutil
import sqlite3
import sys
import warnings
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from . import common, keeping
from .forking import fork, wait_for

# Where each service is: a module of this package with DATABASES, preload(), make_schema(), prepare() and application().
SERVICES = ("identity", "network", "compute", "image", "placement", "block-storage")


def start(path: Path) -> None:
    """Start the servers that the orders in a file name, and return when all are forked.

    Orders have ``templates`` (the folder of template databases), ``zygotes`` (the folder of those that are kept, or nothing: see
    ``keeping``) and ``servers``, a list of objects: ``service``, ``cloud``, ``host``, ``port``, ``etc`` (its configuration),
    ``databases`` (name -> file), ``log``, ``pid`` (the file to write its process into) and what the service's own module wants.
    """
    # Databases, images and locks are for their owner only; no folder of the caller's is held.
    os.umask(0o077)
    os.chdir("/")
    orders = json.loads(path.read_text())
    kept = Path(orders["zygotes"]) if orders["zygotes"] else None
    wanted = [service for service in SERVICES if any(order["service"] == service for order in orders["servers"])]
    asked = {service: keeping.ask(kept, service, path) for service in wanted} if kept else {}
    new = [service for service in wanted if not asked.get(service)]
    if new:
        # Modules stay in memory: collections would take time and unshare their pages. `common.serve` enables them.
        gc.disable()
        os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
        warnings.simplefilter("ignore")
        # Services parse it where their own programs would.
        sys.argv = ["openstackoid-lab"]
        common.preload()
    zygotes = [fork(partial(zygote, service, path, kept)) for service in new]
    well = [os.waitpid(pid, 0)[1] == 0 for pid in zygotes]
    well += [keeping.finished(connection) for connection in asked.values() if connection]
    sys.exit(0 if all(well) else 1)


def zygote(service: str, path: Path, kept: Path | None) -> None:
    """Import a service, and fork its servers; then another one of its kind, if zygotes are kept."""
    module = importlib.import_module(f".{service.replace('-', '_')}", __package__)
    module.preload()
    common.configure_mappers()
    begin = partial(fork_servers, service, module)
    begin(path)
    if kept:
        fork(partial(keeping.stay, kept, service, begin))


def fork_servers(service: str, module: ModuleType, path: Path) -> None:
    """Fork the servers of a service that the orders in a file name."""
    orders = json.loads(path.read_text())
    templates = Path(orders["templates"])
    ensure_templates(module, templates)
    os.environ["HOME"] = str(path.parent)
    for order in orders["servers"]:
        if order["service"] == service:
            # Noted here, and not by the server itself: when the zygotes have ended, all servers can be found.
            note_process(Path(order["pid"]), fork(partial(server, module, order, templates)))


def ensure_templates(module: ModuleType, templates: Path) -> None:
    """Make the service's template databases, unless an earlier start has."""
    missing = [name for name in module.DATABASES if not (templates / f"{name}.sqlite").exists()]
    if not missing:
        return
    workshop = templates / f"making-{module.__name__.rpartition('.')[2]}-{os.getpid()}"
    workshop.mkdir(parents=True)
    paths = {name: workshop / f"{name}.sqlite" for name in module.DATABASES}
    wait_for(fork(lambda: module.make_schema(workshop, {name: common.url(path) for name, path in paths.items()})))
    for path in paths.values():
        with sqlite3.connect(path) as connection:
            # Readers and a writer at the same time; the mode is kept in the file, so copies have it as well.
            connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        path.replace(templates / path.name)
    shutil.rmtree(workshop)


def server(module: ModuleType, order: dict[str, Any], templates: Path) -> None:
    """Become one service of one cloud."""
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    for name, path in order["databases"].items():
        if not Path(path).exists():
            fresh = Path(f"{path}.new")
            fresh.write_bytes((templates / f"{name}.sqlite").read_bytes())
            fresh.chmod(0o600)
            fresh.replace(path)
    # In a process of its own: it leaves global configuration behind.
    wait_for(fork(lambda: module.prepare(order)))
    common.serve(module.application(order), order["host"], order["port"])


def note_process(path: Path, pid: int) -> None:
    """Write who a server is: a process id alone may belong to another process later, with its start time it cannot."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"pid": pid, "started": int(fields[19])}))
    fresh.replace(path)
