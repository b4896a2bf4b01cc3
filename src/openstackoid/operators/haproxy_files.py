"""HAProxy's files: written, compared with the files that HAProxy has read, and checked by HAProxy itself."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from openstackoid.core.errors import ConfigError
from openstackoid.haproxy import render as rendering
from openstackoid.haproxy.plan import CONFIGURATION, HERE, LEASED, PEERS, TOKENS, VISITORS, WAYS, Plan

_LEARNED: Final = frozenset({HERE, WAYS, TOKENS, PEERS, VISITORS, LEASED})


def write(plan: Plan) -> list[str]:
    """Write the files that differ, each atomically; a map that HAProxy learns is created, never emptied. Returns their names."""
    plan.directory.mkdir(parents=True, exist_ok=True, mode=0o750)
    wanted = _wanted(plan)
    changed = outdated(plan)
    for name in changed:
        path, text = plan.file(name), wanted[name]
        fresh = path.with_name(f".{name}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        fresh.replace(path)
    return changed


def outdated(plan: Plan) -> list[str]:
    """Names of the files that are missing, or not as they would be written now."""
    return [name for name, text in _wanted(plan).items() if not _is_current(plan.file(name), text)]


def _wanted(plan: Plan) -> dict[str, str]:
    """Name -> text of every file."""
    wanted = rendering.files(plan)
    for path, tls in plan.pems:
        wanted[path.name] = f"{tls.certificate.read_text().rstrip()}\n{tls.key.read_text()}"
    return wanted


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and (path.name in _LEARNED or path.read_bytes() == text.encode())


def digest(plan: Plan) -> str:
    """A digest of all files that HAProxy reads at its start and does not learn itself: equal digests need no reload."""
    read = [name for name in rendering.files(plan) if name not in _LEARNED] + [path.name for path, _ in plan.pems]
    hasher = hashlib.sha256()
    for name in sorted(read):
        hasher.update(plan.file(name).read_bytes())
    return hasher.hexdigest()


def checked(plan: Plan) -> str:
    """HAProxy's own check of the files of a plan.

    Raises:
        ConfigError: HAProxy refuses the files, or is not installed.
    """
    # Debian installs it in a folder that only root has in PATH.
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        raise ConfigError("expected the program haproxy, 2.6 or later: apt-get install haproxy")
    command = [program, "-c", "-f", str(plan.file(CONFIGURATION))]
    # HAProxy changes back to its working directory, which its user may not be allowed to read.
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd="/")  # noqa: S603 - ours, all of it
    output = (done.stdout + done.stderr).strip()
    if done.returncode:
        raise ConfigError(f"HAProxy refuses the configuration:\n{output}")
    return output
