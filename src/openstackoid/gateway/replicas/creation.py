"""A create in several clouds: in all of them or in none, or as its policy says. Live, and taken over from a gateway that has died.

every part ACCEPTED -> all SENT, on record -> the requests, at once -> CREATED, FAILED, or UNKNOWN: looked up by its mark
all CREATED         -> descriptions put right -> the replica and its members on record, with the end of the operation
policy undo         -> what was created is deleted, and the operation ends when nothing of it is left
policy keep         -> the replica has the members that were created
policy converge     -> the same, and the operation stays open until the others are created as well, or are refused
"""

import asyncio
import contextlib
import functools
import time
from dataclasses import replace
from typing import Final

from openstackoid.core.errors import OpenStackoidError
from openstackoid.core.replication.last_write import set_by_create
from openstackoid.core.replication.marking import carriers, created_id, marked, own_id_of, search, unmarked
from openstackoid.gateway.replicas import registry
from openstackoid.gateway.replicas.asking import parsed
from openstackoid.gateway.replicas.records import Part, Policy
from openstackoid.gateway.replicas.steps import (
    NOT_FOUND,
    Steps,
    failed,
    is_passing,
    missed,
    surely_not_received,
)
from openstackoid.operations import marks
from openstackoid.operations.stages import MADE, OPEN, Stage

_ASKED_ERRORS: Final = (OpenStackoidError, TimeoutError)
_TRIES: Final = 4  # to put a description right


class Creation:
    """One create.

    Args:
        steps: the operation.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def run(self) -> bool:
        """Create in all clouds, then do as the policy says.

        Returns:
            Whether the operation is at its end; false if it stays open, and a gateway takes it up again.

        Raises:
            LostError, StoreError: as `Steps.record`.
        """
        await self._send(self._steps.of(Stage.ACCEPTED))
        return await self._conclude()

    async def resume(self) -> bool:
        """Continue what another worker left, as `run`. Nothing new is created, but under `converge`."""
        await self._settle()
        if self._steps.operation.policy is Policy.CONVERGE:
            again = [part for part in self._steps.of(Stage.FAILED) if is_passing(part)]
            await self._send([*self._steps.of(Stage.ACCEPTED), *again])
        else:
            await self._steps.record(*(replace(part, stage=Stage.CANCELLED) for part in self._steps.of(Stage.ACCEPTED)))
        return await self._conclude()

    async def _conclude(self) -> bool:
        steps = self._steps
        undoing = steps.operation.policy is Policy.UNDO and len(steps.of(*MADE)) < len(steps.parts)
        if undoing:
            await asyncio.gather(*(self._undo(part) for part in steps.of(*MADE)))
            if steps.of(*OPEN, *MADE):
                return False
            await steps.end(forget_key=True)
            return True
        await asyncio.gather(*(self._put_right(part) for part in steps.of(Stage.CREATED)))
        made = steps.of(*MADE)
        members = {part.cloud: part.resource_id for part in made}
        operation = steps.operation
        put = functools.partial(
            registry.put,
            replica=operation.replica,
            kind=operation.kind,
            owner=operation.project,
            members=members,
            values=set_by_create(steps.kind, steps.request.documents[0]),
            entry=steps.means.entry,
        )
        converging = operation.policy is Policy.CONVERGE and any(
            part.stage is Stage.ACCEPTED or is_passing(part) for part in steps.of(Stage.ACCEPTED, Stage.FAILED)
        )
        done = [replace(part, stage=Stage.DONE) for part in made]
        if steps.of(*OPEN) or converging:
            await steps.record(*done, also=put if members else None)
            return False
        await steps.end(*done, also=put if members else None, forget_key=not members)
        return True

    async def _send(self, parts: list[Part]) -> None:
        if not parts:
            return
        steps, marked_parts = self._steps, []
        for part in parts:
            mark = marks.mark_of(steps.operation.id, part.number, part.mark, anew=part.stage is Stage.FAILED)
            document = self._document(part, mark)
            sent = replace(
                part, stage=Stage.SENT, mark=mark, own_id=own_id_of(steps.kind, document), sent_at=time.time()
            )
            marked_parts.append(replace(sent, status=None, code=None, error=""))
        await steps.record(*marked_parts)
        await asyncio.gather(*(self._create(part) for part in marked_parts))

    def _document(self, part: Part, mark: str) -> object:
        # One id in all clouds: what names the resource in one of them names it in the others. A new try needs a new one.
        tries = mark.removeprefix(f"{self._steps.operation.id}.{part.number}")
        own_id = marks.own_id(f"{self._steps.operation.id}{tries}")
        return marked(self._steps.kind, self._steps.request.documents[part.number], mark, own_id)

    async def _create(self, part: Part) -> None:
        steps = self._steps
        try:
            reply = await steps.ask(part, "POST", steps.request.collection, self._document(part, part.mark))
        except _ASKED_ERRORS as error:
            if surely_not_received(error):
                await steps.record(missed(part, error, Stage.FAILED))
            else:
                await self._look(missed(part, error, Stage.UNKNOWN), answered=False)
            return
        resource_id = created_id(steps.kind, parsed(reply)) if reply.good else None
        if resource_id is not None:
            steps.replies[part.number] = reply
            await steps.record(replace(part, stage=Stage.CREATED, resource_id=resource_id, status=reply.status))
        elif marks.refused(reply.status):
            await steps.record(failed(part, reply, Stage.FAILED))
        else:
            await self._look(
                failed(part, reply, Stage.UNKNOWN), answered=marks.answered(reply.status) and not reply.good
            )

    async def _look(self, part: Part, *, answered: bool) -> None:
        """Look a part's member up by its mark, and record what that shows."""
        ids = await self._search(part)
        if ids:
            await self._steps.record(
                replace(part, stage=Stage.CREATED, resource_id=ids[0], status=None, code=None, error="")
            )
        elif ids is not None and (answered or self._steps.is_settled(part)):
            await self._steps.record(replace(part, stage=Stage.FAILED))
        elif self._steps.parts[part.number].stage is not Stage.UNKNOWN:
            await self._steps.record(replace(part, stage=Stage.UNKNOWN))

    async def _search(self, part: Part) -> list[str] | None:
        """The ids of the resources with a part's mark; None if the cloud does not say."""
        steps = self._steps
        path = search(steps.kind, steps.request.collection, part.mark, part.own_id)
        try:
            reply = await steps.ask(part, "GET", path)
        except _ASKED_ERRORS:
            return None
        if reply.status == NOT_FOUND and part.own_id is not None:
            return []
        return carriers(steps.kind, parsed(reply), part.mark, part.own_id) if reply.good else None

    async def _settle(self) -> None:
        """Look up every part that is open, until each outcome is certain or cannot be learned now."""
        while waiting := self._steps.of(*OPEN):
            await asyncio.gather(*(self._look(part, answered=False) for part in waiting))
            left = self._steps.of(*OPEN)
            if not left or all(self._steps.is_settled(part) for part in left):
                return
            # The cloud may still process the request: a resource that does not exist now may appear.
            await asyncio.sleep(self._steps.means.pause)

    async def _undo(self, part: Part) -> None:
        steps = self._steps
        try:
            reply = await steps.ask(part, "DELETE", steps.member_path(part))
        except _ASKED_ERRORS as error:
            await steps.record(missed(part, error, part.stage))
            return
        if reply.good or reply.status == NOT_FOUND:
            await steps.record(replace(part, stage=Stage.UNDONE))
        else:
            await steps.record(failed(part, reply, part.stage))

    async def _put_right(self, part: Part) -> None:
        """Replace the mark in a description by what the client wrote. If that fails some times, the mark stays: nothing depends on it any more."""
        steps = self._steps
        document = unmarked(steps.kind, steps.request.documents[part.number])
        if document is None:
            return
        for number in range(_TRIES):
            await asyncio.sleep(number * steps.means.pause)
            with contextlib.suppress(*_ASKED_ERRORS):
                reply = await steps.ask(part, "PUT", steps.member_path(part), document)
                if reply.good:
                    first = steps.replies.get(part.number)
                    steps.replies[part.number] = replace(reply, status=first.status if first else reply.status)
                if reply.good or marks.refused(reply.status):
                    return
