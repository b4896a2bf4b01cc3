"""What open watches cost: memory for each stream, questions to the cloud, CPU while nothing changes, and how long a change takes to all.

    python -m bench.oaktree_watch [--streams N] [--servers N] [--seconds S] [-o json]

One oaktree in a process of its own, one simulated cloud in another; this process is all the callers.
"""

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import grpc
import requests
import yaml

from bench.clouds import ports
from bench.stage import Process
from oaktree.v1.common_pb2 import CHANGE_CURRENT, CHANGE_REACHED, Condition
from oaktree.v1.compute_pb2 import WatchServerRequest
from oaktree.v1.compute_pb2_grpc import ComputeServiceStub

_INTERVAL: Final = 1.0
_STREAMS_A_CONNECTION: Final = 500
_AT_ONCE: Final = 200
_SERVE: Final = (
    "import asyncio, pathlib, sys; from openstackoid.oaktree import config, server; "
    "asyncio.run(server.serve(config.load(pathlib.Path(sys.argv[1]))))"
)


def measured(streams: int = 10_000, servers: int = 100, seconds: float = 5.0) -> dict[str, float]:
    """Open the watches, look at them for a while, and let the servers that they wait for go."""
    with tempfile.TemporaryDirectory(prefix="oaktree-watch-") as folder:
        cloud_port, port = ports(2)
        cloud = Process(
            Path(folder) / "cloud.log", cloud_port, sys.executable, "-m", "bench.simulated", str(cloud_port)
        )
        try:
            cloud.wait()
            config = _config(Path(folder), cloud_port, port)
            oaktree = Process(Path(folder) / "oaktree.log", port, sys.executable, "-c", _SERVE, str(config))
            try:
                oaktree.wait()
                url = f"http://127.0.0.1:{cloud_port}/One/control"
                requests.post(url, json={"servers": servers}, timeout=10)
                return asyncio.run(_measured(oaktree, port, url, streams, seconds))
            finally:
                oaktree.stop()
        finally:
            cloud.stop()


def _config(folder: Path, cloud_port: int, port: int) -> Path:
    auth = {"auth_url": f"http://127.0.0.1:{cloud_port}/One/identity/v3", "username": "alice", "password": "secret"}
    auth |= {"project_name": "demo", "user_domain_name": "Default", "project_domain_name": "Default"}
    clouds = folder / "clouds.yaml"
    clouds.write_text(yaml.safe_dump({"clouds": {"One": {"auth": auth, "region_name": "RegionOne"}}}))
    config = folder / "oaktree.yaml"
    settings: dict[str, Any] = {
        "listen": [f"127.0.0.1:{port}"],
        "clouds": str(clouds),
        "watch": {"interval": _INTERVAL},
    }
    settings |= {"callers": {"local": True}, "operations": {"database": f"sqlite:///{folder}/operations.db"}}
    config.write_text(yaml.safe_dump(settings))
    return config


async def _measured(oaktree: Process, port: int, url: str, streams: int, seconds: float) -> dict[str, float]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)
        for _ in range(math.ceil(streams / _STREAMS_A_CONNECTION))
    ]
    stubs = [ComputeServiceStub(channel) for channel in channels]
    names = [each["id"] for each in (await asyncio.to_thread(_report, url))["servers"]]
    turn = asyncio.Semaphore(_AT_ONCE)

    async def begin(number: int) -> Any:
        async with turn:
            wanted = WatchServerRequest(id=names[number % len(names)], until=Condition(gone=True))
            call: Any = stubs[number % len(stubs)].WatchServer(wanted)
            first = await call.read()
        if first.change != CHANGE_CURRENT:
            raise SystemExit(f"bench: expected the state of a server, got {first}")
        return call

    warm = await begin(0)
    for channel in channels:
        await channel.channel_ready()
    await asyncio.sleep(1)
    before, started = oaktree.memory(), time.monotonic()
    calls = await asyncio.gather(*(begin(number) for number in range(streams)))
    opened = time.monotonic() - started
    memory = oaktree.memory() - before
    await asyncio.to_thread(requests.post, url, json={"forget": True}, timeout=10)
    cpu, started = oaktree.cpu(), time.monotonic()
    await asyncio.sleep(seconds)
    asked, elapsed = len((await asyncio.to_thread(_report, url))["requests"]), time.monotonic() - started
    cpu = oaktree.cpu() - cpu
    ended, cpu_before = time.monotonic(), oaktree.cpu()
    await asyncio.to_thread(requests.post, url, json={"servers": 0}, timeout=10)
    times = await asyncio.gather(*(_end(call) for call in [*calls, warm]))
    for channel in channels:
        await channel.close(None)
    return {
        "streams": streams,
        "servers": len(names),
        "opened_per_second": streams / opened,
        "memory_per_stream_kib": memory / streams / 1024,
        "requests_per_interval": asked / (elapsed / _INTERVAL),
        "idle_cpu_percent": 100 * cpu / elapsed,
        "first_heard_s": min(times) - ended,
        "last_heard_s": max(times) - ended,
        "cpu_us_per_end": 1e6 * (oaktree.cpu() - cpu_before) / streams,
        "memory_afterwards_mib": (oaktree.memory() - before) / 2**20,
    }


def _report(url: str) -> dict[str, Any]:
    answer: dict[str, Any] = requests.get(url, timeout=30).json()
    return answer


async def _end(call: Any) -> float:
    end: Any = grpc.aio.EOF  # type: ignore[attr-defined] # types of grpc.aio lack it
    last, answer = None, await call.read()
    while answer is not end:
        last, answer = answer, await call.read()
    if last is None or last.change != CHANGE_REACHED:
        raise SystemExit(f"bench: a watch ended with {last}")
    return time.monotonic()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.oaktree_watch", description=__doc__)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--streams", type=int, default=10_000, help="open watches (default: %(default)s)")
    parser.add_argument("--servers", type=int, default=100, help="that they watch (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5, help="of looking (default: %(default)s)")
    arguments = parser.parse_args()
    found = measured(arguments.streams, arguments.servers, arguments.seconds)
    print(json.dumps(found) if arguments.output == "json" else "\n".join(f"{k:24} {v:10.2f}" for k, v in found.items()))


if __name__ == "__main__":
    main()
