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
import traceback
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from . import common

# Where each service is: a module of this package with DATABASES, preload(), make_schema(), prepare() and application().
SERVICES = ("identity", "network", "compute", "image", "placement", "block-storage")


def start(orders: dict[str, Any]) -> None:
    """Start the servers that ``orders`` name, and return when all are forked.

    ``orders`` has ``templates`` (the folder of template databases) and ``servers``, a list of objects: ``service``,
    ``cloud``, ``host``, ``port``, ``etc`` (its configuration), ``databases`` (name -> file), ``log``, ``pid`` (the
    file to write its process into) and what the service's own module wants.
    """
    # Databases, images and locks are for their owner only; no folder of the caller's is held.
    os.umask(0o077)
    os.chdir("/")
    os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
    warnings.simplefilter("ignore")
    # Services parse it where their own programs would.
    sys.argv = ["openstackoid-lab"]
    # Modules stay in memory: collections would take time and unshare their pages. `common.serve` enables them.
    gc.disable()
    common.preload()
    zygotes = []
    for service in SERVICES:
        wanted = [order for order in orders["servers"] if order["service"] == service]
        if wanted:
            zygotes.append(fork(partial(zygote, service, wanted, Path(orders["templates"]))))
    failed = [pid for pid in zygotes if os.waitpid(pid, 0)[1] != 0]
    sys.exit(1 if failed else 0)


def zygote(service: str, orders: Sequence[dict[str, Any]], templates: Path) -> None:
    """Import a service, and fork its servers."""
    module = importlib.import_module(f".{service.replace('-', '_')}", __package__)
    module.preload()
    common.configure_mappers()
    ensure_templates(module, templates)
    for order in orders:
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


def fork(work: Callable[[], None]) -> int:
    """Do ``work`` in a child, which never comes back here."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        child(work)
    return pid


def child(work: Callable[[], None]) -> NoReturn:
    """Do ``work``, say on stderr what went wrong, and end without the parent's clean-up."""
    status = 1
    try:
        work()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
        if isinstance(error.code, str):
            sys.stderr.write(f"{error.code}\n")
    except BaseException:  # noqa: BLE001  # whatever it was, it belongs into the log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait_for(pid: int) -> None:
    """Wait until a child has ended, and fail as it failed."""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise SystemExit(status if status > 0 else 1)
