"""Processes that outlive the process that started them: find, check and end them.

A process is known by its id *and* its start time, written into a file when it starts: an id alone may belong to
somebody else's process by the time it is read.
"""

import errno
import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from .errors import LabError


class Health(StrEnum):
    """The state of a service."""

    RUNNING = "running"
    DOWN = "down"
    STUCK = "stuck"
    """The process is there and does not answer."""


@dataclass(frozen=True)
class Process:
    """A process, identified by id and start time."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it still runs: it has not ended, is not a zombie, and its id is not reused."""
        status = stat(self.pid)
        return status is not None and status == ("alive", self.started)

    @property
    def memory(self) -> int:
        """Bytes of memory, with shared memory divided among the sharing processes (PSS)."""
        try:
            for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        except OSError:
            pass
        return 0

    def group(self) -> list["Process"]:
        """Give the running processes of its process group: itself first, then its descendants, even after its own end."""
        leader = stat(self.pid)
        if leader and leader[1] != self.started:
            return []  # the id belongs to another process by now
        others = (int(path.name) for path in Path("/proc").glob("[0-9]*") if path.name != str(self.pid))
        seen = [(pid, stat(pid)) for pid in others if group_of(pid) == self.pid]
        members = [self, *(Process(pid, told[1]) for pid, told in seen if told)]
        return [process for process in members if process.alive]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def stat(pid: int) -> tuple[str, int] | None:
    """Whether a process is alive, and when it started (clock ticks since boot)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return ("dead" if fields[0] in "ZX" else "alive", int(fields[19]))


def group_of(pid: int) -> int | None:
    """Give the process group of a process."""
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def read(path: Path) -> Process | None:
    """Read a process from its file, whether it is alive or not."""
    try:
        document = json.loads(path.read_text(encoding="ascii"))
        return Process(document["pid"], document["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Spawn(Protocol):
    """Starts a program: `spawn`, or another function that gives a process as that one does."""

    def __call__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str], note: Path | None = None
    ) -> Process:
        """Start a program in a session of its own, its output in a log."""


def spawn(command: Sequence[str], log: Path, environment: Mapping[str, str], note: Path | None = None) -> Process:
    """Start a program in a session of its own, its output in a log.

    Without subprocess, which would warn at exit that the child still runs, as it is meant to.
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    empty = os.open(os.devnull, os.O_RDONLY)
    try:
        pid = os.posix_spawn(
            command[0],
            list(command),
            dict(environment),
            file_actions=[(os.POSIX_SPAWN_DUP2, empty, 0), *((os.POSIX_SPAWN_DUP2, output, fd) for fd in (1, 2))],
            setsid=True,
        )
    except OSError as error:
        raise LabError(f"{command[0]} cannot be started: {error.strerror}") from error
    finally:
        os.close(output)
        os.close(empty)
    return noted(pid, note)


def noted(pid: int, note: Path | None) -> Process:
    """A process that was just started, written into its file, if it has one."""
    status = stat(pid)
    process = Process(pid, status[1] if status else 0)
    if note:
        note.write_text(json.dumps({"pid": process.pid, "started": process.started}), encoding="ascii")
    return process


def answers(url: str, seconds: float, *, exactly: int | None = None) -> bool:
    """Whether a URL answers in time, with ``exactly`` that status or any below 500."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=seconds)
    try:
        connection.request("GET", where.path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return status == exactly if exactly else status < http.HTTPStatus.INTERNAL_SERVER_ERROR


def converses(path: Path, command: str, seconds: float) -> str:
    """Send one line to a Unix socket; returns the answer until the socket is closed, or nothing if no answer comes in time."""
    told = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(str(path))
            connection.sendall(command.encode() + b"\n")
            while piece := connection.recv(1 << 16):
                told += piece
        except OSError:
            return ""
    return told.decode("utf-8", "replace")


def stop(processes: Iterable[Process], patience: float) -> None:
    """End processes: SIGTERM, wait, SIGKILL. A suspended process is continued first, or it could not handle the signal."""
    left = [process for process in processes if process.alive]
    for process in left:
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGCONT)
    deadline = time.monotonic() + patience
    while (left := [process for process in left if process.alive]) and time.monotonic() < deadline:
        reap(left)
        time.sleep(0.02)
    for process in left:
        process.signal(signal.SIGKILL)
    while left := [process for process in left if process.alive]:
        reap(left)
        time.sleep(0.01)


def reap(processes: Iterable[Process]) -> None:
    """Reap our own children among them, so that they do not stay as zombies."""
    for process in processes:
        try:
            os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:
            continue


def check_free(host: str, port: int, wanted_by: str) -> None:
    """Check that an address is free to listen on.

    Raises:
        LabError: the address is in use; the message names the process that has it, if it can be found.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            # Bound to another address of the same port is fine; listening on all of them is not.
            probe.listen(1)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise LabError(f"{host}:{port}, wanted by {wanted_by}, cannot be used: {error.strerror}") from error
            raise LabError(
                f"{host}:{port} is in use{owner(host, port)}, and {wanted_by} needs it: stop what uses it, "
                "or choose other addresses, as in --address 127.0.101.0 (and another --dir, if this lab exists)"
            ) from error


def owner(host: str, port: int) -> str:
    """Describe the process that listens at an address, if the system shows it."""
    inode = listening_socket(host, port)
    if inode:
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            try:
                if str(link.readlink()) == f"socket:[{inode}]":
                    pid = link.parts[2]
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                    return f" by process {pid} ({b' '.join(words).decode(errors='replace').strip()[:80]})"
            except OSError:
                continue
    return ""


def listening_socket(host: str, port: int) -> str | None:
    """Find the socket that listens at an address, or at all addresses."""
    packed = socket.inet_aton(host)[::-1].hex().upper()
    wanted = {f"{address}:{port:04X}" for address in (packed, "00000000")}
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[1] in wanted and fields[3] == "0A":
            return fields[9]
    return None
