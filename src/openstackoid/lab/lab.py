"""A lab as a whole: bring it up, take it down, report its state.

``up`` is one path for the first start and for recovery after a crash: find the running parts, start the missing
ones, wait until they answer, fill empty clouds. So a second ``up`` has nothing to do, and the next ``up`` continues
an interrupted one.
"""

import fcntl
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from openstackoid.trust import key_files

from . import clients, config, environment, haproxy, meeting, owners, processes, seed, starting, state
from .layout import CA, DASHBOARD, DEFAULT_ADDRESS, DEFAULT_CLOUDS, GATEWAY, HAPROXY, Cloud, plan
from .processes import Health, Process
from .service_types import SERVICES
from .starting import Part, Progress, Starter

DEFAULTS = state.State(DEFAULT_CLOUDS, DEFAULT_ADDRESS, with_gateway=True)
GATEWAY_COMMAND = (sys.executable, "-m", "openstackoid", "gateway")
START_SECONDS = 120.0
STOP_SECONDS = 5.0
MEETING_SECONDS = 15.0


@dataclass(frozen=True)
class Status:
    """The state of one part of a cloud."""

    cloud: str
    service: str
    address: str
    pid: int | None
    state: Health
    memory: int
    """Bytes, shared memory divided among those who share it."""


class Lab:
    """OpenStack clouds in a folder.

    Args:
        directory: the folder; all data of the lab are in it.
        clouds: names. An existing lab keeps its clouds, and gets the new ones.
        address: the first cloud's network, 127.0.1.0 when not given; see ``layout``.
        with_gateway: whether a gateway stands before each cloud; without, the catalogs lead to the services themselves.
        with_haproxy: whether HAProxy stands before each gateway, as it does by default; without, the gateway has the frontends.
        trust: ``federated``, which is the default: the clouds have different owners, and users' tokens stay at home; or
            ``pass-through``: they have one owner, and tokens go along.
        projects: ``each`` (the default): a project of another cloud gets one of its own; ``same``: its id stands for it.
        pseudonyms: whether the clouds hide their users' identities from each other; they do not by default.
        with_dashboard: whether each cloud has a Horizon; an existing lab keeps those that it has.
        aggregator: whether the first cloud is an aggregator of virtual regions, and the others are providers; see ``state.State``.
        aggregator_dashboard: whether the aggregator has a Horizon.
        with_volumes: whether each cloud but an aggregator has block storage; they do not by default.
        buyer: name of another aggregator, which can buy regions from the first one; an existing lab gets it, too.
        gateway_command: the command of a gateway; ``--config FILE`` is added.
        spawn: starts gateways, control planes and the program that writes HAProxy's configuration.
        cache: where the services' environment is kept; the user's cache folder when not given.

    Raises:
        LabError: the lab exists and differs from the arguments, or a name or address cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        clouds: Sequence[str] = (),
        address: str | None = None,
        *,
        with_gateway: bool | None = None,
        with_haproxy: bool | None = None,
        trust: state.Trust | None = None,
        projects: state.Projects | None = None,
        pseudonyms: bool | None = None,
        with_dashboard: bool | None = None,
        aggregator: bool | None = None,
        aggregator_dashboard: bool | None = None,
        with_volumes: bool | None = None,
        buyer: str | None = None,
        gateway_command: Sequence[str] = GATEWAY_COMMAND,
        spawn: processes.Spawn = processes.spawn,
        cache: Path | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.gateway_command = tuple(gateway_command)
        self.spawn = spawn
        self.cache = cache or environment.default_cache()
        saved = state.load(self.directory)
        wanted: dict[str, Any] = {"with_gateway": with_gateway, "with_haproxy": with_haproxy}
        wanted |= {"trust": trust, "projects": projects, "pseudonyms": pseudonyms}
        wanted |= {"with_dashboard": with_dashboard, "aggregator": aggregator}
        wanted |= {"aggregator_dashboard": aggregator_dashboard, "with_volumes": with_volumes, "buyer": buyer}
        self.state = state.merge(saved, clouds, address, defaults=DEFAULTS, **wanted)
        self.exists = saved is not None
        self.clouds: Mapping[str, Cloud] = plan(
            self.directory,
            self.state.clouds,
            self.state.address,
            with_gateway=self.state.with_gateway,
            with_haproxy=self.state.with_haproxy,
            federated=self.state.federated,
            with_dashboard=self.state.with_dashboard,
            aggregator=self.state.aggregator,
            aggregator_dashboard=self.state.aggregator_dashboard,
            with_volumes=self.state.with_volumes,
            buyer=self.state.buyer,
        )

    @property
    def clouds_yaml(self) -> Path:
        """The ``clouds.yaml`` of all clouds: entries ``NAME`` (a plain member) and ``NAME-admin``."""
        return self.directory / "clouds.yaml"

    def secrets(self, cloud: str) -> config.Secrets:
        """A cloud's passwords."""
        return state.secrets_of(self.clouds[cloud].directory)

    def process(self, cloud: str, part: str) -> Process | None:
        """The process of a service, of the gateway or of HAProxy (its master), if it lives."""
        running = processes.read(self.clouds[cloud].pid_file(part))
        return running if running and running.alive else None

    # State.

    def status(self, patience: float = 5) -> list[Status]:
        """The state of each service, gateway and HAProxy; a part that does not answer for ``patience`` seconds is stuck."""
        parts = self.parts()
        with ThreadPoolExecutor(len(parts)) as pool:
            return list(pool.map(lambda part: self.look(part[0], part[1], patience), parts))

    def parts(self) -> list[Part]:
        """All that runs when the lab is up."""
        return [(cloud.name, part) for cloud in self.clouds.values() for part in cloud.parts]

    def look(self, name: str, part: str, patience: float) -> Status:
        """The state of one part."""
        cloud = self.clouds[name]
        process = self.process(name, part)
        host, port = cloud.listens(part)[0]
        where = host if part in {GATEWAY, HAPROXY} else f"{host}:{port}"
        if process is None:
            return Status(name, part, where, None, Health.DOWN, 0)
        well = starting.answers(cloud, part, patience)
        # HAProxy and gunicorn each have a master process and workers, in one group.
        members = process.group() if part in {HAPROXY, DASHBOARD} else [process]
        memory = sum(member.memory for member in members)
        return Status(name, part, where, process.pid, Health.RUNNING if well else Health.STUCK, memory)

    def answers(self, cloud: Cloud, part: str, patience: float) -> bool:
        """Whether a part answers."""
        return starting.answers(cloud, part, patience)

    # Up.

    def up(self, progress: Progress = lambda _line: None, *, patience: float = START_SECONDS) -> bool:
        """Start the parts that do not run, and fill empty clouds; returns whether there was anything to do.

        Args:
            progress: called with one line for each finished step.
            patience: seconds until started parts must answer.

        Raises:
            LabError: a part cannot be started; the message names the part and the reason.
        """
        if self.state.with_haproxy:
            haproxy.program()  # before a lab is noted that could never run
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.alone():
            began = time.monotonic()
            report = Reporter(progress, began)
            starting.await_launcher(self.directory, START_SECONDS)
            changed = self.write_clients()
            missing = self.clear(report)
            if missing:
                self.starter(report).start(missing, patience)
            self.reload(changed, started=missing)
            filled = self.fill(report)
            if any(part in {GATEWAY, HAPROXY} for _, part in missing):
                for line in meeting.wait(self.clouds.values(), MEETING_SECONDS):
                    report(line)
            return bool(missing or filled)

    def write_clients(self) -> list[str]:
        """Write the files for gateways and clients; returns the clouds whose gateway has changed files."""
        state.save(self.directory, self.state)
        known = {name: self.secrets(name) for name in self.clouds}
        state.write_private(self.clouds_yaml, dump(clients.clouds_yaml(self.clouds, known)))
        for cloud in self.clouds.values():
            for folder in ("run", "logs", "db", "etc"):
                (cloud.directory / folder).mkdir(exist_ok=True, mode=0o700)
        terms = None
        changed: list[str] = []
        federated = {name: cloud for name, cloud in self.clouds.items() if cloud.federated}
        if federated:
            fingerprints, changed = owners.equip(self.directory, federated, known)
            if self.state.aggregator:
                owners.introduce(list(federated.values()), fingerprints)
            terms = clients.Terms(fingerprints, self.state.projects, self.state.pseudonyms)
        for cloud in self.clouds.values():
            if not (cloud.federated or cloud.operations_keys.exists()):
                key_files.create(cloud.operations_keys)
            text = dump(clients.gateway(cloud, self.clouds, terms))
            if cloud.with_gateway and state.write_private(cloud.gateway_config, text):
                changed.append(cloud.name)
            if cloud.with_regions:
                state.write_private(cloud.regions_config, dump(clients.regions(cloud)))
        return list(dict.fromkeys(changed))

    def clear(self, report: "Reporter") -> list[Part]:
        """Find the parts that must be started, and end the stuck ones."""
        rows = [row for row in self.status() if row.state is not Health.RUNNING]
        for row in rows:
            if row.service == HAPROXY:
                processes.stop(haproxy.family(self.clouds[row.cloud]), STOP_SECONDS)
            elif row.state is Health.STUCK and (process := self.process(row.cloud, row.service)):
                processes.stop(process.group(), STOP_SECONDS)
            if row.state is Health.STUCK:
                report(f"{row.cloud} {row.service} did not answer: ended")
        return [(row.cloud, row.service) for row in rows]

    def starter(self, report: Progress = lambda _line: None) -> Starter:
        """Give the object that starts this lab's parts."""
        return Starter(self.directory, self.clouds, self.gateway_command, self.cache, report, self.spawn)

    def start_gateway(self, cloud: Cloud) -> None:
        """Start a cloud's gateway, without waiting for it."""
        self.starter().start_gateway(cloud)

    def reload(self, names: Sequence[str], *, started: Sequence[Part]) -> None:
        """Have running gateways reload their configuration, which has new peers; HAProxy learns of new peers from the gateway."""
        for name in names:
            process = self.process(name, GATEWAY)
            if process and (name, GATEWAY) not in started:
                process.signal(signal.SIGHUP)
        running = [name for name in names if self.process(name, HAPROXY) and (name, HAPROXY) not in started]
        haproxy.configure("apply", [self.clouds[name] for name in running], self.spawn)

    def fill(self, report: "Reporter") -> bool:
        """Give new clouds their first content; returns whether there were any."""
        empty = [
            cloud
            for cloud in self.clouds.values()
            if not (cloud.directory / "run" / "filled").exists() and set(SERVICES) <= set(cloud.kinds)
        ]
        if not empty:
            return False
        with ThreadPoolExecutor(len(empty)) as pool:
            list(pool.map(lambda cloud: seed.fill(cloud, self.secrets(cloud.name)), empty))
        for cloud in empty:
            (cloud.directory / "run" / "filled").touch()
            report(f"{cloud.name} has a flavor, images and a network")
        return True

    # Down.

    def down(self) -> int:
        """Stop all parts, and keep the data; returns the number of processes."""
        if not self.directory.exists():
            return 0
        with self.alone():
            return self.stop_all()

    def stop_all(self) -> int:
        """Stop all that runs."""
        starting.await_launcher(self.directory, START_SECONDS)
        running = [process for name, part in self.parts() if (process := self.process(name, part))]
        workers = [process for cloud in self.clouds.values() for process in haproxy.family(cloud)]
        processes.stop(dict.fromkeys([*running, *workers]), STOP_SECONDS)
        return len(running)

    def reset(self) -> None:
        """Stop all, and delete the lab's data; other files in its folder stay."""
        if not self.exists and state.load(self.directory) is None:
            return
        with self.alone():
            self.stop_all()
            for cloud in self.clouds.values():
                shutil.rmtree(cloud.directory, ignore_errors=True)
                shutil.rmtree(cloud.haproxy, ignore_errors=True)
            for name in (
                state.FILE,
                "clouds.yaml",
                CA,
                owners.CA_KEY,
                "launcher.log",
                starting.LAUNCHER,
                "orders.json",
                "lock",
            ):
                (self.directory / name).unlink(missing_ok=True)
            # HOME of the services: what a library may have kept there.
            shutil.rmtree(self.directory / ".cache", ignore_errors=True)
        self.exists = False
        if not any(self.directory.iterdir()):
            self.directory.rmdir()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one command at a time change the lab."""
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Reporter:
    """Reports finished steps, with the seconds since the beginning."""

    def __init__(self, progress: Progress, began: float) -> None:
        self.progress = progress
        self.began = began

    def __call__(self, line: str) -> None:
        """Report one step."""
        self.progress(f"{time.monotonic() - self.began:5.1f} s  {line}")


def dump(value: Mapping[str, Any]) -> str:
    """Write YAML that people read."""
    return str(yaml.safe_dump(dict(value), sort_keys=False, width=120))


def follow(paths: Sequence[Path], *, lines: int, forever: bool) -> int:
    """Print the ends of logs, with ``tail``; its exit status."""
    command = ["tail", "-n", str(lines), *(["-F"] if forever else []), *map(str, paths)]
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 0
