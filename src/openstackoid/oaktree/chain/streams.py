"""Merges the streams of several oaktrees: answers as they arrive, and one summary for all."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from oaktree.v1.common_pb2 import CloudResult, Summary
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses
from openstackoid.oaktree.access.callers import RemotePart
from openstackoid.oaktree.access.requests import Request
from openstackoid.oaktree.chain.remote import RemoteOaktrees, elsewhere, timed

# Maximum number of answers in the queue of a call with a slow reader.
_QUEUED: Final = 8


@dataclass(eq=False)
class Source:
    """One of the merged streams, and how it ended.

    Attributes:
        part: the request's part at another oaktree; None for this oaktree.
        started: time of the start (`time.monotonic()`).
        summary: the summary at the end of the stream; None if there was none.
        error: the error that ended the stream instead.
    """

    part: RemotePart | None
    started: float = field(default_factory=time.monotonic)
    summary: Summary | None = None
    error: Exception | None = None

    @property
    def site(self) -> str:
        """The name of the other oaktree; empty for this one."""
        return self.part.site if self.part else ""


async def merged(
    oaktrees: RemoteOaktrees,
    request: Request,
    messages: Mapping[Source, Message],
    local: AsyncGenerator[Any, None] | None,
    *,
    endless: bool = False,
) -> AsyncGenerator[Any, None]:
    """Yield answers as they arrive, without summaries, and each source when it has ended.

    Args:
        oaktrees: the other oaktrees.
        request: the request, with its method and deadline.
        messages: the request's message for each other oaktree.
        local: this oaktree's own answers; None for none.
        endless: the stream has only the caller's deadline.

    Raises:
        Exception: an error of this oaktree's own answers; an error of another oaktree ends only its source.
    """
    queue: asyncio.Queue[Any] = asyncio.Queue(_QUEUED)
    path = f"/{request.method.service}/{request.method.name}"

    async def read(source: Source, answers: AsyncIterator[Any]) -> None:
        try:
            async for answer in answers:
                if not isinstance(answer, bytes) and _is_summary(answer):
                    source.summary = answer.summary
                else:
                    await queue.put(answer)
        except Exception as error:  # noqa: BLE001 - an error of one oaktree affects only its own results
            source.error = error
        await queue.put(source)

    begun: list[tuple[Source, AsyncIterator[Any]]] = []
    if local is not None:
        # Start the local stream before anything is sent to other oaktrees: the request may be invalid.
        begun.append((Source(None), await _begun(local)))
    for source, message in messages.items():
        assert source.part is not None  # noqa: S101 - only `local` has none
        left = request.call.left()
        answers = oaktrees.stream(path, message, request.method.response, source.part, left, endless=endless)
        begun.append((source, answers))
    tasks = [asyncio.create_task(read(source, answers)) for source, answers in begun]
    try:
        open_sources = len(tasks)
        while open_sources:
            answer = await queue.get()
            if isinstance(answer, Source):
                open_sources -= 1
                if answer.part is None and answer.error is not None:
                    raise answer.error
            yield answer
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if local is not None:
            await local.aclose()


def summarized(sources: Sequence[Source]) -> Summary:
    """Make one summary: with the results of other oaktrees, or the error of an oaktree that gave none."""
    summary = Summary()
    for source in sources:
        if source.summary is not None:
            summary.results.extend(source.summary.results)
        if source.part is None or source.error is None or elsewhere(source.part, source.error, loops=False):
            continue
        lost = CloudResult(location=Location(cloud=source.site))
        lost.error.CopyFrom(statuses.status(source.error, cloud=source.site))
        lost.elapsed.FromNanoseconds(timed(source.started))
        summary.results.append(lost)
    return summary


async def _begun(answers: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The same answers; returns after the first one has arrived."""
    first = []
    with contextlib.suppress(StopAsyncIteration):
        first.append(await anext(answers))
    return _joined(first, answers)


async def _joined(first: Sequence[Any], rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    for answer in first:
        yield answer
    async for answer in rest:
        yield answer


def _is_summary(answer: Any) -> bool:
    return "summary" in answer.DESCRIPTOR.fields_by_name and answer.HasField("summary")
