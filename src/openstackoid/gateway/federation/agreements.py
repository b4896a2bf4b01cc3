"""The agreements in force: our side, from the configuration and the database, and the peers' statements of theirs.

The database and this cloud's keys are polled twice a second: the rights of a suspended or removed peer end within `POLL_INTERVAL` seconds in
every worker of every gateway, without a restart.
"""

import asyncio
import contextlib
import hashlib
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from openstackoid.core.errors import (
    AgreementError,
    ConfigError,
    ContractPassThroughError,
    ContractSuspendedError,
    OpenStackoidError,
)
from openstackoid.gateway.federation.agreement_database import AgreementDatabase, Change
from openstackoid.gateway.federation.assertions import Assertions
from openstackoid.gateway.federation.generations import Generations
from openstackoid.gateway.federation.own_keys import OwnKeys
from openstackoid.gateway.federation.peer_keys import PeerKeys
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.peering import Peer, Trust
from openstackoid.gateway.telemetry.loops import Loop
from openstackoid.trust.agreements import Agreement, State, Statement
from openstackoid.trust.contracts import ContractGrant, ContractSide
from openstackoid.trust.keys import Keys
from openstackoid.trust.store import Store

_LOG: Final = logging.getLogger(__name__)
POLL_INTERVAL: Final = 0.5  # seconds between two polls
STALE_AFTER: Final = 60.0  # seconds for which agreements count while the database cannot be read


class StaleError(AgreementError):
    """The database with the agreements cannot be read: an agreement may have been ended."""

    status = 503
    code = "agreement.stale"


@dataclass(frozen=True, slots=True)
class Target:
    """A peer's URL, and how its tokens are treated. With `services` (type -> URL) the gateway does not fetch the peer's catalog."""

    url: str
    federated: bool
    services: Mapping[str, str] | None = None

    @property
    def polled(self) -> bool:
        """Whether the peer has documents that the gateway reads every now and then."""
        return self.services is None or self.federated


class Agreements:
    """The agreements with all peers, as they are now.

    Args:
        config: with a `trust` section.
        changed: called when peers were added, removed, or changed their URL.
        previous: the agreements before a reload.

    Attributes:
        statements: peer -> its statement of its own side, for each peer that has answered.
        store: the database.
        own_keys, peer_keys, assertions: of this cloud and its peers.
        generations: change with the agreements and with keys.
    """

    def __init__(self, config: Config, changed: Callable[[], None], previous: "Agreements | None" = None) -> None:
        trust = config.trust
        if trust is None:
            raise ConfigError("expected a trust section")
        self._cloud = config.cloud
        self._one_owner = frozenset(trust.one_owner)
        self._by_file = {name: _of_file(config.cloud, name, peer) for name, peer in config.peers.items() if peer.allow}
        self._all = dict(self._by_file)
        self._contracts: Mapping[str, ContractGrant] = {}
        self._regions: Mapping[str, ContractGrant] = {}
        self._passing: dict[str, list[ContractGrant]] = {}
        self._seen = time.monotonic()
        self.statements: dict[str, Statement] = dict(previous.statements) if previous else {}
        self.generations = Generations()
        self.own_keys = OwnKeys(trust)
        self.store = Store(database_url(trust))
        self.peer_keys = PeerKeys(config.cloud, self.own_keys, self.all, self.generations, self.store)
        self.assertions = Assertions(config.cloud, self.own_keys, self.peer_keys, trust.skew)
        self._changed = changed
        self._database = AgreementDatabase(config.cloud, self.store, self._by_file)
        self._poller = Loop("agreements", self._poll, POLL_INTERVAL)
        self._looking = asyncio.Lock()  # an older state must not replace a newer one
        self._began = -math.inf  # when the last look began (monotonic)
        # The file is created at the first start only: a file that is missing later is an error.
        self._make = previous is None or previous.store.name != self.store.name

    async def start(self) -> None:
        """Read the database, and start polling it.

        Raises:
            OpenStackoidError: the database cannot be read.
        """
        await asyncio.to_thread(self.store.upgrade, create=self._make)
        await self._look()
        self._poller.start()

    async def stop(self) -> None:
        """Close the database."""
        await self._poller.stop()
        await self.peer_keys.finish()
        await asyncio.to_thread(self.store.close)

    async def refresh(self) -> None:
        """Poll the database now: another worker may know of a change already. While it cannot be read, what is known counts, as for the poller."""
        asked = time.monotonic()
        with contextlib.suppress(OpenStackoidError):
            async with self._looking:
                if self._began < asked:  # else another request's look began meanwhile, and saw the same
                    await self._read()

    @property
    def keys(self) -> Keys:
        """This cloud's own."""
        return self.own_keys.current

    @property
    def targets(self) -> dict[str, Target]:
        """Peer -> its URL and kind of token, for all peers that are not removed."""
        return {name: Target(agreement.url, federated=True) for name, agreement in self._all.items()}

    def all(self) -> Mapping[str, Agreement]:
        """Peer -> our side of the agreement; the configuration wins over the database."""
        return self._all

    def active_agreement(self, peer: str) -> Agreement:
        """Our side of the agreement with a peer, if it is in force.

        Raises:
            AgreementError: the agreement is not in force.
        """
        if self.age > STALE_AFTER:
            raise StaleError(f"{self._cloud} cannot read its agreements: nobody can say whether {peer} may still pass.")
        agreement = self._all.get(peer)
        if agreement is None:
            raise AgreementError(f"{self._cloud} has no agreement with {peer}.")
        if not agreement.active:
            remedy = f"openstackoid peer allow {peer}"
            raise AgreementError(
                f"{self._cloud}'s agreement with {peer} is {agreement.state}. Its operators can say yes: {remedy}."
            )
        return agreement

    def named(self, peer: str, identity: str) -> Agreement:
        """The agreement under which a peer issued a token: the one with the peer, or a contract about a virtual region of ours.

        Args:
            peer: the token's issuer.
            identity: as in the token's claims.

        Raises:
            AgreementError: it is not in force.
        """
        agreement, contract = self.active_agreement(peer), self._contracts.get(identity)
        if contract is not None and contract.peer == peer and contract.side is ContractSide.PROVIDER:
            return contract.agreement(agreement)
        if identity != agreement.id:
            raise AgreementError(
                f"The token was made under another agreement than the one between {self._cloud} and {peer} now, "
                f"or under a contract that is not in force."
            )
        return agreement

    @property
    def regions(self) -> Mapping[str, ContractGrant]:
        """Name of a region of this cloud that is part of another one -> its contract."""
        return self._regions

    @property
    def resold(self) -> frozenset[str]:
        """Service types that other clouds may ask for here since this cloud resells regions that have them."""
        sold = [contract for contract in self._contracts.values() if contract.side is ContractSide.PROVIDER]
        return frozenset(kind for contract in sold if contract.region for kind in contract.grant.offered)

    def sold_region(self, peer: str, service: str) -> str:
        """A region of this cloud that is resold to a peer with a service; empty if there is none.

        Raises:
            AgreementError: the agreement with the peer is not in force, or each contract about such a region is suspended.
        """
        agreement, refused = self.active_agreement(peer), None
        for contract in self._contracts.values():
            if contract.side is not ContractSide.PROVIDER or contract.peer != peer or not contract.region:
                continue
            if service in contract.grant.offered:
                try:
                    return contract.agreement(agreement).resold
                except ContractSuspendedError as error:
                    refused = refused or error
        if refused is not None:
            raise refused
        return ""

    def check_pass_through(self, peer: str) -> None:
        """Check that no contract would be gone around by passing users' tokens to a peer: it gets them with all rights that they have.

        Raises:
            ContractPassThroughError: a contract with the peer is in use, in whatever state.
        """
        for contract in self._contracts.values():
            if contract.peer == peer:
                raise ContractPassThroughError(
                    f"{self._cloud} passes its users' tokens to {peer} (token: pass-through), which no contract limits, and has the contract "
                    f"{contract.id} with it. Its operators can remove peers.{peer}.token from the gateway's configuration, in both clouds, or end the contract."
                )

    def passing(self, peer: str, identity: str, side: ContractSide) -> ContractGrant:
        """A contract under which users' own tokens cross from its consumer to its provider.

        Args:
            peer: the other cloud.
            identity: the contract's id.
            side: ours.

        Raises:
            AgreementError: it is not in force.
            ContractPassThroughError: its users come with federated tokens, or the configuration does not name the peer as a cloud of the same owner.
        """
        agreement, contract = self.active_agreement(peer), self._contracts.get(identity)
        if contract is None or (contract.peer, contract.side) != (peer, side):
            raise AgreementError(f"{self._cloud} has no contract {identity[:64]} with {peer} that is in force.")
        if not contract.pass_through:
            raise ContractPassThroughError(
                f"Users come with federated tokens under the contract {identity} between {self._cloud} and {peer}: no user's own token crosses. "
                "Other terms (token: pass-through) are agreed by the operators of both."
            )
        if peer not in self._one_owner:
            raise ContractPassThroughError(
                f"The contract {identity} has users' own tokens cross between {self._cloud} and {peer}, and the gateway of {self._cloud} does not know "
                f"{peer} as a cloud of its own owner. Its operators can add {peer} to trust.one_owner in the gateway's configuration, in both clouds, or "
                "agree on token: federated."
            )
        contract.agreement(agreement)
        return contract

    @property
    def any_passing(self) -> bool:
        """Whether `passing_from` names any contract."""
        return bool(self._passing)

    def passing_from(self, peer: str) -> list[ContractGrant]:
        """The contracts under which users of a peer may come with their own tokens, if the configuration names the peer as a cloud of the same owner."""
        return self._passing.get(peer, [])

    def peer_statement(self, peer: str) -> Statement:
        """The peer's statement that the agreement is active on its side.

        Raises:
            AgreementError: the peer has not stated that.
        """
        self.active_agreement(peer)
        statement = self.statements.get(peer)
        if statement is None or statement.id is None or statement.state != State.ACTIVE:
            state = (
                "has not said yes yet" if statement is None or statement.state != "suspended" else "has suspended it"
            )
            raise AgreementError(
                f"{peer} {state} to the agreement with {self._cloud}. Its operators can: openstackoid peer allow {self._cloud}."
            )
        return statement

    @property
    def age(self) -> float:
        """Seconds since the agreements were last read."""
        return time.monotonic() - self._seen

    @property
    def trusted_until(self) -> float:
        """Until when `active_agreement` accepts agreements if the database cannot be read any more (Unix seconds)."""
        return time.time() - self.age + STALE_AFTER

    async def _poll(self) -> float:
        """Poll the database once. While polls fail no agreement is known to be in force, and after a minute all are refused."""
        await self._look()
        return POLL_INTERVAL

    async def _look(self) -> None:
        async with self._looking:
            await self._read()

    async def _read(self) -> None:
        before, self._began = self._began, time.monotonic()
        try:
            change = await self._database.look()
        except asyncio.CancelledError:
            self._began = before  # its client has left: those who wait must look themselves
            raise
        if change is not None:
            self._apply(change)
        self._seen = time.monotonic()
        if self.own_keys.reload():
            self.assertions.clear()
            self.generations.all_changed()

    def _apply(self, change: Change) -> None:
        self._all = dict(change.agreements) | self._by_file
        self._contracts = change.contracts
        consumed = [one for one in change.contracts.values() if one.side is ContractSide.CONSUMER]
        self._regions = {contract.region: contract for contract in consumed if contract.region}
        self._passing = {}
        for contract in change.contracts.values():
            if contract.pass_through and contract.side is ContractSide.PROVIDER and contract.peer in self._one_owner:
                self._passing.setdefault(contract.peer, []).append(contract)
        # A peer's remembered keys are read with the agreements, but mostly are known here already.
        changed = set(change.changed) | self.peer_keys.restore(self._all, change.documents)
        for name in change.removed:
            self.statements.pop(name, None)
        self.generations.changed(changed)
        if change.replaced:
            self.generations.all_changed()
            _report(self._cloud, self.store.name, change.agreements)
        if changed or change.replaced or change.first:
            self._changed()


def _report(cloud: str, database: str, agreements: Mapping[str, Agreement]) -> None:
    states = ", ".join(f"{name} {agreement.state}" for name, agreement in sorted(agreements.items())) or "none"
    text = "%s: %s was replaced, or restored. Agreements are as they stand there: %s."
    _LOG.warning(text, cloud, database, states)


def database_url(trust: Trust) -> str:
    """The URL of the database of agreements.

    Raises:
        ConfigError: a variable should hold it, and is empty.
    """
    url = trust.database or os.environ.get(trust.database_env or "", "")
    if not url:
        raise ConfigError(f"trust.database_env: the variable {trust.database_env} is empty")
    return url


def _of_file(cloud: str, name: str, peer: Peer) -> Agreement:
    # Two gateways with the same file have the same id; another key is another agreement.
    identity = hashlib.sha256(f"{cloud}\0{name}\0{peer.fingerprint}".encode()).hexdigest()[:32]
    if peer.fingerprint is None or peer.allow is None:
        raise ConfigError(f"peers.{name}: expected fingerprint and allow")
    return Agreement(identity, name, peer.url, peer.fingerprint, State.ACTIVE, peer.allow, by_file=True)
