"""Several serving processes on one machine, and the one that looks after them.

The kernel spreads connections over them (SO_REUSEPORT). Signals are passed on; one that dies is started again; and when
the parent is killed they end, since the socket that each one holds as its standard input is closed. On the same socket
they say that they serve; when all have, the parent tells systemd.
"""

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from openstackoid import notify

_LOG: Final = logging.getLogger(__name__)
_PAUSE: Final = 1.0  # seconds before a worker that died is started again
_LONGEST: Final = 1024  # bytes of what a worker says
_HELD: Final = frozenset({signal.SIGHUP})


def run(arguments: Sequence[str], number: int, environment: Mapping[str, str]) -> int:
    """Serve with several processes until told to stop; returns the exit code.

    Args:
        arguments: of the program `openstackoid`, for each of them.
        number: how many.
        environment: what they find in theirs beside ours.
    """
    # What they say is for the parent alone: systemd listens to no other process.
    inherited = {name: value for name, value in os.environ.items() if name != notify.VARIABLE}
    command = [sys.executable, "-m", "openstackoid", *arguments]
    return _Parent(command, {**inherited, **environment}).run(number)


def end_with_parent() -> None:
    """In a worker: end as on SIGTERM when the parent is gone. From here on SIGHUP has the effect that it has in this process."""

    def watch() -> None:
        # Not sys.stdin: Python would wait a second for its lock at the end.
        with contextlib.suppress(ConnectionError):  # gone before it has read all that was said
            while os.read(0, _LONGEST):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)


def tell(state: str) -> None:
    """In a worker: tell the parent a state, as `notify.tell` tells systemd."""
    with contextlib.suppress(OSError):  # without a parent the end is near
        os.write(0, state.encode())


class _Worker:
    """One serving process.

    Attributes:
        channel: on which it says what it does.
        ready: whether it serves, by the configuration as it was when it was last told to read it.
        ending: whether it was told to stop.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ready = self.ending = False
        # SIGHUP would kill it until it knows better, so it waits for `end_with_parent`.
        signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        try:
            with theirs:
                self.process = subprocess.Popen(command, env=environment, stdin=theirs.fileno())  # noqa: S603 - ourselves
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)

    @property
    def dead(self) -> bool:
        return self.process.poll() is not None

    def send(self, signum: int) -> None:
        """Pass a signal on."""
        if signum == signal.SIGHUP:
            self.ready = False
        else:
            self.ending = True
        if not self.dead:
            self.process.send_signal(signum)

    def hear(self) -> None:
        """Take in what it has said."""
        try:
            said = self.channel.recv(_LONGEST).decode()
        except ConnectionError:
            said = ""
        if not said:
            self.channel.close()
        self.ready = self.ready or said == notify.READY


class _Parent:
    """The one that looks after them."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = environment
        self._workers: list[_Worker] = []
        self._stopping = False
        self._told = False  # that all are ready

    def run(self, number: int) -> int:
        """Look after so many of them until told to stop; returns the exit code."""
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, self._pass_on)
        for _ in range(number):
            self._workers.append(self._start())
        began = time.monotonic()
        while True:
            self._hear(_PAUSE / 5)
            if self._stopping:  # told so by a signal, meanwhile
                break
            dead = [index for index, worker in enumerate(self._workers) if worker.dead]
            if len(dead) == number and time.monotonic() - began < _PAUSE * 5:
                return self._workers[0].process.returncode or 1  # what is wrong stands on standard error, once a worker
            for index in dead:
                if not self._stopping:
                    self._replace(index)
        for worker in self._workers:
            if not worker.ending:  # it had just been started
                worker.send(signal.SIGTERM)
            worker.process.wait()
        return 0

    def _start(self) -> _Worker:
        return _Worker(self._command, self._environment)

    def _replace(self, index: int) -> None:
        gone = self._workers[index]
        _LOG.error("worker %s ended with %s: starting another", gone.process.pid, gone.process.returncode)
        gone.channel.close()
        time.sleep(_PAUSE)
        if not self._stopping:
            self._workers[index] = self._start()

    def _hear(self, seconds: float) -> None:
        speaking = [worker for worker in self._workers if worker.channel.fileno() >= 0]
        heard, _, _ = select.select([worker.channel for worker in speaking], [], [], seconds)
        for worker in speaking:
            if worker.channel in heard:
                worker.hear()
        if not (self._told or self._stopping) and all(worker.ready for worker in self._workers):
            self._told = True
            notify.tell(notify.READY)

    def _pass_on(self, signum: int, _frame: object) -> None:
        if signum != signal.SIGHUP:
            if not self._stopping:
                notify.tell(notify.STOPPING)
            self._stopping = True
        elif self._told:
            self._told = False
            notify.tell(notify.reloading())
        for worker in self._workers:
            worker.send(signum)
