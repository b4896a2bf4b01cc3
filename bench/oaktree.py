"""Lists over many clouds: oaktree, beside openstacksdk's serial loop and its loop in a pool of 32 threads, in turns; and open watches.

"asking" is no list: the requests alone that openstacksdk sends for one, as many threads as clouds, and nothing made of the answers. "changed" is a list after
every cloud has got other servers; for "oaktree" they are those of the list before; for "remembered" the server has a cache, and asks nobody.

The clouds are simulated at the wire (`bench.simulated`), each 20 ms away; openstacksdk is the real one in all three.

    python -m bench --only oaktree
    python -m bench.oaktree serial|pool|asking CLOUDS.yaml       # one of the baselines: a turn for each line of its input; used by the above
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final

import grpc
import yaml

from bench import oaktree_watch
from bench.clouds import ports
from bench.stage import Process, Scene
from oaktree.v1 import compute_pb2, compute_pb2_grpc

SERVERS: Final = 10  # of each cloud
LATENCY: Final = 20.0  # milliseconds
NUMBERS: Final = (2, 10, 100)
BASELINES: Final = ("serial", "pool", "asking")
_MANY: Final = 1000
_WARM: Final = 3  # turns before those that count: connections are open then, and code is warm


def measured(rounds: int) -> dict[str, Any]:
    """All figures; milliseconds, and microseconds an item."""
    with Lists(SERVERS) as scene:
        lists = {number: scene.lists(number, rounds) for number in NUMBERS}
        many = scene.many(_MANY)
    watches = {
        "thousand": oaktree_watch.measured(streams=1000),
        "many": oaktree_watch.measured(streams=10_000),
    }
    return {"lists": lists, "many": many, "watches": watches, "load": os.getloadavg()[0], "cpus": os.cpu_count()}


class Lists(Scene):
    """The clouds, and what is asked about them."""

    def __init__(self, servers: int) -> None:
        """So many servers in each cloud."""
        self._servers: Final = servers

    def begin(self) -> None:
        """Start all of it."""
        self._port, self._free = ports(2)
        arguments = (str(self._port), "--latency", str(LATENCY), "--servers", str(self._servers))
        self.start("clouds", self._port, "bench.simulated", *arguments).wait()

    def lists(self, number: int, rounds: int) -> dict[str, Any]:
        """The three ways over so many clouds, in turns: medians."""
        file = self.file(number)
        with contextlib.ExitStack() as stack:
            process, stub = stack.enter_context(self.oaktree(file))
            ways: dict[str, Callable[[], dict[str, float]]] = {"oaktree": lambda: listed(stub, process)}
            ways |= {way: stack.enter_context(baseline(way, file)) for way in BASELINES}
            cold = {way: turn() for way, turn in ways.items()}
            # Before "oaktree", which then finds what it has just seen.
            ways = {"changed": lambda: self.changed(number, stub, process)} | ways
            for way in ("oaktree", "pool", "asking"):
                for _ in range(_WARM):
                    ways[way]()
            turns = [{way: turn() for way, turn in ways.items()} for _ in range(rounds)]
        found: dict[str, Any] = {
            way: {name: statistics.median(turn[way][name] for turn in turns) for name in turns[0][way]} for way in ways
        }
        for way in cold:
            found[way]["cold"] = cold[way]["all"]
        for way in ("oaktree", "changed"):
            found[way]["slowest"] = max(turn[way]["all"] for turn in turns)
        with self.oaktree(file, cache={"fresh": 600, "stale": 600}) as (process, stub):
            cold = {"remembered": listed(stub, process)}
            again = [listed(stub, process) for _ in range(_WARM + rounds)][_WARM:]
        found["remembered"] = {name: statistics.median(turn[name] for turn in again) for name in again[0]}
        found["remembered"]["cold"] = cold["remembered"]["all"]
        found["json"] = self._json(number)
        return found

    def many(self, number: int) -> dict[str, float]:
        """Memory for so many clouds, each asked once: MB before, after, and KB for each."""
        with self.oaktree(self.file(number)) as (process, stub):
            before = process.memory() / 2**20
            cold = listed(stub, process)
            after = process.memory() / 2**20
            warm = min(listed(stub, process)["all"] for _ in range(2))
        each = (after - before) * 1024 / number
        return {
            "before": before, "after": after, "each_kb": each, "cold": cold["all"], "warm": warm, "failed": cold["failed"],
        }  # fmt: skip

    def changed(self, number: int, stub: Any, process: Process) -> dict[str, float]:
        """One list after every cloud has got other servers."""
        for index in range(number):
            body = json.dumps({"servers": self._servers}).encode()
            url = f"http://127.0.0.1:{self._port}/c{index}/control"
            urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})).close()
        return listed(stub, process)

    def _json(self, number: int) -> int:
        """Bytes of the same lists as the clouds give them."""
        total = 0
        for index in range(number):
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/c{index}/control") as answer:
                total += len(json.dumps({"servers": json.load(answer)["servers"]}, separators=(",", ":")))
        return total

    def file(self, number: int) -> Path:
        """A clouds.yaml with so many of them."""
        clouds = {
            f"c{index}": {
                "auth": {
                    "auth_url": f"http://127.0.0.1:{self._port}/c{index}/identity/v3",
                    "username": "alice", "password": "p", "project_name": "demo",
                    "user_domain_name": "Default", "project_domain_name": "Default",
                },
                "region_name": "RegionOne",
            }
            for index in range(number)
        }  # fmt: skip
        path = self.folder / f"clouds-{number}.yaml"
        path.write_text(yaml.safe_dump({"clouds": clouds}))
        return path

    @contextlib.contextmanager
    def oaktree(self, clouds: Path, **others: Any) -> Iterator[tuple[Process, Any]]:
        """A server over some clouds, whose code has run once."""
        config = self.folder / f"{clouds.stem}-oaktree.yaml"
        settings = {
            "listen": [f"127.0.0.1:{self._free}"],
            "clouds": str(clouds),
            "operations": {"database": f"sqlite:///{self.folder / 'operations.sqlite'}"},
            "uploads": {"folder": str(self.folder / "uploads")},
        }
        config.write_text(yaml.safe_dump(settings | others))
        process = self.start(clouds.stem, self._free, "openstackoid", "oaktree", "serve", "--config", str(config))
        process.wait()
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(f"127.0.0.1:{self._free}", options=options) as channel:
            grpc.channel_ready_future(channel).result(30)
            yield process, compute_pb2_grpc.ComputeServiceStub(channel)
        process.stop()


def listed(stub: Any, process: Process) -> dict[str, float]:
    """One list of everything: times in ms, CPU in us an item, bytes on the wire."""
    cpu, began, first, items, size, failed = process.cpu(), time.perf_counter(), 0.0, 0, 0, 0
    for answer in stub.ListServers(compute_pb2.ListServersRequest()):
        first = first or time.perf_counter() - began
        items += sum(1 for server in answer.servers if server.id and server.name and server.status)
        size += answer.ByteSize()
        failed += sum(each.HasField("error") for each in answer.summary.results)
    took = time.perf_counter() - began
    return {
        "first": first * 1e3, "all": took * 1e3, "cpu": (process.cpu() - cpu) / max(1, items) * 1e6,
        "items": items, "bytes": size, "failed": failed,
    }  # fmt: skip


@contextlib.contextmanager
def baseline(way: str, clouds: Path) -> Iterator[Callable[[], dict[str, float]]]:
    """Takes a turn of a baseline, in a process of its own that stays."""
    command = (sys.executable, "-m", "bench.oaktree", way, str(clouds))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def turn() -> dict[str, float]:
            assert process.stdin
            assert process.stdout
            process.stdin.write("\n")
            process.stdin.flush()
            answer: dict[str, float] = json.loads(process.stdout.readline())
            return answer

        assert process.stdout
        process.stdout.readline()  # it is ready: its start takes nothing of others' turns
        try:
            yield turn
        finally:
            process.kill()


def _alone(way: str, clouds: Path) -> Callable[[], dict[str, float]]:
    """openstacksdk alone: every server of every cloud, one cloud after another or 32 at a time; or its requests alone.

    Three attributes of each are read, and no dictionaries made (`to_dict` would cost 1.6 ms more for each): what is least in its favour here.
    """
    import openstack  # noqa: PLC0415 - the parent needs none
    from openstack.config import OpenStackConfig  # noqa: PLC0415 - as above

    warnings.simplefilter("ignore")
    config = OpenStackConfig(config_files=[str(clouds)])
    connections = [openstack.connection.Connection(config=each) for each in config.get_all()]

    def one(connection: Any) -> int:
        return sum(1 for server in connection.compute.servers() if server.id and server.name and server.status)

    def ask(connection: Any) -> int:
        return len(connection.compute.get("/servers/detail", microversion="2.96").content) and SERVERS

    def serial() -> Iterator[int]:
        yield from map(one, connections)

    def pool(function: Callable[[Any], int], size: int) -> Iterator[int]:
        with ThreadPoolExecutor(size) as threads:
            for each in as_completed([threads.submit(function, connection) for connection in connections]):
                yield each.result()

    ways: dict[str, Callable[[], Iterator[int]]] = {
        "serial": serial,
        "pool": lambda: pool(one, 32),
        "asking": lambda: pool(ask, len(connections)),
    }

    def turn() -> dict[str, float]:
        cpu, began, first, items = time.process_time(), time.perf_counter(), 0.0, 0
        for found in ways[way]():
            first = first or time.perf_counter() - began
            items += found
        took, spent = time.perf_counter() - began, time.process_time() - cpu
        return {"first": first * 1e3, "all": took * 1e3, "cpu": spent / items * 1e6, "items": items}

    return turn


def lines(found: dict[str, Any]) -> list[str]:
    """The figures, for people."""
    out = [
        (
            f"Lists over many clouds (oaktree), {LATENCY:g} ms away, {SERVERS} servers each; medians of turns; {found['cpus']} CPUs, "
            f"load average {found['load']:.1f}; milliseconds"
        ),
        "  clouds  way         first     all    cold  CPU us/item  bytes (of the JSON's)",
    ]
    for number, ways in found["lists"].items():
        for way in (*BASELINES, "oaktree", "changed", "remembered"):
            row = ways[way]
            cold = f"{row['cold']:.0f}" if "cold" in row else "-"
            size = f"  {row['bytes']:.0f} ({row['bytes'] / ways['json']:.2f})" if "bytes" in row else ""
            out.append(
                f"  {number:>6}  {way:<10} {row['first']:>6.0f} {row['all']:>7.0f} {cold:>7} {row['cpu']:>12.0f}{size}"
            )
        ours = ways["oaktree"]
        out += [
            (
                f"          first within the fastest + 15 ms: {_holds(ours['first'] <= LATENCY + 15)}; "
                f"all within the slowest + 50 ms: {_holds(ours['all'] <= LATENCY + 50)} (at most {ours['slowest']:.0f}), "
                f"changed: {_holds(ways['changed']['all'] <= LATENCY + 50)}, remembered: {_holds(ways['remembered']['all'] <= LATENCY + 50)}; "
                f"{ways['serial']['all'] / ours['all']:.1f} times as fast as serial, {ways['pool']['all'] / ours['all']:.1f} as the pool"
            )
        ]
    many = found["many"]
    out.append(
        f"  {_MANY} cloud-regions in memory: {many['before']:.0f} MB before, {many['after']:.0f} after each was asked: "
        f"{many['each_kb']:.0f} KB each; the first list of all took {many['cold']:.0f} ms ({many['failed']:.0f} failed), later ones {many['warm']:.0f}"
    )
    for row in found["watches"].values():
        out.append(
            f"  {row['streams']:.0f} open watches of {row['servers']:.0f} servers: {row['memory_per_stream_kib']:.1f} KiB each; "
            f"{row['requests_per_interval']:.2f} requests to the cloud an interval; {row['idle_cpu_percent']:.0f} % of a CPU while nothing changes; "
            f"a change reaches the first after {row['first_heard_s']:.2f} s, the last after {row['last_heard_s']:.2f} s"
        )
    return out


def _holds(true: bool) -> str:
    return "holds" if true else "MISSED"


def main(arguments: Sequence[str]) -> None:
    """A baseline: a turn for each line, as JSON."""
    way, clouds = arguments
    turn = _alone(way, Path(clouds))
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(turn()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
