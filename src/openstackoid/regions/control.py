"""The parts that a control plane's handlers use, and its background jobs.

    tick      events caused by time
    publish   which contracts are in use, for gateways
    settle    regions of the catalog that are bound, or unbound
    work      what a provider sets up and cleans up in its cloud (`working`)
    send      messages to other control planes

Sending may wait for a peer that is away, so it has a loop of its own: what a contract's end or suspension means here never waits for anybody.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from openstackoid.core.errors import OpenStackoidError
from openstackoid.policies import Policies
from openstackoid.regions.catalog import Catalog
from openstackoid.regions.config import Aggregator
from openstackoid.regions.errors import (
    CatalogError,
    NoAggregatorError,
    PartyError,
    StaleTermsError,
    TransitionError,
    UnknownRegionError,
)
from openstackoid.regions.following import Follower
from openstackoid.regions.identity import Keystone
from openstackoid.regions.metering import EVERY
from openstackoid.regions.objects import chain, clock, grant
from openstackoid.regions.objects.binding import Binding, BindingState, endpoints
from openstackoid.regions.objects.contract import Contract
from openstackoid.regions.objects.states import OVER, ContractEvent, ContractState, Side
from openstackoid.regions.objects.terms import format_time
from openstackoid.regions.objects.virtual_region import VirtualRegion
from openstackoid.regions.objects.work import Stage, WorkKind
from openstackoid.regions.peers import Peers
from openstackoid.regions.statements import Statements
from openstackoid.regions.tables.binding import LEASE, Bindings
from openstackoid.regions.tables.contract import Contracts, Summary
from openstackoid.regions.tables.message import Outbox, Outgoing
from openstackoid.regions.tables.project_states import ProjectStates
from openstackoid.regions.tables.virtual_region import Regions
from openstackoid.regions.tables.work import Works
from openstackoid.regions.working import Worker
from openstackoid.trust.contract_grants import ContractGrants
from openstackoid.trust.contracts import ContractGrant
from openstackoid.trust.keys import Keys
from openstackoid.trust.projects import ProjectMappings
from openstackoid.trust.quota_leases import QuotaLeases
from openstackoid.trust.region_health import RegionHealth

_LIVING = tuple(state for state in ContractState if state not in OVER)
CLOCK = "the clock"  # the author of events without an operator
_PAUSE = 5  # seconds after a failure of Keystone


_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Control:
    """A control plane.

    Attributes:
        cloud: this cloud's name.
        regions, contracts, outbox: its tables.
        peers: other control planes.
        keystone: identifies callers.
        policies: the rights of callers.
        bindings: regions of the catalog that are bound to contracts.
        grants: which contracts are in use, for gateways.
        keys: this cloud's: pseudonyms are made with them.
        works: what is on record of work in this cloud.
        project_states, mappings: what was said of projects, and which sub-project stands for which.
        health: of the regions that are bound here, as gateways count it.
        statements: what was used, and what both sides have signed about it.
        worker: does it; None for an aggregator, and for a provider whose operators do it.
        catalog, about: of an aggregator: its catalog, and where its gateway is; None for a provider.
        follower: says what becomes of this cloud's projects; None for a provider.
        leases: of contracts' quotas, as gateways grant them.
        kicked: set when a message is to be sent.
        audit: files of this cloud's gateways.
    """

    cloud: str
    regions: Regions
    contracts: Contracts
    outbox: Outbox
    peers: Peers
    keystone: Keystone
    policies: Policies
    bindings: Bindings
    grants: ContractGrants
    keys: Keys
    works: Works
    project_states: ProjectStates
    mappings: ProjectMappings
    statements: Statements
    health: RegionHealth
    worker: Worker | None = None
    catalog: Catalog | None = None
    about: Aggregator | None = None
    follower: Follower | None = None
    leases: QuotaLeases | None = None
    kicked: asyncio.Event = field(default_factory=asyncio.Event)
    audit: tuple[Path, ...] = ()

    def aggregator(self) -> tuple[Catalog, Aggregator]:
        """What writes this cloud's catalog.

        Raises:
            NoAggregatorError: the configuration has none.
        """
        if self.catalog is None or self.about is None:
            raise NoAggregatorError(
                "This control plane writes no catalog: its configuration lacks the section aggregator."
            )
        return self.catalog, self.about

    async def changed(self) -> None:
        """A contract has changed: let gateways know before the caller does, then the other side."""
        await self.publish()
        self.kicked.set()

    async def publish(self) -> None:
        """Write for gateways which contracts are in use now."""
        await asyncio.to_thread(self.grants.replace, self._in_use)

    def _in_use(self) -> list[ContractGrant]:
        bound, moment, used = {}, grant.utc(int(time.time())), []
        for binding in self.bindings.all():
            bound[binding.contract] = binding.region
        for summary in self.contracts.all(*grant.IN_USE):
            made = None
            if summary.side is Side.PROVIDER:
                with contextlib.suppress(UnknownRegionError):
                    region = self.regions.get(summary.terms.virtual_region)
                    made = grant.provider(summary.id, summary.peer, summary.state, summary.terms, region, moment)
            elif summary.id in bound:
                made = grant.consumer(summary.id, summary.peer, summary.state, summary.terms, bound[summary.id])
            if made is not None:
                used.append(made)
        return used

    def owners(self, region: VirtualRegion) -> tuple[str, ...]:
        """The clouds behind a virtual region, the nearest first; none behind a part of this cloud. Blocks.

        Raises:
            UnknownBindingError: it is made of a region that is not bound to a contract.
        """
        name = chain.resold(region.resources)
        if not name:
            return ()
        contract = self.contracts.get(self.bindings.get(name).contract)
        terms = contract.outcome.terms
        return (contract.peer, *(terms.owners if terms else ()))

    async def settle(self, *regions: str) -> None:
        """Have the catalog hold what bindings say, as far as Keystone lets us now; the rest is tried again later.

        Args:
            *regions: those to look at; all if none is given.
        """
        if self.catalog is None or self.about is None:
            return
        states, bindings = await asyncio.to_thread(lambda: (self.contracts.states(), self.bindings.all()))
        for binding in bindings:
            if regions and binding.region not in regions:
                continue
            if binding.state is BindingState.BOUND:
                if states.get(binding.contract) not in OVER:
                    continue
                await asyncio.to_thread(self.bindings.unbind, binding.region)
            holder = secrets.token_hex(16)
            taken = await asyncio.to_thread(self.bindings.take, binding.region, holder, int(time.time()))
            if taken is not None:
                await self._settle(taken, holder)

    async def _settle(self, binding: Binding, holder: str) -> None:
        catalog, about = self.aggregator()
        try:
            async with asyncio.timeout(LEASE / 2):
                if binding.state is BindingState.UNBINDING:
                    await catalog.clean(binding)
                else:
                    # Requests can be served before clients find the region.
                    await self.publish()
                    terms = (await asyncio.to_thread(self.contracts.get, binding.contract)).outcome.terms
                    services = grant.served(terms) if terms else ()
                    identity = about.identity or f"{about.gateway}/v3"
                    await catalog.write(binding, endpoints(binding.region, about.base, identity, services))
        except (OpenStackoidError, TimeoutError) as error:
            why = f"{error.code}: {error}" if isinstance(error, OpenStackoidError) else f"{CatalogError.code}: timeout"
            await asyncio.to_thread(self.bindings.failed, binding, holder, why, int(time.time()) + _PAUSE)
            return
        await asyncio.to_thread(self.bindings.done, binding, holder)
        await self.publish()

    async def send(self) -> None:
        """Send due messages; a message that is not acknowledged is due again later."""
        outgoing = await asyncio.to_thread(self.outbox.due, int(time.time()))
        await asyncio.gather(*(self._send(message) for message in outgoing))

    async def _send(self, message: Outgoing) -> None:
        try:
            acknowledged = await self.peers.send(message.peer, message.signed)
        except OpenStackoidError as error:
            await self._failed(message, f"{error.code}: {error}")
            return
        if acknowledged < message.number:
            await self._failed(message, f"message.missing: {message.peer} has {acknowledged} of our messages alone")
            return
        await asyncio.to_thread(self.outbox.acknowledge, message.contract, acknowledged)
        self.kicked.set()  # the next one of this contract

    async def _send_all(self) -> None:
        await self.send()
        await self.statements.send()

    async def _failed(self, message: Outgoing, why: str) -> None:
        now = int(time.time())
        await asyncio.to_thread(self.outbox.fail, message.contract, message.number, now, why)

    async def tick(self) -> None:
        """Cause the events that are due by time, or since a region is not offered any more."""
        if await asyncio.to_thread(self._decide_all):
            self.kicked.set()

    def _decide_all(self) -> bool:
        """Returns whether an event was caused, by this process or another."""
        caused = False
        for summary in self.contracts.all(*_LIVING):
            caused |= summary.side is Side.PROVIDER and self._decide(summary)
        return caused

    def _decide(self, summary: Summary) -> bool:
        try:
            region = self.regions.get(summary.terms.virtual_region)
            offered = region.is_offered_to(summary.peer)
        except UnknownRegionError:
            offered = False
        now = int(time.time())
        due = clock.due(summary.side, summary.state, summary.since, summary.terms, now, offered=offered)
        due = due or self._set_up(summary)
        if due is not None:
            event, why = due
            # Another process may have done it, or an operator something else, since the list was read.
            with contextlib.suppress(TransitionError, PartyError, StaleTermsError):
                self.contracts.cause(summary.id, _cause(summary.state, event, why), CLOCK, now)
        return due is not None

    def _set_up(self, summary: Summary) -> tuple[ContractEvent, str] | None:
        if self.worker is None:
            return None
        ready = summary.state in {ContractState.AGREED, ContractState.PROVISIONING} and any(
            work.kind is WorkKind.PROVISION and work.stage is Stage.DONE for work in self.works.of(summary.id)
        )
        return clock.set_up(summary.side, summary.state, ready=ready)

    async def work(self) -> None:
        """Do what is due in this cloud."""
        if self.worker is not None:
            await self.worker.run()

    async def run(self, tick: float) -> None:
        """Run all jobs until cancelled.

        Args:
            tick: seconds between two turns, unless there is something to send at once.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(tick, self._look))
            group.create_task(self._repeat(tick, self._send_all, self.kicked))
            group.create_task(self._repeat(tick, self.work))
            if self.follower is not None and self.about is not None:
                group.create_task(self._repeat(self.about.projects_every, self.follower.run))
            if self.statements.meter is not None:
                group.create_task(self._repeat(EVERY, self.statements.meter.run))

    async def _look(self) -> None:
        await self.tick()
        await self.publish()
        await self.settle()

    async def _repeat(
        self, tick: float, job: Callable[[], Awaitable[None]], kicked: asyncio.Event | None = None
    ) -> None:
        kicked = kicked or asyncio.Event()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(tick):
                    await kicked.wait()
            kicked.clear()
            try:
                await job()
            except OpenStackoidError as error:
                _LOG.error("openstackoid regions: %s: %s", error.code, error)
                await asyncio.sleep(tick)
            except Exception as error:  # noqa: BLE001 - one job must not end the others
                # Without the error's message, which may quote an answer.
                _LOG.error("openstackoid regions: %s in a job", type(error).__name__)
                await asyncio.sleep(tick)


def _cause(state: ContractState, event: ContractEvent, why: str) -> Callable[[Contract], Contract]:
    """The event, if the contract is still in the state for which it was decided."""

    def cause(contract: Contract) -> Contract:
        if contract.outcome.state is not state:
            raise TransitionError(f"The contract is {contract.outcome.state} by now.")
        return contract.cause(event, now(), reason=why)

    return cause


def now() -> str:
    """The time in the form of documents."""
    return format_time(datetime.now(UTC))


def new_id() -> str:
    """An id: 128 random bits in hex."""
    return secrets.token_hex(16)
