"""Negotiations between two control planes: request, counter-offer, acceptance, until both sides agree and nothing is on its way.

python -m bench --only negotiations

Each side is `openstackoid regions serve` on its own SQLite database; their Keystones and peering doors are servers on sockets, as in the tests.
"""

import asyncio
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.regions.planes import Plane, in_state, offered, terms, two_planes

from bench.rows import Row

_SECONDS: Final = 10.0
_AT_A_TIME: Final = (1, 4, 16)
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def measured(rounds: int) -> dict[str, Any]:
    """All rows of this section.

    Args:
        rounds: of ten seconds for each number of negotiations at a time.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_rows(Path(folder), rounds))
    return {
        "rows": [asdict(row) for row in rows],
        "rounds": rounds,
        "load_average": os.getloadavg()[0],
        "seconds": time.monotonic() - began,
    }


def lines(result: dict[str, Any]) -> list[str]:
    """The rows for people."""
    head = "Negotiations of three messages between two control planes on SQLite"
    load, seconds = f"load average {result['load_average']:.1f}", f"{result['seconds']:.0f} s"
    shown = [f"{head}; {result['rounds']} rounds; {load}, {seconds}:"]
    return shown + [f"  {row['what']:24} {row['measured']}" for row in result["rows"]]


async def _rows(folder: Path, rounds: int) -> list[Row]:
    rows = []
    async with two_planes(folder) as (provider, consumer):
        region = await offered(provider)
        await _negotiate(provider, consumer, region)
        for number in _AT_A_TIME:
            done, wall, before = 0, 0.0, _cpu(provider) + _cpu(consumer)
            for _ in range(rounds):
                began = time.monotonic()
                end = began + _SECONDS
                done += sum(await asyncio.gather(*(_until(end, provider, consumer, region) for _ in range(number))))
                wall += time.monotonic() - began
            cpu = (_cpu(provider) + _cpu(consumer) - before) / done
            figure = f"{done / wall:.1f} a second; {1000 * cpu:.0f} ms of CPU each, both sides; {done} done"
            rows.append(Row(f"{number} at a time", "", figure))
    return rows


async def _until(end: float, provider: Plane, consumer: Plane, region: str) -> int:
    """Negotiate one contract after the other; how many."""
    done = 0
    while time.monotonic() < end:
        await _negotiate(provider, consumer, region)
        done += 1
    return done


async def _negotiate(provider: Plane, consumer: Plane, region: str) -> None:
    status, made = await consumer.call("POST", "/v1/contracts", {"provider": "CloudP", "terms": terms(region)})
    if status != 201:
        raise SystemExit(f"expected a contract, got {status}: {made}")
    contract = made["id"]
    await in_state(provider, contract, "requested")
    await _cause(provider, contract, {"event": "counter", "terms": terms(region, grace_days=5)})
    countered = await in_state(consumer, contract, "countered")
    await _cause(consumer, contract, {"event": "accept", "terms": countered["terms"]})
    await in_state(provider, contract, "agreed")
    await in_state(consumer, contract, "agreed")


async def _cause(plane: Plane, contract: str, event: dict[str, Any]) -> None:
    status, answer = await plane.call("POST", f"/v1/contracts/{contract}/events", event)
    if status != 200:
        raise SystemExit(f"expected {event['event']} to be taken, got {status}: {answer}")


def _cpu(plane: Plane) -> float:
    """Seconds of CPU of a control plane."""
    if plane.process is None:
        raise SystemExit(f"{plane.cloud}'s control plane does not run")
    fields = Path(f"/proc/{plane.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
