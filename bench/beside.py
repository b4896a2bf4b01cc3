"""Several ways side by side: one process asks each of them for a moment, in turns. Prints what each turn took as one JSON document.

What the machine does meanwhile it does to all of them: differences of microseconds show, which runs one after another do not.

python -m bench.beside < JSON
    {"ways": {"NAME": {"port": 1, "headers": {}, "tokens": [], "path": "/", "workers": []}, ...}, "connections": 50, "rate": 2000,
     "slice": 0.5, "turns": 10}           no rate: as fast as it is answered; workers: process ids whose CPU is counted
"""

import asyncio
import itertools
import json
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import uvloop

from bench.load import Connection, heads
from bench.stage import HEADERS, Variant


@dataclass(frozen=True)
class Turn:
    """What one way did in its moment.

    Attributes:
        requests: how many were answered.
        cpu: microseconds of its processes a request.
        latencies: seconds of each, where a rate was kept.
    """

    requests: int
    cpu: float
    latencies: list[float] = field(default_factory=list)


def turns(
    variants: Sequence[Variant], *, count: int, seconds: float = 0.5, rate: int | None = None, connections: int = 50
) -> dict[str, list[Turn]]:
    """What each variant did in each turn, by its name.

    Args:
        variants: one thread does the work in each of their processes.
        count: turns of each.
        seconds: of one turn.
        rate: requests a second; None for as many as are answered.
        connections: of each.
    """
    ways = {
        each.name: {
            "port": each.port,
            "headers": HEADERS | each.headers,
            "tokens": each.tokens,
            "path": each.path,
            "workers": [process.worker() for process in each.processes],
        }
        for each in variants
    }
    spec = {"ways": ways, "connections": connections, "rate": rate, "slice": seconds, "turns": count}
    command = [sys.executable, "-m", "bench.beside"]
    limit = 60 + 2 * count * seconds * len(ways)
    done = subprocess.run(command, input=json.dumps(spec), capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {done.stderr.strip().splitlines()[-1]}")
    return {name: [Turn(**each) for each in found] for name, found in json.loads(done.stdout).items()}


def compared(mine: Sequence[float], other: Sequence[float]) -> tuple[float, float, float]:
    """The first divided by the second, turn by turn: lower quartile, median, upper quartile."""
    low, middle, high = statistics.quantiles([a / b for a, b in zip(mine, other, strict=True)], n=4)
    return low, middle, high


class _Way:
    """One of them, with its connections."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._requests: Iterator[bytes] = itertools.cycle(heads(spec))
        self._port = spec["port"]
        self._workers = [Path(f"/proc/{pid}/schedstat") for pid in spec["workers"]]
        self._idle: list[Connection] = []
        self._error: Exception | None = None
        self._latencies: list[float] = []
        self._answered = 0
        self._until = 0.0
        self.turns: list[Turn] = []

    async def open(self, connections: int) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, made = await loop.create_connection(
                lambda: Connection(self._done, self._failed), "127.0.0.1", self._port
            )
            self._idle.append(made)
        return self

    async def ask(self, rate: int | None, seconds: float) -> None:
        """For a moment."""
        self._latencies, self._answered, all_ = [], 0, len(self._idle)
        before, began = self._cpu(), time.perf_counter()
        if rate is None:
            self._until = began + seconds
            for connection in [self._idle.pop() for _ in range(all_)]:
                connection.ask(next(self._requests), began)
            await asyncio.sleep(seconds)
        else:
            await self._at(rate, seconds)
        while len(self._idle) < all_ and self._error is None:
            await asyncio.sleep(0.001)
        if self._error is not None:
            raise self._error
        # All is answered, so the workers sleep: what the kernel counts of them is whole.
        cpu = (self._cpu() - before) / 1000 / self._answered
        self.turns.append(Turn(self._answered, cpu, [] if rate is None else self._latencies))

    async def _at(self, rate: int, seconds: float) -> None:
        """Evenly. Timers of the loop are of whole milliseconds: requests would leave in pairs, and one of each would wait for the other."""
        loop, all_, asked = asyncio.get_running_loop(), int(rate * seconds), 0
        over, began, self._until = asyncio.Event(), time.perf_counter(), 0.0

        def tick() -> None:
            nonlocal asked
            while asked < min(all_, (time.perf_counter() - began) * rate):  # more than one if the machine stood still
                asked += 1
                if self._idle:  # with fifty of them, always, unless it stood still for long
                    self._idle.pop(0).ask(next(self._requests), time.perf_counter())
            if asked == all_:
                over.set()

        loop.add_signal_handler(signal.SIGALRM, tick)
        signal.setitimer(signal.ITIMER_REAL, 1 / rate, 1 / rate)
        await over.wait()
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _done(self, connection: Connection) -> None:
        now = time.perf_counter()
        self._answered += 1
        if now < self._until:
            connection.ask(next(self._requests), now)
        else:
            self._latencies.append(now - connection.began)
            self._idle.append(connection)

    def _failed(self, error: Exception) -> None:
        self._error = error

    def _cpu(self) -> int:
        """Nanoseconds of the workers, each of which has one thread."""
        return sum(int(worker.read_text().split()[0]) for worker in self._workers)


async def _run(spec: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    ways = {name: await _Way(each).open(spec["connections"]) for name, each in spec["ways"].items()}
    order = list(ways.values())
    for _ in range(spec["turns"]):
        random.shuffle(order)
        for way in order:
            await way.ask(spec["rate"], spec["slice"])
    return {name: [asdict(each) for each in way.turns] for name, way in ways.items()}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_run(json.load(sys.stdin)))))
