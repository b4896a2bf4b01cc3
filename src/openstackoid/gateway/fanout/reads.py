"""A GET to several clouds: its kind, the order in which the clouds are asked, and the answer."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, quote, unquote

import orjson
from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core.errors import (
    NotBuiltError,
)
from openstackoid.core.lists import Listing, listing
from openstackoid.core.partial import CLOUD, write_items, write_missing
from openstackoid.core.plans import All, Alternatives, Target
from openstackoid.core.protocol import REQUEST_ID
from openstackoid.core.scope import Scope
from openstackoid.core.scope import format as write_scope
from openstackoid.core.totals import has_totals
from openstackoid.gateway.entry.refusals import new_id
from openstackoid.gateway.fanout.adding import add_up
from openstackoid.gateway.fanout.admission import Admission
from openstackoid.gateway.fanout.asking import ANSWERS, Ask, Leg, MissedError, Reply, Turns, answers, reasons
from openstackoid.gateway.fanout.documents import Document
from openstackoid.gateway.fanout.finding import NOT_FOUND, Found, find, find_by_name, names_an_id
from openstackoid.gateway.fanout.folding import Fold, one_of_each
from openstackoid.gateway.fanout.listing import Lister, Question
from openstackoid.gateway.fanout.memory import FanOutMemory
from openstackoid.gateway.fanout.pace import Pace
from openstackoid.gateway.fanout.spooling import Room
from openstackoid.gateway.fanout.wishes import Wishes

UNAUTHORIZED: Final = 401
_OK: Final = 200
# After these statuses another cloud is asked: no service answered, at most a proxy in front of it.
_GO_ON_STATUS: Final = frozenset({502, 503, 504})
_EXACT_NAMES: Final = frozenset({"image", "network"})  # services in whose lists `name` is a whole name
_FLAVOR: Final = re.compile(r"(/v\d{1,3}(?:\.\d{1,3})?(?:/[0-9a-f]{32})?/flavors)/([^/?]+)\Z")
_LOOKED_FOR: Final = frozenset({"name", "id"})  # query parameters that look for one resource in a list
_THING: Final = re.compile(r"(/v\d{1,3}(?:\.\d{1,3})?(?:/[0-9a-f]{32})?/[A-Za-z_-]+)/[^/?]+")
_DATA: Final = re.compile(r"(/v2/images/[^/?]+)/file\Z")  # image data is streamed, never buffered
# Headers of one cloud's answer that describe the merged document as well.
_OF_DOCUMENT: Final = ("Content-Type", "OpenStack-API-Version", "X-OpenStack-Nova-API-Version", "Vary")

# Forwards the request to one cloud, as if the scope had named that cloud alone, and its answer to the client, with the cloud's name.
PassOn: TypeAlias = Callable[[Target], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Read:
    """A GET request.

    Attributes:
        service: official service type.
        path, query: inside the service, as they arrived.
        base: base URL of the service as clients call it, for links.
        scope: as it arrived.
        who: a digest of the token.
        entry: name of this cloud.
        wishes: the options of the client's X-Scope-* headers.
        deadline: when all clouds must have answered, in the event loop's time.
        fold: leaves further members of replicas out of a list by name; None if there are no replicas.
    """

    service: str
    path: str
    query: str
    base: str
    scope: Scope
    who: bytes
    entry: str
    wishes: Wishes
    deadline: float
    fold: Fold | None = None

    @property
    def looks_for_one(self) -> bool:
        """Whether the query of a list looks for one resource."""
        return any(name in _LOOKED_FOR for name, _ in parse_qsl(self.query))

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Served:
    """The answer, and the result of each cloud that was asked.

    Attributes:
        nothing: whether the answer is an empty list.
        document: the body of a list, which the response does not have yet.
    """

    response: web.StreamResponse
    legs: Sequence[Leg]
    nothing: bool = False
    document: Document | None = None


class FanOut:
    """Serves reads of several clouds.

    Args:
        at_once: clouds that one request asks at a time.
        admission: bounds how many requests ask clouds at a time.
        room: what the items of one list may take.
    """

    def __init__(self, at_once: int, admission: Admission, room: Room) -> None:
        self._at_once = at_once
        self._room = room
        self._admission = admission
        self._memory = FanOutMemory()
        self._parsing = asyncio.Lock()

    async def read(self, read: Read, plan: All | Alternatives, ask: Ask, pass_on: PassOn) -> Served:
        """Serve a read.

        Args:
            read: the request.
            plan: the clouds to ask, and how.
            ask: sends one question to one cloud, and buffers its answer.
            pass_on: forwards the request to one cloud, as if the scope named that cloud alone.

        Raises:
            OpenStackoidError: the read is refused, or no cloud answered it.
        """
        choices = [
            choice.targets if isinstance(choice, All) else (choice.target,)
            for choice in (plan.choices if isinstance(plan, Alternatives) else (plan,))
        ]
        row = listing(read.service, read.path)
        thing = _THING.match(read.path)
        is_thing = thing is not None and listing(read.service, thing[1]) is not None
        if row is None and not is_thing and not has_totals(read.service, read.path):
            raise NotBuiltError(
                f"{read.path} is not served of several clouds: what it answers is neither a list, nor one thing, nor a sum. "
                f'Name one cloud for {read.service}; the scope says "{read.scope.get(read.service)}".'
            )
        turns = Turns(Pace(self._at_once), self._parsing, self._room)
        one = _Reading(read, ask, pass_on, self._memory, turns, self._admission)
        return await one.first(choices, row)


class _Reading:
    """One read."""

    def __init__(
        self, read: Read, ask: Ask, pass_on: PassOn, memory: FanOutMemory, turns: Turns, admission: Admission
    ) -> None:
        self._read = read
        self._ask = ask
        self._pass_on = pass_on
        self._memory = memory
        self._turns = turns
        self._admission = admission
        self._deadline = read.deadline

    async def first(self, choices: Sequence[Sequence[Target]], row: Listing | None) -> Served:
        """Ask the alternatives in order: the first that answers and has the resource."""
        missed: list[Leg] = []
        for targets in choices[:-1]:
            try:
                served = await self._of(targets, row)
            except MissedError as error:
                missed += error.legs
                continue
            if not self._goes_on(served, row):
                return _after(missed, served)
            missed += served.legs
        served = await self._of(choices[-1], row)
        gone = [leg for leg in missed if leg.code]
        if gone and served.response.status == NOT_FOUND and row is None and names_an_id(self._read.path):
            raise MissedError(f"Nobody who answered has it; but not all did. {reasons(gone)}", [*missed, *served.legs])
        return _after(missed, served)

    def _goes_on(self, served: Served, row: Listing | None) -> bool:
        """Whether to try the next alternative: no cloud answered, or, if one resource is looked for, none has it."""
        if served.response.prepared:
            return False
        status = served.response.status
        if status in _GO_ON_STATUS:
            return True
        if row is None:
            return status == NOT_FOUND
        # Clients look for a name in the list.
        return served.nothing and self._read.looks_for_one

    async def _of(self, targets: Sequence[Target], row: Listing | None) -> Served:
        if row is not None:
            async with self._place():
                return await self._listed(targets, row)
        if has_totals(self._read.service, self._read.path):
            async with self._place():
                return await self._added(targets)
        return await self._found(targets)

    def _place(self) -> AbstractAsyncContextManager[None]:
        return self._admission.place(self._read.who, self._deadline)

    async def _added(self, targets: Sequence[Target]) -> Served:
        added = await add_up(targets, self._read.target, self._ask, self._deadline, self._turns)
        if added.body is None:
            return self._refused(added.legs)
        self._require(added.legs, len(targets))
        headers = _described(added.lead)
        headers.update(_missing(added.legs))
        body = added.body
        if self._read.wishes.answers:
            body = orjson.dumps(orjson.loads(body) | {ANSWERS: answers(added.legs)})
        return Served(web.Response(status=_OK, headers=headers, body=body), added.legs)

    async def _listed(self, targets: Sequence[Target], row: Listing) -> Served:
        read = self._read
        # The key has the clouds, not the expression: when a label moves to another cloud, the list is another one.
        key: Hashable = (
            read.who,
            read.service,
            read.path,
            tuple(target.cloud for target in targets),
            _without_page(read.query),
        )
        fold = read.fold if read.looks_for_one else None
        if read.wishes.by_name and read.service in _EXACT_NAMES and _by_name(read.query):
            fold = one_of_each(fold, read.entry)
        question = Question(row, read.path, read.query, read.base, key, read.wishes.annotate, fold, read.wishes.answers)
        listed = await Lister(question, targets, self._ask, self._deadline, self._turns, self._memory).answer()
        if listed.body is None:
            return self._refused(listed.legs)
        self._require(listed.legs, len(targets))
        headers = _described(listed.lead)
        headers.update(write_items(listed.names, listed.owners))
        headers.update(_missing(listed.legs))
        return Served(web.Response(status=_OK, headers=headers), listed.legs, not listed.owners, listed.body)

    async def _found(self, targets: Sequence[Target]) -> Served:
        read = self._read
        data = _DATA.match(read.path)
        thing = _THING.match(read.path)
        key = (read.who, read.service, thing[0] if thing else read.path, write_scope(read.scope))
        known = self._memory.where(key)
        for target in targets:
            if target.cloud == known:
                response = await self._pass_on(target)
                if response.prepared or response.status != NOT_FOUND:
                    return Served(response, ())
                self._memory.forget(key)
        async with self._place():  # not while data are passed on
            path = data[1] if data else read.target
            entry = read.entry if read.wishes.by_name else None
            found = await find(targets, path, self._ask, self._deadline, self._turns, entry)
            flavor = _FLAVOR.match(read.path) if entry is not None else None
            if flavor is not None and found.leg.reply is not None and found.leg.reply.status == NOT_FOUND:
                found = await self._flavor(flavor[1], unquote(flavor[2]), targets, found)
        self._require(found.legs, len(targets))
        reply = found.leg.reply
        if reply is None:
            raise MissedError(found.leg.message, found.legs)
        if reply.good and entry is None and not any(leg.code for leg in found.legs):
            self._memory.has(key, found.leg.cloud)
        if data and reply.good:
            target = next(target for target in targets if target.cloud == found.leg.cloud)
            return Served(await self._pass_on(target), found.legs)
        response = _as_it_came(reply)
        response.headers.update(_missing(found.legs))
        if reply.good:
            response.headers[CLOUD] = found.leg.cloud
        return Served(response, found.legs)

    async def _flavor(self, collection: str, name: str, targets: Sequence[Target], found: Found) -> Found:
        """The flavor of a name, in place of an answer that there is none of this id."""
        more = (self._ask, self._deadline, self._turns)
        named = await find_by_name(targets, collection, name, *more, self._read.entry)
        if named is None:
            return found
        target, flavor = named
        one = await find([target], f"{collection}/{quote(flavor, safe='')}", *more)
        return Found(found.legs, one.leg)

    def _require(self, legs: Sequence[Leg], asked: int) -> None:
        """Raise MissedError if fewer clouds answered than the client needs."""
        missed = [leg for leg in legs if leg.code]
        if not self._read.wishes.met(asked - len(missed), asked):
            raise MissedError(
                f"{asked - len(missed)} of {asked} clouds answered, and the request requires {self._read.wishes.require}. "
                + reasons(missed),
                legs,
            )

    def _refused(self, legs: Sequence[Leg]) -> Served:
        """The answer if no cloud succeeded: a service's own error, if every service refused or the token is invalid."""
        replies = [leg for leg in legs if leg.reply is not None and not leg.reply.good]
        stale = [leg for leg in replies if leg.reply and leg.reply.status == UNAUTHORIZED]
        if not stale and len(replies) < len(legs):
            raise MissedError(f"No cloud answered with the list. {reasons(legs)}", legs)
        # Prefer the error of the entry cloud: clients know how to read it.
        chosen = min(stale or replies, key=lambda leg: leg.cloud != self._read.entry)
        if chosen.reply is None:
            raise MissedError(chosen.message, legs)
        response = _as_it_came(chosen.reply)
        response.headers.update(_missing(legs))
        return Served(response, legs)


def _by_name(query: str) -> bool:
    return any(name == "name" for name, _ in parse_qsl(query))


def _after(missed: Sequence[Leg], served: Served) -> Served:
    """The answer of an alternative, with the results of the alternatives before it."""
    if missed and not served.response.prepared:
        served.response.headers.update(_missing([*missed, *served.legs]))
    return replace(served, legs=[*missed, *served.legs])


def _described(lead: Reply | None) -> CIMultiDict[str]:
    given: CIMultiDict[str] = lead.headers if lead else CIMultiDict()
    headers = CIMultiDict({name: given[name] for name in _OF_DOCUMENT if name in given})
    headers.setdefault("Content-Type", "application/json")
    headers[REQUEST_ID] = new_id()
    return headers


def _as_it_came(reply: Reply) -> web.Response:
    headers = reply.headers.copy()
    headers.popall("Content-Length", None)
    return web.Response(status=reply.status, headers=headers, body=reply.body)


def _missing(legs: Sequence[Leg]) -> dict[str, str]:
    return write_missing([(leg.cloud, leg.code) for leg in legs if leg.code])


def _without_page(query: str) -> str:
    return "&".join(part for part in query.split("&") if part.partition("=")[0] not in {"limit", "marker", "offset"})
