"""A POST to several clouds: checked, put on record, run, answered."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from openstackoid.core.errors import (
    BadRequestError,
    KeyReusedError,
    OpenStackoidError,
    ReplicaBusyError,
    ReplicaFailedError,
    ReplicaRefusedError,
)
from openstackoid.core.plans import Target
from openstackoid.core.replication import Kind, Thing
from openstackoid.core.replication.marking import own_id_of
from openstackoid.core.replication.references import check
from openstackoid.gateway.replicas.asking import JSON, Asker
from openstackoid.gateway.replicas.callers import Callers
from openstackoid.gateway.replicas.creation import Creation
from openstackoid.gateway.replicas.outcomes import lead, not_created, response
from openstackoid.gateway.replicas.records import Operation, Policy, Work, location_of
from openstackoid.gateway.replicas.running import Runner
from openstackoid.gateway.replicas.sealed import Request
from openstackoid.gateway.replicas.steps import NOT_FOUND, Steps
from openstackoid.gateway.replicas.translating import Translator, path_of
from openstackoid.gateway.replicas.wishes import WriteWishes
from openstackoid.operations.stages import MADE

_POLL: Final = 0.2  # seconds between two reads of an operation that another worker runs
_ACCEPTED: Final = {"compute.server": 202, "block-storage.volume": 202}  # statuses of a create; of all others 201
_CREATED: Final = 201


class Creating:
    """Serves creates.

    Args:
        runner: of operations.
        callers: whose tokens are whose.
        entry: name of this cloud.
    """

    def __init__(self, runner: Runner, callers: Callers, entry: str) -> None:
        self._runner = runner
        self._callers = callers
        self._entry = entry

    async def create(
        self, thing: Thing, body: bytes, targets: Sequence[Target], asker: Asker, wishes: WriteWishes
    ) -> web.Response:
        """Create a resource in each cloud.

        Args:
            thing: the list of its kind.
            body: as the client sent it.
            targets: the clouds.
            asker: asks them on behalf of the user.
            wishes: the client's options.

        Raises:
            OpenStackoidError: it was refused, or is in none of the clouds, or will be in none.
        """
        kind, document = thing.kind, read_json(body)
        check(kind, document)
        caller = await self._callers.of(asker, targets[0])
        digest = _digest(kind, document, targets, wishes)
        if wishes.key is not None:
            before = await asyncio.to_thread(self._runner.store.get, caller, wishes.key)
            if before is not None:
                return await self._again(before, digest, thing, asker)
        translator = Translator(self._runner.registry, asker, caller.partition("/")[0], by_name=wishes.by_name)
        request = Request(
            asker.call.auth or "",
            list(asker.call.headers.items()),
            kind.service,
            "POST",
            thing.collection,
            "",
            JSON,
            await translator.documents(kind, document, targets),
        )
        more = {
            "replica": secrets.token_hex(16),
            "intent": f"{Work.CREATE} {wishes.policy}",
            "sealed": self._runner.seals.seal(request),
        }
        places = [location_of(target) for target in targets]
        operation, mine = await asyncio.to_thread(
            self._runner.store.begin, caller, wishes.key, digest, kind.name, places, more
        )
        if not mine:
            return await self._again(operation, digest, thing, asker)
        steps = Steps(operation, request, asker, self._runner.means)

        async def work() -> bool:
            await _check_absent(steps)
            return await Creation(steps).run()

        await self._runner.run(operation, work)
        return await self._answer(steps)

    async def _again(self, operation: Operation, digest: str, thing: Thing, asker: Asker) -> web.Response:
        """Follow the operation that has the request's idempotency key, and answer with its outcome."""
        if operation.digest != digest:
            raise KeyReusedError(
                f"Operation {operation.id} has this Idempotency-Key, and is another request. Take another key."
            )
        store, loop = self._runner.store, asyncio.get_running_loop()
        end = loop.time() + self._runner.means.timeout
        current: Operation | None = operation
        while current is not None and not current.done:
            if store.is_over(current):
                await self._runner.resume(current, asker)
                current = await asyncio.to_thread(store.get, operation.caller, operation.id)
                break
            if loop.time() > end:
                raise ReplicaBusyError(f"Operation {operation.id}, the same request, is under way. Try again.")
            await asyncio.sleep(_POLL)
            current = await asyncio.to_thread(store.get, operation.caller, operation.id)
        if current is None:
            raise ReplicaBusyError(f"Operation {operation.id} was ended meanwhile. Try again.")
        request = Request(asker.call.auth or "", (), thing.kind.service, "POST", thing.collection, "", JSON, ())
        return await self._answer(Steps(current, request, asker, self._runner.means))

    async def _answer(self, steps: Steps) -> web.Response:
        made = steps.of(*MADE)
        if not made or (steps.operation.policy is Policy.UNDO and len(made) < len(steps.parts)):
            raise not_created(steps)
        part = lead(made, self._entry)
        reply = steps.replies.get(part.number)
        if reply is None:
            try:
                reply = await steps.ask(part, "GET", steps.member_path(part))
            except TimeoutError:
                raise ReplicaFailedError(f"It was created, and {part.cloud} does not show it: it is late.") from None
            if reply.good:
                status = _ACCEPTED.get(steps.kind.name, _CREATED)
                reply = type(reply)(status, reply.headers, reply.body)
        return response(reply, part, steps.operation.replica, steps.parts)


async def _check_absent(steps: Steps) -> None:
    """Check that no cloud has a resource of the id that the client chose, and end the operation if one has.

    Raises:
        ReplicaRefusedError: one has.
        ReplicaFailedError: one does not answer.
    """
    errors: list[OpenStackoidError] = []

    async def look(number: int) -> None:
        part = steps.parts[number]
        own_id = own_id_of(steps.kind, steps.request.documents[number])
        if own_id is None:
            return
        try:
            reply = await steps.ask(part, "GET", path_of(steps.request.collection, own_id))
        except (OpenStackoidError, TimeoutError) as error:
            errors.append(ReplicaFailedError(f"{part.cloud} does not answer, and nothing was created: {error}"))
            return
        if reply.good:
            errors.append(
                ReplicaRefusedError(f"{part.cloud} has {steps.kind.name} {own_id} already; nothing was created.")
            )
        elif reply.status != NOT_FOUND:
            errors.append(ReplicaFailedError(f"{part.cloud} answered {reply.status}; nothing was created."))

    await asyncio.gather(*map(look, range(len(steps.parts))))
    if errors:
        await steps.end(forget_key=True)
        raise errors[0]


def read_json(body: bytes) -> Any:
    """The JSON of a request.

    Raises:
        BadRequestError: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequestError("Expected a JSON document for several clouds.") from None


def _digest(kind: Kind, document: Any, targets: Sequence[Target], wishes: WriteWishes) -> str:
    clouds = [target.cloud for target in targets]
    text = json.dumps([kind.name, document, clouds, wishes.policy, wishes.by_name], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
