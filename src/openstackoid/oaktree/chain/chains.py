"""Each verb over this oaktree's own clouds and those of other oaktrees: one stream, one summary, one answer.

`Chain` stands before the verbs of `services` and looks as they do. A request that concerns no other oaktree goes to them unchanged.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from google.protobuf.message import Message

from oaktree.v1.common_pb2 import CloudResult, Progress, Summary
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import Beyond
from openstackoid.oaktree.chain import keys
from openstackoid.oaktree.chain.operations import Operations
from openstackoid.oaktree.chain.passing import Page, addressed, getting, here, without
from openstackoid.oaktree.chain.remote import Sites, elsewhere, parts, timed
from openstackoid.oaktree.chain.undoing import Undoing
from openstackoid.oaktree.creates import plans
from openstackoid.oaktree.resources import filters
from openstackoid.oaktree.resources.deciding import outcomes, unique
from openstackoid.oaktree.resources.methods import Method, methods
from openstackoid.oaktree.watches.ending import Endings

# Answers that wait for a slow reader, for each call.
_WAITING: Final = 8
_BATCH: Final = 250


@dataclass(eq=False)
class _Source:
    """Where answers of a stream come from: another oaktree, or this one."""

    beyond: Beyond | None
    started: float = field(default_factory=time.monotonic)
    summary: Summary | None = None
    error: Exception | None = None


class Chain:
    """The verbs, over all oaktrees. Requests are `services.Asked`, with `beyond`: their parts at other oaktrees."""

    def __init__(self, verbs: Any, sites: Sites, endings: Endings) -> None:
        """Stand before the verbs of this oaktree."""
        self._verbs: Final = verbs
        self._sites: Final = sites
        self._endings: Final = endings
        self._operations: Final = Operations(sites)
        self._getters: Final[Mapping[str, Method]] = {
            f"{each.service}/{each.kind}": each for each in methods() if each.verb == "get"
        }

    def __getattr__(self, verb: str) -> Any:
        """A verb that concerns this oaktree alone, as far as it has that."""
        return getattr(self._verbs, verb)

    async def list(self, asked: Any) -> AsyncGenerator[Any, None]:
        """Everybody's items as they come, then one summary."""
        if not asked.beyond:
            async with contextlib.aclosing(self._verbs.list(asked)) as responses:
                async for response in responses:
                    yield response
            return
        options = asked.request.options
        page = Page.parse(options.page_token)
        chosen = without(options, "page_token")
        wanted = filters.parse(asked.kind, chosen, asked.codec.message)
        if wanted.order:
            # Sorted here, over all: each gives all that it has.
            chosen = without(chosen, "page_size", "order_by")
        sources = {
            _Source(each): addressed(asked.request, each, chosen, page.tokens.get(each.site, ""))
            for each in asked.beyond
            if page.goes_on(each.site)
        }
        mine = here(asked, addressed(asked.request, None, chosen, page.tokens.get("", "")))
        local = self._verbs.list(mine) if asked.regions and page.goes_on("") else None
        kept: list[Message] = []
        ends: list[_Source] = []
        async with contextlib.aclosing(self._merged(asked, sources, local)) as answers:
            async for answer in answers:
                if isinstance(answer, _Source):
                    ends.append(answer)
                elif wanted.order:
                    kept += getattr(answer, asked.method.field)
                else:
                    yield answer
        tokens = {
            _site(each): each.summary.next_page_token for each in ends if each.summary and each.summary.next_page_token
        }
        token = Page(tokens).text() if tokens else ""
        if wanted.order:
            kept = await asyncio.to_thread(wanted.sorted, kept)
            first, token = page.offset, ""
            end = min(len(kept), first + (wanted.page_size or len(kept)))
            for index in range(first, end, _BATCH):
                yield asked.method.response(**{asked.method.field: kept[index : min(index + _BATCH, end)]})
            if end < len(kept):
                token = Page(offset=end).text()
        summary = _summary(ends)
        summary.next_page_token = token
        yield asked.method.response(summary=summary)

    async def create(self, asked: Any) -> AsyncGenerator[Any, None]:
        """Everybody's progress, then one summary. Each oaktree keeps its own operation on record, and undoes what it made if a part of its own failed."""
        if not asked.beyond:
            async with contextlib.aclosing(self._verbs.create(asked)) as responses:
                async for response in responses:
                    yield response
            return
        undoing = Undoing(functools.partial(self._undo, asked))
        sources = {_Source(each): self._create_request(asked, each) for each in asked.beyond}
        local = self._verbs.create(here(asked)) if asked.regions else None
        ends: list[_Source] = []
        async with contextlib.aclosing(self._merged(asked, sources, local, endless=True)) as answers:
            async for answer in answers:
                if isinstance(answer, _Source):
                    ends.append(answer)
                else:
                    undoing.hear(answer)
                    yield answer
        summary = _summary(ends)
        if asked.request.options.undo_on_failure and len(sources) + bool(local) > 1:
            for step in await undoing.settle(summary):
                yield asked.method.response(progress=step)
        yield asked.method.response(summary=summary)

    async def _undo(self, asked: Any, operation_id: str) -> Sequence[Progress]:
        if "/" not in operation_id:
            return await self._verbs.undo(here(asked), operation_id)  # type: ignore[no-any-return]
        return (await self._operations.undo(asked.caller, operation_id, lambda: None)).parts

    async def upload(self, asked: Any, pieces: AsyncIterator[bytes]) -> AsyncGenerator[Any, None]:
        """The same for an image with its data, which goes to one oaktree."""
        if len(asked.beyond) + bool(asked.regions) > 1 and asked.beyond:
            raise errors.invalid("create.locations", "expected clouds of one oaktree: data goes to one at a time")
        if not asked.beyond:
            answers = self._verbs.upload(asked, pieces)
        else:
            answers = self._uploaded(asked, pieces, asked.beyond[0])
        async with contextlib.aclosing(answers) as responses:
            async for response in responses:
                yield response

    async def _uploaded(self, asked: Any, pieces: AsyncIterator[bytes], to: Beyond) -> AsyncGenerator[Any, None]:
        async def requests() -> AsyncIterator[Message]:
            yield asked.method.request(create=self._create_request(asked, to))
            async for piece in pieces:
                yield asked.method.request(data=piece)

        path = f"/{asked.method.service}/{asked.method.name}"
        async with contextlib.aclosing(
            self._sites.exchange(path, requests(), asked.method.response, to, asked.call.left())
        ) as answers:
            async for answer in answers:
                yield answer

    async def watch(self, asked: Any) -> AsyncGenerator[Any, None]:
        """Changes, serialized: of one resource wherever it is, or of all that there are; until the caller's token or the server ends."""
        answers = self._endings.until(self._watched(asked), asked.caller.expires)
        async with contextlib.aclosing(answers) as responses:
            async for response in responses:
                yield response

    async def _watched(self, asked: Any) -> AsyncGenerator[Any, None]:
        if asked.beyond and asked.request.id:
            asked = await self._narrowed(asked)
        if not asked.beyond:
            async with contextlib.aclosing(self._verbs.watch(asked)) as responses:
                async for response in responses:
                    yield response
            return
        sources = {_Source(each): addressed(asked.request, each) for each in parts(asked.beyond)}
        local = self._verbs.watch(here(asked)) if asked.regions else None
        async with contextlib.aclosing(self._merged(asked, sources, local, endless=True)) as answers:
            async for answer in answers:
                if isinstance(answer, _Source):
                    if answer.error is not None and not (answer.beyond and elsewhere(answer.beyond, answer.error)):
                        raise answer.error
                else:
                    yield answer if isinstance(answer, bytes) else answer.SerializeToString()

    async def get(self, asked: Any) -> Any:
        """One resource, wherever it is."""
        if not asked.beyond:
            return await self._verbs.get(asked)
        return await self._found(asked, asked.method, functools.partial(addressed, asked.request))

    async def update(self, asked: Any) -> Any:
        """One resource, changed where it is."""
        asked = await self._narrowed(asked)
        if not asked.beyond:
            return await self._verbs.update(asked)
        return await self._pass(asked, asked.beyond[0])

    async def delete(self, asked: Any) -> Any:
        """What was deleted."""
        try:
            asked = await self._narrowed(asked)
        except errors.MissingError:
            if asked.request.allow_missing:
                return asked.method.response()
            raise
        if not asked.beyond:
            return await self._verbs.delete(asked)
        return await self._pass(asked, asked.beyond[0])

    async def _pass(self, asked: Any, to: Beyond) -> Any:
        path = f"/{asked.method.service}/{asked.method.name}"
        return await self._sites.one(path, addressed(asked.request, to), asked.method.response, to, asked.call.left())

    async def _narrowed(self, asked: Any) -> Any:
        """The request for the one oaktree that has the resource.

        Raises:
            errors.MissingError: none has it.
            errors.AmbiguousError: several have, or it cannot be asked who has.
        """
        there = parts(asked.beyond)
        if not there or (len(there) == 1 and not asked.regions):
            return replace(asked, beyond=tuple(there))
        getter = self._getters.get(f"{asked.method.service}/{asked.method.kind}")
        if getter is None or "get" not in asked.kind.verbs:
            raise errors.AmbiguousError(f"{asked.kind.name} may be in several oaktrees: give a location with a cloud.")
        request = getting(getter, asked)
        found = await self._found(
            replace(asked, method=getter, request=request), getter, functools.partial(addressed, request)
        )
        where: Location = getattr(found, getter.field).location
        for each in there:
            if where.cloud.startswith(f"{each.site}/"):
                exact = Location(cloud=where.cloud.removeprefix(f"{each.site}/"), region=where.region)
                return replace(asked, regions=[], beyond=(replace(each, locations=(exact,), named=True),))
        return replace(
            asked, regions=[each for each in asked.regions if each.key == (where.cloud, where.region)], beyond=()
        )

    async def _found(self, asked: Any, getter: Method, request: Any) -> Any:
        """The answer of the only one who has the resource."""
        there = parts(asked.beyond)
        path = f"/{getter.service}/{getter.name}"
        left = asked.call.left()
        asking = [self._sites.one(path, request(each), getter.response, each, left) for each in there]
        if asked.regions:
            asking.append(self._verbs.get(here(asked)))
        only = unique(asked.kind, asked.request.id)
        answers = await outcomes(asking, lambda answer: only and getattr(answer, getter.field).id == asked.request.id)
        found = [each for each in answers if each is not None and not isinstance(each, BaseException)]
        if len(found) > 1:
            places = ", ".join(sorted(_place(getattr(each, getter.field).location) for each in found))
            raise errors.AmbiguousError(
                f"{asked.kind.name} {asked.request.id!r} is in {places}: give a location with one of them."
            )
        if found:
            return found[0]
        for answer, to in zip(answers, [*there, None], strict=False):
            missing = isinstance(answer, BaseException) and errors.reason(errors.status(answer)) == "NOT_FOUND"
            if isinstance(answer, BaseException) and not missing and not (to and elsewhere(to, answer)):
                raise answer
        places = ", ".join(sorted({region.location.cloud for region in asked.regions} | {each.site for each in there}))
        raise errors.MissingError(f"{asked.kind.name} {asked.request.id!r} is not in {places}, by id or by name.")

    def _create_request(self, asked: Any, to: Beyond) -> Message:
        request: Any = addressed(asked.request, to)
        key = plans.checked_key(request.options.idempotency_key)
        request.options.idempotency_key = keys.passed(asked.caller.name, key)
        return request  # type: ignore[no-any-return]

    async def _merged(
        self, asked: Any, sources: Mapping[_Source, Message], local: AsyncIterator[Any] | None, *, endless: bool = False
    ) -> AsyncGenerator[Any, None]:
        """Answers as they come, without summaries; each source when it has ended. Errors of this oaktree are raised."""
        waiting: asyncio.Queue[Any] = asyncio.Queue(_WAITING)
        path = f"/{asked.method.service}/{asked.method.name}"

        async def read(source: _Source, answers: AsyncIterator[Any]) -> None:
            try:
                async for answer in answers:
                    if not isinstance(answer, bytes) and _is_summary(answer):
                        source.summary = answer.summary
                    else:
                        await waiting.put(answer)
            except Exception as error:  # noqa: BLE001 - whatever one oaktree does harms its own results only
                source.error = error
            await waiting.put(source)

        begun: list[tuple[_Source, AsyncIterator[Any]]] = []
        if local is not None:
            # Before anything is sent elsewhere: the request may be one that cannot be meant.
            first, rest = await _begun(local)
            begun.append((_Source(None), _joined(first, rest)))
        for source, request in sources.items():
            to = source.beyond
            answers = self._sites.stream(path, request, asked.method.response, to, asked.call.left(), endless=endless)  # type: ignore[arg-type]
            begun.append((source, answers))
        tasks = [asyncio.create_task(read(source, answers)) for source, answers in begun]
        try:
            left = len(tasks)
            while left:
                answer = await waiting.get()
                if isinstance(answer, _Source):
                    left -= 1
                    if answer.beyond is None and answer.error is not None:
                        raise answer.error
                yield answer
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if local is not None:
                await local.aclose()  # type: ignore[attr-defined]


async def _begun(answers: AsyncIterator[Any]) -> tuple[list[Any], AsyncIterator[Any]]:
    try:
        return [await anext(answers)], answers
    except StopAsyncIteration:
        return [], answers


async def _joined(first: Sequence[Any], rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    for each in first:
        yield each
    async for each in rest:
        yield each


def _is_summary(answer: Any) -> bool:
    return "summary" in answer.DESCRIPTOR.fields_by_name and answer.HasField("summary")


def _site(source: _Source) -> str:
    return source.beyond.site if source.beyond else ""


def _place(location: Location) -> str:
    return "/".join(filter(None, (location.cloud, location.region)))


def _summary(ends: Sequence[_Source]) -> Summary:
    """One for all: with what another oaktree told of its clouds, or why it told nothing."""
    found = Summary()
    for source in ends:
        if source.summary is not None:
            found.results.extend(source.summary.results)
        if source.beyond is None or source.error is None or elsewhere(source.beyond, source.error, loops=False):
            continue
        lost = CloudResult(location=Location(cloud=source.beyond.site))
        lost.error.CopyFrom(errors.status(source.error, cloud=source.beyond.site))
        lost.elapsed.FromNanoseconds(timed(source.started))
        found.results.append(lost)
    return found
