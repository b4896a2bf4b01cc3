"""The parts that a control plane's handlers use, and its two background jobs: sending messages, and events caused by time."""

import asyncio
import contextlib
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from openstackoid.core.errors import OpenStackoidError
from openstackoid.regions.errors import PartyError, StaleTermsError, TransitionError, UnknownRegionError
from openstackoid.regions.identity import Keystone
from openstackoid.regions.objects import clock
from openstackoid.regions.objects.contract import Contract
from openstackoid.regions.objects.states import OVER, ContractEvent, ContractState, Side
from openstackoid.regions.objects.terms import format_time
from openstackoid.regions.peers import Peers
from openstackoid.regions.policies import Policies
from openstackoid.regions.tables.contract import Contracts, Summary
from openstackoid.regions.tables.message import Outbox, Outgoing
from openstackoid.regions.tables.virtual_region import Regions

_LIVING = tuple(state for state in ContractState if state not in OVER)
CLOCK = "the clock"  # the author of events without an operator


@dataclass(frozen=True, slots=True)
class Control:
    """A control plane.

    Attributes:
        cloud: this cloud's name.
        regions, contracts, outbox: its tables.
        peers: other control planes.
        keystone: identifies callers.
        policies: the rights of callers.
        kicked: set when a message is to be sent, or an event is due.
    """

    cloud: str
    regions: Regions
    contracts: Contracts
    outbox: Outbox
    peers: Peers
    keystone: Keystone
    policies: Policies
    kicked: asyncio.Event = field(default_factory=asyncio.Event)

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

    async def _failed(self, message: Outgoing, why: str) -> None:
        now = int(time.time())
        await asyncio.to_thread(self.outbox.fail, message.contract, message.number, now, why)

    async def tick(self) -> None:
        """Cause the events that are due by time, or since a region is not offered any more."""
        for summary in await asyncio.to_thread(self.contracts.all, *_LIVING):
            await asyncio.to_thread(self._decide, summary)

    def _decide(self, summary: Summary) -> None:
        if summary.side is not Side.PROVIDER:
            return
        try:
            region = self.regions.get(summary.terms.virtual_region)
            offered = region.is_offered_to(summary.peer)
        except UnknownRegionError:
            offered = False
        now = int(time.time())
        due = clock.due(summary.side, summary.state, summary.since, summary.terms, now, offered=offered)
        if due is not None:
            event, why = due
            # Another process may have done it, or an operator something else, since the list was read.
            with contextlib.suppress(TransitionError, PartyError, StaleTermsError):
                self.contracts.cause(summary.id, _cause(summary.state, event, why), CLOCK, now)
            self.kicked.set()

    async def run(self, tick: float) -> None:
        """Run both jobs until cancelled.

        Args:
            tick: seconds between two turns, unless there is something to do at once.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.kicked.wait(), tick)
            self.kicked.clear()
            try:
                await self.tick()
                await self.send()
            except OpenStackoidError as error:
                print(f"openstackoid regions: {error.code}: {error}", file=sys.stderr, flush=True)
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
