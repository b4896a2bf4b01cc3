"""An operation whose lease this worker holds: records each step, determines the outcome of its parts, and undoes them. Creates nothing."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final

from google.rpc import status_pb2

from oaktree.v1 import common_pb2
from oaktree.v1.common_pb2 import Progress
from openstackoid.oaktree import errors, statuses
from openstackoid.oaktree.creates import reconciling
from openstackoid.oaktree.creates.operations import Operations
from openstackoid.oaktree.creates.outcomes import (
    OPEN,
    CloudGoneError,
    NotCreatedError,
    OperationRunningError,
    progress_of,
    unknown,
)
from openstackoid.oaktree.creates.plans import Plan, region_of
from openstackoid.oaktree.creates.posting import Watch, delete
from openstackoid.oaktree.creates.records import LostError, Operation, Part, RecordsError
from openstackoid.oaktree.upstream.admission import Admission
from openstackoid.oaktree.upstream.calls import Call, in_thread
from openstackoid.oaktree.upstream.regions import Region

_LOG: Final = logging.getLogger(__name__)
_TRIES: Final = 5  # to record a step that a cloud has already completed


@dataclass(frozen=True)
class Dependencies:
    """The services and settings that all operations of a worker share. Times are seconds."""

    records: Operations
    threads: ThreadPoolExecutor
    watch: Watch
    timeout: float = 30.0  # for each request to a cloud
    settle: float = 120.0  # after which a cloud no longer processes a request whose connection broke
    admission: Admission = field(default_factory=Admission)  # of creates


async def undone(dependencies: Dependencies, plan: Plan, operation: Operation) -> list[Progress]:
    """Delete the resources that an operation of the plan's caller created. Returns its parts afterwards.

    Raises:
        OperationRunningError: the operation is still running.
    """
    taken = await asyncio.to_thread(dependencies.records.take, operation)
    if taken is None:
        raise OperationRunningError(f"operation {operation.id} is under way: end that call, or wait until it is done")
    leased = LeasedOperation(dependencies, plan, taken)
    await leased.undo()
    return leased.parts


class LeasedOperation:
    """An operation whose lease this worker holds."""

    def __init__(self, dependencies: Dependencies, plan: Plan, operation: Operation) -> None:
        """Prepare."""
        self.operation: Final = operation
        self._dependencies: Final = dependencies
        self._plan: Final = plan
        self._call: Final = Call(time.monotonic() + plan.timeout)
        self._left = asyncio.Event()  # set when the caller has cancelled
        self._lost = False
        self._as_server = True  # requests use the credentials of the clouds.yaml
        self._parts: Final = list(operation.parts)
        self._errors: Final[dict[int, status_pb2.Status]] = {}  # by part; errors that do not change the recorded stage

    def leave(self) -> None:
        """Note that the caller has cancelled: send no more creates, and wait for no resource."""
        self._left.set()

    @property
    def parts(self) -> list[Progress]:
        """The current parts, with errors that are not recorded."""
        return [self._progress(part, error=part.error or self._errors.get(part.number)) for part in self._parts]

    async def settle(self) -> None:
        """Determine the outcome of the parts that a dead worker left; creates nothing."""
        self.leave()
        await asyncio.gather(*(self._settle(part) for part in self._parts))
        await self._end()

    async def undo(self) -> None:
        """Delete the resources that were created."""
        self.leave()
        await asyncio.gather(*(self._settle(part) for part in self._parts))
        await self._undo_all()
        await self._end()

    async def _settle(self, part: Part) -> None:
        try:
            if part.stage == common_pb2.STAGE_ACCEPTED:
                await self._step(part, stage=common_pb2.STAGE_CANCELLED)
            elif part.stage in OPEN:
                ids, conclusive = await self._look_up(part, await self._region(part))
                if conclusive and ids:
                    await self._created(part, ids[0], "")
                elif conclusive and self._is_settled(part):
                    error = NotCreatedError("it was sent, and nothing came of it: ask again with the same key")
                    await self._step(part, stage=common_pb2.STAGE_FAILED, error=self._status(part, error))
                else:
                    await self._unknown(part, ids, None)
        except Exception as error:  # noqa: BLE001 - the cloud does not answer: the record stays unchanged
            self._lost = self._lost or isinstance(error, LostError)
            self._errors[part.number] = self._status(part, error)

    async def _undo_all(self) -> None:
        made = [part for part in self._parts if part.resource_id and part.stage != common_pb2.STAGE_UNDONE]
        await asyncio.gather(*(self._undo(created) for created in made))

    async def _undo(self, part: Part) -> None:
        try:
            region = await self._region(part)
            await self._delete(part, region)
            await self._step(part, stage=common_pb2.STAGE_UNDONE)
        except Exception as error:  # noqa: BLE001 - the others are undone
            self._errors[part.number] = self._status(part, error)

    async def _end(self) -> None:
        if not self._lost:
            try:
                await asyncio.to_thread(self._dependencies.records.end, self.operation)
            except errors.OaktreeError as error:
                _LOG.warning("operation %s stays open on record: %s", self.operation.id, error)

    async def _look_up(self, part: Part, region: Region) -> tuple[list[str], bool]:
        """Look the resource up. Returns (candidate ids, conclusive). Conclusive with an id: this is the resource; conclusive without ids: there is none."""
        wanted = part.sought or {}
        seen = await self._ask(region, reconciling.look, self._plan.kind, region, wanted, part.sent_at or 0.0)
        others = {other.resource_id for other in self._parts if other.number != part.number}
        others |= await asyncio.to_thread(self._dependencies.records.known, seen.ids, but=self.operation.id)
        ids = [seen_id for seen_id in seen.ids if seen_id not in others]
        return ids, seen.surely or (wanted.get("before") is not None and len(ids) == 1)

    def _is_settled(self, part: Part) -> bool:
        return (part.sent_at or 0.0) + self._dependencies.settle <= time.time()

    async def _created(self, part: Part, resource_id: str, status: str) -> Part:
        created = replace(part, stage=common_pb2.STAGE_CREATED, resource_id=resource_id, status=status, error=None)
        for tries in range(_TRIES):
            try:
                return await self._step(created)
            except RecordsError:
                _LOG.warning(
                    "operation %s: cannot put on record that part %d was created", self.operation.id, part.number
                )
                await asyncio.sleep(0.2 * 2**tries)
        # The record stays SENT: a later call finds the resource by its mark.
        self._parts[part.number] = created
        self._report(created)
        return created

    async def _unknown(self, part: Part, ids: Iterable[str], error: BaseException | None) -> Part:
        return await self._step(
            part, stage=common_pb2.STAGE_UNKNOWN, error=self._status(part, unknown(self._plan.kind, part, ids, error))
        )

    async def _delete(self, part: Part, region: Region) -> None:
        call = Call(time.monotonic() + 2 * self._dependencies.timeout).to(*region.key)
        await delete(self._plan.kind, region, part, call, self._dependencies.threads)

    async def _region(self, part: Part) -> Region:
        region = await asyncio.to_thread(region_of, self._plan.caller, part.location)
        if region is None:
            raise CloudGoneError(
                f"{'/'.join(filter(None, (part.location.cloud, part.location.region)))} is no cloud-region of yours now"
            )
        self._as_server = not region.bearer
        return region

    async def _ask(self, region: Region, function: Callable[..., Any], *args: Any) -> Any:
        call = self._call.to(*region.key, timeout=self._dependencies.timeout)
        return await in_thread(call, self._dependencies.threads, function, *args)

    async def _step(self, part: Part, **changes: Any) -> Part:
        """Record a step, then publish it."""
        changed = replace(part, **changes)
        await asyncio.to_thread(self._dependencies.records.change, self.operation, changed)
        self._parts[part.number] = changed
        self._report(changed)
        return changed

    def _report(self, part: Part, percent: int | None = None) -> None:
        self._publish(self._progress(part, percent, part.error))

    def _progress(self, part: Part, percent: int | None = None, error: status_pb2.Status | None = None) -> Progress:
        return progress_of(self.operation.id, part, percent=percent, error=error)

    def _publish(self, progress: Progress) -> None:
        """Deliver a step to the listeners; there are none in this class."""

    def _status(self, part: Part, error: BaseException) -> status_pb2.Status:
        place = part.location
        return statuses.status(
            error,
            cloud=place.cloud,
            region=place.region,
            service=self._plan.kind.service,
            creating=True,
            as_server=self._as_server,
        )
