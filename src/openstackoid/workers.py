"""Several serving processes on one machine, and the one that looks after them.

Each worker is a fork of the parent, which has imported the program: its start costs no import, and all share that memory.
The kernel spreads connections over them (SO_REUSEPORT). Signals are passed on; one that dies is started again; and when
the parent is killed they end, since the socket that each one holds as its standard input is closed. On the same socket
they say that they serve; when all have, the parent tells systemd.
"""

import contextlib
import gc
import logging
import multiprocessing
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from openstackoid import notify
from openstackoid.core.errors import OpenStackoidError

_LOG: Final = logging.getLogger(__name__)
_PAUSE: Final = 1.0  # seconds before a worker that died is started again
_LONGEST: Final = 1024  # bytes of what a worker says
# Until a worker has handlers of its own, the parent's would act there.
_HELD: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_FORK: Final = multiprocessing.get_context("fork")


def run(serve: Callable[[], None], number: int, parents: Sequence[socket.socket] = ()) -> int:
    """Serve with several processes until told to stop; returns the exit code.

    This process must have one thread, and no event loop.

    Args:
        serve: what each of them does until SIGTERM. It finds SIGHUP ignored.
        number: how many.
        parents: sockets that no worker keeps open.
    """
    # A collection in a worker would write to the pages that it shares with the others.
    gc.collect()
    gc.freeze()
    return _Parent(serve, parents).run(number)


def tell(state: str) -> None:
    """In a worker: tell the parent a state, as `notify.tell` tells systemd."""
    with contextlib.suppress(OSError):  # without a parent the end is near
        os.write(0, state.encode())


def _work(serve: Callable[[], None], channel: socket.socket, others: Iterable[socket.socket]) -> None:
    """Be a worker.

    Args:
        serve: what it does.
        channel: becomes its standard input.
        others: sockets of the parent, which it closes: if it held them, no worker would see the parent's end.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    for other in others:  # first: one of them is descriptor 0 if the parent has no standard input
        other.close()
    number = channel.detach()
    if number:
        os.dup2(number, 0)
        os.close(number)
    # What workers say is for the parent alone: systemd listens to no other process.
    os.environ.pop(notify.VARIABLE, None)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve()
    except OpenStackoidError as error:
        sys.exit(f"openstackoid: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _end_with_parent() -> None:
    """End as on SIGTERM when the parent is gone."""
    # Not sys.stdin: Python would wait a second for its lock at the end.
    with contextlib.suppress(ConnectionError):  # gone before it has read all that was said
        while os.read(0, _LONGEST):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


class _Worker:
    """One serving process.

    Attributes:
        channel: on which it says what it does.
        ready: whether it serves, by the configuration as it was when it was last told to read it.
        ending: whether it was told to stop.
    """

    def __init__(self, serve: Callable[[], None], parents: Iterable[socket.socket]) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ready = self.ending = False
        self.process = _FORK.Process(target=_work, args=(serve, theirs, (self.channel, *parents)))
        signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        try:
            with theirs:
                self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)

    @property
    def dead(self) -> bool:
        return self.process.exitcode is not None

    def send(self, signum: int) -> None:
        """Pass a signal on."""
        if signum == signal.SIGHUP:
            self.ready = False
        else:
            self.ending = True
        if not self.dead and self.process.pid:
            os.kill(self.process.pid, signum)

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

    def __init__(self, serve: Callable[[], None], parents: Sequence[socket.socket]) -> None:
        self._serve = serve
        self._own = parents
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
                return self._workers[0].process.exitcode or 1  # what is wrong stands on standard error, once a worker
            for index in dead:
                if not self._stopping:
                    self._replace(index)
        for worker in self._workers:
            if not worker.ending:  # it had just been started
                worker.send(signal.SIGTERM)
            worker.process.join()
        return 0

    def _start(self) -> _Worker:
        channels = [worker.channel for worker in self._workers]
        return _Worker(self._serve, (*self._own, *channels))

    def _replace(self, index: int) -> None:
        gone = self._workers[index]
        _LOG.error("worker %s ended with %s: starting another", gone.process.pid, gone.process.exitcode)
        gone.channel.close()
        time.sleep(_PAUSE)
        if not self._stopping:
            try:
                self._workers[index] = self._start()
            except OSError as error:  # no process, memory or descriptor is left now; the other workers serve
                _LOG.error("cannot start another worker: %s", error.strerror)

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
