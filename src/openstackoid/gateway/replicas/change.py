"""An update or a delete of all members of a replica. Live, and taken over from a gateway that has died.

Both go forward: they can be sent again without harm, and what a cloud has changed cannot be brought back. So one cloud is asked first, and if it
refuses, nothing has changed anywhere. Then the others are asked at once. A cloud that is away gets the request when it is back.
"""

import asyncio
import functools
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection

from openstackoid.core.errors import OpenStackoidError
from openstackoid.core.replication.comparing import written
from openstackoid.core.replication.last_write import set_by_update
from openstackoid.gateway.replicas import registry
from openstackoid.gateway.replicas.doubts import doubt
from openstackoid.gateway.replicas.leaving import drop
from openstackoid.gateway.replicas.records import Part, Work
from openstackoid.gateway.replicas.steps import NOT_FOUND, Steps, failed, is_passing, missed, surely_not_received
from openstackoid.operations.stages import Stage

_GONE: Final = frozenset({NOT_FOUND, 410})
_CONFLICT: Final = 409


class Change:
    """One update or delete.

    Args:
        steps: the operation.
        first: number of the part whose cloud is asked first.
        waiting: clouds whose members wait for an older change: they are not asked now.
    """

    def __init__(self, steps: Steps, first: int = 0, waiting: Collection[str] = ()) -> None:
        self._steps = steps
        self._first = first
        self._waiting = waiting

    async def run(self) -> bool:
        """Change all members.

        Returns:
            Whether the operation is at its end; false if it stays open, and a gateway takes it up again.

        Raises:
            LostError, StoreError: as `Steps.record`.
        """
        steps = self._steps
        left = [part for part in steps.of(Stage.ACCEPTED) if part.cloud not in self._waiting]
        left.sort(key=lambda part: part.number != self._first)
        while left and not steps.of(Stage.DONE):
            await self._apply(left.pop(0))
            if steps.of(Stage.FAILED) and not steps.of(Stage.DONE):
                await steps.end(forget_key=True)
                return True
        await asyncio.gather(*(self._apply(part) for part in left))
        if steps.of(Stage.ACCEPTED):
            return False
        await steps.end(also=self._doubt())
        return True

    def _doubt(self) -> Callable[[Connection], None] | None:
        """Records that the members may differ now, if a cloud refused what others have done."""
        operation = self._steps.operation
        if operation.sealed is None or not self._steps.of(Stage.FAILED):
            return None
        return functools.partial(doubt, replica=operation.replica, caller=operation.caller, sealed=operation.sealed)

    def _written(self, part: Part, document: object) -> Callable[[Connection], None] | None:
        """Records what an update sets, with the first cloud that has it: a later update may have gone ahead of the others."""
        steps = self._steps
        here, first = part.cloud == steps.means.entry, not steps.of(Stage.DONE)
        if steps.operation.work is not Work.UPDATE or not (first or here):
            return None

        def change(before: Mapping[str, Any]) -> Mapping[str, Any]:
            return set_by_update(steps.kind, before, document, steps.request.rest) if first else before

        arrived = {} if steps.request.rest else written(steps.kind, document)
        at = time.time() if here else None
        return functools.partial(registry.write, replica=steps.operation.replica, change=change, arrived=arrived, at=at)

    async def _apply(self, part: Part) -> None:
        steps, number = self._steps, part.number
        deletes = steps.operation.work is Work.DELETE
        path = f"{steps.member_path(part)}{steps.request.rest}"
        document = steps.request.documents[number] if steps.request.documents else None
        try:
            reply = await steps.ask(part, steps.request.method, path, document)
        except (OpenStackoidError, TimeoutError) as error:
            sent_at = part.sent_at if surely_not_received(error) else time.time()
            await steps.record(replace(missed(part, error, part.stage), sent_at=sent_at))
            return
        # An action that a cloud has taken, and whose answer was lost: the server is in that state, or on its way.
        acted = steps.request.method == "POST" and part.sent_at is not None and reply.status == _CONFLICT
        if reply.good or (deletes and reply.status in _GONE) or acted:
            steps.replies[number] = reply
            done = replace(part, stage=Stage.DONE, status=reply.status, code=None, error="", sent_at=time.time())
            whole = deletes and not steps.request.rest
            dropped = functools.partial(drop, replica=steps.operation.replica, clouds=[part.cloud])
            await steps.record(done, also=dropped if whole else self._written(part, document))
        else:
            steps.replies[number] = reply
            wrong = failed(part, reply, part.stage)
            await steps.record(wrong if is_passing(wrong) else replace(wrong, stage=Stage.FAILED))
