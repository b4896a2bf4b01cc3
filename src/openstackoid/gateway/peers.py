"""What the peers serve: read from each one's `/.well-known/openstackoid`, refreshed, and kept while it is away."""

import asyncio
import contextlib
from collections.abc import Mapping

import aiohttp
import orjson

from openstackoid.core.catalog import Cloud
from openstackoid.core.errors import PeerAnswerError, PeerError, PeerTimeoutError, PeerUnreachableError
from openstackoid.core.services import service_type
from openstackoid.gateway.config import Config, Peer

WELL_KNOWN = "/.well-known/openstackoid"
_LONGEST = 1 << 20  # bytes: a thousand services with their URLs
_PATIENCE = 1.0  # seconds for which a failure answers for the peer, so that a dead one costs one timeout a second


class Peers:
    """The clouds that this one collaborates with.

    Attributes:
        clouds: name -> what it serves; None while it never answered.
        errors: name -> why it did not answer the last time; names that did are missing.
    """

    def __init__(self, config: Config, session: aiohttp.ClientSession, known: Mapping[str, Cloud | None]) -> None:
        """Begin with what is known already, so that a reload forgets nothing."""
        self._peers = config.peers
        self._session = session
        self._timeouts = config.timeouts
        self.errors: dict[str, PeerError] = {}
        self._failed_at: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._refresher: asyncio.Task[None] | None = None
        self.clouds: dict[str, Cloud | None] = {}
        for name, peer in config.peers.items():
            if peer.services is None:
                self.clouds[name] = known.get(name)
            else:
                self.clouds[name] = Cloud(
                    name, {service_type(kind) or kind: url for kind, url in peer.services.items()}
                )

    def start(self) -> None:
        """Look at every peer now and then on."""
        self._refresher = asyncio.create_task(self._refresh())

    async def stop(self) -> None:
        """Stop looking."""
        tasks = [task for task in (self._refresher, *self._asking.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ensure(self, name: str) -> None:
        """Have something known of a peer.

        Raises:
            PeerError: nothing is, and it does not answer.
        """
        if self.clouds.get(name) is not None:
            return
        now = asyncio.get_running_loop().time()
        if name not in self.errors or now - self._failed_at[name] > _PATIENCE:
            # One request asks for all who wait; a client that goes away does not cancel it for the others.
            if name not in self._asking:
                task = self._asking[name] = asyncio.create_task(self._look(name))
                task.add_done_callback(lambda _: self._asking.pop(name, None))
            await asyncio.shield(self._asking[name])
        if self.clouds.get(name) is None:
            raise self.errors[name]

    async def _refresh(self) -> None:
        while True:
            asked = [name for name, peer in self._peers.items() if peer.services is None]
            await asyncio.gather(*(self._look(name) for name in asked))
            fast = any(self.clouds[name] is None for name in asked)
            await asyncio.sleep(min(1.0, self._timeouts.refresh) if fast else self._timeouts.refresh)

    async def _look(self, name: str) -> None:
        try:
            self.clouds[name] = await self._ask(name, self._peers[name])
        except PeerError as error:
            self.errors[name] = error
            self._failed_at[name] = asyncio.get_running_loop().time()
        else:
            self.errors.pop(name, None)

    async def _ask(self, name: str, peer: Peer) -> Cloud:
        url = peer.url + WELL_KNOWN
        timeout = aiohttp.ClientTimeout(total=self._timeouts.connect)
        try:
            async with self._session.get(url, timeout=timeout, allow_redirects=False) as answer:
                body = await _whole(answer.content)
        except TimeoutError:
            raise PeerTimeoutError(
                f"{name} did not answer within {self._timeouts.connect:g} s at {peer.url}."
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise PeerUnreachableError(f"{name} cannot be reached at {peer.url}: {reason(error)}.") from None
        expected = f"Expected what {name} serves at {url}"
        if answer.status != 200:  # noqa: PLR2004
            raise PeerAnswerError(f"{expected}, got status {answer.status}. Is a gateway there?")
        try:
            cloud = Cloud.from_json(orjson.loads(body))
        except ValueError as error:
            raise PeerAnswerError(f"{expected}: {error}. Is a gateway there?") from None
        if cloud.name != name:
            raise PeerAnswerError(f"{expected}, but the cloud there says that it is {cloud.name}.")
        return cloud


async def _whole(content: aiohttp.StreamReader) -> bytes:
    """All of a document, which may come in pieces; of one that is too long, what is no longer JSON."""
    body = b""
    while len(body) < _LONGEST and (piece := await content.readany()):
        body += piece
    return body[:_LONGEST]


def reason(error: BaseException) -> str:
    """Why a connection failed, in a few words, without what the request held."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    cause: BaseException | None = getattr(error, "os_error", None) or error
    with contextlib.suppress(AttributeError):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return {"ServerDisconnectedError": "it closed the connection"}.get(type(error).__name__, type(error).__name__)
