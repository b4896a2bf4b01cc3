"""One body for several requests."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from openstackoid.gateway.replicas.tee import Branch, pour

PIECES = [bytes([number]) * 1000 for number in range(100)]
NEVER = 600.0
SOON = 0.05


async def source(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


async def whole(branch: Branch, pause: float = 0) -> bytes:
    read = b""
    async for piece in branch.iter_any():
        read += piece
        if pause:
            await asyncio.sleep(pause)
    return read


async def test_all_get_the_whole_body_at_the_pace_of_the_slowest() -> None:
    branches = [Branch(), Branch(), Branch()]
    tasks = [asyncio.create_task(whole(branch, number / 1000)) for number, branch in enumerate(branches)]
    await pour(source(PIECES), list(zip(branches, tasks, strict=True)), NEVER)
    digests = {hashlib.sha256(read).digest() for read in await asyncio.gather(*tasks)}
    assert digests == {hashlib.sha256(b"".join(PIECES)).digest()}


async def test_one_that_takes_nothing_is_left_behind() -> None:
    still, other = Branch(), Branch()
    stands = asyncio.create_task(asyncio.Event().wait())
    reads = asyncio.create_task(whole(other))
    await pour(source(PIECES), [(still, stands), (other, reads)], SOON)
    assert await reads == b"".join(PIECES)
    with pytest.raises(asyncio.CancelledError):
        await stands


async def test_one_that_has_ended_holds_nobody_up() -> None:
    ended, other = Branch(), Branch()
    refused = asyncio.create_task(asyncio.sleep(0))
    reads = asyncio.create_task(whole(other))
    await pour(source(PIECES), [(ended, refused), (other, reads)], NEVER)
    assert await reads == b"".join(PIECES)
    assert not refused.cancelled()


async def test_nothing_more_is_read_when_nobody_is_left() -> None:
    branch, given = Branch(), 0
    refused = asyncio.create_task(asyncio.sleep(0))

    async def counted() -> AsyncIterator[bytes]:
        nonlocal given
        for piece in PIECES:
            given += 1
            yield piece
            await asyncio.sleep(0)

    await pour(counted(), [(branch, refused)], NEVER)
    assert given < len(PIECES)
