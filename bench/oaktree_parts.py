"""What each part of oaktree's own code earns: the same calls to servers that differ in one part, which is off or replaced by the plain way, in turns.

    python -m bench.oaktree_parts many|some|large [--rounds N] [--only PART ...]
    python -m bench.oaktree_parts serve PART CONFIG             # a server without a part; used by the above

"many" is lists of 100 clouds with 10 servers each, "some" of 10 clouds with 667, "large" of 30 with 667. "same" is a list whose answers are those of before, "changed" one after every
server of every cloud has changed. All but "many" have also Get by id in one cloud, in all, and by name; and an open watch of one server of 667 in each cloud: CPU while
nothing changes.
"""

import argparse
import contextlib
import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import yaml

from bench.clouds import ports
from bench.oaktree import LATENCY, Lists, listed
from bench.stage import Process
from oaktree.v1 import common_pb2, compute_pb2, compute_pb2_grpc
from oaktree.v1.location_pb2 import Location

_SIZES: Final = {"many": (100, 10), "some": (10, 667), "large": (30, 667)}  # clouds, and servers of each
_GETS: Final = 20
_WATCHED: Final = 5.0  # seconds


def _put(owner: Any, **members: Any) -> None:
    """Replace what is measured."""
    for name, member in members.items():
        setattr(owner, name, member)


def _no_repeats() -> None:
    async def again(*_: object) -> None:
        return None

    _put(_module("resources.listing"), _again=again)
    _put(_module("resources.repeating"), learn=lambda *_: None)


def _no_comparing() -> None:
    _put(_module("resources.repeating")._Before, find=lambda *_: None, keep=lambda *_: None)  # noqa: SLF001 - what is measured


def _no_turns() -> None:
    _put(_module("upstream.turns").TURNS, _free=1_000_000)


def _neither() -> None:
    _no_repeats()
    _no_turns()


def _no_catalog() -> None:
    _put(_module("upstream.endpoints").Led, get=lambda _led, _what, _wanted, ask, _holds: ask())


def _no_shared_objects() -> None:
    _put(_module("resources.codec"), put_object=_module("resources.structs").fill)


def _plain_structs() -> None:
    def fill(struct: Any, values: Any) -> None:
        struct.update(values)

    _put(_module("resources.codec"), fill=fill, put_object=fill)


def _resources() -> None:
    """openstacksdk's own objects, with `to_dict`: other ways to read all of their values are slower."""
    listing = _module("resources.listing")

    def items(ask: Any, part: Any) -> Iterator[Any]:
        proxy, place = ask.kind.proxy(part.region.connect()), part.region.place()
        for each in ask.kind.cls.list(proxy, **listing._asked(ask, part)):  # noqa: SLF001 - what is measured
            yield ask.codec.encode(each.to_dict(computed=False, ignore_none=True), place)

    _put(listing, items=items)
    _no_repeats()


def _module(name: str) -> Any:
    """A module of the server, imported in its process alone."""
    return importlib.import_module(f"openstackoid.oaktree.{name}")


PARTS: Final[dict[str, Callable[[], None]]] = {
    "all": lambda: None,
    "no repeats": _no_repeats,
    "no comparing": _no_comparing,
    "no turns": _no_turns,
    "neither": _neither,
    "no catalog": _no_catalog,
    "no shared": _no_shared_objects,
    "plain structs": _plain_structs,
    "resources": _resources,
}


def measured(size: str, warm: int, rounds: int, parts: list[str]) -> dict[str, dict[str, float]]:
    """Part -> what was measured -> its median: milliseconds, and microseconds of CPU."""
    found: dict[str, dict[str, list[float]]] = {part: {} for part in parts}
    clouds, servers = _SIZES[size]
    with Lists(servers) as scene, contextlib.ExitStack() as stack:
        running = {part: stack.enter_context(_serving(scene, part, clouds)) for part in parts}
        for turn in range(warm + rounds):
            for part, (process, stub) in running.items():
                figures = {"changed": scene.changed(clouds, stub, process), "same": listed(stub, process)}
                gets = _gets(stub, process, turn % clouds) if size != "many" else {}
                if turn < warm:
                    continue
                rows = {f"{name} {key}": row[key] for name, row in figures.items() for key in ("first", "all", "cpu")}
                for name, value in (rows | gets).items():
                    found[part].setdefault(name, []).append(value)
        if size != "many":
            for part, (process, stub) in running.items():
                found[part]["watch cpu"] = [_watched(stub, process, clouds)]
    return {part: {name: statistics.median(values) for name, values in rows.items()} for part, rows in found.items()}


@contextlib.contextmanager
def _serving(scene: Lists, part: str, clouds: int) -> Iterator[tuple[Process, Any]]:
    (port,) = ports(1)
    name = part.replace(" ", "-")
    config = scene.folder / f"{name}-{clouds}.yaml"
    settings = {
        "listen": [f"127.0.0.1:{port}"],
        "clouds": str(scene.file(clouds)),
        "operations": {"database": f"sqlite:///{scene.folder / name}.sqlite"},
        "uploads": {"folder": str(scene.folder / f"uploads-{name}")},
        "watch": {"interval": 1.0},
    }
    config.write_text(yaml.safe_dump(settings))
    process = scene.start(name, port, "bench.oaktree_parts", "serve", part, str(config))
    process.wait()
    options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        grpc.channel_ready_future(channel).result(30)
        yield process, compute_pb2_grpc.ComputeServiceStub(channel)
    process.stop()


def _gets(stub: Any, process: Process, cloud: int) -> dict[str, float]:
    one = Location(cloud=f"c{cloud}")
    request = compute_pb2.ListServersRequest(locations=[one], options=common_pb2.ListOptions(page_size=1))
    server = next(iter(stub.ListServers(request))).servers[0]
    ways = {
        "get": compute_pb2.GetServerRequest(id=server.id, location=one),
        "get everywhere": compute_pb2.GetServerRequest(id=server.id),
        "get by name": compute_pb2.GetServerRequest(id=server.name, location=one),
    }
    figures = {}
    for name, wanted in ways.items():
        stub.GetServer(wanted)
        cpu, began = process.cpu(), time.perf_counter()
        for _ in range(_GETS):
            stub.GetServer(wanted)
        figures[f"{name} all"] = (time.perf_counter() - began) * 1e3 / _GETS
        figures[f"{name} cpu"] = (process.cpu() - cpu) * 1e6 / _GETS
    return figures


def _watched(stub: Any, process: Process, clouds: int) -> float:
    """Percent of a CPU that a watch of one server in each cloud takes while nothing changes."""
    calls = []
    for index in range(clouds):
        place = Location(cloud=f"c{index}")
        request = compute_pb2.ListServersRequest(locations=[place], options=common_pb2.ListOptions(page_size=1))
        server = next(iter(stub.ListServers(request))).servers[0]
        wanted = compute_pb2.WatchServerRequest(id=server.id, location=place, until=common_pb2.Condition(gone=True))
        call = stub.WatchServer(wanted)
        next(call)
        calls.append(call)
    time.sleep(2)
    cpu, began = process.cpu(), time.perf_counter()
    time.sleep(_WATCHED)
    percent = 100 * (process.cpu() - cpu) / (time.perf_counter() - began)
    for call in calls:
        call.cancel()
    return percent


def lines(found: dict[str, dict[str, float]]) -> list[str]:
    """The figures, for people: of the first row as they are, of the others as ratios to it."""
    first, *_ = found
    out = [f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}; clouds {LATENCY:g} ms away"]
    for name, value in found[first].items():
        ratios = "  ".join(
            f"{part} {row[name] / value if value else float('nan'):.2f}" for part, row in found.items() if part != first
        )
        out.append(f"  {name:<20} {value:>9.1f}  {ratios}")
    return out


def main() -> None:
    """Measure and print, or serve."""
    if sys.argv[1:2] == ["serve"]:
        from openstackoid.cli import main as program  # noqa: PLC0415 - in the server's process

        part, config = sys.argv[2:]
        PARTS[part]()
        sys.exit(program(["oaktree", "serve", "--config", str(Path(config))]))
    parser = argparse.ArgumentParser(prog="bench.oaktree_parts", description=__doc__)
    parser.add_argument("size", choices=tuple(_SIZES))
    parser.add_argument("--rounds", type=int, default=5, help="turns of all servers (default: %(default)s)")
    parser.add_argument("--warm", type=int, default=2, help="turns before, which do not count (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=list(PARTS), help="these servers")
    arguments = parser.parse_args()
    print("\n".join(lines(measured(arguments.size, arguments.warm, arguments.rounds, arguments.only))))


if __name__ == "__main__":
    main()
