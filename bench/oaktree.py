"""Lists over many clouds: oaktree, beside openstacksdk's serial loop and its loop in a pool of 32 threads, in the same run.

The clouds are simulated at the wire (`bench.simulated`), each 20 ms away; openstacksdk is the real one in all three.

    python -m bench --only oaktree
    python -m bench.oaktree serial|pool CLOUDS.yaml ROUNDS       # one of the baselines, as JSON; used by the above
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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final, Self

import grpc
import yaml

from bench.clouds import ports
from bench.stage import Process, Scene
from oaktree.v1 import compute_pb2, compute_pb2_grpc

SERVERS: Final = 10  # of each cloud
LATENCY: Final = 20.0  # milliseconds
NUMBERS: Final = (2, 10, 100)
_MANY: Final = 1000


def measured(rounds: int) -> dict[str, Any]:
    """All figures; milliseconds, and microseconds an item."""
    with _Scene() as scene:
        lists = {number: scene.lists(number, rounds) for number in NUMBERS}
        return {"lists": lists, "many": scene.many(_MANY), "load": os.getloadavg()[0]}


class _Scene(Scene):
    """The clouds, and what is asked about them."""

    def __enter__(self) -> Self:
        super().__enter__()
        self._port, self._free = ports(2)
        arguments = (str(self._port), "--latency", str(LATENCY), "--servers", str(SERVERS))
        self.start("clouds", self._port, "bench.simulated", *arguments).wait()
        return self

    def lists(self, number: int, rounds: int) -> dict[str, Any]:
        """The three ways over so many clouds."""
        file = self._file(number)
        found = {}
        for way in ("serial", "pool"):
            few = max(1, rounds if number < 50 else 2)
            found[way] = _child(way, file, few)
        with self._oaktree(file) as (process, stub):
            cold = _listed(stub, process)
            turns = [_listed(stub, process) for _ in range(rounds + 2)][2:]  # connections are open and code is warm then
            found["oaktree"] = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
            found["oaktree"]["cold"] = cold["all"]
        found["json"] = self._json(number)
        return found

    def many(self, number: int) -> dict[str, float]:
        """Memory for so many clouds, each asked once: MB before, after, and KB for each."""
        with self._oaktree(self._file(number)) as (process, stub):
            before = process.memory() / 2**20
            cold = _listed(stub, process)
            after = process.memory() / 2**20
        return {"before": before, "after": after, "each_kb": (after - before) * 1024 / number, "cold": cold["all"], "failed": cold["failed"]}

    def _json(self, number: int) -> int:
        """Bytes of the same lists as the clouds give them."""
        total = 0
        for index in range(number):
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/c{index}/control") as answer:
                total += len(json.dumps({"servers": json.load(answer)["servers"]}, separators=(",", ":")))
        return total

    def _file(self, number: int) -> Path:
        clouds = {
            f"c{index}": {
                "auth": {
                    "auth_url": f"http://127.0.0.1:{self._port}/c{index}/identity/v3",
                    "username": "u", "password": "p", "project_name": "p", "user_domain_name": "Default", "project_domain_name": "Default",
                },
                "region_name": "RegionOne",
            }
            for index in range(number)
        }  # fmt: skip
        path = self.folder / f"clouds-{number}.yaml"
        path.write_text(yaml.safe_dump({"clouds": clouds}))
        return path

    @contextlib.contextmanager
    def _oaktree(self, clouds: Path) -> Iterator[tuple[Process, Any]]:
        """A server over some clouds."""
        config = self.folder / f"{clouds.stem}-oaktree.yaml"
        settings = {
            "listen": [f"127.0.0.1:{self._free}"],
            "clouds": str(clouds),
            "operations": {"database": f"sqlite:///{self.folder / 'operations.sqlite'}"},
            "uploads": {"folder": str(self.folder / "uploads")},
        }
        config.write_text(yaml.safe_dump(settings))
        process = self.start(clouds.stem, self._free, "openstackoid", "oaktree", "serve", "--config", str(config))
        process.wait()
        with grpc.insecure_channel(f"127.0.0.1:{self._free}", options=[("grpc.max_receive_message_length", -1)]) as channel:
            yield process, compute_pb2_grpc.ComputeServiceStub(channel)
        process.stop()


def _listed(stub: Any, process: Process) -> dict[str, float]:
    """One list of everything: times in ms, CPU in us an item, bytes on the wire."""
    cpu, began, first, items, size, failed = process.cpu(), time.perf_counter(), 0.0, 0, 0, 0
    for answer in stub.ListServers(compute_pb2.ListServersRequest()):
        first = first or time.perf_counter() - began
        items += len(answer.servers)
        size += answer.ByteSize()
        failed += sum(each.HasField("error") for each in answer.summary.results)
    took = time.perf_counter() - began
    return {
        "first": first * 1e3, "all": took * 1e3, "cpu": (process.cpu() - cpu) / max(1, items) * 1e6,
        "items": items, "bytes": size, "failed": failed,
    }  # fmt: skip


def _child(way: str, clouds: Path, rounds: int) -> dict[str, Any]:
    command = (sys.executable, "-m", "bench.oaktree", way, str(clouds), str(rounds))
    done = subprocess.run(command, capture_output=True, check=True, timeout=300)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _baseline(way: str, clouds: Path, rounds: int) -> dict[str, float]:
    """openstacksdk alone: every server of every cloud as a dictionary, one cloud after another or 32 at a time."""
    import openstack  # noqa: PLC0415 - the parent needs none
    from openstack.config import OpenStackConfig  # noqa: PLC0415 - as above

    warnings.simplefilter("ignore")
    config = OpenStackConfig(config_files=[str(clouds)])
    connections = [openstack.connection.Connection(config=each) for each in config.get_all()]

    def one(connection: Any) -> list[dict[str, Any]]:
        return [server.to_dict() for server in connection.compute.servers()]

    def serial() -> Iterator[list[dict[str, Any]]]:
        yield from map(one, connections)

    def pool() -> Iterator[list[dict[str, Any]]]:
        with ThreadPoolExecutor(32) as threads:
            for each in as_completed([threads.submit(one, connection) for connection in connections]):
                yield each.result()

    def turn() -> tuple[float, float, float, int]:
        cpu, began, first, items = time.process_time(), time.perf_counter(), 0.0, 0
        for found in (serial if way == "serial" else pool)():
            first = first or time.perf_counter() - began
            items += len(found)
        return first * 1e3, (time.perf_counter() - began) * 1e3, (time.process_time() - cpu) / items * 1e6, items

    turn()
    turns = [turn() for _ in range(rounds)]
    first, everything, cpu, items = (statistics.median(each) for each in zip(*turns, strict=True))
    return {"first": first, "all": everything, "cpu": cpu, "items": items}


def lines(found: dict[str, Any]) -> list[str]:
    """The figures, for people."""
    out = [
        f"Lists over many clouds (oaktree), {LATENCY:g} ms away, {SERVERS} servers each; load average {found['load']:.1f}; milliseconds",
        "  clouds  way       first     all  CPU us/item   bytes",
    ]
    for number, ways in found["lists"].items():
        for way in ("serial", "pool", "oaktree"):
            row = ways[way]
            size = row.get("bytes")
            out.append(
                f"  {number:>6}  {way:<8} {row['first']:>6.0f} {row['all']:>7.0f} {row['cpu']:>12.0f}"
                + (f"  {size:.0f} ({size / ways['json']:.2f} of the JSON)" if size else "")
            )
        ours, goal = ways["oaktree"], LATENCY + 50
        out.append(
            f"          first within the fastest + 15 ms: {_holds(ours['first'] <= LATENCY + 15)}; all within the slowest + 50 ms: "
            f"{_holds(ours['all'] <= goal)}; cold start {ours['cold']:.0f} ms; "
            f"all: {ways['serial']['all'] / ours['all']:.1f} times as fast as serial, {ways['pool']['all'] / ours['all']:.1f} as the pool"
        )
    many = found["many"]
    out.append(
        f"  {_MANY} cloud-regions in memory: {many['before']:.0f} MB before, {many['after']:.0f} after each was asked: "
        f"{many['each_kb']:.0f} KB each; the first list of all took {many['cold']:.0f} ms, {many['failed']:.0f} failed"
    )
    return out


def _holds(true: bool) -> str:
    return "holds" if true else "MISSED"


def main(arguments: Sequence[str]) -> None:
    """A baseline, as JSON."""
    way, clouds, rounds = arguments
    print(json.dumps(_baseline(way, Path(clouds), int(rounds))))


if __name__ == "__main__":
    main(sys.argv[1:])
