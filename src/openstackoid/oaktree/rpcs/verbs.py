"""The implementation of each verb for this oaktree's own clouds. `openstackoid.oaktree.verbs` has the table of verbs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from oaktree.v1.common_pb2 import STAGE_CREATED, STAGE_DONE, STAGE_FAILED, STAGE_UNDONE, Progress, Summary
from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import Caller
from openstackoid.oaktree.access.requests import Request
from openstackoid.oaktree.cache.answers import Cache
from openstackoid.oaktree.chain.remote import RemoteOaktrees
from openstackoid.oaktree.creates import plans
from openstackoid.oaktree.creates.creating import Creates
from openstackoid.oaktree.images.uploading import Content, Uploads
from openstackoid.oaktree.resources import filters, listing, single
from openstackoid.oaktree.resources.cached_lists import CachePolicy
from openstackoid.oaktree.resources.kinds import Kinds
from openstackoid.oaktree.resources.methods import locations_of, parents_of
from openstackoid.oaktree.resources.repeating import Repeats
from openstackoid.oaktree.watches import conditions
from openstackoid.oaktree.watches.deadlines import Deadlines
from openstackoid.oaktree.watches.watching import Watch, Watches

_WRITTEN: Final = (STAGE_CREATED, STAGE_DONE, STAGE_FAILED, STAGE_UNDONE)
Authenticate = Callable[[grpc.aio.ServicerContext[Any, Any]], Awaitable[Caller]]


@dataclass(frozen=True)
class Engine:
    """The services and settings that all calls share."""

    kinds: Kinds
    threads: ThreadPoolExecutor
    authenticate: Authenticate
    timeout: float  # seconds, for each cloud's part of a call
    watches: Watches
    creates: Creates | None = None  # without it, creates are not served
    uploads: Uploads | None = None
    oaktrees: RemoteOaktrees = field(default_factory=RemoteOaktrees)
    cache: Cache | None = None  # without it, lists are not cached
    repeats: Repeats | None = None  # without it, openstacksdk sends the request of each list
    deadlines: Deadlines = field(default_factory=Deadlines)  # of watches


class Verbs:
    """The implementation of each verb: streams are async generators of responses, the others coroutines that return one."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    async def list(self, request: Request) -> AsyncIterator[Message]:
        """Yield each cloud's items as they arrive, then the summary."""
        locations = locations_of(request.message)
        parents = parents_of(request.kind, request.message)
        also = (
            b"".join(location.SerializeToString(deterministic=True) for location in locations)
            + repr(sorted(parents.items())).encode()
        )
        lists = listing.Lists(
            kind=request.kind,
            codec=request.codec,
            regions=request.regions,
            locations=locations,
            filters=filters.parse(request.kind, request.message.options, request.codec.message, asked=also),
            parents=parents,
            timeout=self._engine.timeout,
            memory=self._memory(request.message.options),
            repeats=self._engine.repeats,
        )
        async for batch in listing.listed(lists, request.call, self._engine.threads):
            if isinstance(batch, Summary):
                yield request.method.response(summary=batch)
            else:
                yield request.method.response(**{request.method.field: batch})

    async def get(self, request: Request) -> Message:
        """Get one resource."""
        match = await single.find(self._wanted(request), request.call, self._engine.threads)
        return request.method.response(**{request.method.field: match.message})

    async def create(self, request: Request) -> AsyncIterator[Message]:
        """Yield the steps, the resources, then the summary."""
        assert self._engine.creates  # noqa: S101 - see Services
        async with contextlib.aclosing(self._engine.creates.create(_plan(request))) as messages:
            async for message in self._written(request, messages):
                yield message

    async def undo(self, request: Request, operation_id: str) -> Sequence[Progress]:
        """Delete the resources that an operation created. Returns its parts afterwards."""
        assert self._engine.creates  # noqa: S101 - see Services
        parts = await self._engine.creates.undo(_plan(request), operation_id)
        await self._forget(request)
        return parts

    async def upload(self, request: Request, pieces: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        """As `create`, for an image with its data."""

        def plan(content: Content) -> plans.Plan:
            return _plan(request, content)

        assert self._engine.uploads  # noqa: S101 - see Services
        async with contextlib.aclosing(self._engine.uploads.upload(request.message, pieces, plan)) as messages:
            async for message in self._written(request, messages):
                yield message

    async def update(self, request: Request) -> Message:
        """Update one resource. Returns it."""
        given: Any = getattr(request.message, request.method.field)
        changes = request.codec.decode(given)
        if request.message.update_mask.paths:
            changes = {path: changes.get(path) for path in request.message.update_mask.paths}
        for name in ("id", *request.kind.parents):
            changes.pop(name, None)
        if not changes:
            raise errors.invalid(request.method.field, "expected at least one attribute to change")
        _, message = await single.update(self._wanted(request), changes, request.call, self._engine.threads)
        await self._forget(request)
        return request.method.response(**{request.method.field: message})

    async def delete(self, request: Request) -> Message:
        """Delete one resource. Returns its location and id."""
        try:
            match = await single.delete(self._wanted(request), request.call, self._engine.threads)
        except errors.MissingError:
            if request.message.allow_missing:
                return request.method.response()
            raise
        await self._forget(request)
        answer: Any = request.method.response(id=match.resource.id)
        answer.location.CopyFrom(match.message.location)  # type: ignore[attr-defined]
        return answer  # type: ignore[no-any-return]

    async def watch(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the current state, then its changes, until the condition holds; encoded as bytes that all watchers share."""
        watch = Watch(
            kind=request.kind,
            codec=request.codec,
            regions=request.regions,
            id=request.message.id,
            until=conditions.parse(request.kind, request.message.until, request.codec.message),
            parents=parents_of(request.kind, request.message),
            zone=request.message.location.zone,
        )
        async with contextlib.aclosing(self._engine.watches.watch(watch)) as events:
            async for event in events:
                yield event.encoded(request.method.response, request.method.field, request.codec)

    def _memory(self, options: Any) -> CachePolicy | None:
        if self._engine.cache is None:
            return None
        oldest = options.max_age.ToTimedelta().total_seconds() if options.HasField("max_age") else None
        return CachePolicy(self._engine.cache, oldest, options.refresh)

    async def _written(self, request: Request, messages: AsyncIterator[Any]) -> AsyncIterator[Message]:
        """Yield the messages of a create; each step of a cloud invalidates the cached lists."""
        async for message in messages:
            if message.HasField("progress") and message.progress.stage in _WRITTEN:
                await self._forget(request)
            yield message

    async def _forget(self, request: Request) -> None:
        """Invalidate the cached lists of the kind, so that the caller sees the change."""
        if self._engine.cache is not None:
            for region in request.regions:
                await asyncio.to_thread(self._engine.cache.forget, region.identity, request.kind.name)

    def _wanted(self, request: Request) -> single.Wanted:
        return single.Wanted(
            kind=request.kind,
            codec=request.codec,
            regions=request.regions,
            id=request.message.id,
            parents=parents_of(request.kind, request.message),
            timeout=self._engine.timeout,
        )


def _plan(request: Request, content: Content | None = None) -> plans.Plan:
    method = request.method
    return plans.planned(
        request.kind, request.codec, request.caller, request.message, method.field, method.response, content
    )
