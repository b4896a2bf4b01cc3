"""What became of creates: `OperationService`. Callers see their own operations, and no others."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from grpc import StatusCode

from oaktree.v1 import operation_pb2, operation_pb2_grpc
from oaktree.v1.resource_pb2 import CreateResourceResponse, Resource
from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import Caller
from openstackoid.oaktree.chain.remote import Sites
from openstackoid.oaktree.creates.outcomes import OPEN, progress_of
from openstackoid.oaktree.creates.owned import Means, Owned
from openstackoid.oaktree.creates.plans import Plan
from openstackoid.oaktree.creates.records import Operation
from openstackoid.oaktree.resources.kinds import Kinds

_USUAL: Final = 100
_MOST: Final = 1000


class OperationRunningError(errors.OaktreeError):
    """Something that has to wait until the operation is done."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "OPERATION_RUNNING"


class OperationService(operation_pb2_grpc.OperationServiceServicer):
    """The handlers."""

    def __init__(
        self,
        means: Means,
        kinds: Kinds,
        authenticate: Callable[[Any], Awaitable[Caller]],
        sites: Sites | None = None,
    ) -> None:
        """Prepare.

        Args:
            means: what operations need.
            kinds: all kinds.
            authenticate: who calls, from a call's context.
            sites: other oaktrees, which keep their own operations.
        """
        self._sites: Final = sites or Sites()
        self._means: Final = means
        self._kinds: Final = kinds
        self._authenticate: Final = authenticate

    async def GetOperation(self, request: Any, context: Any) -> Any:  # noqa: N802 - the rpc's name
        """One operation; clouds are asked what became of what a dead worker left."""
        async with _told(context):
            caller = await self._authenticate(context)
            answer, left = operation_pb2.GetOperationResponse, context.time_remaining()
            if (there := await self._sites.operation(caller, "GetOperation", request, answer, left)) is not None:
                return there
            operation = await self._own(caller, request.id)
            parts = None
            if (run := await self._take(caller, operation)) is not None:
                await run.settle()
                parts, operation = run.parts, await self._own(caller, operation.id)
            return operation_pb2.GetOperationResponse(operation=_message(operation, parts))

    async def ListOperations(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The caller's operations as they are on record."""
        async with _told(context):
            caller = await self._authenticate(context)
            if not 0 <= request.page_size <= _MOST:
                raise errors.invalid("page_size", f"expected 0 to {_MOST}, got {request.page_size}")
            found, token = await asyncio.to_thread(
                self._means.records.page, caller.name, request.page_size or _USUAL, request.page_token
            )
            return operation_pb2.ListOperationsResponse(
                operations=[_message(each) for each in found], next_page_token=token
            )

    async def UndoOperation(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Deletes what it created; what could not be deleted keeps its stage, and says why."""
        async with _told(context):
            caller = await self._authenticate(context)
            answer, left = operation_pb2.UndoOperationResponse, context.time_remaining()
            if (there := await self._sites.operation(caller, "UndoOperation", request, answer, left)) is not None:
                return there
            operation = await self._own(caller, request.id)
            caller.check("delete", operation.kind)
            taken = await asyncio.to_thread(self._means.records.take, operation)
            if taken is None:
                raise OperationRunningError(f"operation {operation.id} is under way: end that call, or wait for it")
            run = self._run(caller, taken)
            await run.undo()
            return operation_pb2.UndoOperationResponse(
                operation=_message(await self._own(caller, operation.id), run.parts)
            )

    async def _own(self, caller: Caller, name: str) -> Operation:
        found = await asyncio.to_thread(self._means.records.get, caller.name, name) if name else None
        if found is None:
            raise errors.MissingError("no operation of yours has this id or key; they are forgotten after some days")
        return found

    async def _take(self, caller: Caller, operation: Operation) -> Owned | None:
        """The operation, if there is something to find out, and nobody is at it."""
        if operation.done and not any(each.stage in OPEN for each in operation.parts):
            return None
        taken = await asyncio.to_thread(self._means.records.take, operation)
        return None if taken is None else self._run(caller, taken)

    def _run(self, caller: Caller, operation: Operation) -> Owned:
        kind = self._kinds.get(operation.kind)
        if kind is None:
            raise errors.MissingError(f"operation {operation.id} is of a kind that this version does not know")
        plan = Plan(
            kind=kind,
            codec=kind.codec(Resource),
            caller=caller,
            attributes={},
            parents={},
            locations=(),
            respond=CreateResourceResponse,
        )
        return Owned(self._means, plan, operation)


@asynccontextmanager
async def _told(context: Any) -> Any:
    try:
        yield
    except (errors.OaktreeError, grpc.aio.AioRpcError) as error:
        await errors.abort(context, error)


def _message(operation: Operation, parts: Any = None) -> operation_pb2.Operation:
    made = operation_pb2.Operation(
        id=operation.id,
        kind=operation.kind,
        idempotency_key=operation.key or "",
        done=operation.done,
        parts=parts or [progress_of(operation.id, each) for each in operation.parts],
    )
    made.created_at.FromMilliseconds(int(operation.created_at * 1000))
    return made
