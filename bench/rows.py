"""A line of the fast path's table, and clients that stay while something happens."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line: what was asked for, and what came.

    Attributes:
        what: of which request or act.
        goal: in words; empty if there is none.
        measured: in words.
        holds: whether the goal is met; None if there is none.
    """

    what: str
    goal: str
    measured: str
    holds: bool | None = None


def lasting(port: int, requests: list[list[tuple[str, str]]], act: Callable[[], None], **spec: Any) -> dict[str, Any]:
    """Keep clients at work while something is done; then until there were enough requests."""
    spec |= {"port": port, "requests": requests}
    command = [sys.executable, "-m", "bench.lasting"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as clients:
        if clients.stdin is None or clients.stdout is None:
            raise SystemExit("bench: no pipes")
        try:
            clients.stdin.write(json.dumps(spec) + "\n")
            clients.stdin.flush()
            act()
            clients.stdin.close()
            result: dict[str, Any] = json.loads(clients.stdout.read() or "{}")
        except BaseException:
            clients.kill()
            raise
    if not result:
        raise SystemExit("bench: the clients that stay have failed")
    return result
