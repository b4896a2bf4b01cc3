"""An oaktree in a process of its own, that is killed and started again; and its caller."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from tests.oaktree.creator import request
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.making import Cloud
from tests.oaktree.world import Oaktree

from oaktree.v1 import common_pb2, compute_pb2_grpc, network_pb2, network_pb2_grpc, operation_pb2, operation_pb2_grpc

SLOW = 60.0
LEASE = 2


class Server:
    """A process that serves, and its caller."""

    def __init__(self, folder: Path, file: Path, settle: float, **settings: Any) -> None:
        operations = {"database": f"sqlite:///{folder}/operations.sqlite", "lease": LEASE, "settle": settle}
        self._oaktree = Oaktree(folder, file, operations=operations, threads=16, **settings)
        self.channel = grpc.insecure_channel(self._oaktree.address)

    def start(self) -> None:
        self._oaktree.start()
        self.channel = grpc.insecure_channel(self._oaktree.address)

    def kill(self) -> None:
        self._oaktree.process.stop(signal.SIGKILL)
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
def serving(folder: Path, made: dict[str, Cloud], settle: float = 0.5, **settings: Any) -> Iterator[Server]:
    server = Server(folder, clouds_yaml(folder, made), settle, **settings)
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
