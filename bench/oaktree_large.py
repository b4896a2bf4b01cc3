"""20,000 servers of 30 clouds: oaktree, beside openstacksdk's loops, in one run. `python -m bench.oaktree_large`

As in `bench.oaktree`, but with few turns: a loop of openstacksdk takes minutes for one, so it has one, right after its start. "cold" is oaktree's first
list after its start.
"""

import contextlib
import os
import statistics
from typing import Any, Final

from bench.oaktree import LATENCY, Lists, baseline, listed

CLOUDS: Final = 30
SERVERS: Final = 667  # of each cloud
_TURNS: Final = 3
_LOOPS: Final = ("serial", "pool")


def measured() -> dict[str, Any]:
    """The figures of each way: milliseconds, and microseconds an item."""
    found: dict[str, Any] = {"load": os.getloadavg()[0], "cpus": os.cpu_count(), "ways": {}}
    with Lists(SERVERS) as scene, contextlib.ExitStack() as stack:
        file = scene.file(CLOUDS)
        process, stub = stack.enter_context(scene.oaktree(file))
        cold = listed(stub, process)
        found["ways"]["oaktree"] = _median([listed(stub, process) for _ in range(_TURNS)]) | {"cold": cold["all"]}
        found["ways"]["changed"] = _median([scene.changed(CLOUDS, stub, process) for _ in range(_TURNS)])
        found["memory"] = process.memory() / 2**20
        for way in _LOOPS:
            with baseline(way, file) as turn:
                found["ways"][way] = turn()
    return found


def _median(turns: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}


def lines(found: dict[str, Any]) -> list[str]:
    """The figures, for people."""
    out = [
        (
            f"{CLOUDS * SERVERS} servers of {CLOUDS} clouds, {LATENCY:g} ms away; {found['cpus']} CPUs, load average "
            f"{found['load']:.1f}; seconds"
        ),
        "  way         first     all    cold  CPU us/item   items",
    ]
    for way, row in found["ways"].items():
        cold = f"{row['cold'] / 1e3:.2f}" if "cold" in row else "-"
        out.append(
            f"  {way:<10} {row['first'] / 1e3:>6.2f} {row['all'] / 1e3:>7.2f} {cold:>7} {row['cpu']:>12.0f} {row['items']:>7.0f}"
        )
    out.append(f"  the oaktree's worker has {found['memory']:.0f} MB after it")
    return out


if __name__ == "__main__":
    print("\n".join(lines(measured())))
