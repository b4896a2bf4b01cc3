"""Latency of several ways side by side: one process asks each of them for a moment, in turns. Prints all latencies as one JSON document.

What the machine does meanwhile it does to all of them: differences of microseconds show, which runs one after another do not.

python -m bench.beside < JSON
    {"ways": {"NAME": {"port": 1, "headers": {}, "tokens": []}, ...}, "connections": 50, "rate": 2000, "slice": 0.5, "turns": 10}
"""

import asyncio
import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Self

import uvloop

from bench.load import Connection, heads
from bench.stage import HEADERS, Variant


def latencies(
    variants: Sequence[Variant], *, rate: int, turns: int, slice_: float = 0.5, connections: int = 50
) -> dict[str, list[float]]:
    """Seconds of each request, by the variant's name."""
    ways = {
        each.name: {"port": each.port, "headers": HEADERS | each.headers, "tokens": each.tokens} for each in variants
    }
    spec = {"ways": ways, "connections": connections, "rate": rate, "slice": slice_, "turns": turns}
    command = [sys.executable, "-m", "bench.beside"]
    limit = 60 + 2 * turns * slice_ * len(ways)
    done = subprocess.run(command, input=json.dumps(spec), capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, list[float]] = json.loads(done.stdout)
    return answer


class _Way:
    """One of them, with its connections."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._requests: Iterator[bytes] = itertools.cycle(heads(spec))
        self._port = spec["port"]
        self._idle: list[Connection] = []
        self._error: Exception | None = None
        self.latencies: list[float] = []

    async def open(self, connections: int) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, made = await loop.create_connection(
                lambda: Connection(self._done, self._failed), "127.0.0.1", self._port
            )
            self._idle.append(made)
        return self

    def _done(self, connection: Connection) -> None:
        self.latencies.append(time.perf_counter() - connection.began)
        self._idle.append(connection)

    def _failed(self, error: Exception) -> None:
        self._error = error

    async def ask(self, rate: int, seconds: float) -> None:
        """For a moment, at this rate."""
        began, all_ = time.perf_counter(), len(self._idle)
        for number in range(int(rate * seconds)):
            if (pause := began + number / rate - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            if self._idle:  # with fifty of them, always, unless the machine stands still
                self._idle.pop(0).ask(next(self._requests), time.perf_counter())
        while len(self._idle) < all_ and self._error is None:
            await asyncio.sleep(0.001)
        if self._error is not None:
            raise self._error


async def _run(spec: dict[str, Any]) -> dict[str, list[float]]:
    ways = {name: await _Way(each).open(spec["connections"]) for name, each in spec["ways"].items()}
    order = list(ways.values())
    for _ in range(spec["turns"]):
        random.shuffle(order)
        for way in order:
            await way.ask(spec["rate"], spec["slice"])
    return {name: way.latencies for name, way in ways.items()}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_run(json.load(sys.stdin)))))
