"""Creates in many clouds at once. Each is recorded first: one operation per caller and idempotency key, over all workers.

A call with a key that is in use follows the operation of that key, then reports its outcome: missing resources are created, uncertain
creates are looked up, existing resources are read again, and nothing is created twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

from google.protobuf.message import Message
from grpc import StatusCode

from oaktree.v1.common_pb2 import CHANGE_DELETED, Progress
from openstackoid.oaktree import errors
from openstackoid.oaktree.creates.leased import Dependencies, undone
from openstackoid.oaktree.creates.outcomes import progress_of
from openstackoid.oaktree.creates.plans import Plan
from openstackoid.oaktree.creates.posting import Seek, Watch
from openstackoid.oaktree.creates.records import Operation
from openstackoid.oaktree.creates.running import Run
from openstackoid.oaktree.watches.conditions import Until
from openstackoid.oaktree.watches.watching import Watches

_LOG: Final = logging.getLogger(__name__)
_CLEANING: Final = 3600.0  # seconds between two deletions of expired operations


class KeyReusedError(errors.OaktreeError):
    """The caller used the idempotency key for a different request before."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "IDEMPOTENCY_KEY_REUSED"


class Creates:
    """All creates of a worker."""

    def __init__(self, dependencies: Dependencies, *, poll: float = 0.5) -> None:
        """Prepare; call `start` before anything else.

        Args:
            dependencies: the services that operations use.
            poll: seconds between two reads of an operation that another call runs.
        """
        self.dependencies: Final = dependencies
        self._poll: Final = poll
        self._runs: Final[dict[str, tuple[Run, asyncio.Task[None]]]] = {}
        self._tasks: Final[list[asyncio.Task[None]]] = []

    async def start(self) -> None:
        """Make the tables, and start renewing the leases of this worker."""
        await asyncio.to_thread(self.dependencies.records.upgrade)
        self._tasks.append(asyncio.create_task(self._beat()))
        self._tasks.append(asyncio.create_task(self._clean()))

    async def stop(self, grace: float) -> None:
        """Send no more creates, and wait for those that were sent, for at most `grace` seconds."""
        runs = list(self._runs.values())
        for run, _ in runs:
            run.leave()
        if runs:
            await asyncio.wait({task for _, task in runs}, timeout=grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.dependencies.records.close()

    async def create(self, plan: Plan) -> AsyncGenerator[Message, None]:
        """Yield the steps, the resources, and the summary, as they occur.

        Raises:
            KeyReusedError: the key belongs to another request.
            RecordsError: the database is unavailable; nothing was sent.
        """
        records = self.dependencies.records
        operation, mine = await asyncio.to_thread(
            records.begin, plan.caller.name, plan.key, plan.digest, plan.kind.name, plan.locations
        )
        if not mine and operation.digest != plan.digest:
            raise KeyReusedError(
                f"options.idempotency_key: operation {operation.id} has it, and asked for something else"
            )
        while not mine:
            if (taken := await asyncio.to_thread(records.take, operation)) is not None:
                operation, mine = taken, True
                break
            async for message in self._follow(plan, operation):
                yield message
            operation = await self._again(plan, operation)
        run = self._begin(plan, operation)
        try:
            while (step := await run.messages.get()) is not None:
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            run.hang_up()

    async def undo(self, plan: Plan, operation_id: str) -> list[Progress]:
        """Delete the resources that an operation of the caller created. Returns its parts afterwards.

        Raises:
            errors.MissingError: the caller has no such operation.
            OperationRunningError: the operation is still running.
        """
        operation = await asyncio.to_thread(self.dependencies.records.get, plan.caller.name, operation_id)
        if operation is None:
            raise errors.MissingError(f"no operation {operation_id} of yours")
        return await undone(self.dependencies, plan, operation)

    def _begin(self, plan: Plan, operation: Operation) -> Run:
        run = Run(self.dependencies, plan, operation)
        task = asyncio.create_task(run.go())
        self._runs[operation.owner] = run, task
        task.add_done_callback(lambda _: self._runs.pop(operation.owner, None))
        return run

    async def _follow(self, plan: Plan, operation: Operation) -> AsyncIterator[Message]:
        """Yield the steps of another call's operation, until it is done or its worker is dead."""
        message: dict[int, Any] = {}
        while not operation.done and not self.dependencies.records.is_over(operation):
            for part in operation.parts:
                if message.get(part.number) != (part.stage, part.resource_id, part.status):
                    message[part.number] = part.stage, part.resource_id, part.status
                    yield plan.respond(progress=progress_of(operation.id, part))
            await asyncio.sleep(self._poll)
            operation = await self._again(plan, operation)

    async def _again(self, plan: Plan, operation: Operation) -> Operation:
        operation_ = await asyncio.to_thread(self.dependencies.records.get, plan.caller.name, operation.id)
        if operation_ is None:
            raise errors.MissingError(f"operation {operation.id} was forgotten while it was followed: it was too old")
        return operation_

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.dependencies.records.lease / 3)
            with contextlib.suppress(errors.OaktreeError):
                await asyncio.to_thread(self.dependencies.records.beat, list(self._runs))

    async def _clean(self) -> None:
        while True:
            try:
                while await asyncio.to_thread(self.dependencies.records.clean):
                    pass
            except errors.OaktreeError as error:
                _LOG.warning("old operations stay: %s", error)
            await asyncio.sleep(_CLEANING)


def watched(watches: Watches) -> Watch:
    """Get states of resources from the polls that all watchers share."""

    async def states(seek: Seek) -> AsyncGenerator[Message, None]:
        follow = watches.follow(seek.kind, seek.codec, seek.region, seek.id, Until(), seek.parents)
        async with contextlib.aclosing(follow) as events:
            async for change, message in events:
                if change == CHANGE_DELETED:
                    return
                yield message

    return states
