"""Writes audit lines to a file, a pipe or standard output, without blocking requests.

A write may block for any time: a pipe without a reader is full after 64 KiB, a disk may be slow. So a thread writes, and the event loop
only puts lines into a bounded queue. Lines that have no room in the queue are lost, and counted.

No line stays torn. Each write holds whole lines, as many as a pipe takes atomically (PIPE_BUF; with O_APPEND a file does the same), so
several processes can write to one place. A full disk may still take a part of a line: that part is ended with a newline, and the line is written
again, whole, when there is room. A part that a killed process left is ended likewise.
"""

import logging
import os
import select
import stat
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Final

from openstackoid.gateway.telemetry import metrics

_LOG: Final = logging.getLogger(__name__)
_ROOM: Final = 4 << 20  # bytes that may wait
_AGAIN: Final = 0.25  # seconds until a failed write is tried again
_GRACE: Final = 1.0  # seconds of failure before it is reported
_PAUSE: Final = 0.01  # seconds after a write, in which more lines gather: to wake this thread for each line costs requests 5 % of a core
_FLUSH: Final = 2.0  # seconds to write the queued lines when the process ends


class LineWriter:
    """Where lines go: a file that several workers append to, a named pipe, or standard output.

    Args:
        name: whose lines they are, for messages.
        path: None for standard output.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, name: str, path: Path | None) -> None:
        self._name = name
        self._file, self._torn = (sys.stdout.fileno(), False) if path is None else _opened(path)
        self._owned = path is not None
        self._regular = stat.S_ISREG(os.fstat(self._file).st_mode)  # never waits for a reader
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._lock = threading.Lock()  # guards the three attributes above
        self._failure: str | None = None
        self._failed_at = 0.0
        self._reported = False
        self._wake = threading.Event()
        self._end: float | None = None
        # A daemon: a write that never ends must not keep the process.
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Queue a line, which includes its newline."""
        with self._lock:
            if self._size + len(line) > _ROOM:
                self._lost += 1
                metrics.audit_lost().inc()
                return
            self._size += len(line)
            self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()

    @property
    def trouble(self) -> str | None:
        """Why lines have not been written for a while; None if they are."""
        return (self._failure or "more comes than can be written") if self._reported else None

    def close(self) -> None:
        """Write the queued lines, as many as can be written in a few seconds, and close the file."""
        self._end = time.monotonic() + _FLUSH
        self._wake.set()
        self._thread.join(_FLUSH + 1)

    def _run(self) -> None:
        ending = False
        while not ending:
            self._wake.wait()
            self._wake.clear()
            ending = self._end is not None
            while self._lines and not self._late():
                if self._ready():
                    self._write()
                self._report()
            if not ending:
                time.sleep(_PAUSE)
        if self._lines or self._lost:
            lost = self._lost + len(self._lines)
            why = self._failure or "there was no time for them"
            _LOG.error("%s: %s lines of audit were lost: %s", self._name, lost, why)
        if self._owned:
            os.close(self._file)

    def _late(self) -> bool:
        return self._end is not None and time.monotonic() > self._end

    def _ready(self) -> bool:
        """Whether a write does not block."""
        if self._regular:
            return True
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        if poll.poll(_AGAIN * 1000):
            return True
        self._fail("nobody reads it")
        return False

    def _write(self) -> None:
        """Write the first lines, as many as fit into one write."""
        data = bytearray(b"\n" if self._torn else b"")
        begin = len(data)
        with self._lock:
            for number, line in enumerate(self._lines):
                if number and len(data) + len(line) > select.PIPE_BUF:
                    break
                data += line
        try:
            written = os.write(self._file, data)
        except OSError as error:
            self._fail(error.strerror or str(error))
            time.sleep(_AGAIN)
            return
        if written:
            self._torn = data[written - 1 : written] != b"\n"
        with self._lock:
            for _ in range(data.count(b"\n", begin, written)):
                self._size -= len(self._lines.popleft())
        if written == len(data):
            self._failure = None

    def _fail(self, reason: str) -> None:
        if self._failure is None:
            self._failed_at = time.monotonic()
        self._failure = reason

    def _report(self) -> None:
        """Report once when writing begins to fail, and once when it works again."""
        if not self._reported and (self._lost or (self._failure and time.monotonic() - self._failed_at > _GRACE)):
            self._reported = True
            why = self._failure or "more comes than can be written"
            text = "%s: the audit cannot be written: %s; %s MiB of it wait, what is more is lost"
            _LOG.error(text, self._name, why, _ROOM >> 20)
        elif self._reported and self._failure is None and not self._lines:
            with self._lock:
                lost, self._lost = self._lost, 0
            self._reported = False
            _LOG.info("%s: the audit is written again; %s lines were lost", self._name, lost)


def _opened(path: Path) -> tuple[int, bool]:
    """A file to append to, and whether its last line has no newline."""
    flags = os.O_APPEND | os.O_CREAT
    try:
        if stat.S_ISFIFO(path.stat().st_mode):
            # Open to read as well: otherwise it waits for a reader here, and a reader that is started again would find the pipe broken.
            return os.open(path, os.O_RDWR | os.O_NONBLOCK), False
    except FileNotFoundError:
        pass
    file = os.open(path, os.O_WRONLY | flags, 0o640)
    try:
        with path.open("rb") as found:
            found.seek(-1, os.SEEK_END)
            return file, found.read(1) != b"\n"
    except OSError:  # the file is empty, or not readable
        return file, False
