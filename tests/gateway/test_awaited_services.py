"""Services of peers that are not polled: each is asked while work waits for it, and no one waits for another."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from openstackoid.gateway.federation import peers as module
from openstackoid.gateway.federation.agreements import Target
from openstackoid.gateway.federation.peers import Peers
from openstackoid.gateway.settings.sections import Timeouts


class Service:
    """A service that can be started at its address; `asked` counts requests."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v2"
        self.asked = 0

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._answer, "127.0.0.1", self.port):
            yield


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def _scenario() -> None:
    image, network, returned = Service(), Service(), list[str]()
    services = {"image": image.url, "network": network.url}
    async with aiohttp.ClientSession() as session:
        targets = {"CloudTwo": Target("http://127.0.0.1:1", federated=False, services=services)}
        peers = Peers(Timeouts(), session, targets, None, {}, returned.append)
        peers.start()
        peers.await_return("CloudTwo", "image")
        peers.await_return("CloudTwo", "network")
        await until(lambda: "CloudTwo" in peers.errors)
        async with network.running():
            await until(lambda: returned == ["CloudTwo"])  # though image is still away
            # Its service refuses what waits, but answers: that is tried in its own time, not again and again.
            before = network.asked
            peers.await_return("CloudTwo", "network")
            await until(lambda: network.asked > before)
            async with image.running():
                await until(lambda: not peers.errors)
            assert returned == ["CloudTwo"] * 2
        # A service that the configuration no longer has is waited for no more.
        peers.await_return("CloudTwo", "network")
        await until(lambda: "CloudTwo" in peers.errors)
        peers.set_targets({"CloudTwo": Target("http://127.0.0.1:1", federated=False, services={"image": image.url})})
        await until(lambda: not peers.errors)
        await peers.stop()


def test_a_service_that_answers_again_does_not_wait_for_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MISSED_INTERVAL", 0.05)
    asyncio.run(_scenario())
