"""Runs one operation: the parts of all cloud-regions in parallel, each step recorded before the next.

It continues after the caller has cancelled: creates that were not sent by then are no longer sent, and those that were sent are completed. A detached
operation does not end with its caller.
"""

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import Any, Final

import openstack.exceptions as sdk
from google.protobuf.message import Message

from oaktree.v1 import common_pb2
from oaktree.v1.common_pb2 import Progress
from openstackoid.oaktree import answers, errors
from openstackoid.oaktree.creates import floating_ips, readiness, reconciling, setups
from openstackoid.oaktree.creates.leased import Dependencies, LeasedOperation
from openstackoid.oaktree.creates.outcomes import (
    BAD,
    MADE,
    OPEN,
    PASSING,
    UNSENT,
    NotCreatedError,
    NotReadyError,
    attributes_of,
    summary_of,
)
from openstackoid.oaktree.creates.plans import Content, Plan
from openstackoid.oaktree.creates.posting import AGAIN, Seek, fetch, post, prepare
from openstackoid.oaktree.creates.records import LostError, Operation, Part
from openstackoid.oaktree.upstream.admission import Ticket
from openstackoid.oaktree.upstream.regions import Region
from openstackoid.operations import marks

_STEP: Final = 10  # percentage points between two progress messages: callers show them to people
_ALL: Final = 100


class Run(LeasedOperation):
    """A running operation."""

    def __init__(self, dependencies: Dependencies, plan: Plan, operation: Operation) -> None:
        """Prepare."""
        super().__init__(dependencies, plan, operation)
        self.messages: Final[asyncio.Queue[Message | Exception | None]] = asyncio.Queue()
        self._elapsed: Final[dict[int, float]] = {}
        self._unread = False  # nobody reads the messages any more
        self._undone: Final = any(part.stage == common_pb2.STAGE_UNDONE for part in operation.parts)

    def hang_up(self) -> None:
        """Note that the caller has gone: end the operation as `leave` does, unless it is detached."""
        if self._plan.detach:
            self._unread = True
        else:
            self.leave()

    async def go(self) -> None:
        """Run to the end. The last message is None, after the error that aborted the operation, if there was one."""
        try:
            self._publish(Progress(operation_id=self.operation.id, stage=common_pb2.STAGE_ACCEPTED))
            await asyncio.gather(*(self._part(part) for part in self._parts))
            if self._plan.undo and not self._left.is_set() and self._went_wrong():
                await self._undo_all()
            await self._end()
            self.messages.put_nowait(self._plan.respond(summary=summary_of(self._parts, self._errors, self._elapsed)))
        except Exception as error:  # noqa: BLE001 - the caller gets the error, and the record stays unchanged
            self.messages.put_nowait(error)
        finally:
            self.messages.put_nowait(None)

    def _went_wrong(self) -> bool:
        return bool(self._errors) or any(part.stage in BAD for part in self._parts)

    async def _part(self, part: Part) -> None:
        started = time.monotonic()
        try:
            await self._bring(part)
        except LostError as error:
            self._lost = True
            self._errors[part.number] = self._status(self._parts[part.number], error)
        except Exception as error:  # noqa: BLE001 - an error of one cloud ends only its own part
            await self._fail(self._parts[part.number], error)
        self._elapsed[part.number] = time.monotonic() - started

    async def _bring(self, part: Part) -> None:
        """Run one part from its current stage to its end."""
        region = await self._region(part)
        if part.stage in OPEN:
            part = await self._reconcile(part, region)
        elif part.stage in MADE or not self._may_send(part):
            self._report(part)
        if not self._may_send(part):
            await self._complete(part, region, None)
            return
        async with self._dependencies.admission.ticket(*region.key, self._plan.caller.name) as ticket:
            await self._admitted(ticket, region)
            part, message = await self._send(part, region)
            await self._complete(part, region, message)

    async def _admitted(self, ticket: Ticket, region: Region) -> None:
        """Wait until the create may be sent beside those in progress, or the caller has cancelled."""
        if ticket.admitted.done():
            return
        gone = asyncio.create_task(self._left.wait())
        either: set[asyncio.Future[Any]] = {ticket.admitted, gone}
        try:
            await asyncio.wait(either, timeout=self._call.left(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if not (ticket.admitted.done() or self._left.is_set()):
            raise errors.BusyError(
                f"it was not sent within {self._plan.timeout:g} s: as many operations as allowed were in progress in "
                f"{'/'.join(filter(None, region.key))}; ask again with the same key"
            )

    async def _complete(self, part: Part, region: Region, message: Message | None) -> None:
        """Report the created resource, and complete the create."""
        if part.stage not in MADE:
            return
        if message is None and self._plan.kind.cls.allow_fetch:
            message = await fetch(self._seek(part, region, self._dependencies.timeout), self._dependencies.threads)
        if message is not None:
            self._tell_resource(message)
            await self._finish(part, region, message)

    def _may_send(self, part: Part) -> bool:
        """Whether the create may be sent: it was not sent before, or failed with a temporary error and nothing created."""
        if self._undone:
            return False
        failed = part.stage == common_pb2.STAGE_FAILED and not part.resource_id and part.error is not None
        return part.stage in UNSENT or (failed and part.error is not None and part.error.code in PASSING)

    async def _send(self, part: Part, region: Region) -> tuple[Part, Message | None]:
        """Create the resource, unless the caller has cancelled; the create is recorded before it is sent."""
        plan = self._plan
        if self._left.is_set():
            return await self._step(part, stage=common_pb2.STAGE_CANCELLED, error=None), None
        anew = part.stage == common_pb2.STAGE_FAILED
        mark = marks.mark_of(self.operation.id, part.number, (part.sought or {}).get("mark", ""), anew=anew)
        attributes = plan.within(region, part.location.zone)
        if plan.setup is not None:
            attributes = await self._ask(region, setups.resolved, plan.setup, attributes, region)
        staged = (
            plan.content if plan.content is not None and await self._ask(region, plan.content.by_task, region) else None
        )
        if staged is None:
            attributes = reconciling.marked(plan.kind, attributes, mark)
        wanted = reconciling.sought(plan.kind, attributes, plan.parents, mark)
        if plan.setup is not None and plan.setup.auto_ip:
            wanted[floating_ips.RECORDED] = True
        if staged is not None:
            wanted[reconciling.BY_TASK] = True
            self._report(replace(part, status="uploading"))
            await staged.stage(region, mark, self._call.to(*region.key))
        if not self._left.is_set():
            # Authenticate now, so that no other request comes between the record and the create.
            wanted["before"] = await self._ask(region, prepare, plan, region, wanted)
        if self._left.is_set():
            return await self._step(part, stage=common_pb2.STAGE_CANCELLED, error=None), None
        if part.stage == common_pb2.STAGE_CANCELLED and part.sought is not None:
            # An earlier attempt may still take effect: keep its `before` snapshot, or its late resource would look pre-existing.
            wanted["before"] = part.sought["before"]
        sent = await self._step(part, stage=common_pb2.STAGE_SENT, sought=wanted, sent_at=time.time(), error=None)
        until = time.monotonic() + self._dependencies.records.lease
        try:
            if staged is None:
                resource_id, message = await self._ask(region, post, plan, region, attributes, until)
            else:
                call = self._call.to(*region.key)
                resource_id, json = await staged.create(region, attributes, mark, call, until)
                message = plan.codec.encode(json, region.place())
        except Exception as error:  # noqa: BLE001 - any error of a cloud
            if self._is_certain(part, error):
                return await self._step(sent, stage=common_pb2.STAGE_FAILED, error=self._status(sent, error)), None
            return await self._doubt(sent, region, error), None
        return await self._created(sent, resource_id, readiness.status_of(attributes_of(message))), message

    def _is_certain(self, before: Part, error: Exception) -> bool:
        """Whether it is certain that neither the failed request nor an earlier one created anything."""
        if isinstance(error, NotCreatedError):
            return True
        if self._plan.kind.cls.create_opts.response_has_body is False:
            return False  # a second request reads the created resource: the error may be that request's
        if before.sent_at is not None and isinstance(error, sdk.ConflictException):
            return False  # the conflict may be with this operation's own resource
        return reconciling.is_certain(error)

    async def _doubt(self, part: Part, region: Region, error: Exception) -> Part:
        """Look the resource up, since the response is missing or inconclusive."""
        try:
            ids, conclusive = await self._look_up(part, region)
        except Exception:  # noqa: BLE001 - the first error is more specific
            return await self._unknown(part, (), error)
        if conclusive and ids:
            return await self._created(part, ids[0], "")
        if conclusive and reconciling.has_answered(error):
            return await self._step(part, stage=common_pb2.STAGE_FAILED, error=self._status(part, error))
        return await self._unknown(part, ids, error)

    async def _reconcile(self, part: Part, region: Region) -> Part:
        """Determine the outcome of a sent create: CREATED, or CANCELLED if certainly nothing was created, or UNKNOWN."""
        while True:
            ids, conclusive = await self._look_up(part, region)
            if conclusive and ids:
                return await self._created(part, ids[0], "")
            if conclusive and self._is_settled(part):
                return replace(part, stage=common_pb2.STAGE_CANCELLED, error=None)
            if not conclusive or self._left.is_set():
                return await self._unknown(part, ids, None)
            # The cloud may still process the request: a resource that does not exist now may appear.
            await asyncio.sleep(AGAIN)

    async def _finish(self, part: Part, region: Region, message: Message) -> None:
        """Complete the create: upload an image's data, and wait until the resource is ready."""
        plan = self._plan
        attributes = attributes_of(message)
        if part.stage == common_pb2.STAGE_DONE:
            return
        if plan.content is not None and readiness.status_of(attributes).upper() in {"QUEUED", ""}:
            if self._left.is_set():
                await self._delete(part, region)
                await self._step(part, stage=common_pb2.STAGE_UNDONE)
                return
            await self._fill(part, region, plan.content)
        elif plan.wait and readiness.is_surely_ready(plan.kind, attributes):
            await self._connect(part, region)
            await self._step(part, stage=common_pb2.STAGE_DONE, status=readiness.status_of(attributes))
            return
        if plan.wait or plan.content is not None:
            await self._wait(part, region)

    async def _fill(self, part: Part, region: Region, content: Content) -> None:
        shown = -_STEP

        async def report(percent: int) -> None:
            nonlocal shown
            if percent >= shown + _STEP or percent == _ALL:
                shown = percent
                self._report(replace(part, status="uploading"), percent)

        try:
            await content.send(region, part.resource_id, self._call.to(*region.key), report)
        except Exception:
            # Delete an incomplete image; if the delete fails, the image's id stays recorded.
            with contextlib.suppress(Exception):
                await self._delete(part, region)
                self._parts[part.number] = replace(part, resource_id="")
            raise

    async def _wait(self, part: Part, region: Region) -> None:
        """Wait until the resource is ready or has failed, or the caller cancels."""
        gone = asyncio.create_task(self._left.wait())
        ready = asyncio.create_task(self._ready(part, region))
        try:
            await asyncio.wait({ready, gone}, timeout=self._call.left(), return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                await ready
            elif not gone.done():
                raise errors.CallDeadlineError(f"it was created, and is not ready after {self._plan.timeout:g} s")
        finally:
            for task in (gone, ready):
                task.cancel()
            await asyncio.gather(gone, ready, return_exceptions=True)

    async def _ready(self, part: Part, region: Region) -> None:
        last: tuple[str, int] | None = None
        async with contextlib.aclosing(self._dependencies.watch(self._seek(part, region))) as states:
            async for message in states:
                attributes = attributes_of(message)
                status, percent = readiness.status_of(attributes), attributes.get("progress")
                if readiness.has_failed(attributes):
                    why = readiness.why(attributes) or "its cloud does not say why"
                    self._parts[part.number] = replace(part, status=status)
                    raise NotReadyError(f"its status is {status}: {why}")
                if readiness.is_ready(self._plan.kind.name, attributes):
                    if await self._connect(part, region):
                        seek = self._seek(part, region, self._dependencies.timeout)
                        message = await fetch(seek, self._dependencies.threads)  # noqa: PLW2901 - with its new address
                    self._tell_resource(message)
                    await self._step(part, stage=common_pb2.STAGE_DONE, status=status)
                    return
                percent = percent if isinstance(percent, int) else 0
                if last is None or status != last[0] or percent >= last[1] + _STEP:
                    last = status, percent
                    self._report(replace(part, status=status), percent)
        raise NotReadyError("it was deleted before it was ready")

    async def _connect(self, part: Part, region: Region) -> bool:
        """Give a server the requested floating IP. Returns whether that changed something."""
        setup = self._plan.setup
        if setup is None or not setup.auto_ip:
            return False
        mark = (self._parts[part.number].sought or {})["mark"]
        return bool(await self._ask(region, floating_ips.add, region, part.resource_id, mark, setup.ip_pool))

    def _seek(self, part: Part, region: Region, timeout: float | None = None) -> Seek:
        plan = self._plan
        call = self._call.to(*region.key, timeout=timeout)
        return Seek(plan.kind, plan.codec, region, part.resource_id, plan.parents, call)

    async def _fail(self, part: Part, error: BaseException) -> None:
        """End a part with an error.

        A part that was created stays recorded as created, unless the resource itself failed. A part that was sent stays recorded as sent: its outcome could not be
        determined, and if it were recorded as failed, the create would be sent again.
        """
        status = self._status(part, error)
        wrong = isinstance(error, NotReadyError | errors.MissingError) or answers.absent(error)
        if part.stage not in OPEN and (wrong or not (part.stage in MADE and part.resource_id)):
            try:
                await self._step(part, stage=common_pb2.STAGE_FAILED, error=status)
            except errors.OaktreeError as away:
                self._lost = self._lost or isinstance(away, LostError)
            else:
                return
        self._errors[part.number] = status
        self._publish(self._progress(part, error=status))

    def _tell_resource(self, message: Message) -> None:
        if not (self._left.is_set() or self._unread):
            self.messages.put_nowait(self._plan.respond(resource=message))

    def _publish(self, progress: Progress) -> None:
        if not (self._left.is_set() or self._unread):
            self.messages.put_nowait(self._plan.respond(progress=progress))
