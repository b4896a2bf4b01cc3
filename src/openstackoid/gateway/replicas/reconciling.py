"""Repairs replicas by itself, where a cloud refused its part of a change that the others have: slowly, by one gateway at a time, some at a time.

    an update that a cloud refused    the repair of `repair`, of what the user wrote alone: a cloud that refuses must not decide what others get
    a delete that a cloud refused     is sent again: a delete wins over every update

Changes that wait for a cloud that is away are no matter of this: `running` continues them.
Nothing is deleted but members of the replica, on record, whose delete the user has sent.
"""

import asyncio
import functools
import logging
import secrets
from typing import Final

from openstackoid.core.errors import OpenStackoidError
from openstackoid.core.replication import kind_named
from openstackoid.core.replication.comparing import written
from openstackoid.gateway.replicas.asking import Asker
from openstackoid.gateway.replicas.doubts import Doubt, Doubts
from openstackoid.gateway.replicas.leaving import drop
from openstackoid.gateway.replicas.registry import Replica
from openstackoid.gateway.replicas.repair import SAME, Repair, target_of
from openstackoid.gateway.replicas.running import Restore, Runner
from openstackoid.gateway.replicas.steps import NOT_FOUND
from openstackoid.gateway.replicas.translating import LISTS, path_of
from openstackoid.gateway.telemetry.loops import described

_LOG: Final = logging.getLogger(__name__)
_MOST: Final = 100  # doubts of one round
_AT_ONCE: Final = 4
_LEASES: Final = 3  # rounds that a lease lasts


class Reconciler:
    """Repairs what is in doubt.

    Args:
        runner: of operations.
        restore: makes what asks clouds, for a request on record.
        entry: name of this cloud.
        every: seconds between two rounds.
    """

    def __init__(self, runner: Runner, restore: Restore, entry: str, every: float) -> None:
        self._runner = runner
        self._restore = restore
        self._entry = entry
        self._every = every
        self._owner = secrets.token_hex(16)
        self._doubts = Doubts(runner.store.database)
        self._repair = Repair(runner, entry)
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._loop = asyncio.create_task(self._rounds())

    async def stop(self) -> None:
        """Stop; another gateway goes on."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    async def _rounds(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                if await asyncio.to_thread(self._doubts.lead, self._owner, self._every * _LEASES):
                    await self._round()
            except OpenStackoidError as error:
                _LOG.warning("replicas are not repaired: %s", error)

    async def _round(self) -> None:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(doubt: Doubt) -> None:
            async with turns:
                settled = False
                try:
                    settled = await self._settled(doubt)
                except Exception as error:  # noqa: BLE001 - one that cannot be repaired must not end the loop for the others
                    _LOG.warning("replica %s is not repaired: %s", doubt.replica, described(error))
                await asyncio.to_thread(self._doubts.settle if settled else self._doubts.tried, doubt)

        await asyncio.gather(*map(one, await asyncio.to_thread(self._doubts.due, _MOST)))

    async def _settled(self, doubt: Doubt) -> bool:
        """Repair one replica. Returns whether nothing is left to do, or can be done with these rights."""
        request = self._runner.seals.open(doubt.sealed)
        replica = await asyncio.to_thread(self._runner.registry.get, doubt.project, doubt.replica)
        if request is None or replica is None:
            return True
        asker = self._restore(request)
        if request.method == "DELETE" and not request.rest:
            return await self._delete(replica, asker)
        documents = request.documents if not request.rest else ()
        wrote = written(kind_named(replica.kind), documents[0] if documents else None)
        states = await self._repair.repair(replica, doubt.caller, asker, wrote)
        return all(state.state in SAME for state in states)

    async def _delete(self, replica: Replica, asker: Asker) -> bool:
        """Delete the members that are left."""
        kind, left = kind_named(replica.kind), False
        for cloud, name in replica.members.items():
            try:
                async with asyncio.timeout(self._runner.means.timeout):
                    target = target_of(kind, cloud, self._entry)
                    path = path_of(LISTS[kind.name], name)
                    reply = await asker.send(target, "DELETE", path, service=kind.service)
            except (OpenStackoidError, TimeoutError):
                left = True
                continue
            if reply.good or reply.status == NOT_FOUND:
                dropped = functools.partial(drop, replica=replica.id, clouds=[cloud])
                await asyncio.to_thread(self._runner.registry.change, dropped)
            else:
                left = True
        return not left
