"""The catalogs of peers: read from each peer's `/.well-known/openstackoid`, refreshed, and kept while the peer is unreachable.

A peer that answers with an unusable document is dropped until it answers with a usable one. Other peers are not affected, and the peer's name
is reported on standard error, in `/openstackoid/v1/peers` and in the metrics.
"""

import asyncio
import copy
import logging
import math
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from openstackoid.core.catalog import Cloud
from openstackoid.core.errors import PeerError
from openstackoid.core.services import service_type
from openstackoid.gateway.federation.agreements import Agreements, Target
from openstackoid.gateway.federation.peer_documents import UNKNOWN, BadDocumentError, PeerDocuments
from openstackoid.gateway.settings.sections import Timeouts
from openstackoid.gateway.telemetry import metrics
from openstackoid.gateway.telemetry.loops import Loop, described
from openstackoid.trust.keys import OVERLAP

_LOG: Final = logging.getLogger(__name__)
_QUIET_INTERVAL: Final = 10.0  # seconds between two log lines about one peer
_KEY_INTERVAL: Final = OVERLAP / 2  # seconds
_MISSED_INTERVAL: Final = 5.0  # seconds between two polls of the peers that did not answer
# Seconds for which a failure is cached, so that a dead peer costs one timeout a second.
_FAILURE_LIFETIME: Final = 1.0


class Peers:
    """The clouds that this one collaborates with.

    Attributes:
        clouds: name -> the peer's catalog; None while it never answered.
        errors: name -> why the peer's last answer failed; peers that answered have no entry.
    """

    def __init__(
        self,
        timeouts: Timeouts,
        session: aiohttp.ClientSession,
        targets: Mapping[str, Target],
        agreements: Agreements | None,
        known: Mapping[str, Cloud | None],
        returned: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """Begin with the catalogs that are known already, so that a reload loses none.

        `returned` is called with the name of a peer that answers again.
        """
        self._returned = returned
        self._due = -math.inf  # when all peers are polled the next time, in the event loop's time
        self._targets: Mapping[str, Target] = {}
        self._documents = PeerDocuments(session, timeouts.connect)
        self._timeouts = timeouts
        self._agreements = agreements
        self.errors: dict[str, PeerError] = {}
        self._failed_at: dict[str, float] = {}
        self._refreshed_soon: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        # Name of a peer that is not polled -> its services that work waits for -> whether each was seen not to answer.
        self._awaited: dict[str, dict[str, bool]] = {}
        self._spoke: dict[str, tuple[str, float]] = {}  # name -> the last log line about the peer, and when
        self._refresher = Loop("peers", self._refresh, _FAILURE_LIFETIME)
        self.clouds: dict[str, Cloud | None] = dict(known)
        self.set_targets(targets)

    def set_targets(self, targets: Mapping[str, Target]) -> None:
        """Replace the peers; keep the catalog of a peer whose URL is unchanged."""
        for name in self.clouds.keys() - targets.keys():
            del self.clouds[name]
            for known in (self.errors, self._documents.trips, self._failed_at, self._refreshed_soon, self._spoke):
                known.pop(name, None)
            self._awaited.pop(name, None)
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
        self._due = -math.inf
        self._refresher.wake()

    def federated(self, name: str) -> bool:
        """Whether a peer is of another owner."""
        target = self._targets.get(name)
        return target is None or target.federated

    @property
    def round_trips(self) -> dict[str, float]:
        """Name -> round-trip time to a peer in milliseconds: the shortest of the last requests."""
        return {name: min(trips) for name, trips in self._documents.trips.items()}

    def url(self, name: str) -> str:
        """Base URL of a peer's gateway."""
        return self._targets[name].url

    def start(self) -> None:
        """Start polling every peer, now and periodically."""
        self._refresher.start()

    async def stop(self) -> None:
        """Stop polling."""
        await self._refresher.stop()
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ensure(self, name: str) -> None:
        """Ensure that a peer's catalog is known.

        Raises:
            PeerError: the catalog is not known, and the peer does not answer.
        """
        if self.clouds.get(name) is not None:
            return
        now = asyncio.get_running_loop().time()
        if name not in self.errors or now - self._failed_at[name] > _FAILURE_LIFETIME:
            # All waiters share one request; a client that disconnects does not cancel it for the others.
            if name not in self._asking:
                task = self._asking[name] = asyncio.create_task(self._look(name))
                task.add_done_callback(lambda _: self._asking.pop(name, None))
            await asyncio.shield(self._asking[name])
        if self.clouds.get(name) is None:
            error = copy.copy(self.errors[name])  # the caller adds to its text
            error.received = False  # the request itself was not sent
            raise error

    def refresh_soon(self, name: str) -> None:
        """Poll a peer again, at most once a second: it refused a request that its agreement seemed to allow."""
        now = asyncio.get_running_loop().time()
        if name not in self._asking and now - self._refreshed_soon.get(name, -_FAILURE_LIFETIME) >= _FAILURE_LIFETIME:
            self._refreshed_soon[name] = now
            task = self._asking[name] = asyncio.create_task(self._look(name))
            task.add_done_callback(lambda _: self._asking.pop(name, None))

    def await_return(self, name: str, service: str) -> None:
        """Have `returned` called when a service answers again that did not answer, also of a peer that is not polled.

        A peer that has no document to read, as its services are in the configuration, is asked only while work waits for it.
        """
        target, cloud = self._targets.get(name), self.clouds.get(name)
        if target is not None and not target.polled and cloud is not None and service in cloud.services:
            self._awaited.setdefault(name, {}).setdefault(service, False)
            self._refresher.wake()

    async def _refresh(self) -> float:
        asked = [name for name, target in self._targets.items() if target.polled or name in self._awaited]
        clock = asyncio.get_running_loop().time
        if clock() < self._due:
            await asyncio.gather(*(self._look(name) for name in asked if name in self.errors or name in self._awaited))
        else:
            targets = self._targets
            await asyncio.gather(*map(self._look, asked))
            if self._targets is targets:  # the peers have not changed meanwhile
                self._due = clock() + self._interval(asked)
        pause = max(0.0, self._due - clock())
        return min(pause, _MISSED_INTERVAL) if any(name in self.errors for name in asked) else pause

    def _interval(self, asked: list[str]) -> float:
        """Seconds between two polls of all these peers."""
        fast = any(self.clouds.get(name) is None for name in asked) or self._waiting(asked)
        # A peer's next key is published this long before its first use at least.
        most = _KEY_INTERVAL if any(map(self.federated, asked)) else self._timeouts.refresh
        return min(1.0 if fast else most, self._timeouts.refresh)

    def _waiting(self, names: list[str]) -> bool:
        """Whether the agreement is not active on the peer's side yet: the peer's operators may be about to allow it."""
        statements = self._agreements.statements if self._agreements else {}
        return any(self.federated(name) and statements.get(name, UNKNOWN).state != "active" for name in names)

    async def _look(self, name: str) -> None:
        target = self._targets.get(name)
        if target is None:
            return
        try:
            if target.federated:
                await self._listen(name, target)
            elif target.services is None:
                cloud, _ = await self._documents.cloud(name, target.url)
                self._serves(name, cloud)
            else:
                await self._reach(name, target.services)
        except PeerError as error:
            self._failed(name, target, error)
        except Exception as error:  # noqa: BLE001 - whatever a peer's document does to a reader is that peer's alone
            self._failed(
                name, target, BadDocumentError(f"What {name} says of itself cannot be read: {described(error)}.")
            )
        else:
            metrics.look(name, "ok")
            if self.errors.pop(name, None) is not None:
                self._returned(name)
            if self._spoke.pop(name, None):
                _LOG.info("peer %s: answers as it should again", name)

    async def _reach(self, name: str, services: Mapping[str, str]) -> None:
        """Ask the services of a peer that work waits for; one that has answered is not asked again.

        Raises:
            PeerError: one does not answer. The others were asked, and what waits for one that answers is not left waiting for this one.
        """
        awaited = self._awaited.get(name, {})
        urls = {service_type(kind) or kind: url for kind, url in services.items()}
        for service in awaited.keys() - urls.keys():
            del awaited[service]  # of an earlier configuration
        asked = sorted(awaited)
        outcomes = await asyncio.gather(
            *(self._documents.reach(name, urls[service]) for service in asked), return_exceptions=True
        )
        failed = {service: error for service, error in zip(asked, outcomes, strict=True) if error is not None}
        again = [awaited.pop(service, False) for service in asked if service not in failed]
        awaited.update(dict.fromkeys(failed, True))
        if not awaited:
            self._awaited.pop(name, None)
        if failed:
            if any(again):
                self._returned(name)
            raise next(iter(failed.values()))

    def _serves(self, name: str, cloud: Cloud | None) -> None:
        """Store a peer's catalog. An equal catalog keeps the old object, since other modules compare by identity."""
        if self.clouds.get(name) != cloud:
            self.clouds[name] = cloud

    def _failed(self, name: str, target: Target, error: PeerError) -> None:
        metrics.look(name, error.code)
        now = asyncio.get_running_loop().time()
        self.errors[name] = error
        self._failed_at[name] = now
        unusable = isinstance(error, BadDocumentError)
        if unusable and target.services is None and self._targets.get(name) == target:
            self._serves(name, None)
        line, spoke = self._spoke.get(name, ("", -math.inf))
        if str(error) != line and now - spoke >= _QUIET_INTERVAL:
            self._spoke[name] = (str(error), now)
            _LOG.error("peer %s: %s (%s)", name, error, error.at or target.url)

    async def _listen(self, name: str, target: Target) -> None:
        """Read a federated peer's documents: its catalog, its signing keys, and its statement of the agreement."""
        cloud, document = await self._documents.cloud(name, target.url)
        if self._agreements is None or self._targets.get(name) != target:
            return  # the peer was removed meanwhile
        self._agreements.peer_keys.accept_keys(name, document)
        strange = sorted(url for url in cloud.services.values() if _origin(url) != _origin(target.url))
        if strange and target.services is None:
            # Users choose method and path: a peer must not choose which host of ours they reach.
            error = BadDocumentError(f"Expected {name}'s services at the host that was agreed, got another host.")
            error.at = strange[0]
            raise error
        assertion = self._agreements.assertions.assertion_for(name)
        statement = await self._documents.statement(name, target.url, assertion)
        if self._targets.get(name) == target:
            self._agreements.statements[name] = statement
            if target.services is None:
                self._serves(name, cloud)  # last: waiters for the catalog find the peer's statement as well


def _origin(url: str) -> tuple[str, str | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname
