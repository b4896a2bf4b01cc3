"""The processes of one run, and what the kernel knows of each."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TOKEN = "gAAAAA" + "x" * 177  # as long as a Fernet token
_HEADERS = {
    "User-Agent": "openstacksdk/4.0.0 keystoneauth1/5.8.0 python-requests/2.32.0 CPython/3.11",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "OpenStack-API-Version": "compute 2.90",
    "X-Auth-Token": _TOKEN,
}


@dataclass(frozen=True)
class Variant:
    """One way to the upstream: where to ask, with which headers more, through which processes."""

    name: str
    port: int
    processes: tuple["Process", ...] = ()
    headers: dict[str, str] = field(default_factory=dict)


class Process:
    """A server that runs until the end of the run."""

    def __init__(self, log: Path, port: int, *command: str) -> None:
        self.port, self._log = port, log
        with log.open("wb") as file:
            self._process = subprocess.Popen([sys.executable, "-m", *command], stdout=file, stderr=file)
        self._stat = Path(f"/proc/{self._process.pid}/stat")

    def wait(self) -> None:
        """Until it listens."""
        end = time.monotonic() + 15
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return
            time.sleep(0.05)
        self.stop()
        raise SystemExit(f"bench: a server did not start:\n{self._log.read_text()}")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cpu(self) -> float:
        """Seconds of CPU that it used, its own and the kernel's for it."""
        fields = self._stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def memory(self) -> int:
        """Bytes in memory."""
        return int(self._stat.read_text().rpartition(")")[2].split()[21]) * _PAGE


class Stage:
    """Upstream, baseline and two gateways; all on the loopback address."""

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="openstackoid-bench-")))
        upstream, bare, one, two = _ports(4)
        up = self._start(folder / "upstream.log", upstream, "bench.upstream", str(upstream))
        forwarder = self._start(
            folder / "forwarder.log", bare, "bench.forwarder", str(bare), f"http://127.0.0.1:{upstream}"
        )
        first = self._gateway(folder, "CloudOne", one, upstream, ("CloudTwo", two))
        second = self._gateway(folder, "CloudTwo", two, upstream, ("CloudOne", one))
        for process in (up, forwarder, first, second):
            process.wait()
        self.direct = Variant("upstream directly", upstream)
        self.baseline = Variant("bare aiohttp forwarder", bare, (forwarder,))
        self.gateways = [
            Variant("gateway, no scope", one, (first,)),
            Variant("gateway, X-Scope local", one, (first,), {"X-Scope": '{"compute": "CloudOne"}'}),
            Variant("gateway, X-Scope remote (entry)", one, (first,), {"X-Scope": '{"compute": "CloudTwo"}'}),
            Variant("the same, both gateways", one, (first, second), {"X-Scope": '{"compute": "CloudTwo"}'}),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, log: Path, port: int, *command: str) -> Process:
        process = Process(log, port, *command)
        self._stack.callback(process.stop)
        return process

    def _gateway(self, folder: Path, name: str, port: int, upstream: int, peer: tuple[str, int]) -> Process:
        file = folder / f"{name}.yaml"
        config = {
            "cloud": name,
            "services": {
                "compute": {"frontend": f"http://127.0.0.1:{port}", "backend": f"http://127.0.0.1:{upstream}"}
            },
            "peers": {peer[0]: {"url": f"http://127.0.0.1:{peer[1]}"}},
            "audit": str(folder / f"{name}.jsonl"),
        }
        file.write_text(json.dumps(config))  # JSON is YAML
        return self._start(folder / f"{name}.log", port, "openstackoid", "gateway", "--config", str(file))


def load(variant: Variant, mode: str, **spec: Any) -> dict[str, Any]:
    """Run the load generator; bounded in time."""
    spec |= {"port": variant.port, "headers": _HEADERS | variant.headers, "mode": mode}
    spec.setdefault("connections", 50)
    command = [sys.executable, "-m", "bench.load", json.dumps(spec)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {variant.name}: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


class Watch:
    """CPU and growth in memory of processes while something happens."""

    def __init__(self, processes: tuple[Process, ...]) -> None:
        self._processes = processes
        self.cpu = 0.0
        self.growth = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        over = threading.Event()
        before = [process.memory() for process in self._processes]
        cpu = sum(process.cpu() for process in self._processes)

        def look() -> None:
            while not over.wait(0.05):
                for process, old in zip(self._processes, before, strict=True):
                    self.growth = max(self.growth, process.memory() - old)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        self.cpu = sum(process.cpu() for process in self._processes) - cpu


def _ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [int(each.getsockname()[1]) for each in sockets]
