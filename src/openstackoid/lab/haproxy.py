"""HAProxy before the gateways of a lab: Debian's own, a master process and its worker for each cloud.

Its configuration comes from the program ``openstackoid haproxy``, as everywhere else; the lab only runs both.
"""

import os
import shutil
import stat
import sys
from collections.abc import Sequence
from typing import Literal

from . import processes
from .errors import LabError
from .layout import HAPROXY, Cloud
from .processes import Process

COMMAND = (sys.executable, "-m", "openstackoid", "haproxy")
# Where Debian has it, and users' PATH often has not.
ELSEWHERE = ("/usr/local/sbin", "/usr/sbin")


def program() -> str:
    """Find HAProxy.

    Raises:
        LabError: HAProxy is not installed; the message names the remedy.
    """
    path = shutil.which(HAPROXY, path=environment()["PATH"])
    if path is None:
        raise LabError(
            "the program haproxy, 2.6 or later, is missing: apt-get install haproxy, or --gateway-only for a lab without"
        )
    return path


def environment() -> dict[str, str]:
    """Give the environment of HAProxy, and of programs that look for it."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    missing = [folder for folder in ELSEWHERE if folder not in folders]
    return variables | {"PATH": os.pathsep.join([*folders, *missing])}


def configure(
    action: Literal["render", "apply"], clouds: Sequence[Cloud], spawn: processes.Spawn = processes.spawn
) -> None:
    """Write the configuration of these clouds, and with ``apply`` have a running HAProxy take it; all at the same time.

    Raises:
        LabError: the configuration cannot be written or applied; the message has the program's output.
    """
    begun = []
    for cloud in clouds:
        log = cloud.log(f"{HAPROXY}-{action}")
        log.unlink(missing_ok=True)
        command = [*COMMAND, action, "--config", str(cloud.gateway_config)]
        begun.append((cloud, log, spawn(command, log, environment())))
    # Wait for all programs, also when one has failed.
    codes = [os.waitpid(process.pid, 0)[1] for _, _, process in begun]
    for code, (cloud, log, _) in zip(codes, begun, strict=True):
        if code:
            text = log.read_text(encoding="utf-8", errors="replace").strip()
            raise LabError(f"{cloud.name}'s haproxy cannot be configured ('openstackoid haproxy {action}'):\n{text}")


def make_folder(cloud: Cloud) -> None:
    """Make the folder of HAProxy's files, in a place where other users may have made one before.

    Raises:
        LabError: another user made the folder.
    """
    cloud.haproxy.mkdir(exist_ok=True, mode=0o700)
    status = cloud.haproxy.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise LabError(f"{cloud.haproxy} is not a folder of yours alone (mode 0700): {cloud.name}'s HAProxy needs it")


def start(cloud: Cloud) -> None:
    """Start HAProxy, without waiting for it; its configuration must exist."""
    command = [program(), "-W", "-S", f"{cloud.haproxy_master},mode,600", "-f", str(cloud.haproxy_config)]
    processes.spawn(command, cloud.log(HAPROXY), environment(), cloud.pid_file(HAPROXY))


def answers(cloud: Cloud, patience: float) -> bool:
    """Whether HAProxy's worker answers at its admin socket, which does not depend on the gateway or a service."""
    return "Pid:" in processes.converses(cloud.haproxy_admin, "show info", patience)


def family(cloud: Cloud) -> list[Process]:
    """Give all running HAProxy processes of a cloud: a suspended worker does not notice that its master has ended."""
    noted = processes.read(cloud.pid_file(HAPROXY))
    return noted.group() if noted else []
