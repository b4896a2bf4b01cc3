"""Builds a group in several cloud-regions: each resource after those that it refers to, by recorded creates; and undoes all of it together."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from google.rpc import code_pb2, status_pb2

from oaktree.v1.common_pb2 import STAGE_UNDONE, CloudResult, Progress, Summary
from oaktree.v1.group_pb2 import BuildGroupResponse
from oaktree.v1.location_pb2 import Location
from oaktree.v1.resource_pb2 import CreateResourceResponse, Resource
from openstackoid.oaktree import statuses
from openstackoid.oaktree.creates.groups import Member, resolved
from openstackoid.oaktree.creates.outcomes import ENDED
from openstackoid.oaktree.resources.structs import to_python

# Creates one resource in one cloud-region: the place, the member, the number of the copy, its attributes.
Create = Callable[[Location, Member, int, Mapping[str, Any]], AsyncGenerator[CreateResourceResponse, None]]
# Undoes an operation of such a create: the place, the member, the number of the copy, the operation's id. Returns its parts afterwards.
Undo = Callable[[Location, Member, int, str], Awaitable[Iterable[Progress]]]
# References to running tasks: a task without references could be garbage collected.
_UNDER_WAY: Final[set[asyncio.Task[None]]] = set()


class _SkippedError(Exception):
    """A resource was not created, because one that it refers to failed."""


class _FailedError(Exception):
    """A resource failed."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status: Final = status


@dataclass(eq=False)
class _Place:
    """The group in one cloud-region."""

    location: Location
    tasks: dict[str, list[asyncio.Task[dict[str, Any]]]] = field(default_factory=dict)  # by member
    operations: dict[str, dict[str, int]] = field(default_factory=dict)  # by member: the id, the number of the copy
    items: int = 0
    error: status_pb2.Status | None = None
    elapsed: float = 0.0


class Building:
    """One request for a group."""

    def __init__(self, members: Sequence[Member], places: Sequence[Location], create: Create, undo: Undo) -> None:
        """Prepare.

        Args:
            members: the members, each after those that it refers to.
            places: the cloud-regions.
            create: creates a resource.
            undo: undoes an operation.
        """
        self._members: Final = members
        self._places: Final = [_Place(place) for place in places]
        self._create: Final = create
        self._undo: Final = undo
        self._answers: Final[asyncio.Queue[BuildGroupResponse | None]] = asyncio.Queue()

    async def run(self, *, undo_on_failure: bool) -> AsyncGenerator[BuildGroupResponse, None]:
        """Yield the steps and resources as they come, then the summary. If the caller cancels, creates that were sent are completed; nothing is undone."""
        task = asyncio.create_task(self._run(undo_on_failure))
        try:
            while (answer := await self._answers.get()) is not None:
                yield answer
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        yield BuildGroupResponse(summary=self._summary())

    async def _run(self, undo_on_failure: bool) -> None:
        try:
            await asyncio.gather(*(self._build(place) for place in self._places))
            if undo_on_failure and any(place.error for place in self._places):
                undoing = asyncio.create_task(self._undo_all())
                _UNDER_WAY.add(undoing)
                undoing.add_done_callback(_UNDER_WAY.discard)
                await asyncio.shield(undoing)
        finally:
            self._answers.put_nowait(None)

    async def _build(self, place: _Place) -> None:
        started = time.monotonic()
        for member in self._members:
            copies = range(1, member.count + 1)
            place.tasks[member.name] = [asyncio.create_task(self._one(place, member, index)) for index in copies]
        tasks = [task for tasks in place.tasks.values() for task in tasks]
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        place.elapsed = time.monotonic() - started

    async def _one(self, place: _Place, member: Member, index: int) -> dict[str, Any]:
        """Create one resource. Returns its attributes."""
        needs = [task for name in member.needs for task in place.tasks[name]]
        if needs:
            await asyncio.wait(needs)
        if any(task.cancelled() or task.exception() for task in needs):
            raise _SkippedError
        made = {name: [task.result() for task in place.tasks[name]] for name in member.needs}
        try:
            return await self._created(place, member, index, resolved(member, index, made))
        except Exception as error:
            status = error.status if isinstance(error, _FailedError) else self._status(error, place, member)
            if place.error is None:
                place.error = status_pb2.Status()
                place.error.CopyFrom(status)
                place.error.message = f"{member.name}{f'[{index}]' if member.count > 1 else ''}: {status.message}"
            raise

    async def _created(
        self, place: _Place, member: Member, index: int, attributes: Mapping[str, Any]
    ) -> dict[str, Any]:
        resource: Resource | None = None
        error: status_pb2.Status | None = None
        async with contextlib.aclosing(self._create(place.location, member, index, attributes)) as answers:
            async for answer in answers:
                if answer.HasField("progress"):
                    place.operations.setdefault(member.name, {})[answer.progress.operation_id] = index
                    self._answers.put_nowait(
                        BuildGroupResponse(member=member.name, index=index, progress=answer.progress)
                    )
                elif answer.HasField("resource"):
                    resource = answer.resource
                    self._answers.put_nowait(BuildGroupResponse(member=member.name, index=index, resource=resource))
                for result in answer.summary.results:
                    place.items += result.items
                    error = result.error if result.HasField("error") else error
        if error is not None:
            raise _FailedError(error)
        if resource is None:
            return {}
        values = to_python(resource.attributes)
        return {**(values if isinstance(values, dict) else {}), "id": resource.id, "name": resource.name}

    async def _undo_all(self) -> None:
        await asyncio.gather(*(self._undo_place(place) for place in self._places))

    async def _undo_place(self, place: _Place) -> None:
        for member in reversed(self._members):
            ids = place.operations.get(member.name, {})
            undone = await asyncio.gather(
                *(self._undo(place.location, member, index, name) for name, index in ids.items()),
                return_exceptions=True,
            )
            for (name, index), parts in zip(ids.items(), undone, strict=True):
                if isinstance(parts, BaseException):
                    status = self._status(parts, place, member)
                    status.message = f"operation {name} could not be undone: {status.message}"
                    place.error = place.error or status
                    continue
                for part in parts:
                    place.items -= part.stage == STAGE_UNDONE
                    self._answers.put_nowait(BuildGroupResponse(member=member.name, index=index, progress=part))
        place.items = max(0, place.items)
        place.error = place.error or status_pb2.Status(code=code_pb2.CANCELLED, message=ENDED[STAGE_UNDONE])

    def _summary(self) -> Summary:
        summary = Summary()
        for place in self._places:
            result = CloudResult(location=place.location, items=place.items, error=place.error)
            result.elapsed.FromNanoseconds(int(place.elapsed * 1e9))
            summary.results.append(result)
        return summary

    @staticmethod
    def _status(error: BaseException, place: _Place, member: Member) -> status_pb2.Status:
        service = member.kind.partition(".")[0]
        return statuses.status(error, cloud=place.location.cloud, region=place.location.region, service=service)
