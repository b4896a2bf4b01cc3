"""The document of a merged list, written piece by piece: its items stay where they were read (`spooling`), and are held once.

Joining a thousand clouds' items would need their size again, and hold the event loop: 50 ms for 100 MB.
"""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice, repeat
from typing import Final

from aiohttp import web

from openstackoid.core.errors import BusyError
from openstackoid.core.merging import Merged
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.entry.refusals import CutError
from openstackoid.gateway.fanout.pages import Item, Page, annotated

WHOLE: Final = 1 << 20  # bytes: a document up to this size is sent in one piece
_CHUNK: Final = 1 << 17  # bytes, about
_GROUP: Final = 16  # items whose sizes are added up at a time


class Document:
    """A merged list.

    Args:
        head: the text before the items, up to `[`.
        pages: of the clouds.
        merged: their order.
        names: of the pages' clouds, to write into each item at `cloud`; None to leave items as they are.
        offset: items to leave out.
        tail: the text after the items, from `]`.
    """

    def __init__(
        self, head: bytes, pages: Sequence[Page], merged: Merged, names: Sequence[str] | None, offset: int, tail: bytes
    ) -> None:
        self._head = head
        self._pages = pages
        self._merged = merged
        self._names = names
        self._offset = offset
        self._tail = tail

    @property
    def is_small(self) -> bool:
        """Whether it is sent in one piece."""
        size = 0
        for page, taken in zip(self._pages, self._merged.taken, strict=True):
            items = islice(page.items, taken)
            while some := list(islice(items, _GROUP)):
                size += sum(map(len, some))
                if size > WHOLE:
                    return False
        return True

    def chunks(self) -> Iterator[bytes]:
        """The document, in pieces of about the same size."""
        items = islice(self._items(), self._offset, None)
        pending: list[Item] = []
        size, before = 0, self._head
        while some := list(islice(items, _GROUP)):
            pending += some
            size += sum(map(len, some))
            if size >= _CHUNK:
                yield before + b",".join(pending)
                pending, size, before = [], 0, b","
        if pending:
            yield before + b",".join(pending)
            before = b""
        elif before == b",":
            before = b""
        yield before + self._tail

    def whole(self) -> bytes:
        """The document."""
        return b"".join(self.chunks())

    def _items(self) -> Iterator[Item]:
        pages: list[Iterator[Item]] = [iter(page.items) for page in self._pages]
        if self._names is not None:
            pages = [map(annotated, items, repeat(name)) for items, name in zip(pages, self._names, strict=True)]
        return map(next, map(pages.__getitem__, self._merged.owners))


async def send(call: Call, response: web.Response, document: Document) -> web.StreamResponse:
    """Answer with a document: not begun if it is small, else sent at the client's pace.

    Args:
        call: the request.
        response: with the status and the headers.
        document: the body.

    Raises:
        BusyError: the disk failed; nothing was sent yet.
        CutError: it failed after the answer had begun.
    """
    if document.is_small or call.request.version < (1, 1):
        response.body = document.whole()
        return response
    streamed = web.StreamResponse(status=response.status, headers=response.headers)
    if call.listener.cors is not None:
        call.listener.cors.mark(call.request, streamed.headers)
    streamed.enable_chunked_encoding()
    await streamed.prepare(call.request)
    try:
        for chunk in document.chunks():
            await streamed.write(chunk)
            await asyncio.sleep(0)  # other requests' turn: a fast client never makes the gateway wait
    except BusyError as error:
        raise CutError from error  # another answer must not follow what was sent
    await streamed.write_eof()
    return streamed
