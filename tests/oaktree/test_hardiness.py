"""What a server stands: input that no honest client sends, a thousand calls at a time, its own end, and the end of one of its workers."""

import asyncio
import functools
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from tests.oaktree.upstream import until
from tests.oaktree.world import Oaktree, Simulated
from tests.volume import volume

from oaktree.v1 import compute_pb2_grpc
from oaktree.v1.common_pb2 import CHANGE_CURRENT, ListOptions
from oaktree.v1.compute_pb2 import ListServersRequest, WatchServerRequest
from oaktree.v1.location_pb2 import Location

LIST = "/oaktree.v1.ComputeService/ListServers"
WORKERS = volume(4, 2)


@pytest.fixture(scope="module")
def server(clouds: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oaktree]:
    folder = tmp_path_factory.mktemp("oaktree")
    oaktree = Oaktree(folder, clouds.clouds_yaml(folder / "clouds.yaml", ("one", "two")))
    yield oaktree
    assert oaktree.stop() == 0
    assert "Traceback" not in oaktree.log.read_text()


def names(channel: grpc.Channel, **options: Any) -> list[str]:
    stub: Any = compute_pb2_grpc.ComputeServiceStub(channel)
    answers = list(stub.ListServers(ListServersRequest(**options), timeout=60))
    assert not any(each.HasField("error") for each in answers[-1].summary.results)
    return sorted(server.name for each in answers for server in each.servers)


EVERYTHING = sorted(f"{cloud}-{index}" for cloud in ("one", "two") for index in range(3))


def code(call: Any) -> StatusCode:
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    found: StatusCode = caught.value.code()
    return found


# What no honest client sends.


@pytest.mark.parametrize(
    ("method", "body", "metadata", "wanted"),
    [
        (LIST, ListServersRequest(options=ListOptions(page_token="x" * (5 << 20))), (), "RESOURCE_EXHAUSTED"),
        (LIST, ListServersRequest(), (("x-oaktree-token", "one " + "x" * 200_000),), "RESOURCE_EXHAUSTED"),
        (LIST, ListServersRequest(), (("x-oaktree-token", "one " + "x" * 9_000),), "INVALID_ARGUMENT"),
        (LIST, b"\xff\xff\xff\xff", (), "INVALID_ARGUMENT"),
        (LIST, b"\x0a\x05\x0a\x03\xff\xfe\xfd", (), "INVALID_ARGUMENT"),  # text that is not UTF-8
        ("/oaktree.v1.ComputeService/DropEverything", b"", (), "UNIMPLEMENTED"),
        ("/oaktree.v2.ComputeService/ListServers", b"", (), "UNIMPLEMENTED"),
        ("//", b"", (), "UNIMPLEMENTED"),
    ],
    ids=["oversized", "metadata", "token", "malformed", "text", "rpc", "version", "path"],
)
def test_what_cannot_be_read_ends_its_own_call_only(
    server: Oaktree, method: str, body: Any, metadata: Any, wanted: str
) -> None:
    with server.channel() as channel:
        rpc = channel.unary_stream(
            method, lambda each: each if isinstance(each, bytes) else each.SerializeToString(), lambda each: each
        )
        assert code(rpc(body, metadata=metadata, timeout=30)).name == wanted
        assert names(channel) == EVERYTHING


def test_bytes_that_are_no_grpc_harm_nobody(server: Oaktree) -> None:
    for rubbish in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 512):
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(rubbish)
            sock.settimeout(5)
            with server.channel() as channel:
                assert names(channel) == EVERYTHING


async def test_hundreds_of_calls_at_a_time(server: Oaktree) -> None:
    number = volume(1000)
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub: Any = compute_pb2_grpc.ComputeServiceStub(channel)

        async def ask() -> int:
            answers = [each async for each in stub.ListServers(ListServersRequest(), timeout=120)]
            assert not any(each.HasField("error") for each in answers[-1].summary.results), answers[-1]
            return sum(len(each.servers) for each in answers)

        assert await asyncio.gather(*(ask() for _ in range(number))) == [6] * number


# Its end.


async def test_calls_are_ended_properly_when_it_is_told_to_stop(tmp_path: Path, clouds: Simulated) -> None:
    server = Oaktree(tmp_path, clouds.clouds_yaml(tmp_path / "clouds.yaml", ("slow", "one")))
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub: Any = compute_pb2_grpc.ComputeServiceStub(channel)
        watch = stub.WatchServer(WatchServerRequest(location=Location(cloud="one")), timeout=60)
        assert (await watch.read()).change == CHANGE_CURRENT
        [_ async for _ in stub.ListServers(ListServersRequest())]
        clouds.tell("slow", latency=3000)
        call = stub.ListServers(ListServersRequest(), timeout=60)
        assert {each.location.cloud for each in (await call.read()).servers} == {"one"}
        server.process.process.send_signal(signal.SIGTERM)
        # What is under way goes on to its end.
        rest = [each async for each in reading(call)]
        assert {each.location.cloud for answer in rest for each in answer.servers} == {"slow"}
        assert not any(each.HasField("error") for each in rest[-1].summary.results)
        # What would go on for ever is ended, so that its caller asks elsewhere.
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [_ async for _ in reading(watch)]
        assert caught.value.code() is StatusCode.UNAVAILABLE
    assert await asyncio.to_thread(server.process.process.wait, 30) == 0
    clouds.tell("slow", latency=0)


async def reading(call: Any) -> AsyncIterator[Any]:
    """What comes until its end."""
    end: Any = grpc.aio.EOF  # type: ignore[attr-defined] # types of grpc.aio lack it
    while (answer := await call.read()) is not end:
        yield answer


def workers_of(server: Oaktree) -> set[int]:
    pid = server.process.process.pid
    return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def test_a_worker_that_is_killed_is_replaced_and_the_others_go_on(tmp_path: Path, clouds: Simulated) -> None:
    server = Oaktree(tmp_path, clouds.clouds_yaml(tmp_path / "clouds.yaml", ("one", "two")), workers=WORKERS)

    def listening() -> int:
        return server.log.read_text().count("oaktree listens at")

    try:
        until(lambda: listening() == WORKERS, 90)
        before = workers_of(server)
        assert len(before) == WORKERS
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        channels = [grpc.insecure_channel(server.address, options=options) for _ in range(16)]
        for channel in channels:
            assert names(channel) == EVERYTHING
        os.kill(min(before), signal.SIGKILL)
        cut = 0
        for channel in channels:
            # Those on connections to the dead one are told so at once, and go to another then.
            cut += not answers(channel)
            until(functools.partial(answers, channel), 30)
        assert cut < len(channels)
        until(lambda: listening() == WORKERS + 1, 90)
        after = workers_of(server)
        assert len(after) == WORKERS
        assert after > before - {min(before)}
        for channel in channels:
            assert names(channel) == EVERYTHING
            channel.close()
    finally:
        assert server.stop() == 0


def answers(channel: grpc.Channel) -> bool:
    try:
        return names(channel) == EVERYTHING
    except grpc.RpcError as error:
        if error.code() is not StatusCode.UNAVAILABLE:
            raise
        return False
