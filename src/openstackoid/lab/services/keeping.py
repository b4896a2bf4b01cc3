"""Zygotes that stay for the next starts, as tests want it, which start labs again and again.

They are in a folder that a start is told of in ``OPENSTACKOID_LAB_ZYGOTES``, where whoever wants them listens at the Unix socket ``alive``,
and are there as long as that one is. A zygote that a start has forked then stays: it listens in that folder, and forks
servers for each start that asks it to, with a process between, so that they are nobody's children, as always.
"""

import contextlib
import os
import select
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .forking import fork

_DONE: Final = b"done"


def ask(folder: Path, service: str, orders: Path) -> socket.socket | None:
    """Ask the zygote of a service that is kept in a folder, if there is one, to start servers; ``finished`` waits for it."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(_address(folder, service))
        socket.send_fds(connection, [os.fsencode(orders)], [sys.stderr.fileno()])
    except OSError:
        connection.close()
        return None
    return connection


def finished(connection: socket.socket) -> bool:
    """Wait until a zygote has forked what it was asked for; whether that went well."""
    with connection:
        return connection.recv(len(_DONE)) == _DONE


def stay(folder: Path, service: str, begin: Callable[[Path], None]) -> None:
    """Be a zygote for the starts that follow.

    Args:
        folder: where.
        service: what of.
        begin: forks the servers that orders name.
    """
    os.setsid()
    with contextlib.ExitStack() as stack:
        alive, asked = (stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) for _ in range(2))
        alive.connect(str(folder / "alive"))
        asked.bind(_address(folder, service))
        asked.listen()
        while alive not in select.select([alive, asked], [], [])[0]:
            connection, _ = asked.accept()
            with connection:
                orders, [log], _, _ = socket.recv_fds(connection, 4096, 1)

                def work(orders: bytes = orders, log: int = log, connection: socket.socket = connection) -> None:
                    for own in (alive, asked, connection):
                        own.close()
                    for stream in (sys.stdout, sys.stderr):
                        os.dup2(log, stream.fileno())
                    os.close(log)
                    begin(Path(os.fsdecode(orders)))

                pid = fork(work)
                os.close(log)
                if os.waitpid(pid, 0)[1] == 0:
                    connection.sendall(_DONE)


def _address(folder: Path, service: str) -> str:
    """The socket of a zygote: of an environment, since each has its own packages."""
    return str(folder / f"{Path(sys.prefix).name}-{service}")
