"""A copy of an image to other clouds, in one pass of its data. Live, and taken over from a gateway that has died: it begins anew where it is not complete.

ACCEPTED -> it is there already, by mark and checksum: DONE
ACCEPTED -> SENT, on record -> created, hidden: CREATED -> the data -> verified, shown: DONE
                                                        -> wrong, or cut: deleted, and ACCEPTED again, or FAILED

The last piece of the data is held back until all of it has the original's checksum: no cloud ever gets the whole of something else.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection

from openstackoid.core.errors import OpenStackoidError
from openstackoid.core.replication.copying import STATE, Original, has_data, marked, searches, to_create, to_finish
from openstackoid.core.replication.marking import created_id
from openstackoid.gateway.fanout.asking import Reply
from openstackoid.gateway.replicas import registry
from openstackoid.gateway.replicas.asking import parsed
from openstackoid.gateway.replicas.data import Data
from openstackoid.gateway.replicas.records import Part
from openstackoid.gateway.replicas.steps import NOT_FOUND, Steps, failed, is_passing, missed, surely_not_received
from openstackoid.gateway.replicas.tee import Branch, pour
from openstackoid.operations import marks
from openstackoid.operations.stages import OPEN, Stage

PATCH: Final = "application/openstack-images-v2.1-json-patch"
THERE: Final = 200  # status on record of a part whose cloud had the image before
COPIED: Final = 201
_TRIES: Final = 3
_TICK: Final = 1.0  # seconds between two records of the progress
_ERRORS: Final = (OpenStackoidError, TimeoutError)
_LEFT: Final = (Stage.ACCEPTED, *OPEN, Stage.CREATED)


class Copy:
    """One copy.

    Args:
        steps: the operation; its request's document is the original.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._original = Original(**steps.request.documents[0])
        self._state = f"{steps.means.entry}/{steps.operation.id}"

    async def run(self) -> bool:
        """Copy to all clouds that have no copy yet.

        Returns:
            Whether the operation is at its end; false if half an image may be left, and a gateway takes the operation up again.

        Raises:
            LostError, StoreError: as `Steps.record`.
        """
        steps = self._steps
        async with steps.means.copies.place(steps.operation.caller, None):
            for number in range(_TRIES):
                await asyncio.sleep(number * steps.means.pause)
                await asyncio.gather(*(self._prepare(part) for part in steps.of(*_LEFT)))
                if ready := steps.of(Stage.CREATED):
                    await self._fill(ready)
                if not steps.of(*_LEFT):
                    break
        over = [replace(part, stage=Stage.FAILED) for part in steps.of(Stage.ACCEPTED)]
        if steps.of(*OPEN, Stage.CREATED):
            if over:
                await steps.record(*over)
            return False
        await steps.end(*over, also=self._member(), forget_key=True)
        return True

    def _member(self) -> Callable[[Connection], None] | None:
        """Records the copies as members, if they are for a replica: a copy that a user asks for is for none."""
        steps = self._steps
        members = {part.cloud: part.resource_id for part in steps.of(Stage.DONE)}
        if not members:
            return None
        return functools.partial(registry.renew, replica=steps.operation.replica, members=members)

    async def _prepare(self, part: Part) -> None:
        """Find a complete copy in a part's cloud, delete incomplete ones of ours, and create the image that gets the data."""
        try:
            if await self._is_there(part):
                return
            await self._create(self._steps.parts[part.number])
        except _ERRORS as error:
            current = self._steps.parts[part.number]
            await self._steps.record(missed(current, error, current.stage))
        except _RefusedError as error:
            current = self._steps.parts[part.number]
            final = current.stage is Stage.ACCEPTED and not is_passing(failed(current, error.reply, current.stage))
            await self._steps.record(failed(current, error.reply, Stage.FAILED if final else current.stage))

    async def _is_there(self, part: Part) -> bool:
        for image in await self._copies(part):
            state = image.get(STATE)
            if state is not None and not await self._is_ours(str(state)):
                continue  # another gateway, or another operation, is at work on it
            if await self._is_same(part, image):
                if state is not None:
                    await self._ask(part, "PATCH", f"/v2/images/{image['id']}", to_finish())
                status = THERE if state is None and image["id"] != part.resource_id else COPIED
                await self._done(part, str(image["id"]), status)
                return True
            if state is not None:
                await self._delete(part, str(image["id"]))
        return False

    async def _copies(self, part: Part) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for path in searches(self._original):
            items = marked(self._original, parsed(await self._ask(part, "GET", path)))
            found += items or []
        cloud, name = self._original.origin
        if cloud == part.cloud:
            reply = await self._steps.ask(part, "GET", f"/v2/images/{name}")
            first = parsed(reply) if reply.good else None
            found += [first] if isinstance(first, dict) and first.get("id") == name else []
        return found

    async def _is_ours(self, state: str) -> bool:
        """Whether this gateway's cloud left an incomplete image, and nobody works on it now."""
        cloud, _, operation = state.partition("/")
        if cloud != self._steps.means.entry:
            return False
        if operation == self._steps.operation.id:
            return True
        database = self._steps.means.store.database
        return not await asyncio.to_thread(registry.is_open, database, operation)

    async def _is_same(self, part: Part, image: dict[str, Any], digest: str = "") -> bool:
        same = has_data(self._original, image, digest)
        if same is not None:
            return same
        if not (self._original.digest or digest):
            return STATE not in image  # it was verified when it was made, as the original's cloud shows no checksum
        data = Data(self._original, self._original.digest or digest, self._steps.means.patience)
        return await data.is_at(self._steps.asker, part.target, str(image["id"]))

    async def _create(self, part: Part) -> None:
        steps = self._steps
        if part.stage in OPEN and not steps.is_settled(part):
            return  # the cloud may still process an earlier create
        if part.resource_id:
            await self._delete(part, part.resource_id)  # an earlier try
        part = replace(part, stage=Stage.SENT, resource_id="", mark=self._state, sent_at=time.time(), progress=0)
        await steps.record(part)
        try:
            reply = await steps.ask(part, "POST", "/v2/images", to_create(self._original, self._state))
        except _ERRORS as error:
            if surely_not_received(error):
                await steps.record(replace(part, stage=Stage.ACCEPTED))
            raise
        image = created_id(steps.kind, parsed(reply)) if reply.good else None
        if image is not None:
            await steps.record(replace(part, stage=Stage.CREATED, resource_id=image, code=None, error=""))
            return
        if marks.refused(reply.status) or (marks.answered(reply.status) and not reply.good):
            await steps.record(replace(part, stage=Stage.ACCEPTED))
        raise _RefusedError(reply)

    async def _fill(self, parts: list[Part]) -> None:
        """Send the data to images that wait for it, and verify each."""
        patience = self._steps.means.patience
        data = Data(self._original, self._original.digest, patience)
        try:
            answer = await data.open(self._steps.asker, self._steps.request.documents[1])
        except _ERRORS as error:
            await asyncio.gather(*(self._drop(part, missed(part, error, part.stage)) for part in parts))
            return
        branches = [Branch(part.cloud, patience) for part in parts]
        tasks = [asyncio.create_task(self._put(*pair)) for pair in zip(parts, branches, strict=True)]
        ticking = asyncio.create_task(self._tick(parts, data))
        source: BaseException | None = None
        try:
            await pour(data.checked(answer), list(zip(branches, tasks, strict=True)))
        except OpenStackoidError as error:
            source = error  # of the original's cloud
        finally:
            answer.close()
            for task in (*tasks, ticking):
                task.cancel()
            await asyncio.wait((*tasks, ticking))  # connections are closed
        if not ticking.cancelled() and (lost := ticking.exception()):
            raise lost
        results = [_result(task, branch.error or source) for task, branch in zip(tasks, branches, strict=True)]
        await asyncio.gather(*(self._verify(*pair, data) for pair in zip(parts, results, strict=True)))

    async def _put(self, part: Part, branch: Branch) -> Reply:
        asker, path = self._steps.asker, f"/v2/images/{part.resource_id}/file"
        return await asker.put(part.target, path, asker.streamed(self._original.size, branch))

    async def _tick(self, parts: list[Part], data: Data) -> None:
        while True:
            await asyncio.sleep(_TICK)
            await self._steps.record(*(replace(part, progress=data.size) for part in parts))

    async def _verify(self, part: Part, result: Reply | BaseException, data: Data) -> None:
        """Show an image whose data is right; delete any other."""
        if isinstance(result, BaseException):
            wrong = missed(part, result, part.stage)
        elif result.good:
            wrong = replace(part, code="copy.checksum", error=f"{part.cloud} shows another checksum for the copy.")
        else:
            wrong = failed(part, result, part.stage)
        try:
            reply = await self._steps.ask(part, "GET", f"/v2/images/{part.resource_id}")
            image = parsed(reply) if reply.good else None
            same = isinstance(image, dict) and await self._is_same(part, image, data.digest)
            if same:
                await self._ask(part, "PATCH", f"/v2/images/{part.resource_id}", to_finish())
                await self._done(part, part.resource_id, COPIED)
                return
        except _ERRORS as error:
            await self._steps.record(missed(part, error, part.stage))
            return
        except _RefusedError as error:
            wrong = failed(part, error.reply, part.stage)
            if not marks.refused(error.reply.status):
                await self._steps.record(wrong)  # it may be shown now: the next look says
                return
        await self._drop(part, wrong)

    async def _drop(self, part: Part, wrong: Part) -> None:
        """Delete an image that is not complete."""
        try:
            await self._delete(part, part.resource_id)
        except _ERRORS as error:
            await self._steps.record(missed(part, error, part.stage))
        except _RefusedError as error:
            await self._steps.record(failed(part, error.reply, part.stage))
        else:
            final = wrong.status is not None and not is_passing(wrong)
            stage = Stage.FAILED if final else Stage.ACCEPTED
            await self._steps.record(replace(wrong, stage=stage, resource_id="", progress=0))

    async def _delete(self, part: Part, image: str) -> None:
        reply = await self._steps.ask(part, "DELETE", f"/v2/images/{image}")
        if not reply.good and reply.status != NOT_FOUND:
            raise _RefusedError(reply)

    async def _done(self, part: Part, image: str, status: int) -> None:
        size = self._original.size
        done = replace(part, stage=Stage.DONE, resource_id=image, status=status, code=None, error="", progress=size)
        await self._steps.record(done)

    async def _ask(self, part: Part, method: str, path: str, document: Any = None) -> Reply:
        content_type = PATCH if method == "PATCH" else None
        reply = await self._steps.ask(part, method, path, document, content_type)
        if not reply.good:
            raise _RefusedError(reply)
        return reply


class _RefusedError(Exception):
    """A cloud answered with an error."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def _result(task: "asyncio.Task[Reply]", cause: BaseException | None) -> Reply | BaseException:
    """The outcome of one cloud's upload; `cause` if it was broken off because of that."""
    if task.cancelled():
        return cause or TimeoutError()
    error = task.exception()
    if error is None:
        return task.result()
    with contextlib.suppress(*_ERRORS):
        raise error
    return cause or error
