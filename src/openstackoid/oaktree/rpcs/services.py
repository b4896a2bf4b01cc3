"""The rpcs, for every kind alike: who calls, what they ask, and the verb that does it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from oaktree.v1.common_pb2 import STAGE_CREATED, STAGE_DONE, STAGE_FAILED, STAGE_UNDONE, Progress, Summary
from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import Beyond, Caller
from openstackoid.oaktree.chain.chains import Chain
from openstackoid.oaktree.chain.remote import Sites
from openstackoid.oaktree.creates import plans
from openstackoid.oaktree.creates.creating import Creates
from openstackoid.oaktree.images.uploading import Content, Uploads
from openstackoid.oaktree.locations import flaw
from openstackoid.oaktree.memory.cache import Cache
from openstackoid.oaktree.resources import filters, listing, single
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.kinds import Kind, Kinds
from openstackoid.oaktree.resources.methods import Method, kind_of, locations_of, methods, parents_of
from openstackoid.oaktree.resources.remembering import Memory
from openstackoid.oaktree.resources.repeating import Repeats
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.upstream.clouds import Region
from openstackoid.oaktree.watches import conditions
from openstackoid.oaktree.watches.ending import Endings
from openstackoid.oaktree.watches.watching import Watch, Watches

_WRITTEN: Final = (STAGE_CREATED, STAGE_DONE, STAGE_FAILED, STAGE_UNDONE)
Authenticate = Callable[[grpc.aio.ServicerContext[Any, Any]], Awaitable[Caller]]


@dataclass(frozen=True)
class Engine:
    """What all calls share."""

    kinds: Kinds
    threads: ThreadPoolExecutor
    authenticate: Authenticate
    timeout: float  # seconds, for each cloud's part of a call
    watches: Watches
    creates: Creates | None = None  # without, creates are not served
    uploads: Uploads | None = None
    sites: Sites = field(default_factory=Sites)
    cache: Cache | None = None  # without, lists are not remembered
    repeats: Repeats | None = None  # without, openstacksdk asks for each list
    endings: Endings = field(default_factory=Endings)  # of watches


@dataclass(frozen=True)
class Asked:
    """One request, checked."""

    method: Method
    request: Any
    caller: Caller
    call: Call
    kind: Kind
    codec: Codec
    regions: list[Region]
    beyond: Sequence[Beyond] = ()  # its parts at other oaktrees


class Verbs:
    """What each verb does. Streams are async generators of responses, the others coroutines of one."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    async def list(self, asked: Asked) -> AsyncIterator[Message]:
        """Each cloud's items as they come, then the summary."""
        locations = locations_of(asked.request)
        parents = parents_of(asked.kind, asked.request)
        also = (
            b"".join(each.SerializeToString(deterministic=True) for each in locations)
            + repr(sorted(parents.items())).encode()
        )
        lists = listing.Lists(
            kind=asked.kind,
            codec=asked.codec,
            regions=asked.regions,
            locations=locations,
            filters=filters.parse(asked.kind, asked.request.options, asked.codec.message, asked=also),
            parents=parents,
            timeout=self._engine.timeout,
            memory=self._memory(asked.request.options),
            repeats=self._engine.repeats,
        )
        async for found in listing.listed(lists, asked.call, self._engine.threads):
            if isinstance(found, Summary):
                yield asked.method.response(summary=found)
            else:
                yield asked.method.response(**{asked.method.field: found})

    async def get(self, asked: Asked) -> Message:
        """One resource."""
        found = await single.find(self._wanted(asked), asked.call, self._engine.threads)
        return asked.method.response(**{asked.method.field: found.message})

    async def create(self, asked: Asked) -> AsyncIterator[Message]:
        """The steps, the resources, then the summary."""
        assert self._engine.creates  # noqa: S101 - see Services
        async with contextlib.aclosing(self._engine.creates.create(_plan(asked))) as messages:
            async for message in self._written(asked, messages):
                yield message

    async def undo(self, asked: Asked, operation_id: str) -> Sequence[Progress]:
        """What a create made is deleted; its parts then."""
        assert self._engine.creates  # noqa: S101 - see Services
        parts = await self._engine.creates.undo(_plan(asked), operation_id)
        await self._forget(asked)
        return parts

    async def upload(self, asked: Asked, pieces: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        """The same for an image, with its data."""

        def plan(content: Content) -> plans.Plan:
            return _plan(asked, content)

        assert self._engine.uploads  # noqa: S101 - see Services
        async with contextlib.aclosing(self._engine.uploads.upload(asked.request, pieces, plan)) as messages:
            async for message in self._written(asked, messages):
                yield message

    async def update(self, asked: Asked) -> Message:
        """One resource, changed."""
        given: Any = getattr(asked.request, asked.method.field)
        changes = asked.codec.decode(given)
        if asked.request.update_mask.paths:
            changes = {path: changes.get(path) for path in asked.request.update_mask.paths}
        for name in ("id", *asked.kind.parents):
            changes.pop(name, None)
        if not changes:
            raise errors.invalid(asked.method.field, "expected at least one attribute to change")
        _, message = await single.update(self._wanted(asked), changes, asked.call, self._engine.threads)
        await self._forget(asked)
        return asked.method.response(**{asked.method.field: message})

    async def delete(self, asked: Asked) -> Message:
        """What was deleted."""
        try:
            found = await single.delete(self._wanted(asked), asked.call, self._engine.threads)
        except errors.MissingError:
            if asked.request.allow_missing:
                return asked.method.response()
            raise
        await self._forget(asked)
        answer: Any = asked.method.response(id=found.resource.id)
        answer.location.CopyFrom(found.message.location)  # type: ignore[attr-defined]
        return answer  # type: ignore[no-any-return]

    async def watch(self, asked: Asked) -> AsyncIterator[bytes]:
        """What is, then its changes, until the condition holds; as bytes that all watchers share."""
        watch = Watch(
            kind=asked.kind,
            codec=asked.codec,
            regions=asked.regions,
            id=asked.request.id,
            until=conditions.parse(asked.kind, asked.request.until, asked.codec.message),
            parents=parents_of(asked.kind, asked.request),
            zone=asked.request.location.zone,
        )
        async with contextlib.aclosing(self._engine.watches.watch(watch)) as events:
            async for event in events:
                yield event.encoded(asked.method.response, asked.method.field, asked.codec)

    def _memory(self, options: Any) -> Memory | None:
        if self._engine.cache is None:
            return None
        oldest = options.max_age.ToTimedelta().total_seconds() if options.HasField("max_age") else None
        return Memory(self._engine.cache, oldest, options.refresh)

    async def _written(self, asked: Asked, messages: AsyncIterator[Any]) -> AsyncIterator[Message]:
        """The messages of a create; lists are asked again from each step on that a cloud took."""
        async for message in messages:
            if message.HasField("progress") and message.progress.stage in _WRITTEN:
                await self._forget(asked)
            yield message

    async def _forget(self, asked: Asked) -> None:
        """The caller sees what they did: what is remembered of this kind is asked again."""
        if self._engine.cache is not None:
            for region in asked.regions:
                await asyncio.to_thread(self._engine.cache.forget, region.identity, asked.kind.name)

    def _wanted(self, asked: Asked) -> single.Wanted:
        return single.Wanted(
            kind=asked.kind,
            codec=asked.codec,
            regions=asked.regions,
            id=asked.request.id,
            parents=parents_of(asked.kind, asked.request),
            timeout=self._engine.timeout,
        )


def _plan(asked: Asked, content: Content | None = None) -> plans.Plan:
    method = asked.method
    return plans.planned(asked.kind, asked.codec, asked.caller, asked.request, method.field, method.response, content)


async def _pieces(requests: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    async for each in requests:
        if each.WhichOneof("part") != "data":
            raise errors.invalid("create", "expected in the first message only; then data")
        yield each.data


class Services:
    """The handlers of all rpcs that are served by verbs."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self._verbs: Final = Chain(Verbs(engine), engine.sites, engine.endings)

    def register(self, server: grpc.aio.Server) -> list[str]:
        """Add them to a server; returns the names of the services."""
        services: dict[str, dict[str, Any]] = {}
        for method in methods():
            if (handler := self._handler(method)) is not None:
                services.setdefault(method.service, {})[method.name] = handler
        for name, handlers in services.items():
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        return list(services)

    def _handler(self, method: Method) -> Any | None:
        verb = getattr(self._verbs, method.verb, None)
        missing = {"create": self._engine.creates is None, "upload": self._engine.uploads is None}
        if verb is None or missing.get(method.verb):
            return None
        options = {
            "request_deserializer": method.request.FromString,
            "response_serializer": bytes if method.verb == "watch" else method.response.SerializeToString,
        }
        if method.verb == "upload":

            async def exchange(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Message]:
                first = await anext(requests, None)
                if first is None or first.WhichOneof("part") != "create":
                    await errors.abort(context, errors.invalid("create", "expected in the first message"))
                async with (
                    self._asked(method, first.create, context) as asked,
                    contextlib.aclosing(verb(asked, _pieces(requests))) as responses,
                ):
                    async for response in responses:
                        yield response

            return grpc.stream_stream_rpc_method_handler(exchange, **options)
        if method.verb in ("list", "create", "watch"):

            async def stream(request: Any, context: Any) -> AsyncIterator[Message]:
                async with (
                    self._asked(method, request, context) as asked,
                    contextlib.aclosing(verb(asked)) as responses,
                ):
                    async for response in responses:
                        yield response

            return grpc.unary_stream_rpc_method_handler(stream, **options)

        async def unary(request: Any, context: Any) -> Message:
            async with self._asked(method, request, context) as asked:
                return await verb(asked)  # type: ignore[no-any-return]

        return grpc.unary_unary_rpc_method_handler(unary, **options)

    def _asked(self, method: Method, request: Any, context: Any) -> "_Serving":
        return _Serving(self._engine, method, request, context)


class _Serving:
    """The time of one call: checked before it, told as a status if it fails, given up with it."""

    def __init__(self, engine: Engine, method: Method, request: Any, context: Any) -> None:
        self._engine = engine
        self._method = method
        self._request = request
        self._context = context
        left = context.time_remaining()
        self._call = Call(None if left is None else time.monotonic() + left)

    async def __aenter__(self) -> Asked:
        try:
            return await self._check()
        except Exception as error:  # each becomes a status
            await errors.abort(self._context, error)
            raise

    async def __aexit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._call.cancel()
        elif isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
            await errors.abort(self._context, error)

    async def _check(self) -> Asked:
        caller = await self._engine.authenticate(self._context)
        kind = kind_of(self._method, self._request, self._engine.kinds)
        caller.check(self._method.verb, kind.name)
        locations = locations_of(self._request)
        for index, each in enumerate(locations):
            if wrong := flaw(each):
                where = f"locations[{index}]" if "locations" in self._request.DESCRIPTOR.fields_by_name else "location"
                raise errors.invalid(f"{where}.{wrong.partition(':')[0]}", wrong.partition(": ")[2])
        regions, beyond = caller.regions(locations), caller.beyond(locations)
        for index, each in enumerate(locations):
            if not caller.regions([each]) and not caller.beyond([each]):
                where = f"locations[{index}]" if "locations" in self._request.DESCRIPTOR.fields_by_name else "location"
                known = ", ".join(sorted({region.location.cloud for region in caller.regions()})) or "none"
                raise errors.invalid(
                    f"{where}.{'cloud' if each.cloud else 'region'}",
                    f"no cloud-region of yours matches {'/'.join(filter(None, (each.cloud, each.region)))!r}; your clouds: {known}",
                )
        return Asked(
            method=self._method,
            request=self._request,
            caller=caller,
            call=self._call,
            kind=kind,
            codec=kind.codec(self._method.resource),
            regions=regions,
            beyond=beyond,
        )
