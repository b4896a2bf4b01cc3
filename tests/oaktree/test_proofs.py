"""What a whole server keeps to, over real gRPC and openstacksdk: rates and polls over several workers, dead clouds, what is whose."""

import asyncio
import contextlib
import json
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.rpc import error_details_pb2
from tests.oaktree.counting import too_early
from tests.oaktree.failures import detail
from tests.oaktree.world import Oaktree, Simulated
from tests.redis_server import RedisServer
from tests.volume import volume

from oaktree.v1 import cloud_pb2_grpc, compute_pb2_grpc, resource_pb2_grpc
from oaktree.v1.cloud_pb2 import Cloud, ListCloudsRequest
from oaktree.v1.common_pb2 import CHANGE_CURRENT, CHANGE_REACHED, Condition, ListOptions
from oaktree.v1.compute_pb2 import (
    CreateServerRequest,
    DeleteServerRequest,
    ListServersRequest,
    Server,
    WatchServerRequest,
)
from oaktree.v1.location_pb2 import Location
from oaktree.v1.resource_pb2 import ListResourcesRequest
from openstackoid.oaktree.resources.structs import to_python

END: Final[Any] = grpc.aio.EOF  # type: ignore[attr-defined] # types of grpc.aio lack it
WORKERS: Final = volume(4, 2)
GENEROUS: Final = 120.0


@contextlib.contextmanager
def serving(folder: Path, clouds_yaml: Path, **settings: Any) -> Iterator[Oaktree]:
    server = Oaktree(folder, clouds_yaml, **settings)
    try:
        yield server
    finally:
        assert server.stop() == 0, server.log.read_text()


@contextlib.asynccontextmanager
async def channels(server: Oaktree, number: int) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Connections of their own: the kernel gives them to the workers."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(grpc.aio.insecure_channel(server.address, options=options))
            for _ in range(number)
        ]


async def over_all_workers(server: Oaktree, clouds: Simulated, cloud: str, workers: int) -> None:
    """Call until each worker has been called: each has a token of its own then."""
    deadline = time.monotonic() + GENEROUS
    while clouds.report(cloud)["tokens"] < workers:
        assert time.monotonic() < deadline
        async with channels(server, 1) as [channel]:
            await listed(compute_pb2_grpc.ComputeServiceStub(channel), cloud, refresh=True)


async def listed(stub: Any, *names: str, refresh: bool = False) -> tuple[dict[str, int], dict[str, str]]:
    """How many servers each cloud gave, and the reasons of those that did not."""
    request = ListServersRequest(
        locations=[Location(cloud=name) for name in names], options=ListOptions(refresh=refresh)
    )
    found: dict[str, int] = {}
    reasons = {}
    async for answer in stub.ListServers(request, timeout=GENEROUS):
        for server in answer.servers:
            found[server.location.cloud] = found.get(server.location.cloud, 0) + 1
        for result in answer.summary.results:
            if result.HasField("error"):
                reasons[result.location.cloud] = reason(result.error)
    return found, reasons


def reason(status: Any) -> str:
    info = detail(status, error_details_pb2.ErrorInfo)
    return info.reason if info else ""


# Rates.


async def test_the_rate_is_never_exceeded_over_all_workers(
    tmp_path: Path, clouds: Simulated, redis: RedisServer
) -> None:
    rate, burst, lists = 60, 15, volume(240, 2)
    file = clouds.clouds_yaml(tmp_path / "clouds.yaml", ("paced", "free"))
    limits = {"clouds": {"paced": {"rate": rate, "burst": burst}}}
    with serving(tmp_path, file, workers=WORKERS, redis=redis.url, limits=limits) as server:
        await over_all_workers(server, clouds, "paced", WORKERS)
        before = len(clouds.report("paced")["requests"])
        async with channels(server, 24) as connections:
            numbers = iter(range(lists))

            async def ask(channel: grpc.aio.Channel) -> int:
                stub, done = compute_pb2_grpc.ComputeServiceStub(channel), 0
                for _ in numbers:
                    found, reasons = await listed(stub, "paced", "free")
                    assert (found, reasons) == ({"paced": 3, "free": 3}, {})
                    done += 1
                return done

            done = sum(await asyncio.gather(*(ask(each) for each in connections * 2)))
    requests = clouds.report("paced")["requests"]
    # All of them, those of Keystone as well.
    assert sum("/auth/tokens" in path for _, _, path in requests) == WORKERS
    times = sorted(at for at, _, _ in requests)
    assert too_early(times[before:], times[before - 1], rate, burst) == []
    # A limiter that lets hardly anything through would pass the line above.
    assert len(times) - before >= done == lists > rate


# Clouds that are dead.


async def test_a_dead_cloud_costs_its_deadline_once(tmp_path: Path, clouds: Simulated) -> None:
    file = clouds.clouds_yaml(tmp_path / "clouds.yaml", ("well", "dying"))
    with serving(tmp_path, file, timeout=5.5) as server:
        async with channels(server, 1) as [channel]:
            stub = compute_pb2_grpc.ComputeServiceStub(channel)

            async def state() -> Cloud:
                found = await cloud_pb2_grpc.CloudServiceStub(channel).ListClouds(ListCloudsRequest())
                return {each.location.cloud: each for each in found.clouds}["dying"]

            assert await listed(stub, "well", "dying") == ({"well": 3, "dying": 3}, {})
            assert (await state()).available
            clouds.tell("dying", fault="hang", everywhere=True)
            found, reasons = await listed(stub, "well", "dying")
            assert found == {"well": 3}
            assert reasons == {"dying": "CLOUD_TIMEOUT"}
            asked = len(clouds.report("dying")["requests"])
            for _ in range(50):
                assert await listed(stub, "well", "dying") == ({"well": 3}, {"dying": "CLOUD_LEFT_ALONE"})
            assert len(clouds.report("dying")["requests"]) == asked
            told = await state()
            assert not told.available
            assert reason(told.last_error)
            assert told.retry_at.ToDatetime().timestamp() > 0
            clouds.tell("dying", fault=None)
            async with asyncio.timeout(GENEROUS):
                while await listed(stub, "well", "dying") != ({"well": 3, "dying": 3}, {}):
                    await asyncio.sleep(0.1)
            told = await state()
            assert told.available
            assert not told.HasField("retry_at")


# What is whose.


def token(clouds: Simulated, cloud: str, user: str, project: str) -> str:
    """Of a user's login."""
    domain = {"name": "Default"}
    auth = {
        "identity": {"methods": ["password"], "password": {"user": {"name": user, "domain": domain, "password": "x"}}},
        "scope": {"project": {"name": project, "domain": domain}},
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{clouds.port}/{cloud}/identity/v3/auth/tokens",
        json.dumps({"auth": auth}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return str(answer.headers["X-Subject-Token"])


class User:
    """Somebody who lists, and looks at what comes."""

    def __init__(self, clouds: Simulated, names: tuple[str, ...], user: str, project: str) -> None:
        self.metadata = tuple(("x-oaktree-token", f"{name} {token(clouds, name, user, project)}") for name in names)
        self.project, self.admin = project, user.startswith("admin")
        self.clouds = names
        self.answers = self.remembered = 0

    async def typed(self, stub: Any) -> set[str]:
        """What they see by the service of servers."""
        seen = set()
        async for answer in stub.ListServers(ListServersRequest(), metadata=self.metadata, timeout=GENEROUS):
            for server in answer.servers:
                self._look(server.name, server.location, server.compute_host or None)
                seen.add(server.id)
            self._count(answer)
        return seen

    async def generic(self, stub: Any) -> None:
        """What they see by the service of everything."""
        request = ListResourcesRequest(kind="compute.server")
        async for answer in stub.ListResources(request, metadata=self.metadata, timeout=GENEROUS):
            for resource in answer.resources:
                self._look(resource.name, resource.location, to_python(resource.attributes).get("compute_host"))
            self._count(answer)

    async def write(self, stub: Any) -> None:
        """Create one, see it, delete it, and see it no more."""
        location = Location(cloud=self.clouds[0])
        server = Server(name=f"{self.project}-made", flavor_id="1", image_id="70a599e0-31e7-49b7-b260-868f441e862b")
        made = ""
        async for answer in stub.CreateServer(
            CreateServerRequest(server=server, locations=[location]), metadata=self.metadata, timeout=GENEROUS
        ):
            made = answer.server.id or made
        assert made
        assert made in await self.typed(stub)
        await stub.DeleteServer(
            DeleteServerRequest(id=made, location=location), metadata=self.metadata, timeout=GENEROUS
        )
        assert made not in await self.typed(stub)

    def _look(self, name: str, location: Location, host: str | None) -> None:
        assert location.project == self.project
        mine = "" if self.project == "demo" else f"{self.project}-"
        assert name in {f"{location.cloud}-{mine}{index}" for index in range(3)} | {f"{self.project}-made"}
        assert host == (f"host-of-{location.cloud}" if self.admin else None)

    def _count(self, answer: Any) -> None:
        if answer.HasField("summary"):
            assert [each.location.cloud for each in answer.summary.results] == sorted(self.clouds)
            assert not any(each.HasField("error") for each in answer.summary.results), answer.summary
            assert all(each.items >= 3 for each in answer.summary.results)
            self.answers += 1
            self.remembered += all(each.HasField("remembered_at") for each in answer.summary.results)


@pytest.mark.parametrize(
    ("workers", "calls"), [(1, volume(10_000, 16)), (2, volume(5_000, 16))], ids=["memory", "redis"]
)
async def test_no_answer_reaches_another_user(
    tmp_path: Path, clouds: Simulated, redis: RedisServer, workers: int, calls: int
) -> None:
    names = (f"first{workers}", f"second{workers}")
    file = tmp_path / "clouds.yaml"
    # Without users of its own.
    bare = {
        name: {"auth": {"auth_url": clouds.cloud(name)["auth"]["auth_url"]}, "region_name": "RegionOne"}
        for name in names
    }
    file.write_text(json.dumps({"clouds": bare}))
    # So short that much is renewed in the background, for the one whose it is.
    settings = {"callers": {"tokens": True}, "cache": {"fresh": 0.1, "stale": 60}, "workers": workers}
    with serving(tmp_path, file, **settings, **({"redis": redis.url} if workers > 1 else {})) as server:
        # Two of one project with different rights, and one of another.
        users = [
            User(clouds, names, user, project)
            for user, project in (("alice", "demo"), ("admin-ann", "demo"), ("bob", "other"))
        ]
        async with channels(server, 8) as connections:
            compute = [compute_pb2_grpc.ComputeServiceStub(each) for each in connections]
            generic = [resource_pb2_grpc.ResourceServiceStub(each) for each in connections]
            numbers = iter(range(calls))

            async def call(lane: int) -> None:
                for number in numbers:
                    user, at = users[number % 3], (number + lane) % len(connections)
                    if number % 500 == 250:
                        await user.write(compute[at])
                    elif number // 3 % 2:
                        await user.generic(generic[at])
                    else:
                        await user.typed(compute[at])

            await asyncio.gather(*(call(lane) for lane in range(32)))
    assert sum(each.answers for each in users) >= calls
    # From the cache, or it would show nothing.
    assert sum(each.remembered for each in users) > calls // 2
    renewed = sum(clouds.lists(name) for name in names)
    assert calls > renewed > calls // 200


# Watches.


@pytest.mark.parametrize("workers", [1, WORKERS])
async def test_watchers_cost_one_poll_an_interval_however_many_they_are(
    tmp_path: Path, clouds: Simulated, redis: RedisServer, workers: int
) -> None:
    cloud, interval = f"watched{workers}", 1.0
    clouds.tell(cloud, servers=100)
    servers = [each["id"] for each in clouds.report(cloud)["servers"]]
    file = clouds.clouds_yaml(tmp_path / "clouds.yaml", (cloud,))
    settings: dict[str, Any] = {"workers": workers, "watch": {"interval": interval}}
    with serving(tmp_path, file, **settings, **({"redis": redis.url} if workers > 1 else {})) as server:
        await over_all_workers(server, clouds, cloud, workers)
        async with channels(server, 20) as connections:
            stubs: list[Any] = [compute_pb2_grpc.ComputeServiceStub(each) for each in connections]
            calls = [
                stubs[number % 20].WatchServer(
                    WatchServerRequest(id=servers[number % 100], until=Condition(gone=True)), timeout=GENEROUS
                )
                for number in range(volume(1000))
            ]
            assert {(await call.read()).change for call in calls} == {CHANGE_CURRENT}
            clouds.tell(cloud, forget=True)
            began = time.monotonic()
            while clouds.lists(cloud) < 4:
                assert time.monotonic() < began + GENEROUS
                await asyncio.sleep(0.05)
            asked = len(clouds.report(cloud)["requests"])
            assert asked <= (time.monotonic() - began) / interval + 1
            clouds.tell(cloud, servers=0)
            last = []
            for call in calls:
                changes = [change async for change in rest(call)]
                last.append(changes[-1])
            assert set(last) == {CHANGE_REACHED}


async def rest(call: Any) -> AsyncIterator[Any]:
    """The changes until its end."""
    while (answer := await call.read()) is not END:
        yield answer.change
