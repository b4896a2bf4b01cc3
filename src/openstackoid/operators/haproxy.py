"""`openstackoid haproxy`: write HAProxy's files, check them, and put them in force."""

import argparse
import asyncio
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from openstackoid.haproxy import image_downloads
from openstackoid.haproxy.admin import Admin, AdminError
from openstackoid.haproxy.plan import CONFIGURATION, Plan
from openstackoid.haproxy.routes import name_of
from openstackoid.operators.haproxy_files import checked, digest, write
from openstackoid.operators.haproxy_plan import plan_for

DIGEST: Final = ".in-force"  # file: digest of the files that HAProxy read last
_RELOAD_TIMEOUT: Final = 20.0  # seconds


def render(arguments: argparse.Namespace) -> int:
    """Write the configuration, maps and errors."""
    plan = plan_for(arguments)
    changed = write(plan)
    if not asyncio.run(_runs(plan)):
        plan.file(DIGEST).write_text(digest(plan))  # the files that HAProxy is about to start with
    elif changed:
        plan.file(DIGEST).unlink(missing_ok=True)  # a restart before `apply` may have read old or new files
    for name in changed:
        print(f"{plan.file(name)}: written")
    if not changed:
        print(f"{plan.directory}: nothing has changed")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Have HAProxy itself check the configuration, without touching the active one."""
    plan = plan_for(arguments)
    with tempfile.TemporaryDirectory(prefix="openstackoid-haproxy-") as folder:
        trial = plan_for(arguments, Path(folder))
        write(trial)
        print(checked(trial).replace(folder, str(plan.directory)))
    slow = [service.kind for front in plan.fronts for service in front.services if not service.direct]
    if slow:
        print(
            f"Through the gateway always, since their frontend has a path that their backend has not: {', '.join(slow)}."
        )
    return 0


def apply(arguments: argparse.Namespace) -> int:
    """Activate the configuration: nothing to do, or a reload that breaks no connection."""
    plan = plan_for(arguments)
    with tempfile.TemporaryDirectory(prefix="openstackoid-haproxy-") as folder:
        trial = plan_for(arguments, Path(folder))
        write(trial)
        checked(trial)
    write(plan)
    in_force, wanted = plan.file(DIGEST), digest(plan)
    if in_force.exists() and in_force.read_text() == wanted:
        print("nothing has changed; peers and what is learned follow by themselves")
        return 0
    asyncio.run(_reload(plan))
    in_force.write_text(wanted)
    print(f"in force: {plan.file(CONFIGURATION)}")
    return 0


async def _runs(plan: Plan) -> bool:
    try:
        return bool(await Admin(plan.socket).ask("show info"))
    except AdminError:
        return False


async def _reload(plan: Plan) -> None:
    """Have the master start new workers; the old ones finish their connections (management guide, 4)."""
    admin, master = Admin(plan.socket), Admin(plan.file("master.sock"))
    before = await admin.ask("show info")
    await _move_servers(plan, admin)
    await master.ask("reload")
    end = time.monotonic() + _RELOAD_TIMEOUT
    while time.monotonic() < end:
        try:
            if _pid(await admin.ask("show info")) != _pid(before):
                return
        except AdminError:
            pass  # between the two
        await asyncio.sleep(0.1)
    print(f"HAProxy did not reload within {_RELOAD_TIMEOUT:g} s; see its log.", file=sys.stderr)
    raise AdminError(f"HAProxy did not reload within {_RELOAD_TIMEOUT:g} s.")


async def _move_servers(plan: Plan, admin: Admin) -> None:
    """Send the services' new addresses to the old worker: it would serve its open connections from the old addresses.

    A service that the old worker does not know has no open connections there.
    """
    loop = asyncio.get_running_loop()
    moves, places = [], []
    for front in plan.fronts:
        for service in front.services:
            name = name_of(service.kind)
            if service.direct:
                places += [(service.backend, f"{table}/{service.kind}") for table in (name, f"{name}_once")]
        if front.images:
            places.append((front.images.backend, f"{image_downloads.BACKEND}/image"))
    for backend, server in places:
        host, _, port = backend.rpartition(":")
        addresses = await loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        moves += [f"set server {server}{suffix} addr {addresses[0][4][0]} port {port}" for suffix in ("", "_anyway")]
    for move in moves:
        await admin.ask(move)


def _pid(info: str) -> str:
    return next((line for line in info.splitlines() if line.startswith("Pid:")), "")
