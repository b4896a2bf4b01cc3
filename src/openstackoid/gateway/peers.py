"""What the peers serve: read from each one's `/.well-known/openstackoid`, refreshed, and kept while it is away."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import orjson

from openstackoid.core.catalog import Cloud
from openstackoid.core.errors import PeerAnswerError, PeerError, PeerTimeoutError, PeerUnreachableError
from openstackoid.core.services import service_type
from openstackoid.gateway import headers as heads
from openstackoid.gateway.config import Timeouts
from openstackoid.trust.agreements import Statement
from openstackoid.trust.keys import OVERLAP

WELL_KNOWN = "/.well-known/openstackoid"
STATEMENT = "/openstackoid/v1/agreement"
_LONGEST = 1 << 20  # bytes: a thousand services with their URLs
_KEYS = OVERLAP / 2  # seconds
_PATIENCE = 1.0  # seconds for which a failure answers for the peer, so that a dead one costs one timeout a second


class Target(Protocol):
    """Where a peer is, and how its tokens are treated (`agreements.Target`)."""

    @property
    def url(self) -> str: ...  # noqa: D102
    @property
    def federated(self) -> bool: ...  # noqa: D102
    @property
    def services(self) -> Mapping[str, str] | None: ...  # noqa: D102


class Partners(Protocol):
    """Who takes what peers of other owners say (`agreements.Agreements`)."""

    statements: dict[str, Statement]

    def saw(self, peer: str, document: Any) -> None: ...  # noqa: D102
    def spoken(self, peer: str) -> str: ...  # noqa: D102


class Peers:
    """The clouds that this one collaborates with.

    Attributes:
        clouds: name -> what it serves; None while it never answered.
        errors: name -> why it did not answer the last time; names that did are missing.
    """

    def __init__(
        self,
        timeouts: Timeouts,
        session: aiohttp.ClientSession,
        targets: Mapping[str, Target],
        partners: Partners | None,
        known: Mapping[str, Cloud | None],
    ) -> None:
        """Begin with what is known already, so that a reload forgets nothing."""
        self._targets: Mapping[str, Target] = {}
        self._session = session
        self._timeouts = timeouts
        self._partners = partners
        self.errors: dict[str, PeerError] = {}
        self._failed_at: dict[str, float] = {}
        self._doubted: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._refresher: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self.clouds: dict[str, Cloud | None] = dict(known)
        self.follow(targets)

    def follow(self, targets: Mapping[str, Target]) -> None:
        """Take other peers, or other places of them; what is known of one that stays where it is, stays."""
        for name in self.clouds.keys() - targets.keys():
            del self.clouds[name]
            self.errors.pop(name, None)
        for name, target in targets.items():
            old = self._targets.get(name)
            if target.services is not None:
                urls = {service_type(kind) or kind: url for kind, url in target.services.items()}
                self.clouds[name] = Cloud(name, urls)
            elif old is not None and old.url != target.url:
                self.clouds[name] = None
            else:
                self.clouds.setdefault(name, None)
        self._targets = targets
        self._moved.set()

    def federated(self, name: str) -> bool:
        """Whether a peer is of another owner."""
        target = self._targets.get(name)
        return target is None or target.federated

    def url(self, name: str) -> str:
        """Where a peer's gateway is."""
        return self._targets[name].url

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

    def doubt(self, name: str) -> None:
        """Look at a peer again: it refused what its agreement seemed to allow. Once a second at most."""
        now = asyncio.get_running_loop().time()
        if name not in self._asking and now - self._doubted.get(name, -_PATIENCE) >= _PATIENCE:
            self._doubted[name] = now
            task = self._asking[name] = asyncio.create_task(self._look(name))
            task.add_done_callback(lambda _: self._asking.pop(name, None))

    async def _refresh(self) -> None:
        while True:
            self._moved.clear()
            asked = [name for name, target in self._targets.items() if target.services is None or target.federated]
            for broken in await asyncio.gather(*(self._look(name) for name in asked), return_exceptions=True):
                if isinstance(broken, Exception):
                    print(f"a look at a peer failed: {broken!r}", file=sys.stderr, flush=True)
            fast = any(self.clouds.get(name) is None for name in asked) or self._waiting(asked)
            # A peer's next key is published this long before its first use at least.
            most = _KEYS if any(map(self.federated, asked)) else self._timeouts.refresh
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), min(1.0 if fast else most, self._timeouts.refresh))

    def _waiting(self, names: list[str]) -> bool:
        """Whether a peer of another owner has not said yes: its operators may be about to."""
        statements = self._partners.statements if self._partners else {}
        return any(self.federated(name) and statements.get(name, _UNKNOWN).state != "active" for name in names)

    async def _look(self, name: str) -> None:
        target = self._targets.get(name)
        if target is None:
            return
        try:
            if target.federated:
                await self._listen(name, target)
            elif target.services is None:
                cloud, _ = await self._ask(name, target)
                self.clouds[name] = cloud
        except PeerError as error:
            self.errors[name] = error
            self._failed_at[name] = asyncio.get_running_loop().time()
        else:
            self.errors.pop(name, None)

    async def _listen(self, name: str, target: Target) -> None:
        """Hear a peer of another owner: what it serves, with which keys it signs, and what it says of the agreement."""
        cloud, document = await self._ask(name, target)
        if self._partners is None or self._targets.get(name) != target:
            return  # it was removed meanwhile
        self._partners.saw(name, document)
        strange = sorted(url for url in cloud.services.values() if _origin(url) != _origin(target.url))
        if strange and target.services is None:
            # Users choose method and path: a peer must not choose which host of ours they reach.
            raise PeerAnswerError(
                f"Expected {name}'s services at the host that was agreed, {target.url}, not at {strange[0]}."
            )
        status, said = await self._get(name, target.url, STATEMENT, {heads.ASSERTION: self._partners.spoken(name)})
        try:
            # Who does not know us, says nothing to us.
            statement = Statement.from_json(said) if status == 200 else _UNKNOWN  # noqa: PLR2004
        except ValueError as error:
            raise PeerAnswerError(
                f"Expected {name}'s side of the agreement at {target.url}{STATEMENT}: {error}."
            ) from None
        if self._targets.get(name) == target:
            self._partners.statements[name] = statement
            if target.services is None:
                self.clouds[name] = cloud  # last: who waits for it finds the peer's word as well

    async def _ask(self, name: str, target: Target) -> tuple[Cloud, Any]:
        expected = f"Expected what {name} serves at {target.url}{WELL_KNOWN}"
        status, document = await self._get(name, target.url, WELL_KNOWN, {})
        if status != 200:  # noqa: PLR2004
            raise PeerAnswerError(f"{expected}, got status {status}. Is a gateway there?")
        try:
            cloud = Cloud.from_json(document)
        except ValueError as error:
            raise PeerAnswerError(f"{expected}: {error}. Is a gateway there?") from None
        if cloud.name != name:
            raise PeerAnswerError(f"{expected}, but the cloud there says that it is {cloud.name}.")
        return cloud, document

    async def _get(self, name: str, url: str, path: str, headers: Mapping[str, str]) -> tuple[int, Any]:
        """Status and JSON of an answer; None for what is no JSON."""
        timeout = aiohttp.ClientTimeout(total=self._timeouts.connect)
        try:
            async with self._session.get(url + path, headers=headers, timeout=timeout, allow_redirects=False) as answer:
                body = await _whole(answer.content)
        except TimeoutError:
            raise PeerTimeoutError(f"{name} did not answer within {self._timeouts.connect:g} s at {url}.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise PeerUnreachableError(f"{name} cannot be reached at {url}: {reason(error)}.") from None
        try:
            return answer.status, orjson.loads(body)
        except orjson.JSONDecodeError:
            return answer.status, None


_UNKNOWN = Statement(None, "unknown")


def _origin(url: str) -> tuple[str, str | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname


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
