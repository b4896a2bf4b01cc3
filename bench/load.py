"""Load in a process of its own: raw protocol, keep-alive connections. Prints what it saw as one JSON document.

python -m bench.load < JSON
    {"port": 1, "headers": {}, "tokens": [], "path": "/", "mode": "full", "connections": 50, "seconds": 2}    as fast as it is answered
    {..., "mode": "rate", "connections": 50, "seconds": 2, "rate": 200}            at a fixed rate, answered or not
    {..., "mode": "download", "bytes": 1000}                                       one big answer: data of an image
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import uvloop

from bench.upstream import image


class LoadError(Exception):
    """An answer that makes the figures worthless."""


class Connection(asyncio.Protocol):
    """One connection with one request at a time; `done` is called after each answer."""

    def __init__(self, done: Callable[["Connection"], None], failed: Callable[[Exception], None]) -> None:
        self.done, self.failed = done, failed
        self.head = b""
        self.left = 0
        self.busy = False
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, began: float) -> None:
        self.began, self.busy = began, True
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if not self.left:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.head[:end].lower()
            if not head.startswith(b"http/1.1 200"):
                self.failed(LoadError(f"expected 200, got {self.head[:2000]!r}"))
                return
            at = head.index(b"content-length:") + 15
            self.left = int(head[at:].split(b"\r\n", 1)[0]) - (len(self.head) - end - 4)
            self.head = b""
        else:
            self.left -= len(data)
        if not self.left:
            self.busy = False
            self.done(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.busy:
            self.failed(exc or LoadError("the connection was closed in the middle of an answer"))


def heads(spec: dict[str, Any]) -> list[bytes]:
    """The requests, to be sent in turns, as if they were of several users."""
    path = image(spec["bytes"]) if "bytes" in spec else spec["path"]
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{spec['port']}"]
    lines += [f"{name}: {value}" for name, value in spec["headers"].items()]
    return ["\r\n".join([*lines, f"X-Auth-Token: {token}", "", ""]).encode() for token in spec["tokens"]]


async def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    latencies: list[float] = []
    idle: list[Connection] = []
    waiting: list[float] = []  # requests that are due while every connection is busy
    mode = spec["mode"]
    requests = itertools.cycle(heads(spec))
    began = end = 0.0
    all_asked = mode != "rate"

    def done(connection: Connection) -> None:
        now = time.perf_counter()
        latencies.append(now - connection.began)
        if mode == "full" and now < end:
            connection.ask(next(requests), now)
        elif waiting:
            connection.ask(next(requests), waiting.pop(0))
        else:
            idle.append(connection)
            if len(idle) == spec["connections"] and all_asked and not over.done():
                over.set_result(None)

    def failed(error: Exception) -> None:
        if not over.done():
            over.set_exception(error)

    for _ in range(spec["connections"]):
        _, connection = await loop.create_connection(lambda: Connection(done, failed), "127.0.0.1", spec["port"])
        idle.append(connection)
    began = time.perf_counter()
    end = began + spec.get("seconds", 0)
    if mode == "rate":
        step = 1 / spec["rate"]
        for number in range(int(spec["rate"] * spec["seconds"])):
            due = began + number * step
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            # Woken late, the request counts from then: this process' own delays are not the proxy's.
            if idle:
                idle.pop(0).ask(next(requests), time.perf_counter())
            else:
                waiting.append(due)
        all_asked = True
        if len(idle) < spec["connections"]:
            await over
    else:
        first, idle[:] = list(idle), []
        for connection in first:
            connection.ask(next(requests), time.perf_counter())
        await over
    # Of full speed there are too many, and nobody asks for them.
    shown = latencies if mode == "rate" else []
    return {"seconds": time.perf_counter() - began, "requests": len(latencies), "latencies": shown}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.load(sys.stdin)))))
