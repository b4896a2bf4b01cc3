"""Creates in many clouds at once: on record first, one operation for each key of a caller, whichever worker is asked.

A call with a key that is in use follows the operation under that name, then tells what came of it: what is missing is created, what is in
doubt is looked for, what is there is read again, and nothing is created twice.
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
_CLEANING: Final = 3600.0  # seconds between two looks for operations that are too old


class KeyReusedError(errors.OaktreeError):
    """An idempotency key that the caller gave to another request before."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "IDEMPOTENCY_KEY_REUSED"


class Creates:
    """All creates of a worker."""

    def __init__(self, dependencies: Dependencies, *, poll: float = 0.5) -> None:
        """Prepare; `start` comes first.

        Args:
            dependencies: what operations need.
            poll: seconds between two looks at an operation that another call is at.
        """
        self.dependencies: Final = dependencies
        self._poll: Final = poll
        self._runs: Final[dict[str, tuple[Run, asyncio.Task[None]]]] = {}
        self._tasks: Final[list[asyncio.Task[None]]] = []

    async def start(self) -> None:
        """Make the tables, and say from now on that this worker is alive."""
        await asyncio.to_thread(self.dependencies.records.upgrade)
        self._tasks.append(asyncio.create_task(self._beat()))
        self._tasks.append(asyncio.create_task(self._clean()))

    async def stop(self, grace: float) -> None:
        """Send nothing more, and bring to an end what was sent, for `grace` seconds at most."""
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
        """The steps, the resources, and the summary, as they come.

        Raises:
            KeyReusedError: the key belongs to another request.
            RecordsError: the database is away; nothing was sent.
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
            run.leave()

    async def undo(self, plan: Plan, operation_id: str) -> list[Progress]:
        """What a create of the caller's made is deleted; its parts then.

        Raises:
            errors.MissingError: they have no such operation.
            OperationRunningError: somebody is at it.
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
        """Another call's steps, until it is done or its worker is dead."""
        message: dict[int, Any] = {}
        while not operation.done and not self.dependencies.records.is_over(operation):
            for part in operation.parts:
                if message.get(part.number) != (part.stage, part.resource_id, part.status):
                    message[part.number] = part.stage, part.resource_id, part.status
                    yield plan.respond(progress=progress_of(operation.id, part))
            await asyncio.sleep(self._poll)
            operation = await self._again(plan, operation)

    async def _again(self, plan: Plan, operation: Operation) -> Operation:
        found = await asyncio.to_thread(self.dependencies.records.get, plan.caller.name, operation.id)
        if found is None:
            raise errors.MissingError(f"operation {operation.id} was forgotten while it was followed: it was too old")
        return found

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
    """States of resources from the polls that all watchers share."""

    async def states(seek: Seek) -> AsyncGenerator[Message, None]:
        follow = watches.follow(seek.kind, seek.codec, seek.region, seek.id, Until(), seek.parents)
        async with contextlib.aclosing(follow) as events:
            async for change, message in events:
                if change == CHANGE_DELETED:
                    return
                yield message

    return states
