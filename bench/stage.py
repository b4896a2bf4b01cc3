"""The processes of one run, and what the kernel knows of each."""

import base64
import contextlib
import hashlib
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
from typing import Any, Final, Self, TypeVar

from bench import clouds
from bench.clouds import ports

PASSED: Final = "remote, pass-through, both"
FEDERATED: Final = "remote, federated, both"
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _token(number: int) -> str:
    """As Keystone's: Fernet without padding, of five blocks. The same in every run."""
    rest = b"".join(hashlib.sha256(b"%d %d" % (number, part)).digest() for part in range(5))
    return base64.urlsafe_b64encode(b"\x80\0\0\0\0" + rest[:132]).decode().rstrip("=")


# Of as many users.
TOKENS: Final = tuple(_token(number) for number in range(20))
# Of as many users as a cloud has at a time, where nobody has to learn each of them.
MANY_TOKENS: Final = tuple(_token(number) for number in range(3000))
HEADERS: Final = {
    "User-Agent": "openstacksdk/4.0.0 keystoneauth1/5.8.0 python-requests/2.32.0 CPython/3.11",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "OpenStack-API-Version": "compute 2.90",
}


# A list, as nova answers it.
PATH: Final = "/v2.1/servers/detail?limit=5"


@dataclass(frozen=True)
class Variant:
    """One way to the upstream: where to ask, with which headers more, through which processes, as which users, for what.

    Attributes:
        data: port of the image service, where that is not `port`: between owners its data alone may be of any size.
    """

    name: str
    port: int
    processes: tuple["Process", ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    tokens: tuple[str, ...] = TOKENS
    path: str = PATH
    data: int | None = None


class Process:
    """A server that runs until the end of the run."""

    def __init__(self, log: Path, port: int, *command: str, host: str = "127.0.0.1") -> None:
        self.port, self._log, self._host = port, log, host
        with log.open("wb") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file)
        self._stat = Path(f"/proc/{self._process.pid}/stat")

    def wait(self) -> None:
        """Until it listens."""
        end = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection((self._host, self.port), 0.2):
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

    def worker(self) -> int:
        """Process id of the one whose first thread does the work."""
        return self._process.pid

    def cpu(self) -> float:
        """Seconds of CPU that it used, its own and the kernel's for it."""
        fields = self._stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def memory(self) -> int:
        """Bytes in memory."""
        return int(self._stat.read_text().rpartition(")")[2].split()[21]) * _PAGE


AProcess = TypeVar("AProcess", bound=Process)


class Scene:
    """A folder, and servers that end with it."""

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="openstackoid-bench-")))
        try:
            self.begin()
        except BaseException:
            self._stack.close()  # `with` ends only what has begun
            raise
        return self

    def begin(self) -> None:
        """Start the servers."""

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, name: str, port: int, *command: str, host: str = "127.0.0.1") -> Process:
        """Start a server; it ends with the stage."""
        log = self.folder / f"{name}-{port}.log"
        return self.keep(Process(log, port, sys.executable, "-m", *command, host=host))

    def keep(self, process: AProcess) -> AProcess:
        """Have a server end with the stage."""
        self._stack.callback(process.stop)
        return process

    def gateway(self, config: dict[str, Any], source: Path | None = None) -> Process:
        """Start a gateway with this configuration; its code from another folder of source, if one is given."""
        port = int(next(iter(config["services"].values()))["listen"].rpartition(":")[2])
        file = self.folder / f"{config['cloud']}-{port}.yaml"
        file.write_text(json.dumps(config | {"audit": f"{file}.jsonl"}))  # JSON is YAML
        host = config.get("haproxy", {}).get("gateway", "127.0.0.1")
        before = ("env", f"PYTHONPATH={source}") if source is not None else ()
        command = (*before, sys.executable, "-m", "openstackoid", "gateway", "--config", str(file))
        return self.keep(Process(self.folder / f"{config['cloud']}-{port}.log", port, *command, host=host))


class Stage(Scene):
    """Upstream, baseline, and two pairs of gateways: of clouds of one owner, and of different owners; all on the loopback address."""

    def begin(self) -> None:
        """Start all of it."""
        upstream, bare, one, two, keystone = ports(5)
        up = self.start("upstream", upstream, "bench.upstream", str(upstream))
        forwarder = self.start("forwarder", bare, "bench.forwarder", str(bare), f"http://127.0.0.1:{upstream}")
        identity = self.start("keystone", keystone, "bench.fakes", "keystone", str(keystone))
        backends = {"compute": upstream, "identity": keystone, "image": upstream}
        pair = [
            self.gateway(clouds.shared(name, {"compute": port}, backends, {other: f"http://127.0.0.1:{there}"}))
            for name, port, other, there in (("CloudOne", one, "CloudTwo", two), ("CloudTwo", two, "CloudOne", one))
        ]
        homes = [clouds.Ports.free(name, ("compute", "identity", "image")) for name in ("CloudOne", "CloudTwo")]
        self.owned = [
            self.gateway(config) for config in clouds.owned(self.folder, homes, [backends, backends], [None, None])
        ]
        for process in (up, forwarder, identity, *pair, *self.owned):
            process.wait()
        clouds.wait_for_peers([each.ports["compute"] for each in homes])
        self.metrics = [each.admin for each in homes]
        self.direct = Variant("upstream directly", upstream)
        self.baseline = Variant("bare aiohttp forwarder", bare, (forwarder,))
        there = {"X-Scope": '{"compute": "CloudTwo"}'}
        entry, images = homes[0].ports["compute"], homes[0].ports["image"]
        both = {"X-Scope": '{"compute": "CloudTwo", "image": "CloudTwo"}'}
        self.gateways = [
            Variant("gateway, no scope", one, (pair[0],)),
            Variant("gateway, X-Scope local", one, (pair[0],), {"X-Scope": '{"compute": "CloudOne"}'}),
            Variant("remote, pass-through (entry)", one, (pair[0],), there),
            Variant(PASSED, one, tuple(pair), there),
            Variant("remote, federated (entry)", entry, (self.owned[0],), both, data=images),
            Variant(FEDERATED, entry, tuple(self.owned), both, data=images),
        ]


def load(variant: Variant, mode: str, **spec: Any) -> dict[str, Any]:
    """Run the load generator; bounded in time."""
    spec |= {
        "port": variant.port,
        "headers": HEADERS | variant.headers,
        "tokens": variant.tokens,
        "mode": mode,
        "path": variant.path,
    }
    spec.setdefault("connections", 50)
    command = [sys.executable, "-m", "bench.load"]
    done = subprocess.run(command, input=json.dumps(spec), capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {variant.name}: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


class Watch:
    """CPU and growth in memory of processes while something happens."""

    def __init__(self, processes: tuple[Process, ...]) -> None:
        self._processes = processes
        self.each = [0.0] * len(processes)
        self.growth = 0

    @property
    def cpu(self) -> float:
        """Seconds of all processes."""
        return sum(self.each)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        over = threading.Event()
        before = [process.memory() for process in self._processes]
        cpu = [process.cpu() for process in self._processes]

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
        self.each = [process.cpu() - old for process, old in zip(self._processes, cpu, strict=True)]
