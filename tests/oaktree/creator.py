"""An oaktree in the test's own process, before clouds in which things can be created."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2
from openstack.config import OpenStackConfig
from tests.oaktree import failures
from tests.oaktree.making import Hook

from oaktree.v1 import (
    common_pb2,
    compute_pb2,
    compute_pb2_grpc,
    group_pb2_grpc,
    image_pb2_grpc,
    network_pb2_grpc,
    operation_pb2_grpc,
    resource_pb2_grpc,
)
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.access.callers import Local
from openstackoid.oaktree.creates.creating import Creates
from openstackoid.oaktree.creates.leased import Dependencies
from openstackoid.oaktree.creates.operations import Operations
from openstackoid.oaktree.creates.posting import Seek, Watch, fetch
from openstackoid.oaktree.images.uploading import Limits, Uploads
from openstackoid.oaktree.resources.kinds import Kinds
from openstackoid.oaktree.rpcs.group_service import GroupService
from openstackoid.oaktree.rpcs.operation_service import OperationService
from openstackoid.oaktree.rpcs.services import Services
from openstackoid.oaktree.rpcs.verbs import Engine
from openstackoid.oaktree.upstream.admission import Admission
from openstackoid.oaktree.upstream.breaker import Breaker, Patience
from openstackoid.oaktree.upstream.clouds import Clouds
from openstackoid.oaktree.upstream.sessions import Gates
from openstackoid.oaktree.upstream.transport import Gate
from openstackoid.oaktree.watches.watching import Watches

KINDS = Kinds()
ACCEPTED, SENT, CREATED, DONE, FAILED, UNDONE, UNKNOWN, CANCELLED = range(1, 9)


def polled(threads: ThreadPoolExecutor, interval: float = 2.0) -> Watch:
    """States of resources that are asked for again and again, each by itself, `interval` seconds after the answer before."""

    async def states(seek: Seek) -> AsyncGenerator[Message, None]:
        while True:
            yield await fetch(seek, threads)
            await asyncio.sleep(interval)

    return states


@dataclasses.dataclass
class Oaktree:
    """A worker, and a caller's stubs."""

    creates: Creates
    records: Operations
    compute: Any
    network: Any
    image: Any
    generic: Any
    operations: Any
    folder: Path
    groups: Any


class _Named(Local):
    """The file's user, under another name."""

    def __init__(self, clouds: Clouds, name: str) -> None:
        super().__init__(clouds)
        self.name = name  # type: ignore[misc]


@contextlib.asynccontextmanager
async def oaktree(
    folder: Path,
    clouds_file: Path,
    *,
    database: str = "",
    settle: float = 60.0,
    lease: float = 5.0,
    at_once: int | None = None,
    **limits: Any,
) -> AsyncIterator[Oaktree]:
    gates = Gates(lambda cloud, region: Gate(cloud, region, Breaker(cloud, region, Patience(first=0.01, longest=0.02))))
    clouds = Clouds(OpenStackConfig(config_files=[str(clouds_file)]), gates.session)

    async def authenticate(context: Any) -> Any:
        names = [value for name, value in context.invocation_metadata() if name == "x-test-caller"]
        return _Named(clouds, names[0] if names else "alice")

    threads = ThreadPoolExecutor(16, thread_name_prefix="cloud")
    records = Operations(database or f"sqlite:///{folder}/operations.sqlite", lease=lease)
    dependencies = Dependencies(records, threads, polled(threads, 0.02), 20, settle, Admission(lambda *_: at_once))
    creates = Creates(dependencies, poll=0.02)
    await creates.start()
    uploads = Uploads(creates, Limits(folder / "uploads", **limits))
    server = grpc.aio.server()
    engine = Engine(KINDS, threads, authenticate, 20, Watches(threads), creates, uploads)
    Services(engine).register(server)
    group_pb2_grpc.add_GroupServiceServicer_to_server(GroupService(engine), server)
    operation_pb2_grpc.add_OperationServiceServicer_to_server(
        OperationService(dependencies, KINDS, authenticate, poll=0.02), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Oaktree(
                creates,
                records,
                compute_pb2_grpc.ComputeServiceStub(channel),
                network_pb2_grpc.NetworkServiceStub(channel),
                image_pb2_grpc.ImageServiceStub(channel),
                resource_pb2_grpc.ResourceServiceStub(channel),
                operation_pb2_grpc.OperationServiceStub(channel),
                folder,
                group_pb2_grpc.GroupServiceStub(channel),
            )
    finally:
        await server.stop(0)
        await creates.stop(10)
        threads.shutdown()


@dataclasses.dataclass
class Told:
    """All that a create told."""

    progress: list[common_pb2.Progress]
    resources: list[Any]
    summary: common_pb2.Summary

    @property
    def operation(self) -> str:
        return self.progress[0].operation_id

    def stages(self, cloud: str) -> list[int]:
        """The stages of a cloud's part, each once."""
        found = [each.stage for each in self.progress if each.location.cloud == cloud]
        return list(dict.fromkeys(found))

    def errors(self) -> dict[str, status_pb2.Status]:
        return {each.location.cloud: each.error for each in self.summary.results if each.HasField("error")}


async def all_of(call: Any, field: str = "server") -> Told:
    """A create to its end."""
    told = Told([], [], common_pb2.Summary())
    while (each := await call.read()) is not grpc.aio.EOF:  # type: ignore[attr-defined]  # the stubs lack it
        if each.HasField("progress"):
            told.progress.append(each.progress)
        if each.HasField(field):
            told.resources.append(getattr(each, field))
        if each.HasField("summary"):
            told.summary = each.summary
    return told


async def refused(call: Any, field: str = "server") -> tuple[grpc.StatusCode, str, str]:
    """Status, reason and message of a create that must fail."""
    code, message, info = await failures.refused(all_of(call, field))
    return code, info.reason, message


def held(go: asyncio.Event) -> Hook:
    """A cloud that waits."""
    loop = asyncio.get_running_loop()

    def wait(_: Any) -> None:
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result()

    return wait


def request(name: str = "web", *places: str, key: str = "", **options: Any) -> Any:
    """A request for a server, everywhere if no cloud is named."""
    return compute_pb2.CreateServerRequest(
        locations=[Location(cloud=each) for each in places],
        server=compute_pb2.Server(name=name, flavor_id="1", image_id="2", networks=None),
        options=common_pb2.CreateOptions(idempotency_key=key, **options),
    )
