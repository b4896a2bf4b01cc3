"""A server that is told to stop: watches end at once and say that they can be asked again; what has an end of its own gets there."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode
from tests import commands
from tests.oaktree.creator import DONE, all_of, request
from tests.oaktree.failures import detail, reason, status
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.making import clouds as making
from tests.oaktree.test_languages import package
from tests.oaktree.watched import END
from tests.oaktree.world import Oaktree, Process, Simulated

from oaktree.client import connect, watch
from oaktree.v1 import common_pb2, compute_pb2, compute_pb2_grpc, image_pb2, image_pb2_grpc
from oaktree.v1.common_pb2 import CHANGE_CURRENT, Condition
from oaktree.v1.location_pb2 import Location

__all__ = ["package"]
LONG = 180.0


def serving(folder: Path, clouds: Simulated, *names: str, **settings: Any) -> Oaktree:
    file = clouds.clouds_yaml(folder / f"{'-'.join(names)}.yaml", names)
    return Oaktree(folder, file, **{"watch": {"interval": 0.2}, **settings})


def tell(server: Oaktree) -> None:
    server.process.process.send_signal(signal.SIGTERM)


async def ended(server: Oaktree) -> None:
    """Wait until it has ended, and well."""
    assert await asyncio.to_thread(server.process.process.wait, LONG) == 0
    assert "Traceback" not in server.log.read_text()


@contextlib.asynccontextmanager
async def calling(server: Oaktree) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield channel


async def told(call: Any) -> grpc.aio.AioRpcError:
    """The error that a watch ends with."""
    try:
        while await call.read() is not END:
            pass
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("it ended without an error")


def check(error: grpc.aio.AioRpcError) -> None:
    assert (error.code(), reason(error)) == (StatusCode.UNAVAILABLE, "SERVER_STOPPING")
    assert "ask again" in str(error.details())
    assert 0 < detail(status(error), error_details_pb2.RetryInfo).retry_delay.ToTimedelta().total_seconds() <= 5


async def test_open_watches_end_at_once_and_can_be_asked_again(tmp_path: Path, clouds: Simulated) -> None:
    server = serving(tmp_path, clouds, "one", "two")
    async with calling(server) as channel:
        compute: Any = compute_pb2_grpc.ComputeServiceStub(channel)
        wanted: list[dict[str, Any]] = [{"id": "one-0"}, {"id": "one-1", "until": Condition(gone=True)}, {}, {"location": Location(cloud="two")}]  # fmt: skip
        watches = [compute.WatchServer(compute_pb2.WatchServerRequest(**each)) for each in wanted * 20]
        for each in watches:
            assert (await each.read()).change == CHANGE_CURRENT
        tell(server)
        for error in await asyncio.gather(*map(told, watches)):
            check(error)
        await ended(server)


async def test_a_watch_through_a_chain_ends_with_each_of_its_servers(tmp_path: Path, clouds: Simulated) -> None:
    async def chain(folder: Path) -> tuple[Oaktree, Oaktree]:
        folder.mkdir()
        remote_parts = serving(folder, clouds, "far", id="B")
        behind = {"name": "SiteB", "target": remote_parts.address, "plaintext": True}
        return serving(folder, clouds, "near", id="A", oaktrees=[behind]), remote_parts

    for stops in (0, 1):
        servers = await chain(tmp_path / str(stops))
        async with calling(servers[0]) as channel:
            compute: Any = compute_pb2_grpc.ComputeServiceStub(channel)
            watches = [compute.WatchServer(compute_pb2.WatchServerRequest(id=each)) for each in ("far-0", "far-0")]
            watches.append(compute.WatchServer(compute_pb2.WatchServerRequest()))
            for each in watches:
                assert (await each.read()).change == CHANGE_CURRENT
            tell(servers[stops])
            for error in await asyncio.gather(*map(told, watches)):
                check(error)
            await ended(servers[stops])
        assert servers[1 - stops].stop() == 0


async def test_a_create_that_waits_gets_to_its_end(tmp_path: Path, clouds: Simulated) -> None:
    server = serving(tmp_path, clouds, "one", watch={"interval": 1})
    clouds.tell("one", build=1000)
    try:
        async with calling(server) as channel:
            compute: Any = compute_pb2_grpc.ComputeServiceStub(channel)
            watch = compute.WatchServer(compute_pb2.WatchServerRequest())
            assert (await watch.read()).change == CHANGE_CURRENT
            create = compute.CreateServer(request("late", wait=True))
            while (await create.read()).progress.stage != common_pb2.STAGE_CREATED:
                pass
            tell(server)
            # The watch's end waits for no other call.
            going = asyncio.create_task(all_of(create))
            check(await told(watch))
            assert not going.done()
            clouds.tell("one", build=0)
            found = await going
        assert found.stages("one")[-1] == DONE
        assert not found.errors()
        await ended(server)
    finally:
        clouds.tell("one", build=0)


async def test_an_upload_gets_to_its_end(tmp_path: Path) -> None:
    data, stopping = bytes(range(256)) * 4096, asyncio.Event()

    async def pieces() -> AsyncIterator[Any]:
        image = image_pb2.Image(name="disk", disk_format="raw", container_format="bare")
        yield image_pb2.UploadImageRequest(create=image_pb2.CreateImageRequest(image=image))
        yield image_pb2.UploadImageRequest(data=data[:1000])
        await stopping.wait()
        await asyncio.sleep(1)
        yield image_pb2.UploadImageRequest(data=data[1000:])

    with making("One") as made:
        server = Oaktree(tmp_path, clouds_yaml(tmp_path, made))
        async with calling(server) as channel:
            call = image_pb2_grpc.ImageServiceStub(channel).UploadImage(pieces())
            async with asyncio.timeout(LONG):
                while not list((tmp_path / "uploads").glob("*/image")):
                    await asyncio.sleep(0.01)
            tell(server)
            stopping.set()
            found = await all_of(call, "image")
        assert not found.errors()
        assert list(made["One"].data.values()) == [data]
        await ended(server)


# What callers' helpers make of it.


def again(server: Oaktree) -> None:
    """The same server, after its end."""
    command = (sys.executable, "-m", "openstackoid", "oaktree", "serve", "--config", str(server.config))
    server.process = Process(server.port, server.log, *command)


def test_pythons_helper_asks_the_next_server(tmp_path: Path, clouds: Simulated) -> None:
    server = serving(tmp_path, clouds, "one")
    lost: list[grpc.RpcError] = []
    with connect(server.address, plain=True) as oaktree:
        asked = compute_pb2.WatchServerRequest(id="one-0", until=Condition(query="name == 'never'"))
        answers = watch(oaktree.compute.WatchServer, asked, timeout=LONG, lost=lost.append)
        assert next(answers).change == CHANGE_CURRENT
        assert server.stop() == 0
        again(server)
        # From the beginning, as every watch.
        assert next(answers).change == CHANGE_CURRENT
        assert lost
        # One that is gone for longer than the caller is patient is told.
        answers = watch(oaktree.compute.WatchServer, asked, patience=1)
        assert next(answers).change == CHANGE_CURRENT
        assert server.stop() == 0
        with pytest.raises(grpc.RpcError) as caught:
            next(answers)
        assert caught.value.code() is StatusCode.UNAVAILABLE
        # So is one that never was there, however patient the caller is.
        with pytest.raises(grpc.RpcError):
            next(watch(oaktree.compute.WatchServer, asked, patience=1e9))


def test_a_watch_of_the_shell_asks_the_next_server(tmp_path: Path, clouds: Simulated) -> None:
    server = serving(tmp_path, clouds, "one")
    words = ("watch", "server", "one-1", "--until-query", "starts_with(status, 'STOPPED')", "-f", "jsonl")
    command = (sys.executable, "-m", "openstackoid", "oaktree", "call", *words)
    process = commands.popen(
        [*command, "--target", server.address, "--plaintext", "--timeout", "30"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert '"change": "current"' in process.stdout.readline()
    assert server.stop() == 0
    again(server)
    out, err = process.communicate(timeout=LONG)
    assert '"change": "current"' in out
    assert "asking again" in err
    assert (process.returncode, "within --timeout" in err) == (1, True)
    assert server.stop() == 0


def test_javascripts_helper_asks_the_next_server(tmp_path: Path, clouds: Simulated, package: Path) -> None:
    (package / "watch.mjs").write_text(
        'import { client, connect, watch } from "openstackoid-oaktree";\n'
        'import { ComputeService } from "openstackoid-oaktree/v1/compute_pb";\n'
        "const compute = client(ComputeService, connect(process.argv[2], { plain: true }));\n"
        'const options = { lost: () => console.log("lost"), patience: 30_000 };\n'
        'for await (const answer of watch(compute.watchServer, { id: "one-2" }, options)) {\n'
        "  console.log(answer.change, answer.server.name);\n"
        "}\n"
    )
    server = serving(tmp_path, clouds, "one")
    process = subprocess.Popen(["node", "watch.mjs", server.address], cwd=package, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        assert process.stdout.readline() == f"{CHANGE_CURRENT} one-2\n"
        assert server.stop() == 0
        assert process.stdout.readline() == "lost\n"
        again(server)
        while (line := process.stdout.readline()) == "lost\n":
            pass
        assert line == f"{CHANGE_CURRENT} one-2\n"
    finally:
        process.kill()
        process.wait()
    assert server.stop() == 0
