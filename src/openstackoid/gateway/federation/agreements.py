"""The agreements in force: from the configuration and the database, looked at twice a second, with the peers' keys and words.

What a suspended or removed peer may do ends within `LOOK` seconds in every worker of every gateway, without a restart.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from openstackoid.core.errors import (
    AgreementError,
    ConfigError,
    OpenStackoidError,
    PeerAnswerError,
    TokenError,
)
from openstackoid.core.id_forms import like_domain
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.peering import Peer as Configured
from openstackoid.gateway.settings.peering import is_safe
from openstackoid.gateway.telemetry.loops import Loop
from openstackoid.trust import keys as keyfile
from openstackoid.trust import tokens
from openstackoid.trust.agreements import Agreement, State, Statement
from openstackoid.trust.rings import Ring
from openstackoid.trust.store import Store, StoreError, Version

LOOK: Final = 0.5  # seconds between two looks at the database and at the keys
_STALE: Final = 60.0  # seconds for which agreements are believed that cannot be looked at
_SPOKEN: Final = 300  # seconds that an assertion lives


class StaleError(AgreementError):
    """The database with the agreements cannot be read: nobody knows whether one was ended."""

    status = 503
    code = "agreement.stale"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a peer is, and how its tokens are treated. `services` (type -> URL) spares asking it."""

    url: str
    federated: bool
    services: Mapping[str, str] | None = None


class Agreements:
    """What is agreed with whom, now.

    Args:
        config: with a `trust` section.
        changed: called when peers came, went or moved.
        previous: what was known before a reload.

    Attributes:
        keys: this cloud's.
        store: the database.
        statements: peer -> what it says of its side, as far as it was heard.
    """

    def __init__(self, config: Config, changed: Callable[[], None], previous: "Agreements | None" = None) -> None:
        trust = config.trust
        if trust is None:
            raise ConfigError("expected a trust section")
        self._trust = trust
        self._cloud = config.cloud
        self._changed = changed
        self._by_file = {name: _of_file(config.cloud, name, peer) for name, peer in config.peers.items() if peer.allow}
        self._by_database: dict[str, Agreement] = {}
        self._all = dict(self._by_file)
        self._version: Version | None = None
        self._common = 0
        self._generations: Counter[str] = Counter()
        self._seen = time.monotonic()
        self._looker = Loop("agreements", self._look_again, LOOK)
        self._spoken: dict[str, tuple[int, str]] = {}
        self._documents: dict[str, bytes] = {}  # peer -> digest of the keys that it published the last time
        self._rings: dict[tuple[str, str], Ring] = {}
        self._pending: set[asyncio.Future[None]] = set()
        self.statements: dict[str, Statement] = dict(previous.statements) if previous else {}
        self.keys = keyfile.load(trust.keys, trust.keys_env, trust.keys_command)
        self._keys_time = self._stamp()
        url = trust.database or os.environ.get(trust.database_env or "", "")
        if not url:
            raise ConfigError(f"trust.database_env: the variable {trust.database_env} is empty")
        self.store = Store(url)
        # Made at the first start alone: where a file is missing later, something is wrong.
        self._make = previous is None or previous.store.name != self.store.name

    # Life.

    async def start(self) -> None:
        """Read the database, and go on looking at it.

        Raises:
            OpenStackoidError: it cannot be read.
        """
        await asyncio.to_thread(self.store.upgrade, create=self._make)
        await self._look()
        self._looker.start()

    async def stop(self) -> None:
        """Let go of the database."""
        await self._looker.stop()
        await asyncio.gather(*self._pending, return_exceptions=True)
        await asyncio.to_thread(self.store.close)

    def generation(self, cloud: str) -> tuple[int, int]:
        """Another one when the agreement with a cloud, its keys or ours changed: what was verified before must be verified anew.

        What other clouds do does not count: one of them that changes each second costs nobody else what is remembered.
        """
        return self._common, self._generations[cloud]

    # Who.

    @property
    def targets(self) -> dict[str, Target]:
        """Peer -> where it is, for all that we have not removed."""
        return {name: Target(each.url, federated=True) for name, each in self.all().items()}

    def all(self) -> dict[str, Agreement]:
        """Peer -> our side; what stands in the configuration wins."""
        return self._all

    def ours(self, peer: str) -> Agreement:
        """Our side of the agreement with a peer, if it is in force.

        Raises:
            AgreementError: it is not.
        """
        if time.monotonic() - self._seen > _STALE:
            raise StaleError(f"{self._cloud} cannot read its agreements: nobody can say whether {peer} may still pass.")
        agreement = self.all().get(peer)
        if agreement is None:
            raise AgreementError(f"{self._cloud} has no agreement with {peer}.")
        if not agreement.active:
            remedy = f"openstackoid peer allow {peer}"
            raise AgreementError(
                f"{self._cloud}'s agreement with {peer} is {agreement.state}. Its operators can say yes: {remedy}."
            )
        return agreement

    @property
    def age(self) -> float:
        """Seconds since the last look at the agreements."""
        return time.monotonic() - self._seen

    @property
    def believed(self) -> float:
        """Until when `ours` says so if nobody can look at the agreements any more (Unix seconds)."""
        return time.time() - time.monotonic() + self._seen + _STALE

    def theirs(self, peer: str) -> Statement:
        """The peer's yes.

        Raises:
            AgreementError: it has not said so.
        """
        self.ours(peer)
        statement = self.statements.get(peer)
        if statement is None or statement.id is None or statement.state != State.ACTIVE:
            told = "has not said yes yet" if statement is None or statement.state != "suspended" else "has suspended it"
            raise AgreementError(
                f"{peer} {told} to the agreement with {self._cloud}. Its operators can: openstackoid peer allow {self._cloud}."
            )
        return statement

    # Keys.

    def ring(self, cloud: str) -> Mapping[str, Any]:
        """Public keys by kid, of this cloud or of a peer.

        Raises:
            TokenError: it is no peer, or its keys were never seen.
        """
        agreement = self.all().get(cloud)
        if cloud == self._cloud:
            return {each.kid: each.key for each in self.keys.signing}
        if agreement is None:
            raise TokenError(f"{self._cloud} has no agreement with {cloud}.")
        known = self._rings.get((cloud, agreement.fingerprint))
        if known is None:
            raise TokenError(f"{self._cloud} has never seen keys of {cloud} that it trusts.")
        return known.keys

    def saw(self, peer: str, document: Any) -> None:
        """Take a peer's published keys, if they descend from the agreed one.

        Raises:
            PeerError: they do not.
        """
        agreement = self.all().get(peer)
        if agreement is None:
            return
        key = (peer, agreement.fingerprint)
        published = {name: document.get(name) for name in ("keys", "endorsements")}
        digest = hashlib.sha256(json.dumps(published, sort_keys=True).encode()).digest()
        if self._documents.get(peer) == digest and key in self._rings:
            return
        known = self._rings.get(key)
        try:
            ring = self._rings[key] = Ring(published, agreement.fingerprint)
        except ValueError as error:
            # The peer does not stand by its old keys any more: one may have been stolen, and must not count until a person says so.
            if self._rings.pop(key, None) is not None:
                self._generations[peer] += 1
                self._later(self.store.remember_keys, peer, published)
            raise PeerAnswerError(
                f"{peer}'s keys are not those of the agreement: {error}. If its operators say that they began anew: "
                f"openstackoid peer trust {peer} --fingerprint ..."
            ) from None
        self._documents[peer] = digest
        if known is None or known.keys.keys() != ring.keys.keys():
            self._generations[peer] += 1
            self._later(self.store.remember_keys, peer, published)

    def spoken(self, peer: str) -> str:
        """The assertion that shows a peer that this gateway is of this cloud."""
        now = int(time.time())
        begun, text = self._spoken.get(peer, (0, ""))
        if not begun <= now < begun + _SPOKEN // 2:
            text = tokens.assertion(self._cloud, peer, self.keys, now, _SPOKEN)
            self._spoken[peer] = (now, text)
        return text

    def speaker(self, text: str | None) -> str:
        """The peer whose gateway asks.

        Raises:
            TokenError: the assertion is missing or not good.
        """
        if not text:
            raise TokenError("Expected a token, or the assertion of a peer's gateway.")
        return tokens.asserted(text, self.ring, self._cloud, time.time(), self._trust.skew)

    # Looking.

    async def _look_again(self) -> float:
        """A look; if it fails for too long, all is refused."""
        await self._look()
        return LOOK

    async def _look(self) -> None:
        last, version = self._version, await asyncio.to_thread(self.store.version)
        if version != last:
            replaced = last is not None and not version.follows(last)
            if replaced:  # perhaps by one that an older version made
                await asyncio.to_thread(self.store.upgrade, create=False)
            found, documents = await asyncio.to_thread(self._read)
            before = self._by_database
            changed = {name for name in found.keys() | before.keys() if found.get(name) != before.get(name)}
            # A peer's keys that were remembered count as well as agreements, but are known here already.
            for name, document in documents.items():
                agreement = (found | self._by_file).get(name)
                if agreement and (name, agreement.fingerprint) not in self._rings:
                    with contextlib.suppress(ValueError):  # of an older agreement
                        self._rings[name, agreement.fingerprint] = Ring(document, agreement.fingerprint)
                        changed.add(name)
            for name in before.keys() - found.keys():
                self.statements.pop(name, None)
            self._by_database, self._version = found, version
            self._all = found | self._by_file
            self._generations.update(changed)
            if replaced:
                self._common += 1
                _report(self._cloud, self.store.name, found)
            if changed or replaced or last is None:
                self._changed()
        self._seen = time.monotonic()
        if (stamp := self._stamp()) != self._keys_time:
            self.keys = keyfile.load(self._trust.keys)
            self._keys_time = stamp  # one that cannot be read is read again
            self._spoken.clear()
            self._common += 1

    def _read(self) -> tuple[dict[str, Agreement], dict[str, Any]]:
        found = {
            each.peer: each for each in self.store.agreements() if is_safe(each.url) and not like_domain(each.peer)
        }
        if self._cloud in found:
            raise StoreError(
                f"{self.store.name}: it is another cloud's: it has an agreement with {self._cloud} itself."
            )
        documents = {name: self.store.known_keys(name) for name in found.keys() | self._by_file.keys()}
        return found, {name: document for name, document in documents.items() if document}

    def _stamp(self) -> tuple[int, int]:
        """What changes when the keys' file does."""
        if self._trust.keys is None:
            return (0, 0)
        with contextlib.suppress(OSError):
            found = self._trust.keys.stat()
            return (found.st_ino, found.st_ctime_ns)  # its mode counts as well
        return (0, 0)

    def _later(self, function: Callable[..., None], *arguments: Any) -> None:
        """Do what needs the database in a thread; a failure costs what was to be remembered."""

        async def work() -> None:
            try:
                await asyncio.to_thread(function, *arguments)
            except OpenStackoidError as error:
                print(f"{self._cloud}: {error}", file=sys.stderr, flush=True)

        task = asyncio.ensure_future(work())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)


def _report(cloud: str, database: str, found: Mapping[str, Agreement]) -> None:
    told = ", ".join(f"{name} {each.state}" for name, each in sorted(found.items())) or "none"
    text = f"{cloud}: {database} was replaced, or restored. Agreements are as they stand there: {told}."
    print(text, file=sys.stderr, flush=True)


def _of_file(cloud: str, name: str, peer: Configured) -> Agreement:
    # Two gateways with the same file have the same id; another key is another agreement.
    identity = hashlib.sha256(f"{cloud}\0{name}\0{peer.fingerprint}".encode()).hexdigest()[:32]
    if peer.fingerprint is None or peer.allow is None:
        raise ConfigError(f"peers.{name}: expected fingerprint and allow")
    return Agreement(identity, name, peer.url, peer.fingerprint, State.ACTIVE, peer.allow, by_file=True)
