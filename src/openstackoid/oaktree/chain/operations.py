"""A caller's operations at other oaktrees. If another oaktree knows all our callers by one name, its operations are filtered by caller here."""

import asyncio
import base64
import binascii
import contextlib
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from oaktree.v1.common_pb2 import CloudResult
from oaktree.v1.location_pb2 import Location
from oaktree.v1.operation_pb2 import (
    GetOperationRequest,
    GetOperationResponse,
    ListOperationsRequest,
    ListOperationsResponse,
    Operation,
    UndoOperationRequest,
    UndoOperationResponse,
    WatchOperationRequest,
    WatchOperationResponse,
)
from openstackoid.oaktree import errors, statuses
from openstackoid.oaktree.access.callers import Caller, RemotePart
from openstackoid.oaktree.chain import keys
from openstackoid.oaktree.chain.remote import RemoteOaktrees, elsewhere

_SERVICE: Final = "/oaktree.v1.OperationService"
_NONE: Final = "no operation of yours has this id or key; they are forgotten after some days"
_MOST: Final = 1000  # operations per request to an oaktree that also returns those of other callers

# Timeout of an undo, in seconds: clouds refuse to delete resources that are being created, and the delete is retried for a minute.
_UNDOING: Final = 90.0

# Gets a page of a source's operations, the newest first, by page size and page token.
Ask = Callable[[int, str], Awaitable[ListOperationsResponse]]
Left = Callable[[], float | None]
# The sort key of operations: the time of creation, in milliseconds since the epoch, and the id.
Place = tuple[int, str]


class Operations:
    """The operations at other oaktrees. For use in one event loop."""

    def __init__(self, oaktrees: RemoteOaktrees) -> None:
        """Keep the clients of the other oaktrees."""
        self._oaktrees: Final = oaktrees

    async def find(self, caller: Caller, name: str, left: Left) -> Operation | None:
        """Get an operation by its id, such as "SiteB/ID". Returns None if the id does not name another oaktree.

        Args:
            caller: the caller.
            name: the id.
            left: gives the seconds to the caller's deadline, or None.

        Raises:
            errors.MissingError: the caller has no such operation there.
        """
        to = self._to(caller, name)
        return None if to is None else await self._get(caller, to, name.partition("/")[2], left)

    async def keyed(self, caller: Caller, key: str, left: Left) -> Operation:
        """Find the caller's operation with this key at the other oaktrees.

        Raises:
            errors.MissingError: there is none.
            errors.AmbiguousError: several oaktrees have an operation with this key.
            Exception: the error of an oaktree that does not answer, if no other has the operation.
        """
        remote_parts = caller.remote_parts()
        try:
            there = keys.passed(caller.name, key)
        except errors.InvalidError:
            remote_parts = []  # the key is too long to have been passed on
        if not key or not remote_parts:
            raise errors.MissingError(_NONE)
        answers = await asyncio.gather(
            *(self._get(caller, remote_part, there, left) for remote_part in remote_parts), return_exceptions=True
        )
        operations = [reply for reply in answers if isinstance(reply, Operation)]
        if len(operations) > 1:
            ids = ", ".join(operation.id for operation in operations)
            raise errors.AmbiguousError(
                f"the key stands for operations of several oaktrees: give the id of one of {ids}"
            )
        for remote_part, answer in zip(remote_parts, answers, strict=True):
            if (
                not operations
                and isinstance(answer, BaseException)
                and not _is_missing(answer)
                and not elsewhere(remote_part, answer)
            ):
                raise answer
        if not operations:
            raise errors.MissingError(_NONE)
        return operations[0]

    async def undo(self, caller: Caller, name: str, left: Left) -> Operation:
        """Delete the resources that an operation created. Returns the operation afterwards.

        Args:
            caller: see `find`.
            name: the id of an operation that `find` or `keyed` returned.
            left: see `find`.
        """
        to = self._to(caller, name)
        if to is None:
            raise errors.MissingError(f"no operation {name!r} of yours")
        request = UndoOperationRequest(id=name.partition("/")[2])
        path = f"{_SERVICE}/UndoOperation"
        answer = await self._oaktrees.one(path, request, UndoOperationResponse, to, left(), patience=_UNDOING)
        return _as_callers_own(caller, to, answer.operation)

    async def watch(self, caller: Caller, name: str, left: Left) -> AsyncGenerator[Operation, None]:
        """Yield an operation after each of its steps, until it is done.

        Args:
            caller: see `find`.
            name: the id of an operation that `find` or `keyed` returned.
            left: see `find`.
        """
        to = self._to(caller, name)
        if to is None:
            raise errors.MissingError(f"no operation {name!r} of yours")
        request = WatchOperationRequest(id=name.partition("/")[2])
        path = f"{_SERVICE}/WatchOperation"
        stream = self._oaktrees.stream(path, request, WatchOperationResponse, to, left(), endless=True)
        async with contextlib.aclosing(stream) as answers:
            async for answer in answers:
                yield _as_callers_own(caller, to, answer.operation)

    async def list(self, caller: Caller, size: int, token: str, here: Ask, left: Left) -> ListOperationsResponse:
        """A page of operations of this oaktree and all others, the newest first. An oaktree that does not answer is listed as a failure, and left out of later pages.

        Args:
            caller: the caller.
            size: maximum number of operations, at least 1.
            token: `next_page_token` of the page before, or empty.
            here: gets pages of this oaktree's own operations.
            left: see `find`.

        Raises:
            errors.InvalidError: the token is invalid.
        """
        remote_parts = caller.remote_parts()
        if not remote_parts:
            return await here(size, token)
        page = _Page.parse(token)
        asks: dict[str, Ask] = {"": here}
        asks |= {
            remote_part.site: functools.partial(self._page, caller, remote_part, left) for remote_part in remote_parts
        }
        asked = [site for site in asks if page.tokens is None or site in page.tokens]
        answers = await asyncio.gather(
            *(_read(asks[site], size, (page.tokens or {}).get(site, ""), page.after) for site in asked),
            return_exceptions=True,
        )
        answer = ListOperationsResponse()
        sources: dict[str, _Source] = {}
        for site, pages in zip(asked, answers, strict=True):
            if isinstance(pages, _Source):
                sources[site] = pages
                answer.failures.extend(pages.failures.values())
            elif not site:
                raise pages
            elif not elsewhere(next(remote_part for remote_part in remote_parts if remote_part.site == site), pages):
                failure = answer.failures.add(location=Location(cloud=site))
                failure.error.CopyFrom(statuses.status(pages, cloud=site))
        found_ = sorted(
            (operation for source in sources.values() for _, operation in source.found), key=_place, reverse=True
        )
        answer.operations.extend(found_[:size])
        if found_:
            answer.next_page_token = _following(sources, _place(found_[:size][-1])).text()
        return answer

    def _to(self, caller: Caller, name: str) -> RemotePart | None:
        site, slash, _ = name.partition("/")
        if not slash or site not in self._oaktrees.names:
            return None
        remote_parts = caller.remote_parts([Location(cloud=site)])
        if not remote_parts:
            raise errors.MissingError(f"no operation {name!r} of yours")
        return remote_parts[0]

    async def _get(self, caller: Caller, to: RemotePart, there: str, left: Left) -> Operation:
        request = GetOperationRequest(id=there)
        answer = await self._oaktrees.one(f"{_SERVICE}/GetOperation", request, GetOperationResponse, to, left())
        return _as_callers_own(caller, to, answer.operation)

    async def _page(self, caller: Caller, to: RemotePart, left: Left, size: int, token: str) -> ListOperationsResponse:
        request = ListOperationsRequest(page_size=size if to.as_caller else _MOST, page_token=token)
        answer = await self._oaktrees.one(f"{_SERVICE}/ListOperations", request, ListOperationsResponse, to, left())
        operations = [operation for operation in answer.operations if _is_own(caller, to, operation)]
        del answer.operations[:]
        answer.operations.extend(_as_callers_own(caller, to, item) for item in operations)
        return answer


@dataclass
class _Source:
    """The operations read from one oaktree, each with the token of its page; and the token of the next page, or an empty string."""

    found: list[tuple[str, Operation]] = field(default_factory=list)
    following: str = ""
    failures: dict[str, CloudResult] = field(default_factory=dict)  # of the oaktrees behind it, by name


@dataclass(frozen=True)
class _Page:
    """The start of the next page: after an operation, with a page token for each oaktree that may have more."""

    tokens: Mapping[str, str] | None = None  # by site, "" for this oaktree; None for the first page of all
    after: Place | None = None

    def text(self) -> str:
        """The page token for callers; empty if there are no more operations."""
        if not self.tokens:
            return ""
        return base64.urlsafe_b64encode(orjson.dumps({"t": self.tokens, "a": self.after})).decode()

    @classmethod
    def parse(cls, text: str) -> "_Page":
        if not text:
            return cls()
        try:
            document = orjson.loads(base64.urlsafe_b64decode(text.encode()))
            tokens, (at, name) = dict(document["t"]), document["a"]
            good = all(isinstance(token, str) for token in (*tokens.values(), name)) and isinstance(at, int)
        except (binascii.Error, ValueError, KeyError, TypeError):
            good = False
        if not good:
            raise errors.invalid("page_token", "expected next_page_token of the page before, as it came")
        return cls(tokens, (at, name))


async def _read(ask: Ask, size: int, token: str, after: Place | None) -> _Source:
    """Read the operations that sort after a place: at least `size` of them, or all."""
    read = _Source()
    while True:
        answer = await ask(size, token)
        read.found += [
            (token, operation) for operation in answer.operations if after is None or _place(operation) < after
        ]
        read.failures |= {failure.location.cloud: failure for failure in answer.failures}
        read.following = answer.next_page_token
        if len(read.found) >= size or not answer.next_page_token:
            return read
        token = answer.next_page_token


def _following(sources: Mapping[str, _Source], last: Place) -> _Page:
    """The start of the next page, after the last operation of this page."""
    tokens = {}
    for site, source in sources.items():
        rest = [token for token, operation in source.found if _place(operation) < last]
        if rest or source.following:
            tokens[site] = rest[0] if rest else source.following
    return _Page(tokens, last)


def _place(operation: Operation) -> Place:
    return operation.created_at.ToMilliseconds(), operation.id


def _is_own(caller: Caller, to: RemotePart, operation: Operation) -> bool:
    # With the caller's own credentials, the other oaktree itself returns only the caller's operations.
    return to.as_caller or keys.own(caller.name, operation.idempotency_key) is not None


def _as_callers_own(caller: Caller, to: RemotePart, operation: Operation) -> Operation:
    """The operation with the caller's own key; raises MissingError if it is another caller's."""
    if not _is_own(caller, to, operation):
        raise errors.MissingError(f"no operation {operation.id!r} of yours")
    key = keys.own(caller.name, operation.idempotency_key)
    operation.idempotency_key = operation.idempotency_key if key is None else key
    return operation


def _is_missing(error: BaseException) -> bool:
    return statuses.reason(statuses.status(error)) == "NOT_FOUND"
