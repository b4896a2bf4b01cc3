"""An oaktree in a process of its own, that can be killed; and its caller."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import yaml
from tests.oaktree.creator import request
from tests.oaktree.making import Cloud, clouds_yaml
from tests.oaktree.upstream import free_port

from oaktree.v1 import common_pb2, compute_pb2_grpc, network_pb2, network_pb2_grpc, operation_pb2, operation_pb2_grpc

SLOW = 60.0
LEASE = 2
_PROGRAM = """
import asyncio, sys
from pathlib import Path
from openstackoid.oaktree.config import load
from openstackoid.oaktree.server import serve
asyncio.run(serve(load(Path(sys.argv[1]))))
"""


class Server:
    """A process that serves, and its caller."""

    def __init__(self, folder: Path, file: Path, settle: float) -> None:
        self._folder = folder
        self.port = free_port()
        document = {
            "listen": [f"127.0.0.1:{self.port}"],
            "clouds": str(file),
            "operations": {"database": f"sqlite:///{folder}/operations.sqlite", "lease": LEASE, "settle": settle},
            "uploads": {"folder": str(folder / "uploads")},
            "threads": 16,
        }
        (folder / "oaktree.yaml").write_text(yaml.safe_dump(document))
        self.start()

    def start(self) -> None:
        with (self._folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(self._folder / "oaktree.yaml")], stdout=log, stderr=log
            )
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        try:
            grpc.channel_ready_future(self.channel).result(SLOW)
        except grpc.FutureTimeoutError:
            self.kill()
            raise AssertionError((self._folder / "server.log").read_text()) from None

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.channel.close()

    @property
    def compute(self) -> Any:
        return compute_pb2_grpc.ComputeServiceStub(self.channel)

    def create(self, key: str) -> Any:
        return self.compute.CreateServer(request(key=key), timeout=SLOW)

    def create_network(self, key: str) -> Any:
        ask = network_pb2.CreateNetworkRequest(
            network=network_pb2.Network(name="net"), options=common_pb2.CreateOptions(idempotency_key=key)
        )
        return network_pb2_grpc.NetworkServiceStub(self.channel).CreateNetwork(ask, timeout=SLOW)

    def stages(self, name: str) -> dict[str, int]:
        """What the caller is told of an operation."""
        ask = operation_pb2.GetOperationRequest(id=name)
        found = operation_pb2_grpc.OperationServiceStub(self.channel).GetOperation(ask, timeout=SLOW).operation
        self.is_done = found.done
        return {each.location.cloud: each.stage for each in found.parts}


@contextlib.contextmanager
def serving(folder: Path, made: dict[str, Cloud], settle: float = 0.5) -> Iterator[Server]:
    server = Server(folder, clouds_yaml(folder, {name: each.url for name, each in made.items()}), settle)
    try:
        yield server
    finally:
        server.kill()


def drain(call: Any) -> list[Any]:
    """All that comes, until the server dies."""
    found: list[Any] = []
    with contextlib.suppress(grpc.RpcError):
        found.extend(call)
    return found


def retried(call: Any) -> dict[str, int]:
    """A create to its end: the last stage of each cloud's part."""
    told = list(call)
    assert told[-1].HasField("summary")
    return {each.progress.location.cloud: each.progress.stage for each in told if each.progress.location.cloud}
