"""`openstackoid haproxy`: the fast path's configuration, from the file that the gateway reads."""

import argparse
import asyncio
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from openstackoid.core.errors import ConfigError
from openstackoid.core.services import service_type
from openstackoid.gateway.settings import config
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.fields import Tls
from openstackoid.gateway.upstream import backends
from openstackoid.gateway.upstream.pool import Pool
from openstackoid.haproxy import door
from openstackoid.haproxy import render as rendering
from openstackoid.haproxy.admin import Admin, AdminError
from openstackoid.haproxy.plan import (
    CONFIGURATION,
    HERE,
    LEASED,
    PEERS,
    TOKENS,
    VISITORS,
    WAYS,
    Front,
    Images,
    Plan,
    Service,
)
from openstackoid.haproxy.rules import name_of

_LEARNED: Final = frozenset({HERE, WAYS, TOKENS, PEERS, VISITORS, LEASED})
_STAMP: Final = ".in-force"  # digest of what HAProxy read the last time
_PATIENCE: Final = 20.0  # seconds until a reload must be over


def render(arguments: argparse.Namespace) -> int:
    """Write the configuration, maps and errors."""
    plan = _plan(arguments)
    changed = _write(plan)
    if not asyncio.run(_runs(plan)):
        plan.file(_STAMP).write_text(_stamp(plan))  # what HAProxy is about to start with
    elif changed:
        plan.file(_STAMP).unlink(missing_ok=True)  # nobody knows what a restart on the way to `apply` has read
    for name in changed:
        print(f"{plan.file(name)}: written")
    if not changed:
        print(f"{plan.directory}: nothing has changed")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Have HAProxy itself say whether it can serve this, without touching what is in force."""
    plan = _plan(arguments)
    with tempfile.TemporaryDirectory(prefix="openstackoid-haproxy-") as folder:
        tried = _plan(arguments, Path(folder))
        _write(tried)
        print(_checked(tried).replace(folder, str(plan.directory)))
    slow = [service.kind for front in plan.fronts for service in front.services if not service.direct]
    if slow:
        print(
            f"Through the gateway always, since their frontend has a path that their backend has not: {', '.join(slow)}."
        )
    return 0


def apply(arguments: argparse.Namespace) -> int:
    """Put it in force: nothing to do, or a reload that no connection notices."""
    plan = _plan(arguments)
    with tempfile.TemporaryDirectory(prefix="openstackoid-haproxy-") as folder:
        tried = _plan(arguments, Path(folder))
        _write(tried)
        _checked(tried)
    _write(plan)
    stamp, wanted = plan.file(_STAMP), _stamp(plan)
    if stamp.exists() and stamp.read_text() == wanted:
        print("nothing has changed; peers and what is learned follow by themselves")
        return 0
    asyncio.run(_reload(plan))
    stamp.write_text(wanted)
    print(f"in force: {plan.file(CONFIGURATION)}")
    return 0


def plan_of(found: Config, bases: dict[str, str], directory: Path | None = None) -> Plan:
    """What HAProxy has to know of a configuration.

    Args:
        found: with a `haproxy` section.
        bases: official service type -> base URL of the backend.
        directory: where the files go; the configuration's if not given.

    Raises:
        ConfigError: no `haproxy` section.
    """
    if found.haproxy is None:
        raise ConfigError("expected a haproxy section in the gateway's configuration: haproxy: {gateway: 127.0.0.3}")
    folder = directory or found.haproxy.directory
    fronts: dict[str, list[Service]] = {}
    for kind, service in found.services.items():
        official = service_type(kind) or kind
        parts, prefix = urlsplit(bases[official]), urlsplit(service.frontend).path
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        place = Service(
            official,
            prefix,
            f"{parts.hostname}:{port}",
            tls=parts.scheme == "https",
            https=service.frontend.startswith("https://"),
            direct=parts.path == prefix,
        )
        fronts.setdefault(service.address, []).append(place)
    certificate = folder / "front.pem" if found.tls else None
    listed = [Front(address, certificate, tuple(services)) for address, services in fronts.items()]
    if found.peering:
        pem, services = folder / "peering.pem", [service for each in fronts.values() for service in each]
        images = _images(found.peering.url, services, bases)
        listed.append(Front(found.peering.address, pem if found.peering.tls else None, (), images))
    times = found.timeouts
    return Plan(
        found.cloud,
        tuple(listed),
        found.haproxy.gateway,
        folder,
        found.ca,
        times.connect,
        times.idle,
        found.haproxy.threads,
        None if found.haproxy.log == "none" else found.haproxy.log,
        _pems(found, folder),
    )


def _images(url: str, services: list[Service], bases: dict[str, str]) -> Images | None:
    """Where other clouds' users fetch image data, behind the peering door of this URL; None if they need the gateway for it."""
    prefix = f"{urlsplit(url).path}/image"
    for service in services:
        base = urlsplit(bases[service.kind]).path
        if service.kind == "image" and door.is_base(prefix) and door.is_base(base):
            return Images(prefix, base, service.backend, service.tls, url.startswith("https://"), service.direct)
    return None


def _plan(arguments: argparse.Namespace, directory: Path | None = None) -> Plan:
    found = config.load(arguments.config)
    return plan_of(found, asyncio.run(_bases(found)), directory or arguments.out)


async def _bases(found: Config) -> dict[str, str]:
    pool = Pool(found)
    try:
        return dict((await backends.find(found, pool.shared)).bases)
    finally:
        await pool.close()


def _pems(found: Config, folder: Path) -> tuple[tuple[Path, Tls], ...]:
    pairs = (("front.pem", found.tls), ("peering.pem", found.peering.tls if found.peering else None))
    return tuple((folder / name, tls) for name, tls in pairs if tls)


def _write(plan: Plan) -> list[str]:
    """Write what differs, each file whole; maps that HAProxy learns are only made, never emptied."""
    plan.directory.mkdir(parents=True, exist_ok=True, mode=0o750)
    wanted = rendering.files(plan)
    for path, tls in plan.pems:
        wanted[path.name] = f"{tls.certificate.read_text().rstrip()}\n{tls.key.read_text()}"
    changed = []
    for name, text in wanted.items():
        path = plan.file(name)
        if path.exists() and (name in _LEARNED or path.read_bytes() == text.encode()):
            continue
        fresh = path.with_name(f".{name}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        fresh.replace(path)
        changed.append(name)
    return changed


def _stamp(plan: Plan) -> str:
    """What is the same as long as HAProxy has nothing to read again."""
    read = [name for name in rendering.files(plan) if name not in _LEARNED] + [path.name for path, _ in plan.pems]
    digest = hashlib.sha256()
    for name in sorted(read):
        digest.update(plan.file(name).read_bytes())
    return digest.hexdigest()


def _checked(plan: Plan) -> str:
    # Debian has it where only root looks.
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        raise ConfigError("expected the program haproxy, 2.6 or later: apt-get install haproxy")
    command = [program, "-c", "-f", str(plan.file(CONFIGURATION))]
    # HAProxy wants to come back to where it was called, which its user may not be allowed to read.
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd="/")  # noqa: S603 - ours, all of it
    told = (done.stdout + done.stderr).strip()
    if done.returncode:
        raise ConfigError(f"HAProxy refuses the configuration:\n{told}")
    return told


async def _runs(plan: Plan) -> bool:
    try:
        return bool(await Admin(plan.socket).ask("show info"))
    except AdminError:
        return False


async def _reload(plan: Plan) -> None:
    """Have the master start new workers; the old ones finish what they have (management guide, 4)."""
    admin, master = Admin(plan.socket), Admin(plan.file("master.sock"))
    before = await admin.ask("show info")
    await _move(plan, admin)
    await master.ask("reload")
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            if _pid(await admin.ask("show info")) != _pid(before):
                return
        except AdminError:
            pass  # between the two
        await asyncio.sleep(0.1)
    print(f"HAProxy did not reload within {_PATIENCE:g} s; see its log.", file=sys.stderr)
    raise AdminError(f"HAProxy did not reload within {_PATIENCE:g} s.")


async def _move(plan: Plan, admin: Admin) -> None:
    """Tell the worker that will end where services are now: what is open at it would be answered from where a service was.

    A service that it does not know, it has nothing open for.
    """
    loop = asyncio.get_running_loop()
    moves, places = [], []
    for front in plan.fronts:
        for service in front.services:
            name = name_of(service.kind)
            if service.direct:
                places += [(service.backend, f"{each}/{service.kind}") for each in (name, f"{name}_once")]
        if front.images:
            places.append((front.images.backend, f"{door.BACKEND}/image"))
    for backend, server in places:
        host, _, port = backend.rpartition(":")
        found = await loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        moves += [f"set server {server}{suffix} addr {found[0][4][0]} port {port}" for suffix in ("", "_anyway")]
    for move in moves:
        await admin.ask(move)


def _pid(told: str) -> str:
    return next((line for line in told.splitlines() if line.startswith("Pid:")), "")
