"""One body for several requests: read once from the client, in memory no longer than a few pieces of it.

The slowest reader sets the pace. One that takes nothing for a while, or that has ended, is left behind; the others go on.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from multidict import CIMultiDict, CIMultiDictProxy

_PIECES: Final = 16  # that wait for one reader; a piece is what aiohttp has at a time, 128 KiB at most


class Branch:
    """The body as one request reads it: see `entry.bodies.MadeContent`."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue(_PIECES)

    async def readany(self) -> bytes:
        """The next piece; empty at the end."""
        return await self._pieces.get()

    async def iter_any(self) -> AsyncIterator[bytes]:
        """All pieces."""
        while piece := await self.readany():
            yield piece

    async def give(self, piece: bytes, reader: asyncio.Task[Any], patience: float) -> bool:
        """Give a piece to the request that reads this branch; an empty one is the end. Returns whether it goes on: after `patience` seconds, it is cancelled."""
        if not reader.done() and not self._pieces.full():
            self._pieces.put_nowait(piece)
            return True
        giving = asyncio.ensure_future(self._pieces.put(piece))
        await asyncio.wait({giving, reader}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if giving.done() and not reader.done():
            return True
        giving.cancel()
        reader.cancel()
        return False


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


async def pour(
    source: AsyncIterator[bytes], branches: Sequence[tuple[Branch, asyncio.Task[Any]]], patience: float
) -> None:
    """Give each piece of a body to all branches, until no request reads any more.

    Args:
        source: the body.
        branches: with the task that reads each.
        patience: seconds that one request may take nothing.

    Raises:
        Exception: what the source raises; the tasks are not cancelled then.
    """
    left = list(branches)
    async for piece in source:
        if piece:
            left = await _given(piece, left, patience)
        if not left:
            return
    await _given(b"", left, patience)


async def _given(
    piece: bytes, branches: Sequence[tuple[Branch, asyncio.Task[Any]]], patience: float
) -> list[tuple[Branch, asyncio.Task[Any]]]:
    goes_on = await asyncio.gather(*(branch.give(piece, reader, patience) for branch, reader in branches))
    return [pair for pair, good in zip(branches, goes_on, strict=True) if good]
