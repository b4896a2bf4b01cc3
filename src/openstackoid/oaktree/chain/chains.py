"""The verbs over this oaktree's own clouds and those of other oaktrees: one stream, one summary, one answer.

`Chain` wraps the verbs of `rpcs.verbs`. A request without parts at other oaktrees is passed to them unchanged.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any, Final

from google.protobuf.message import Message

from oaktree.v1.common_pb2 import Progress
from openstackoid.oaktree import errors
from openstackoid.oaktree.access.callers import RemotePart
from openstackoid.oaktree.access.requests import Request
from openstackoid.oaktree.chain import keys
from openstackoid.oaktree.chain.finding import Finder
from openstackoid.oaktree.chain.operations import Operations
from openstackoid.oaktree.chain.passing import Page, addressed, here, without
from openstackoid.oaktree.chain.remote import RemoteOaktrees, elsewhere, parts
from openstackoid.oaktree.chain.streams import Source, merged, summarized
from openstackoid.oaktree.chain.undoing import Undoing
from openstackoid.oaktree.creates import plans
from openstackoid.oaktree.resources import filters
from openstackoid.oaktree.verbs import Verb
from openstackoid.oaktree.watches.deadlines import Deadlines

_BATCH: Final = 250


class Chain:
    """The verbs over this and all other oaktrees."""

    def __init__(self, verbs: Any, oaktrees: RemoteOaktrees, deadlines: Deadlines) -> None:
        """Wrap the verbs of this oaktree."""
        self._verbs: Final = verbs
        self._oaktrees: Final = oaktrees
        self._deadlines: Final = deadlines
        self._operations: Final = Operations(oaktrees)
        self._finder: Final = Finder(verbs, oaktrees)

    def of(self, verb: Verb) -> Callable[..., Any]:
        """The method of a verb. A verb without a method here is passed to the oaktree that has the resource."""
        return getattr(self, verb.name, None) or functools.partial(self._one, getattr(self._verbs, verb.name))

    async def list(self, request: Request) -> AsyncGenerator[Any, None]:
        """Yield the items of all oaktrees as they arrive, then one summary."""
        if not request.remote_parts:
            async with contextlib.aclosing(self._verbs.list(request)) as responses:
                async for response in responses:
                    yield response
            return
        method, message = request.method, request.message
        page = Page.parse(message.options.page_token)
        options = without(message.options, "page_token")
        wanted = filters.parse(request.kind, options, request.codec.message)
        if wanted.order:
            # The items of all oaktrees are sorted here, so each oaktree is asked for all its items.
            options = without(options, "page_size", "order_by")
        messages = {
            Source(part): addressed(message, part, options, page.tokens.get(part.site, ""))
            for part in request.remote_parts
            if page.goes_on(part.site)
        }
        mine = here(request, addressed(message, None, options, page.tokens.get("", "")))
        local = self._verbs.list(mine) if request.regions and page.goes_on("") else None
        unsorted: list[Message] = []
        ends: list[Source] = []
        async with contextlib.aclosing(merged(self._oaktrees, request, messages, local)) as answers:
            async for answer in answers:
                if isinstance(answer, Source):
                    ends.append(answer)
                elif wanted.order:
                    unsorted += getattr(answer, method.field)
                else:
                    yield answer
        tokens = {end.site: end.summary.next_page_token for end in ends if end.summary and end.summary.next_page_token}
        token = Page(tokens).text() if tokens else ""
        if wanted.order:
            items = await asyncio.to_thread(wanted.sorted, unsorted)
            first, token = page.offset, ""
            end = min(len(items), first + (wanted.page_size or len(items)))
            for index in range(first, end, _BATCH):
                yield method.response(**{method.field: items[index : min(index + _BATCH, end)]})
            if end < len(items):
                token = Page(offset=end).text()
        summary = summarized(ends)
        summary.next_page_token = token
        yield method.response(summary=summary)

    async def create(self, request: Request) -> AsyncGenerator[Any, None]:
        """Yield the progress of all oaktrees, then one summary. Each oaktree records its own operation, and undoes it if a part of its own failed."""
        if not request.remote_parts:
            async with contextlib.aclosing(self._verbs.create(request)) as responses:
                async for response in responses:
                    yield response
            return
        undoing = Undoing(functools.partial(self.undo, request))
        messages = {Source(part): _to_create(request, part) for part in request.remote_parts}
        local = self._verbs.create(here(request)) if request.regions else None
        ends: list[Source] = []
        async with contextlib.aclosing(merged(self._oaktrees, request, messages, local, endless=True)) as answers:
            async for answer in answers:
                if isinstance(answer, Source):
                    ends.append(answer)
                else:
                    undoing.hear(answer)
                    yield answer
        summary = summarized(ends)
        if request.message.options.undo_on_failure and len(messages) + bool(local) > 1:
            for step in await undoing.settle(summary):
                yield request.method.response(progress=step)
        yield request.method.response(summary=summary)

    async def undo(self, request: Request, operation_id: str) -> Sequence[Progress]:
        """Delete the resources that an operation of the caller created, here or at another oaktree. Returns its parts afterwards."""
        if "/" not in operation_id:
            return await self._verbs.undo(here(request), operation_id)  # type: ignore[no-any-return]
        return (await self._operations.undo(request.caller, operation_id, lambda: None)).parts

    async def upload(self, request: Request, pieces: AsyncIterator[bytes]) -> AsyncGenerator[Any, None]:
        """As `create`, for an image with its data, which goes to one oaktree."""
        if len(request.remote_parts) + bool(request.regions) > 1 and request.remote_parts:
            raise errors.invalid("create.locations", "expected clouds of one oaktree: data goes to one at a time")
        if not request.remote_parts:
            answers = self._verbs.upload(request, pieces)
        else:
            answers = self._uploaded(request, pieces, request.remote_parts[0])
        async with contextlib.aclosing(answers) as responses:
            async for response in responses:
                yield response

    async def _uploaded(
        self, request: Request, pieces: AsyncIterator[bytes], part: RemotePart
    ) -> AsyncGenerator[Any, None]:
        method: Any = request.method

        async def messages() -> AsyncIterator[Message]:
            yield method.request(create=_to_create(request, part))
            async for piece in pieces:
                yield method.request(data=piece)

        path, left = f"/{method.service}/{method.name}", request.call.left()
        exchange = self._oaktrees.exchange(path, messages(), method.response, part, left)
        async with contextlib.aclosing(exchange) as answers:
            async for answer in answers:
                yield answer

    async def watch(self, request: Request) -> AsyncGenerator[Any, None]:
        """Yield serialized changes of one resource, wherever it is, or of all; until the caller's token expires or the server stops."""
        answers = self._deadlines.until(self._watched(request), request.caller.expires)
        async with contextlib.aclosing(answers) as responses:
            async for response in responses:
                yield response

    async def _watched(self, request: Request) -> AsyncGenerator[Any, None]:
        if request.remote_parts and request.message.id:
            request = await self._finder.narrowed(request)
        if not request.remote_parts:
            async with contextlib.aclosing(self._verbs.watch(request)) as responses:
                async for response in responses:
                    yield response
            return
        messages = {Source(part): addressed(request.message, part) for part in parts(request.remote_parts)}
        local = self._verbs.watch(here(request)) if request.regions else None
        async with contextlib.aclosing(merged(self._oaktrees, request, messages, local, endless=True)) as answers:
            async for answer in answers:
                if isinstance(answer, Source):
                    if answer.error is not None and not (answer.part and elsewhere(answer.part, answer.error)):
                        raise answer.error
                else:
                    yield answer if isinstance(answer, bytes) else answer.SerializeToString()

    async def get(self, request: Request) -> Any:
        """Get one resource from the oaktree that has it."""
        if not request.remote_parts:
            return await self._verbs.get(request)
        return await self._finder.find(request, request.method, functools.partial(addressed, request.message))

    async def delete(self, request: Request) -> Any:
        """Delete one resource. Returns the resource that was deleted."""
        try:
            return await self._one(self._verbs.delete, request)
        except errors.MissingError:
            if request.message.allow_missing:
                return request.method.response()
            raise

    async def _one(self, local: Callable[[Request], Any], request: Request) -> Any:
        """Pass a request to the oaktree that has the resource. Returns its answer."""
        request = await self._finder.narrowed(request)
        if not request.remote_parts:
            return await local(request)
        part, method = request.remote_parts[0], request.method
        path, left = f"/{method.service}/{method.name}", request.call.left()
        return await self._oaktrees.one(path, addressed(request.message, part), method.response, part, left)


def _to_create(request: Request, part: RemotePart) -> Message:
    message: Any = addressed(request.message, part)
    key = plans.checked_key(message.options.idempotency_key)
    message.options.idempotency_key = keys.passed(request.caller.name, key)
    return message  # type: ignore[no-any-return]
