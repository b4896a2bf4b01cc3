"""One body for several requests."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from itertools import count
from types import SimpleNamespace

import pytest

from openstackoid.core.errors import PeerSlowError
from openstackoid.gateway.replicas.pace import Pace, Patience
from openstackoid.gateway.replicas.tee import Branch, pour

PIECES = [bytes([number]) * 1000 for number in range(100)]
NEVER = Patience(600.0)
SOON = Patience(0.05)


def branch(patience: Patience = NEVER) -> Branch:
    return Branch("CloudTwo", patience)


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
    branches = [branch(), branch(), branch()]
    tasks = [asyncio.create_task(whole(branch, number / 1000)) for number, branch in enumerate(branches)]
    await pour(source(PIECES), list(zip(branches, tasks, strict=True)))
    digests = {hashlib.sha256(read).digest() for read in await asyncio.gather(*tasks)}
    assert digests == {hashlib.sha256(b"".join(PIECES)).digest()}


async def test_one_that_takes_nothing_is_left_behind() -> None:
    still, other = branch(SOON), branch()
    stands = asyncio.create_task(asyncio.Event().wait())
    reads = asyncio.create_task(whole(other))
    await pour(source(PIECES), [(still, stands), (other, reads)])
    assert await reads == b"".join(PIECES)
    with pytest.raises(asyncio.CancelledError):
        await stands


async def test_one_that_takes_a_little_now_and_then_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never idle: only its rate says that it would take days."""
    clock = SimpleNamespace(monotonic=count(0, 100).__next__)  # each wait takes 100 s
    monkeypatch.setattr("openstackoid.gateway.replicas.tee.time", clock)
    slow, other = branch(Patience(600, least=100)), branch()
    trickles = asyncio.create_task(whole(slow, 0.01))
    reads = asyncio.create_task(whole(other))
    await pour(source(PIECES), [(slow, trickles), (other, reads)])
    assert await reads == b"".join(PIECES)
    with pytest.raises(asyncio.CancelledError):
        await trickles
    assert isinstance(slow.error, PeerSlowError)
    assert "CloudTwo takes less than 100 bytes a second" in str(slow.error)


def test_a_pace_counts_the_time_in_which_others_waited() -> None:
    pace = Pace(Patience(10, least=100))
    assert pace.holds(9, 0), "not yet: it may send much at once"
    assert pace.holds(1, 1000)
    assert all(pace.holds(0, 1) for _ in range(1000)), "nobody has waited"
    assert not pace.holds(11, 99)
    assert Pace(Patience(1)).holds(1000, 0), "any rate will do"


async def test_one_that_has_ended_holds_nobody_up() -> None:
    ended, other = branch(), branch()
    refused = asyncio.create_task(asyncio.sleep(0))
    reads = asyncio.create_task(whole(other))
    await pour(source(PIECES), [(ended, refused), (other, reads)])
    assert await reads == b"".join(PIECES)
    assert not refused.cancelled()


async def test_nothing_more_is_read_when_nobody_is_left() -> None:
    one, given = branch(), 0
    refused = asyncio.create_task(asyncio.sleep(0))

    async def counted() -> AsyncIterator[bytes]:
        nonlocal given
        for piece in PIECES:
            given += 1
            yield piece
            await asyncio.sleep(0)

    await pour(counted(), [(one, refused)])
    assert given < len(PIECES)
