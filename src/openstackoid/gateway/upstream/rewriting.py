"""Rewrites JSON documents: small ones here, large ones in processes beside this one, so that no request waits for another's document.

A thread does not help: while orjson parses or writes, no other thread runs, and of 11 MiB in a thread others saw waits of 2.5 s. A process costs
some milliseconds for each document, its memory is its own, and it can be ended. There are few, one document of each sender is under way at a time, and
the bytes that all of them hold are bounded: a request for more is refused with 503, to be sent again later.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

import orjson

from openstackoid.core.errors import BusyError, OpenStackoidError
from openstackoid.core.limits import MIB, LimitError
from openstackoid.gateway.upstream.rewriter import ANSWER, DONE, HEAD, LARGE, REFUSED, SAME, Job

SMALL: Final = 1 << 16  # bytes: documents up to this are rewritten at once
_PROCESSES: Final = 2  # so that one sender's document does not stop another's
_ALL: Final = 128 * MIB  # bytes of large documents that are held at a time
_SHARE: Final = 48 * MIB  # of them those of one sender
_TIMEOUT: Final = 30.0  # seconds for one document, in its process
# What Python needs to start, and no secret of the gateway's own environment: a process that reads hostile documents may be broken into.
_ENVIRONMENT: Final = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONUTF8",
    "VIRTUAL_ENV",
)


class Rewriting:
    """The processes, started when they are needed."""

    def __init__(self) -> None:
        self._idle: list[asyncio.subprocess.Process] = []
        self._turns = asyncio.Semaphore(_PROCESSES)
        self._senders: dict[str, asyncio.Lock] = {}
        self._held: Counter[str] = Counter()

    @contextlib.contextmanager
    def holding(self, sender: str) -> Iterator["Held"]:
        """Memory for a document, while it is read and rewritten.

        Args:
            sender: the cloud or service whose document it is.
        """
        held = Held(self._held, sender)
        try:
            yield held
        finally:
            held.free()

    async def apply(self, job: Job, body: bytes, sender: str) -> bytes:
        """Rewrite ids and links of a document; the very same bytes if nothing changes.

        Raises:
            ValueError: it is no JSON, or over its limit; the message says what was expected.
            OpenStackoidError: it may not pass.
        """
        if len(body) <= SMALL:
            return job(body)
        lock = self._senders.setdefault(sender, asyncio.Lock())
        try:
            async with lock, self._turns:
                how, found = await self._ask(job, body)
        finally:
            if not lock.locked():
                self._senders.pop(sender, None)
        if how in {DONE, SAME}:
            return found if how == DONE else body
        code, message = orjson.loads(found)
        if how == REFUSED:
            raise _error(code)(message)
        raise LimitError(message) if how == LARGE else ValueError(message)

    async def close(self) -> None:
        """Stop the idle processes; the others are stopped when they are done."""
        while self._idle:
            await _end(self._idle.pop())

    async def _ask(self, job: Job, body: bytes) -> tuple[int, bytes]:
        pickled = pickle.dumps(job)
        for process in (self._idle.pop() if self._idle else None, None):
            worker = process or await _begin()
            try:
                async with asyncio.timeout(_TIMEOUT):
                    answer = await _exchange(worker, HEAD.pack(len(pickled), len(body)) + pickled, body)
            except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
                await _end(worker)
                if process is None:
                    raise ValueError(
                        "expected a document that can be read in the time and memory that there is"
                    ) from None
            except BaseException:
                await _end(worker)  # in the middle of a document that nobody waits for any more
                raise
            else:
                self._idle.append(worker)
                return answer
        raise AssertionError  # a fresh process answers, or raises


class Held:
    """The memory that one document takes of what all may take."""

    def __init__(self, all_held: Counter[str], sender: str) -> None:
        self._all = all_held
        self._sender = sender
        self._size = 0

    def grow(self, size: int) -> None:
        """Take more memory.

        Raises:
            BusyError: there is none.
        """
        if self._all[self._sender] + size > _SHARE or self._all.total() + size > _ALL:
            raise BusyError(f"Too many large documents of {self._sender} are under way. Ask again later, or for less.")
        self._all[self._sender] += size
        self._size += size

    def free(self) -> None:
        """Give the memory back."""
        self._all[self._sender] -= self._size
        if not self._all[self._sender]:
            del self._all[self._sender]


async def _begin() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "openstackoid.gateway.upstream.rewriter"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        start_new_session=True,  # what ends the gateway lets it finish first; with its end the input ends
    )


async def _exchange(process: asyncio.subprocess.Process, head: bytes, body: bytes) -> tuple[int, bytes]:
    if process.stdin is None or process.stdout is None:
        raise ConnectionError
    process.stdin.write(head)
    process.stdin.write(body)
    await process.stdin.drain()
    how, size = ANSWER.unpack(await process.stdout.readexactly(ANSWER.size))
    return how, await process.stdout.readexactly(size)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    await process.wait()


def _error(code: str) -> type[OpenStackoidError]:
    """The error of a permanent code."""
    kinds = [OpenStackoidError]
    for kind in kinds:
        if kind.code == code:
            return kind
        kinds.extend(kind.__subclasses__())
    return OpenStackoidError
