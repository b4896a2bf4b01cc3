"""Several serving processes on one machine, and the one that looks after them.

The kernel spreads connections over them (SO_REUSEPORT). Signals are passed on; one that dies is started again; and when
the parent is killed they end, since the pipe that each one holds as its standard input is closed.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

_PAUSE: Final = 1.0  # seconds before a worker that died is started again


def run(arguments: Sequence[str], number: int, environment: Mapping[str, str]) -> int:
    """Serve with several processes until told to stop; returns the exit code.

    Args:
        arguments: of the program `openstackoid`, for each of them.
        number: how many.
        environment: what they find in theirs beside ours.
    """
    command = [sys.executable, "-m", "openstackoid", *arguments]
    stopping = False
    workers: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=os.environ | environment, stdin=subprocess.PIPE)  # noqa: S603 - ourselves

    def pass_on(signum: int, _frame: object) -> None:
        nonlocal stopping
        stopping = stopping or signum != signal.SIGHUP
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(signum)

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, pass_on)
    workers += [start() for _ in range(number)]
    began = time.monotonic()
    while True:
        time.sleep(_PAUSE / 5)
        if stopping:  # told so by a signal, during the sleep
            break
        dead = [index for index, worker in enumerate(workers) if worker.poll() is not None]
        if len(dead) == number and time.monotonic() - began < _PAUSE * 5:
            return workers[0].returncode or 1  # what is wrong stands on standard error, once a worker
        for index in dead:
            if not stopping:
                print(
                    f"worker {workers[index].pid} ended with {workers[index].returncode}: starting another",
                    file=sys.stderr,
                )
                time.sleep(_PAUSE)
                workers[index] = start()
    for worker in workers:
        worker.wait()
    return 0


def end_with_parent() -> None:
    """In a worker: end as on SIGTERM when the parent is gone."""

    def watch() -> None:
        # Not sys.stdin: Python would wait a second for its lock at the end.
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
