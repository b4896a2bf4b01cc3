"""Start parts of a lab, all at the same time, and wait until they answer.

Gateways and HAProxy are started one by one. The services get their configuration, then their *orders* (``services.zygote`` describes
them), and are forked by one process that has imported what they share.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openstackoid.core.protocol import WELL_KNOWN_PATH

from . import clients, config, dashboard, environment, haproxy, processes, state
from .errors import LabError
from .layout import DASHBOARD, GATEWAY, HAPROXY, REGION, REGIONS, Cloud
from .processes import Process
from .service_types import KNOWN

LAUNCHER = "launcher.pid"
REGIONS_COMMAND = (sys.executable, "-m", "openstackoid", "regions", "serve")
Progress = Callable[[str], None]
Part = tuple[str, str]
"""A cloud's name, and a service type, ``gateway``, ``haproxy`` or ``dashboard``."""


def answers(cloud: Cloud, part: str, patience: float) -> bool:
    """Whether a part of a cloud answers."""
    if part == HAPROXY:
        return haproxy.answers(cloud, patience)
    return processes.answers(cloud.health(part), patience, exactly=200 if part in {GATEWAY, DASHBOARD} else None)


def is_reached(cloud: Cloud, part: str, patience: float) -> bool:
    """Whether users reach the part, too: HAProxy checks only periodically whether a service is back."""
    if not cloud.with_haproxy or part in {DASHBOARD, REGIONS}:
        return True
    if part in {GATEWAY, HAPROXY}:
        return processes.answers(f"{cloud.frontend('identity')}{WELL_KNOWN_PATH}", patience, exactly=200)
    return processes.answers(f"{cloud.frontend(part)}/", patience)


def await_launcher(directory: Path, patience: float) -> None:
    """Wait for the launcher of a start that was interrupted: it goes on, and when it ends all that it has started is noted.

    Args:
        directory: the lab's folder.
        patience: seconds until it is ended.
    """
    launcher = processes.read(directory / LAUNCHER)
    deadline = time.monotonic() + patience
    while launcher and launcher.alive:
        if time.monotonic() > deadline:
            processes.stop(launcher.group(), patience=1)
        processes.reap([launcher])
        time.sleep(0.05)


@dataclass(frozen=True)
class Starter:
    """Starts parts of a lab.

    Attributes:
        directory: the lab's folder.
        clouds: all of the lab.
        gateway_command: the command of a gateway; ``--config FILE`` is added.
        cache: where the services' environment is kept.
        report: called with one line for each finished step.
        spawn: starts gateways, control planes and the program that writes HAProxy's configuration.
    """

    directory: Path
    clouds: Mapping[str, Cloud]
    gateway_command: Sequence[str]
    cache: Path
    report: Progress
    spawn: processes.Spawn = processes.spawn

    def start(self, missing: Sequence[Part], patience: float) -> None:
        """Start these, all at the same time, and wait for them."""
        for name, part in missing:
            for host, port in self.clouds[name].listens(part):
                processes.check_free(host, port, f"{name}'s {part}")
        services = [(name, part) for name, part in missing if part in KNOWN]
        home = environment.ensure(self.cache, self.report) if services else None
        for name, part in missing:
            self.clouds[name].pid_file(part).unlink(missing_ok=True)
            if part == GATEWAY:
                self.start_gateway(self.clouds[name])
            if part == REGIONS:
                self.start_regions(self.clouds[name])
        launcher = self.launch(services, home) if home else None
        try:
            # Before the dashboards, which may have to be installed first: services wait a minute for each other's frontends.
            self.start_haproxy([self.clouds[name] for name, part in missing if part == HAPROXY])
            self.start_dashboards([self.clouds[name] for name, part in missing if part == DASHBOARD])
            self.wait(missing, launcher, patience)
        finally:
            (self.directory / "orders.json").unlink(missing_ok=True)

    def start_gateway(self, cloud: Cloud) -> None:
        """Start a cloud's gateway."""
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        command = [*self.gateway_command, "--config", str(cloud.gateway_config)]
        self.spawn(command, cloud.log(GATEWAY), variables, cloud.pid_file(GATEWAY))

    def start_dashboards(self, clouds: Sequence[Cloud]) -> None:
        """Start the Horizons of these clouds, without waiting for them."""
        if clouds:
            home = dashboard.ensure(self.cache, self.report)
            for cloud in clouds:
                dashboard.start(cloud, home)

    def start_regions(self, cloud: Cloud) -> None:
        """Start a cloud's control plane of virtual regions."""
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        command = [*REGIONS_COMMAND, "--config", str(cloud.regions_config)]
        self.spawn(command, cloud.log(REGIONS), variables, cloud.pid_file(REGIONS))

    def start_haproxy(self, clouds: Sequence[Cloud]) -> None:
        """Write HAProxy's configuration for these clouds, and start it."""
        for cloud in clouds:
            haproxy.make_folder(cloud)
        haproxy.configure("render", clouds, self.spawn)
        for cloud in clouds:
            haproxy.start(cloud)

    def launch(self, services: Sequence[Part], home: environment.Environment) -> Process:
        """Start services: write their configuration, then their orders, then run the zygotes."""
        for name in dict.fromkeys(name for name, _ in services):
            cloud = self.clouds[name]
            for file, text in config.files(cloud, state.secrets_of(cloud.directory), home.path).items():
                state.write_private(cloud.etc / file, text)
            shutil.copyfile(home.path / "etc" / "nova" / "api-paste.ini", cloud.etc / "nova-api-paste.ini")
        orders = {
            "templates": str(home.templates),
            "zygotes": os.environ.get("OPENSTACKOID_LAB_ZYGOTES"),
            "servers": [self.order(self.clouds[name], part) for name, part in services],
        }
        path = self.directory / "orders.json"
        state.write_private(path, json.dumps(orders))
        # An environment of its own: otherwise the services would inherit proxies, PYTHON* and OS_* of the caller.
        variables = {
            "PATH": f"{home.path / 'bin'}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.directory),
            "XDG_CACHE_HOME": str(home.path / "cache"),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
        }
        main = Path(__file__).with_name("services") / "__main__.py"
        command = [str(home.python), "-I", str(main), str(path)]
        return processes.spawn(command, self.directory / "launcher.log", variables, self.directory / LAUNCHER)

    def order(self, cloud: Cloud, kind: str) -> dict[str, Any]:
        """The orders for a server; ``services.zygote`` describes them."""
        known = state.secrets_of(cloud.directory)
        order: dict[str, Any] = {
            "service": kind,
            "cloud": cloud.name,
            "host": cloud.backend_host,
            "port": KNOWN[kind].port,
            "etc": str(cloud.etc),
            "databases": {name: str(path) for name, path in cloud.databases(kind).items()},
            "log": str(cloud.log(kind)),
            "pid": str(cloud.pid_file(kind)),
        }
        match kind:
            case "identity":
                order["done"] = str(cloud.directory / "run" / "accounts")
                order["content"] = {
                    "region": REGION,
                    "admin_password": known.admin,
                    "service_passwords": dict(known.services),
                    "member": {"name": clients.MEMBER, "password": known.member, "project": clients.PROJECT},
                    "catalog": {
                        **{KNOWN[kind].listed or kind: cloud.endpoint(kind) for kind in cloud.kinds},
                        **({clients.REGIONS_TYPE: cloud.regions} if cloud.with_regions else {}),
                    },
                    "names": {
                        **{service.listed or kind: service.name for kind, service in KNOWN.items()},
                        clients.REGIONS_TYPE: "openstackoid",
                    },
                }
            case "image":
                order["store"] = str(cloud.images)
            case "block-storage":
                order["state"] = str(cloud.directory / "cinder")
            case "compute":
                order["state"] = str(cloud.directory / "nova")
                order["needs"] = [cloud.frontend("identity") + "/v3", cloud.frontend("placement") + "/"]
        return order

    def wait(self, missing: Sequence[Part], launcher: Process | None, patience: float) -> None:
        """Wait until all started parts answer, one of them has ended, or the time is over."""
        left = list(missing)
        deadline = time.monotonic() + patience
        while left:
            # Report first, check for ended processes afterwards: a process that ends in between is found in the next round.
            launching = launcher is not None and launcher.alive
            for name, part in list(left):
                cloud = self.clouds[name]
                noted = processes.read(cloud.pid_file(part))
                if noted is None and launching:
                    continue
                if noted is None or not noted.alive:
                    raise LabError(f"{name}'s {part} ended while it started:\n{self.last_words(cloud, part)}")
                if answers(cloud, part, 2) and is_reached(cloud, part, 2):
                    left.remove((name, part))
                    self.report(f"{name} {part}")
            if left and time.monotonic() > deadline:
                names = ", ".join(f"{name}'s {part}" for name, part in left)
                said = self.last_words(self.clouds[left[0][0]], left[0][1])
                raise LabError(f"not ready after {patience:.0f} s: {names}. The first one's log:\n{said}")
            if launcher:
                processes.reap([launcher])
            time.sleep(0.05)

    def last_words(self, cloud: Cloud, part: str, lines: int = 15) -> str:
        """Give the end of a part's log, or of the launcher's when it has none."""
        for path in (cloud.log(part), self.directory / "launcher.log"):
            text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
            if text.strip():
                return "\n".join([f"({path})", *text.splitlines()[-lines:]])
        return "(it has said nothing)"
