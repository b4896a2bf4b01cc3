"""What an upload holds of a region's quota while it is under way, however long that takes."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from openstackoid.gateway.quotas import requests
from openstackoid.gateway.quotas.admission import Account, Admission
from openstackoid.gateway.quotas.requests import Taken
from openstackoid.trust.quota_leases import HOLD
from openstackoid.trust.store import Store

if TYPE_CHECKING:
    from openstackoid.gateway.quotas.services import ServiceQuotas

ACCOUNT = Account("c" * 32, {"image_bytes": 10}, "p" * 32, "image")
PATIENCE = 60  # seconds


async def held(store: Store, at: int) -> bool:
    holds = await asyncio.to_thread(store.quotas.under_way, ACCOUNT.contract, ACCOUNT.service, at)
    return bool(holds)


@pytest.mark.asyncio
async def test_an_upload_keeps_what_it_holds_until_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Glance counts an image when it is whole: what is forgotten before could be taken once more."""
    monkeypatch.setattr(requests, "_RENEW", 0.01)
    store = Store(f"sqlite:///{tmp_path / 'trust.sqlite'}")
    store.upgrade()
    leases, contract, project = store.quotas, ACCOUNT.contract, ACCOUNT.project
    leases.prepare(contract, project, ACCOUNT.quota)
    assert leases.grow(contract, project, ACCOUNT.quota, {"image_bytes": 10})
    leases.settle(contract, project, leases.unsettled(contract, project, ACCOUNT.quota))
    now = int(time.time())
    long_ago, later = now - HOLD + PATIENCE, now + PATIENCE + 1
    first = leases.take(contract, project, {"image_bytes": 10}, long_ago)
    assert first
    assert not await held(store, later)  # it was long ago
    taken = Taken(Admission(leases, cast("ServiceQuotas", None)), ACCOUNT, [first])
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"a"
        await go_on.wait()
        yield b"b"

    async def read() -> list[bytes]:
        return [piece async for piece in taken.meter(slow())]

    async def kept() -> None:
        while not await held(store, later):
            await asyncio.sleep(0.01)

    reading = asyncio.create_task(read())
    await asyncio.wait_for(kept(), PATIENCE)
    go_on.set()
    assert await reading == [b"a", b"b"]
    await taken.sent(201)
    assert not await held(store, later)
