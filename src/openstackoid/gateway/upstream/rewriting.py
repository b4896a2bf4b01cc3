"""Rewrites JSON documents: small ones here, large ones in processes beside this one, so that no request waits for another's document.

A thread does not help: while orjson parses or serialises, no other thread runs; 11 MiB in a thread made other requests wait 2.5 s. A process costs
some milliseconds for each document, has its own memory, and can be killed. The number of processes is small, each sender has one document under way
at a time, and the bytes held are bounded: a request over the bound is refused with 503, to be sent again later.
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

SMALL: Final = 1 << 16  # bytes: documents up to this are rewritten in this process
_SEARCHED: Final = (
    1 << 20
)  # bytes: in documents up to this, what may change is searched for in this process: 0.1 ms for each text that changes
_PROCESSES: Final = 2  # so that one sender's document does not stop another's
_ALL: Final = 128 * MIB  # bytes of large documents that are held at a time
_SHARE: Final = 48 * MIB  # bytes of them for one sender
_TIMEOUT: Final = 30.0  # seconds for one document, in its process
# The variables that Python needs to start, without the gateway's secrets: a process that reads hostile documents may be compromised.
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
        self._of_many = asyncio.Semaphore(_PROCESSES)
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

    async def apply(self, job: Job, body: bytes, sender: str, *, of_many: bool = False) -> bytes:
        """Rewrite ids and links of a document; the original bytes if nothing changes.

        Args:
            job: what to rewrite.
            body: the document.
            sender: the cloud or service whose document it is.
            of_many: whether it is one of many for one request: those wait for each other, so that others' documents wait for one of them only.

        Raises:
            ValueError: the document is not JSON, or over its limit; the message names what was expected.
            OpenStackoidError: the document may not pass.
        """
        if len(body) <= SMALL:
            return job(body)
        if len(body) <= _SEARCHED and not job.concerns(body):
            return body
        lock = self._senders.setdefault(sender, asyncio.Lock())
        try:
            async with self._of_many if of_many else contextlib.nullcontext(), lock, self._turns:
                how, result = await self._ask(job, body)
        finally:
            if not lock.locked():
                self._senders.pop(sender, None)
        if how in {DONE, SAME}:
            return result if how == DONE else body
        code, message = orjson.loads(result)
        if how == REFUSED:
            raise _error(code)(message)
        raise LimitError(message) if how == LARGE else ValueError(message)

    async def close(self) -> None:
        """Stop the idle processes; busy ones are stopped when they are done."""
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
                await _end(worker)  # in the middle of a document whose request was cancelled
                raise
            else:
                self._idle.append(worker)
                return answer
        raise AssertionError  # a new process answers, or raises


class Held:
    """The share of the common memory budget that one document takes."""

    def __init__(self, all_held: Counter[str], sender: str) -> None:
        self._all = all_held
        self._sender = sender
        self._size = 0

    def grow(self, size: int) -> None:
        """Take more memory.

        Raises:
            BusyError: the budget is used up.
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
        start_new_session=True,  # a signal to the gateway must not end this process first; its input ends with the gateway
    )


async def _exchange(process: asyncio.subprocess.Process, head: bytes, body: bytes) -> tuple[int, bytes]:
    # uvloop raises RuntimeError for a write to a pipe that it has closed, since the process has ended while it was idle.
    if process.stdin is None or process.stdout is None or process.stdin.is_closing():
        raise ConnectionError
    process.stdin.writelines((head, body))
    await process.stdin.drain()
    how, size = ANSWER.unpack(await process.stdout.readexactly(ANSWER.size))
    return how, await process.stdout.readexactly(size)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    await process.wait()


def _error(code: str) -> type[OpenStackoidError]:
    """The error class of a permanent code."""
    kinds = [OpenStackoidError]
    for kind in kinds:
        if kind.code == code:
            return kind
        kinds.extend(kind.__subclasses__())
    return OpenStackoidError
