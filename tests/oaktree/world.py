"""Clouds at the wire, and oaktree servers over them, as processes of their own."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import yaml
from tests import commands
from tests.oaktree.keystone import entry
from tests.oaktree.upstream import until
from tests.ports import free_port


class Process:
    """A server, until it is stopped."""

    def __init__(self, at: int, log: Path, *command: str) -> None:
        self.port, self.log = at, log
        with log.open("ab") as file:
            self.process = commands.popen(command, stdout=file, stderr=file, stdin=subprocess.PIPE)
        until(lambda: self._listens() or self.process.poll() is not None, 180)
        assert self.process.poll() is None, log.read_text()

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5):
            return True
        return False

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End it; returns its exit code."""
        self.process.send_signal(signum)
        return self.process.wait(120)


class Simulated:
    """Clouds of `bench.simulated`; any name is one of them."""

    def __init__(self, folder: Path, *, servers: int = 3) -> None:
        self.port = free_port()
        command = (sys.executable, "-m", "bench.simulated", str(self.port), "--servers", str(servers))
        self._process = Process(self.port, folder / "clouds.log", *command)

    def tell(self, cloud: str, **told: Any) -> None:
        """What the cloud does from now on."""
        body = json.dumps(told).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{cloud}/control", body, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request).close()

    def report(self, cloud: str) -> Any:
        """What was asked of it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{cloud}/control") as answer:
            return json.load(answer)

    def lists(self, cloud: str) -> int:
        """How often its servers were listed."""
        return sum("/servers/detail" in path for _, _, path in self.report(cloud)["requests"])

    def clouds_yaml(self, path: Path, names: Sequence[str], **others: Mapping[str, Any]) -> Path:
        """A file of these clouds."""
        clouds = {name: self.cloud(name) for name in names} | others
        path.write_text(yaml.safe_dump({"clouds": clouds}))
        return path

    def cloud(self, name: str, username: str = "alice") -> dict[str, Any]:
        """A cloud's entry."""
        return entry(f"http://127.0.0.1:{self.port}/{name}", username)

    def stop(self) -> None:
        """End them."""
        self._process.stop()


class Oaktree:
    """A server over some clouds."""

    def __init__(self, folder: Path, clouds: Path, *, unix: Path | None = None, **settings: Any) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.config = folder / f"oaktree-{self.port}.yaml"
        whole = {
            "listen": [self.address, *([f"unix:{unix}"] if unix else [])],
            "clouds": str(clouds),
            "operations": {"database": f"sqlite:///{folder / f'operations-{self.port}.sqlite'}"},
            "uploads": {"folder": str(folder / "uploads")},
        }
        self.config.write_text(yaml.safe_dump(whole | settings))
        self.log = folder / f"oaktree-{self.port}.log"
        self.start()

    def start(self) -> None:
        """At once, and again when it has ended."""
        command = (sys.executable, "-m", "openstackoid", "oaktree", "serve", "--config", str(self.config))
        self.process = Process(self.port, self.log, *command)

    @contextlib.contextmanager
    def channel(self) -> Iterator[grpc.Channel]:
        """A connection to it."""
        with grpc.insecure_channel(self.address) as channel:
            yield channel

    def stop(self) -> int:
        """End it; returns its exit code."""
        return self.process.stop()
