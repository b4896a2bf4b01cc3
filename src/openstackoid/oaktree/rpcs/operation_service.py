"""`OperationService`: the recorded operations of creates. Callers see only their own operations."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Final

from oaktree.v1 import operation_pb2, operation_pb2_grpc
from oaktree.v1.resource_pb2 import CreateResourceResponse, Resource
from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import Caller
from openstackoid.oaktree.chain.operations import Operations
from openstackoid.oaktree.chain.remote import RemoteOaktrees
from openstackoid.oaktree.creates.leased import Dependencies, LeasedOperation, undone
from openstackoid.oaktree.creates.outcomes import OPEN, message_of
from openstackoid.oaktree.creates.plans import Plan
from openstackoid.oaktree.creates.records import Operation
from openstackoid.oaktree.resources.kinds import Kinds
from openstackoid.oaktree.rpcs.context import RpcContext
from openstackoid.oaktree.verbs import DELETE
from openstackoid.oaktree.watches.deadlines import Deadlines

_USUAL: Final = 100
_MOST: Final = 1000


class OperationService(operation_pb2_grpc.OperationServiceServicer):
    """The handlers."""

    def __init__(
        self,
        dependencies: Dependencies,
        kinds: Kinds,
        authenticate: Callable[[Any], Awaitable[Caller]],
        oaktrees: RemoteOaktrees | None = None,
        deadlines: Deadlines | None = None,
        *,
        poll: float = 0.5,
    ) -> None:
        """Prepare.

        Args:
            dependencies: the services that operations use.
            kinds: all kinds.
            authenticate: authenticates the caller of a call's context.
            oaktrees: other oaktrees, which record their own operations.
            deadlines: those of streams without a deadline of their own.
            poll: seconds between two reads of a watched operation.
        """
        self._remote: Final = Operations(oaktrees or RemoteOaktrees())
        self._dependencies: Final = dependencies
        self._kinds: Final = kinds
        self._authenticate: Final = authenticate
        self._deadlines: Final = deadlines or Deadlines()
        self._poll: Final = poll

    async def GetOperation(self, request: Any, context: Any) -> Any:  # noqa: N802 - the rpc's name
        """Get one operation. If its worker is dead, clouds are queried for the outcome of its parts."""
        async with RpcContext(context):
            caller = await self._authenticate(context)
            operation = await self._find(caller, request.id, context)
            if isinstance(operation, operation_pb2.Operation):
                return operation_pb2.GetOperationResponse(operation=operation)
            return operation_pb2.GetOperationResponse(operation=await self._settled(caller, operation))

    async def WatchOperation(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """Yield one operation now, and after each recorded step, until it is done; until the caller's token expires or the server stops."""
        async with RpcContext(context):
            caller = await self._authenticate(context)
            operation = await self._find(caller, request.id, context)
            if isinstance(operation, operation_pb2.Operation):
                states = self._remote.watch(caller, operation.id, context.time_remaining)
            else:
                states = self._watched(caller, operation)
            async with contextlib.aclosing(self._deadlines.until(states, caller.expires)) as operations:
                async for state in operations:
                    yield operation_pb2.WatchOperationResponse(operation=state)

    async def _watched(self, caller: Caller, operation: Operation) -> AsyncGenerator[operation_pb2.Operation, None]:
        last = None
        while last is None or not last.done:
            if last is not None:
                await asyncio.sleep(self._poll)
                operation = await self._own(caller, operation.id)
            state = await self._settled(caller, operation)
            if state != last:
                yield state
            last = state

    async def ListOperations(self, request: Any, context: Any) -> Any:  # noqa: N802
        """List the caller's operations as recorded, here and at other oaktrees."""
        async with RpcContext(context):
            caller = await self._authenticate(context)
            if not 0 <= request.page_size <= _MOST:
                raise errors.invalid("page_size", f"expected 0 to {_MOST}, got {request.page_size}")

            async def here(size: int, token: str) -> operation_pb2.ListOperationsResponse:
                operations, following = await asyncio.to_thread(
                    self._dependencies.records.page, caller.name, size, token
                )
                return operation_pb2.ListOperationsResponse(
                    operations=[message_of(operation) for operation in operations], next_page_token=following
                )

            return await self._remote.list(
                caller, request.page_size or _USUAL, request.page_token, here, context.time_remaining
            )

    async def UndoOperation(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Delete the resources that an operation created; a part whose resource could not be deleted keeps its stage, with the error."""
        async with RpcContext(context):
            caller = await self._authenticate(context)
            operation = await self._find(caller, request.id, context)
            if isinstance(operation, operation_pb2.Operation):
                there = await self._remote.undo(caller, operation.id, context.time_remaining)
                return operation_pb2.UndoOperationResponse(operation=there)
            caller.check(DELETE.name, operation.kind)
            parts = await undone(self._dependencies, self._plan(caller, operation), operation)
            return operation_pb2.UndoOperationResponse(
                operation=message_of(await self._own(caller, operation.id), parts)
            )

    async def _find(self, caller: Caller, name: str, context: Any) -> Operation | operation_pb2.Operation:
        """Find an operation by id or key: a record of this oaktree, or of another one."""
        left = context.time_remaining
        if (there := await self._remote.find(caller, name, left)) is not None:
            return there
        try:
            return await self._own(caller, name)
        except errors.MissingError:
            return await self._remote.keyed(caller, name, left)

    async def _own(self, caller: Caller, name: str) -> Operation:
        operation = await asyncio.to_thread(self._dependencies.records.get, caller.name, name) if name else None
        if operation is None:
            raise errors.MissingError("no operation of yours has this id or key; they are forgotten after some days")
        return operation

    async def _settled(self, caller: Caller, operation: Operation) -> operation_pb2.Operation:
        """An operation as it is now. If its worker is dead, clouds are queried for the outcome of its parts."""
        if (run := await self._take(caller, operation)) is None:
            return message_of(operation)
        await run.settle()
        return message_of(await self._own(caller, operation.id), run.parts)

    async def _take(self, caller: Caller, operation: Operation) -> LeasedOperation | None:
        """Take over an operation, if a part's outcome is open and no worker is running it."""
        if operation.done and not any(part.stage in OPEN for part in operation.parts):
            return None
        taken = await asyncio.to_thread(self._dependencies.records.take, operation)
        return None if taken is None else LeasedOperation(self._dependencies, self._plan(caller, taken), taken)

    def _plan(self, caller: Caller, operation: Operation) -> Plan:
        kind = self._kinds.get(operation.kind)
        if kind is None:
            raise errors.MissingError(f"operation {operation.id} is of a kind that this version does not know")
        return Plan(
            kind=kind,
            codec=kind.codec(Resource),
            caller=caller,
            attributes={},
            parents={},
            locations=(),
            respond=CreateResourceResponse,
        )
