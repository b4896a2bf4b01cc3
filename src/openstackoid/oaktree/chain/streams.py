"""Streams of several oaktrees as one: answers as they come, and one summary for all."""

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

# Answers that wait for a slow reader, for each call.
_QUEUED: Final = 8


@dataclass(eq=False)
class Source:
    """Where answers of a stream come from, and how it ended.

    Attributes:
        part: the request's part at another oaktree; None for this oaktree.
        started: as `time.monotonic()` has it.
        summary: the last answer, where there was one.
        error: what ended it instead.
    """

    part: RemotePart | None
    started: float = field(default_factory=time.monotonic)
    summary: Summary | None = None
    error: Exception | None = None

    @property
    def site(self) -> str:
        """The other oaktree's name; empty for this one."""
        return self.part.site if self.part else ""


async def merged(
    oaktrees: RemoteOaktrees,
    request: Request,
    messages: Mapping[Source, Message],
    local: AsyncGenerator[Any, None] | None,
    *,
    endless: bool = False,
) -> AsyncGenerator[Any, None]:
    """Answers as they come, without summaries; each source when it has ended.

    Args:
        oaktrees: the others.
        request: whose method and deadline count.
        messages: the request's message for each of the others.
        local: this oaktree's own answers; None for none.
        endless: only the caller's deadline ends it.

    Raises:
        Exception: what this oaktree's own answers raise; what others do ends their source only.
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
        except Exception as error:  # noqa: BLE001 - whatever one oaktree does harms its own results only
            source.error = error
        await queue.put(source)

    begun: list[tuple[Source, AsyncIterator[Any]]] = []
    if local is not None:
        # Before anything is sent elsewhere: the request may be one that cannot be meant.
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
    """One summary for all: with what another oaktree says of its clouds, or why it said nothing."""
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
    """The same answers, once the first has come."""
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
