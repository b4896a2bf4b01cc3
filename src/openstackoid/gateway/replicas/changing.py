"""A PUT, PATCH or DELETE of a replica's members: put on record, run, answered."""

import asyncio
import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import web

from openstackoid.core.errors import NotBuiltError, OpenStackoidError, ReplicaBusyError
from openstackoid.core.plans import Target
from openstackoid.core.replication import Thing, refusal
from openstackoid.core.replication.actions import shared_action
from openstackoid.gateway.replicas.asking import JSON, Asker
from openstackoid.gateway.replicas.callers import Callers
from openstackoid.gateway.replicas.change import Change
from openstackoid.gateway.replicas.creating import read_json
from openstackoid.gateway.replicas.leaving import leaving
from openstackoid.gateway.replicas.outcomes import changed
from openstackoid.gateway.replicas.records import Operation, Policy, Work, location_of
from openstackoid.gateway.replicas.registry import Replica, counting
from openstackoid.gateway.replicas.running import Runner
from openstackoid.gateway.replicas.sealed import Request
from openstackoid.gateway.replicas.steps import Steps
from openstackoid.gateway.replicas.translating import Translator
from openstackoid.gateway.replicas.wishes import WriteWishes
from openstackoid.operations.stages import Stage

# Below a member: what can be sent again without harm, and has no result of its own.
_BELOW: Final = re.compile(r"/(?:tags|metadata)(?:/[^/]+)?\Z")


class Changing:
    """Serves updates and deletes of replicas.

    Args:
        runner: of operations.
        callers: whose tokens are whose.
        entry: name of this cloud.
    """

    def __init__(self, runner: Runner, callers: Callers, entry: str) -> None:
        self._runner = runner
        self._callers = callers
        self._entry = entry

    async def replica(self, thing: Thing, targets: Sequence[Target], asker: Asker) -> Replica | None:
        """The replica of the user's project that a resource is a member of, in one of these clouds."""
        replicas = await self._having(thing, targets)
        if replicas:
            project = (await self._callers.of(asker, targets[0])).partition("/")[0]
            replicas = [one for one in replicas if one.owner == project]
        return max(replicas, key=lambda one: one.created_at, default=None)

    async def shown(self, thing: Thing, targets: Sequence[Target], asker: Asker) -> Replica | None:
        """As `replica`, for a read: of another project too, if the user's has none."""
        return await self._seen(await self._having(thing, targets), targets, asker)

    async def deleted(self, thing: Thing, targets: Sequence[Target], asker: Asker) -> Replica | None:
        """As `shown`, of members that were deleted a short while ago, and may still be there."""
        if not thing.kind.lingers:
            return None
        name = unquote(thing.id or "")
        replicas = await asyncio.to_thread(leaving, self._runner.store.database, thing.kind.name, name)
        return await self._seen(_with(replicas, name, targets), targets, asker)

    async def _seen(self, replicas: Sequence[Replica], targets: Sequence[Target], asker: Asker) -> Replica | None:
        project = await self.project(replicas, targets[0], asker)
        key = lambda one: (one.owner == project, one.created_at)  # noqa: E731 - one use
        return max(counting(replicas, project), key=key, default=None)

    async def project(self, replicas: Sequence[Replica], target: Target, asker: Asker) -> str | None:
        """The user's project, if it matters which of some replicas are theirs; None too if Keystone does not say: a read needs no record."""
        if len(replicas) < 2 and not any(one.adopted for one in replicas):  # noqa: PLR2004 - one of several
            return None
        try:
            return (await self._callers.of(asker, target)).partition("/")[0]
        except OpenStackoidError:
            return None

    async def _having(self, thing: Thing, targets: Sequence[Target]) -> list[Replica]:
        name = unquote(thing.id or "")
        return _with(await asyncio.to_thread(self._runner.registry.having, thing.kind.name, [name]), name, targets)

    async def change(
        self,
        thing: Thing,
        replica: Replica,
        query: str,
        body: bytes,
        targets: Sequence[Target],
        asker: Asker,
        wishes: WriteWishes,
    ) -> web.Response:
        """Change the members of a replica in these clouds.

        Args:
            thing: one of them, as the client names it.
            replica: that it is of.
            query: of the request.
            body: as the client sent it.
            targets: the clouds.
            asker: asks them on behalf of the user.
            wishes: the client's options.

        Raises:
            OpenStackoidError: it was refused.
        """
        kind, method = thing.kind, asker.call.method
        updates = method == (kind.update if not thing.rest else "PUT") and bool(body)
        document = read_json(body) if body else None
        acts = shared_action(thing, method, document) is not None
        below = not thing.rest or _BELOW.match(thing.rest) is not None
        if not acts and not (below and (method == "DELETE" or updates)):
            raise NotBuiltError(
                f"{method} {asker.call.path} is not sent to all members of a replica: {refusal(kind.service, method, asker.call.path)}. "
                "Name one cloud in the scope."
            )
        inside = [target for target in targets if target.cloud in replica.members]
        documents: list[Any] = []
        caller = await self._callers.of(asker, targets[0])
        if document is not None:
            translator = Translator(self._runner.registry, asker, caller.partition("/")[0], by_name=wishes.by_name)
            documents = await translator.documents(kind, document, inside)
        content_type = asker.call.request.headers.get("Content-Type", JSON)
        rest = f"{thing.rest}?{query}" if query else thing.rest
        headers = list(asker.call.headers.items())
        request = Request(
            asker.call.auth or "", headers, kind.service, method, thing.collection, rest, content_type, documents
        )
        work = Work.DELETE if method == "DELETE" else Work.UPDATE
        digest = hashlib.sha256(json.dumps([kind.name, thing.id, rest, document], sort_keys=True).encode()).hexdigest()
        more = {
            "replica": replica.id,
            "intent": f"{work} {Policy.CONVERGE}",
            "sealed": self._runner.seals.seal(request),
        }
        places = [location_of(target, replica.members[target.cloud]) for target in inside]
        # Without the client's key: the same change can be made again without harm.
        operation, _ = await asyncio.to_thread(self._runner.store.begin, caller, None, digest, kind.name, places, more)
        steps = Steps(operation, request, asker, self._runner.means)

        async def run() -> bool:
            waiting = await self._after_older(steps, asker)
            first = next((part.number for part in steps.parts if part.cloud == self._entry), 0)
            return await Change(steps, first, waiting).run()

        await self._runner.run(operation, run)
        return changed(steps, self._entry)

    async def _after_older(self, steps: Steps, asker: Asker) -> set[str]:
        """Let the older changes of the replica go first. Returns the clouds that still wait for one.

        Raises:
            ReplicaBusyError: another worker runs one.
        """
        operation = steps.operation
        if operation.work is Work.DELETE and not steps.request.rest:
            left = await self._runner.supersede(operation)
        else:
            for older in await self._runner.older(operation):
                if self._runner.store.is_over(older):
                    # With the rights of this request, if it is of the same user: the token on record may have expired.
                    await self._runner.resume(older, asker if older.caller == operation.caller else None)
            left = await self._runner.older(operation)
        busy = [older for older in left if not self._is_waiting(older)]
        if busy:
            await steps.end(forget_key=True)
            raise ReplicaBusyError(
                f"Operation {busy[0].id} changes the same replica. Wait until it is done, and try again."
            )
        return {part.cloud for older in left for part in older.parts if part.stage is Stage.ACCEPTED}

    def _is_waiting(self, operation: Operation) -> bool:
        """Whether an older change only waits for a cloud that is away."""
        return operation.work is not Work.CREATE and any(part.stage is Stage.DONE for part in operation.parts)


def _with(replicas: Sequence[Replica], name: str, targets: Sequence[Target]) -> list[Replica]:
    """Those whose member in one of these clouds has this id."""
    return [one for one in replicas if any(one.members.get(target.cloud) == name for target in targets)]
