"""HAProxy's admin socket: a few commands, one connection each (HAProxy management guide, 9.3)."""

import asyncio
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from openstackoid.core.errors import OpenStackoidError
from openstackoid.haproxy.maps import Entry

_MAX_COMMANDS: Final = 16384  # bytes sent at a time: a payload over tune.bufsize hangs the socket
_PARALLEL: Final = 4  # connections: HAProxy takes ten connections here, and other workers have commands too
_TIMEOUT: Final = 5.0  # seconds


class AdminError(OpenStackoidError):
    """HAProxy does not answer at its admin socket, or refuses a command."""

    status = 502
    code = "haproxy.refused"


class Admin:
    """The admin socket of a running HAProxy.

    Args:
        path: the socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def ask(self, command: str) -> str:
        """The answer to a command, or to several with `;` between them.

        Raises:
            AdminError: nobody answers.
        """
        return (await self._ask(command)).strip()

    async def _ask(self, command: str) -> str:
        loop, answer = asyncio.get_running_loop(), bytearray()
        try:
            # By the socket itself: a pair of streams takes 0.2 ms more, as long as most commands.
            with socket.socket(socket.AF_UNIX) as connection:
                connection.setblocking(False)
                async with asyncio.timeout(_TIMEOUT):
                    await loop.sock_connect(connection, str(self._path))
                    await loop.sock_sendall(connection, command.encode() + b"\n")
                    while piece := await loop.sock_recv(connection, 65536):
                        answer += piece
        except (OSError, TimeoutError) as error:
            raise AdminError(f"HAProxy does not answer at {self._path}: {type(error).__name__}.") from None
        return answer.decode("utf-8", "replace")

    async def worker(self) -> str:
        """The process that answers: a new process has lost the entries that were not in its files.

        Raises:
            AdminError: no process answers, or the answer does not name it.
        """
        answer = await self.ask("show info")
        for line in answer.splitlines():
            if line.startswith("Pid:"):
                return line
        raise AdminError(f"HAProxy does not say at {self._path} which process it is.")

    async def put(self, *entries: tuple[Path, Entry]) -> None:
        """Add or replace entries of maps; a replaced entry is never missing meanwhile."""
        replies: list[str] = []
        for piece in _batches(f"set map {name} {entry.key} {entry.value}" for name, entry in entries):
            replies += _answers(await self._ask(";".join(piece)))
        if wrong := [reply for reply in replies if reply and "not found" not in reply]:
            raise AdminError(f"HAProxy refused a command at {self._path}: {wrong[0]}")
        missing = [entry for entry, reply in zip(entries, replies, strict=False) if reply]
        for piece in _batches(
            f"del map {name} {entry.key};add map {name} {entry.key} {entry.value}" for name, entry in missing
        ):
            await self._expect_silence(";".join(piece), "not found")

    async def drop(self, name: Path, keys: Iterable[str]) -> None:
        """Delete entries of a map."""
        for piece in _batches(f"del map {name} {key}" for key in keys):
            await self._expect_silence(";".join(piece), "not found")

    async def clear(self, name: Path) -> None:
        """Delete all entries of a map."""
        await self._expect_silence(f"clear map {name}")

    async def cleared(self, name: Path) -> bool:
        """Delete all entries of a map if HAProxy has the map; returns whether it has."""
        answer = await self.ask(f"clear map {name}")
        if answer and "Unknown map" not in answer:
            raise AdminError(f"HAProxy refused a command at {self._path}: {answer}")
        return not answer

    async def replace(self, name: Path, entries: Iterable[Entry]) -> None:
        """Replace all entries of a map atomically: no request sees a mixture."""
        answer = await self.ask(f"prepare map {name}")
        version = answer.rpartition(" ")[2]
        if not version.isdigit():
            raise AdminError(f"HAProxy has no map {name}: {answer}")
        # As payload: a command for each entry takes three times as long. In parallel: HAProxy reads one payload while others are written.
        turn = asyncio.Semaphore(_PARALLEL)

        async def add(piece: list[str]) -> None:
            lines = "\n".join(piece)
            async with turn:
                await self._expect_silence(f"add map @{version} {name} <<\n{lines}\n")

        await asyncio.gather(*map(add, _batches(f"{entry.key} {entry.value}" for entry in entries)))
        await self._expect_silence(f"commit map @{version} {name}")

    async def _expect_silence(self, command: str, *expected: str) -> None:
        """Send a command whose answer is empty on success."""
        answer = await self.ask(command)
        wrong = [line for line in answer.splitlines() if line.strip() and not any(text in line for text in expected)]
        if wrong:
            raise AdminError(f"HAProxy refused a command at {self._path}: {wrong[0]}")


def _answers(text: str) -> Iterator[str]:
    """The answer to each of several commands: each ends with an empty line, and most are empty."""
    lines: list[str] = []
    for line in text.split("\n")[:-1]:
        if line:
            lines.append(line)
        else:
            yield " ".join(lines)
            lines = []


def _batches(commands: Iterable[str]) -> Iterator[list[str]]:
    """As many at a time as HAProxy takes."""
    batch: list[str] = []
    size = 0
    for command in commands:
        if batch and size + len(command) > _MAX_COMMANDS:
            yield batch
            batch, size = [], 0
        batch.append(command)
        size += len(command) + 1
    if batch:
        yield batch
