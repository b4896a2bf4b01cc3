"""An oaktree before clouds for tests of watches, and its callers' streams."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from openstack.config import OpenStackConfig
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.nova import Nova
from tests.oaktree.upstream import eventually

from oaktree.v1 import common_pb2, compute_pb2, compute_pb2_grpc, resource_pb2_grpc
from oaktree.v1.common_pb2 import Condition
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.access.callers import Caller, Local
from openstackoid.oaktree.cache.answers import Cache
from openstackoid.oaktree.resources.kinds import Kinds
from openstackoid.oaktree.rpcs.services import Services
from openstackoid.oaktree.rpcs.verbs import Engine
from openstackoid.oaktree.upstream.breaker import Breaker, Patience
from openstackoid.oaktree.upstream.clouds import Clouds
from openstackoid.oaktree.upstream.sessions import Gates
from openstackoid.oaktree.upstream.transport import Gate
from openstackoid.oaktree.watches.polls import Pace
from openstackoid.oaktree.watches.watching import Watches

INTERVAL = 0.05
GENEROUS = 60.0
PACE = Pace(interval=INTERVAL, longest=4 * INTERVAL, patience=GENEROUS)
KINDS = Kinds()
END: Any = grpc.aio.EOF  # type: ignore[attr-defined] # types of grpc.aio lack it


@dataclasses.dataclass
class Stage:
    """An oaktree before clouds, and what callers have of it."""

    clouds: dict[str, Nova]
    watches: Watches
    local: Local
    server: Any
    compute: Any
    generic: Any

    @property
    def cloud(self) -> Nova:
        [cloud] = self.clouds.values()
        return cloud

    def watch(self, id_: str = "", *, cloud: str = "", **until: Any) -> "Reader":
        """A stream of changes of one server, or of all, in one cloud or in all."""
        request = compute_pb2.WatchServerRequest(location=Location(cloud=cloud), id=id_, until=Condition(**until))
        return Reader(self.compute.WatchServer(request))


class Reader:
    """One stream, as its caller reads it."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def next(self) -> Any:
        answer = await asyncio.wait_for(self.call.read(), GENEROUS)
        assert answer is not END, "the stream has ended"
        return answer

    async def word(self) -> tuple[str, str, str]:
        """What happened, to which server, in which status."""
        return told(await self.next())

    async def rest(self) -> list[tuple[str, str, str]]:
        found = []
        while (answer := await asyncio.wait_for(self.call.read(), GENEROUS)) is not END:
            found.append(told(answer))
        return found

    async def end(self) -> grpc.aio.AioRpcError:
        """The error that it ends with."""
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await self.rest()
        return error.value


def told(answer: Any) -> tuple[str, str, str]:
    assert answer.seen_at.seconds
    return common_pb2.Change.Name(answer.change).removeprefix("CHANGE_"), answer.server.id, answer.server.status


def words(change: str, ids: list[str], status: str) -> set[tuple[str, str, str]]:
    return {(change, each, status) for each in ids}


def polling() -> list[str]:
    return [each.get_name() for each in asyncio.all_tasks() if each.get_name().startswith("poll ")]


@contextlib.asynccontextmanager
async def served(
    clouds_file: Path, clouds: dict[str, Nova], *, pace: Pace = PACE, cache: Cache | None = None
) -> AsyncIterator[Stage]:
    """An oaktree before the clouds of a file."""
    again = Patience(first=0.01, longest=0.02)
    gates = Gates(lambda cloud, region: Gate(cloud, region, Breaker(cloud, region, again)))
    local = Local(Clouds(OpenStackConfig(config_files=[str(clouds_file)]), gates.session))

    async def authenticate(_context: Any) -> Caller:
        return local

    threads = ThreadPoolExecutor(16, thread_name_prefix="cloud")
    watches = Watches(threads, pace, cache=cache, most=8)
    server = grpc.aio.server()
    Services(Engine(KINDS, threads, authenticate, 30, watches)).register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            compute = compute_pb2_grpc.ComputeServiceStub(channel)
            generic = resource_pb2_grpc.ResourceServiceStub(channel)
            yield Stage(clouds, watches, local, server, compute, generic)
        await eventually(lambda: not watches.polls)
    finally:
        await server.stop(0)
        threads.shutdown()


@contextlib.asynccontextmanager
async def staged(
    folder: Path, *names: str, pace: Pace = PACE, cache: Cache | None = None, clouds: dict[str, Nova] | None = None
) -> AsyncIterator[Stage]:
    """An oaktree before simulated clouds: its own, or others' that go on."""
    ours = {} if clouds else {name: Nova() for name in names}
    found = clouds or ours
    try:
        async with served(clouds_yaml(folder, found), found, pace=pace, cache=cache) as stage:
            yield stage
    finally:
        for cloud in ours.values():
            cloud.close()
