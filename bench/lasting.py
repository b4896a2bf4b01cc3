"""Clients that stay while HAProxy reloads, or are refused: keep-alive connections, opened again where the server closes them.

python -m bench.lasting < JSON        the first line is what to do, and the end of input says that it is enough
    {"port": 1, "requests": [[["X-Scope", "..."]], ...], "busy": 50, "idle": 50, "least": 100000, "expected": 200}

A request fails if it is not answered whole, or with another status. A connection that ends between requests fails nobody.
"""

import asyncio
import collections
import itertools
import json
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import uvloop

_PAUSES = (0.05, 1.5)  # seconds between two requests of an idle client


class Clients:
    """All of them, and what they saw."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.port, self.expected = spec["port"], str(spec["expected"]).encode()
        start = f"GET /v2.1/servers/detail?limit=5 HTTP/1.1\r\nHost: 127.0.0.1:{spec['port']}\r\n"
        texts = [start + "".join(f"{name}: {value}\r\n" for name, value in each) + "\r\n" for each in spec["requests"]]
        self.requests = itertools.cycle([text.encode() for text in texts])
        self.answered = self.opened = 0
        self.failures: collections.Counter[str] = collections.Counter()
        self.over = False

    async def run(self, number: int, pauses: Iterator[float] | None) -> None:
        """One client, until it is over."""
        await asyncio.sleep(number * 0.002)
        while not self.over:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError as error:
                self.failures[f"connect: {type(error).__name__}"] += 1
                await asyncio.sleep(0.01)
                continue
            self.opened += 1
            try:
                stays = True
                while stays and not reader.at_eof():
                    stays = await self._ask(reader, writer) and not self.over
                    self.answered += 1
                    if pauses:
                        await asyncio.sleep(next(pauses))
            except (OSError, EOFError, ValueError) as error:
                self.failures[f"{'idle' if pauses else 'busy'}: {type(error).__name__}: {error}"[:200]] += 1
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection stays."""
        writer.write(next(self.requests))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        at = head.find(b"content-length:")
        if at >= 0:
            await reader.readexactly(int(head[at + 15 :].split(b"\r\n", 1)[0]))
        if head.split(b" ", 2)[1] != self.expected:
            raise ValueError(f"expected {self.expected.decode()}, got {head[:100]!r}")
        return at >= 0 and b"\r\nconnection: close" not in head


def _pauses() -> Iterator[float]:
    while True:
        yield random.uniform(*_PAUSES)


async def _run(spec: dict[str, Any]) -> dict[str, Any]:
    clients = Clients(spec)
    began = time.perf_counter()
    kinds = [None] * spec["busy"] + [_pauses() for _ in range(spec["idle"])]
    running = [asyncio.create_task(clients.run(*each)) for each in enumerate(kinds)]
    await asyncio.to_thread(sys.stdin.read)
    while clients.answered + clients.failures.total() < spec["least"]:
        await asyncio.sleep(0.01)
    clients.over = True
    done, late = await asyncio.wait(running, timeout=10)
    for task in done:
        task.result()
    return {
        "answered": clients.answered,
        "failed": clients.failures.total() + len(late),
        "failures": dict(clients.failures),
        "connections": clients.opened,
        "seconds": time.perf_counter() - began,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_run(json.loads(sys.stdin.readline())))))
