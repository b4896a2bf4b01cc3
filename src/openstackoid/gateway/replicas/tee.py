"""One body for several requests: read once from the client, in memory no longer than a few pieces of it.

The slowest reader sets the pace. One that takes nothing for a while, or too little, or that has ended, is left behind; the others go on.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from multidict import CIMultiDict, CIMultiDictProxy

from openstackoid.core.errors import PeerTimeoutError
from openstackoid.gateway.replicas.pace import Pace, Patience, too_slow

_PIECES: Final = 16  # that wait for one reader; a piece is what aiohttp has at a time, 128 KiB at most
_IN_BUFFERS: Final = 4 << 20  # bytes that a reader has taken and its socket may not have sent


class Branch:
    """The body as one request reads it: see `entry.bodies.MadeContent`.

    Args:
        cloud: that the request goes to.
        patience: how slow it may be.

    Attributes:
        error: why the request was left behind; None if it was not.
    """

    def __init__(self, cloud: str, patience: Patience) -> None:
        self.error: PeerTimeoutError | None = None
        self._cloud = cloud
        self._patience = patience
        self._pace = Pace(patience)
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue(_PIECES)

    async def readany(self) -> bytes:
        """The next piece; empty at the end."""
        return await self._pieces.get()

    async def iter_any(self) -> AsyncIterator[bytes]:
        """All pieces."""
        while piece := await self.readany():
            yield piece

    async def give(self, piece: bytes, reader: asyncio.Task[Any]) -> bool:
        """Give a piece to the request that reads this branch; an empty one is the end. Returns whether it goes on: if it is too slow, it is cancelled."""
        if not reader.done() and not self._pieces.full():
            self._pieces.put_nowait(piece)
            self._pace.holds(0.0, len(piece))
            return True
        began = time.monotonic()
        giving = asyncio.ensure_future(self._pieces.put(piece))
        await asyncio.wait({giving, reader}, timeout=self._patience.idle, return_when=asyncio.FIRST_COMPLETED)
        if giving.done() and not reader.done():
            if self._pace.holds(time.monotonic() - began, len(piece)):
                return True
            self.error = too_slow(self._cloud, "takes", self._patience)
        elif not reader.done():
            self.error = PeerTimeoutError(f"{self._cloud} took no data for {self._patience.idle:g} s.")
        giving.cancel()
        reader.cancel()
        return False

    async def end(self, reader: asyncio.Task[Any]) -> None:
        """Wait until the request that reads this branch has ended, after the last piece; if it does not end in time, it is cancelled."""
        least, idle = self._patience.least, self._patience.idle
        # What it has not sent yet at the least rate, then the time for an answer.
        longest = (_IN_BUFFERS / least + 2 * idle) if least else None
        await asyncio.wait({reader}, timeout=longest)
        if not reader.done():
            self.error = too_slow(self._cloud, "takes", self._patience)
            reader.cancel()


class Streamed:
    """A request with the body of one branch: what `upstream` reads of a request.

    Args:
        method: HTTP method.
        headers: as they are sent.
        length: of the body, if it is known.
        content: the body.
    """

    def __init__(self, method: str, headers: CIMultiDict[str], length: int | None, content: Branch) -> None:
        self.method = method
        self.headers = CIMultiDictProxy(headers)
        self.body_exists = True
        self.content_length = length
        self.content_type = headers.get("Content-Type", "application/octet-stream").partition(";")[0]
        self.content = content

    async def read(self) -> bytes:
        """The whole body, if it is small."""
        return b"".join([piece async for piece in self.content.iter_any()])


async def pour(source: AsyncIterator[bytes], branches: Sequence[tuple[Branch, asyncio.Task[Any]]]) -> None:
    """Give each piece of a body to all branches, until no request reads any more; then wait for the ends of the requests.

    Args:
        source: the body.
        branches: with the task that reads each.

    Raises:
        Exception: what the source raises; the tasks are not cancelled then.
    """
    left = list(branches)
    async for piece in source:
        if piece:
            left = await _given(piece, left)
        if not left:
            return
    await _given(b"", left)
    await asyncio.gather(*(branch.end(reader) for branch, reader in branches))


async def _given(
    piece: bytes, branches: Sequence[tuple[Branch, asyncio.Task[Any]]]
) -> list[tuple[Branch, asyncio.Task[Any]]]:
    goes_on = await asyncio.gather(*(branch.give(piece, reader) for branch, reader in branches))
    return [pair for pair, good in zip(branches, goes_on, strict=True) if good]
