"""Merge the lists of several clouds, queried in parallel, into pages without lost or duplicate items (`core.merging`, `core.paging`)."""

import asyncio
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from openstackoid.core import limits
from openstackoid.core.errors import MarkerError, PeerAnswerError
from openstackoid.core.limits import LimitError
from openstackoid.core.lists import Listing, Order, Paging
from openstackoid.core.merging import LARGE, Merged, merge
from openstackoid.core.paging import Positions, Window, has_next, is_positions, linked
from openstackoid.core.plans import Target
from openstackoid.gateway.fanout.asking import ANSWERS, Ask, Leg, Reply, Turns, answers, ask_all
from openstackoid.gateway.fanout.documents import Document
from openstackoid.gateway.fanout.folding import Fold, folded
from openstackoid.gateway.fanout.memory import FanOutMemory
from openstackoid.gateway.fanout.pages import Page, PageError, read, without
from openstackoid.gateway.fanout.spooling import Spool

_ROUNDS: Final = 8  # questions to clouds that answer empty pages with a link to a next page
_MOST_ITEMS: Final = 1 << 63
_WALK: Final = 200  # pages that are read to find the item of a marker that is only an id


@dataclass(frozen=True, slots=True)
class Question:
    """A request for a list.

    Attributes:
        listing: which one.
        path: inside the service, without a query.
        query: as it arrived.
        base: base URL of the service as clients call it, for links.
        key: the key under which places in the list are cached: the same list, scope, query and token.
        annotate: whether each item gets the name of its cloud.
        fold: leaves further members of replicas out; None to leave the list as it is.
        answers: whether the document says what each cloud answered.
    """

    listing: Listing
    path: str
    query: str
    base: str
    key: Hashable
    annotate: bool = False
    fold: Fold | None = None
    answers: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """The answer.

    Attributes:
        legs: the result of each cloud.
        body: the document; None if no cloud answered with a list.
        names: the clouds.
        owners: the cloud of each item, as an index of `names` (`core.merging.Merged`).
        lead: headers of one cloud's answer; those that describe the document are used.
    """

    legs: Sequence[Leg]
    body: Document | None = None
    names: Sequence[str] = ()
    owners: Sequence[int] = ()
    lead: Reply | None = None


class Lister:
    """One request for a list.

    Args:
        question: the request.
        targets: the clouds, in the order that decides between equal items.
        ask: sends one question.
        deadline: in the event loop's time.
        turns: leave room for other requests.
        memory: remembers where pages ended.
    """

    def __init__(
        self,
        question: Question,
        targets: Sequence[Target],
        ask: Ask,
        deadline: float,
        turns: Turns,
        memory: FanOutMemory,
    ) -> None:
        window = Window.of(question.listing, question.query)
        self._order = question.listing.order(window.rest)
        self._hidden: tuple[str, ...] = ()
        if question.listing.service == "network":
            window = self._with_fields(question.listing, window)
        self._window = window
        self._question = question
        self._targets = targets
        self._ask = ask
        self._deadline = deadline
        self._turns = turns
        self._memory = memory
        self._legs: dict[str, Leg] = {}

    async def answer(self) -> Listed:
        """Query the clouds, and merge their answers.

        Raises:
            MarkerError: the marker is not known.
        """
        question, window = self._question, self._window
        after = await self._place()
        wanted = window.limit + window.offset if window.limit is not None else None
        pages = await self._pages(after, wanted)
        if not pages and any(target.cloud not in after.ended for target in self._targets):
            return Listed(list(self._legs.values()))
        if question.fold is not None and window.marker is None:
            pages = await folded(pages, question.fold)
        names = list(pages)
        merged, now = await _ordered(pages, self._order, after, wanted)
        owners = merged.owners[window.offset :] if window.offset else merged.owners
        marker = self._marker(now, names, pages, merged) if any(merged.taken) else None
        shown = replace(window, rest=tuple(pair for pair in window.rest if pair not in self._added))
        rest = pages[names[0]].rest if names else {}
        document = linked(question.listing, rest, question.path, question.base, shown, marker)
        if (counted := question.listing.counted) is not None and counted in document:
            document[counted] = sum(_count(page.rest.get(counted)) for page in pages.values())
        if question.answers:
            document[ANSWERS] = answers(list(self._legs.values()), dict(zip(names, merged.taken, strict=True)))
        lead = self._legs[names[0]].reply if names else None
        head, tail = _around(question.listing.items, document)
        annotations = names if question.annotate else None
        body = Document(head, list(pages.values()), merged, annotations, window.offset, tail)
        return Listed(list(self._legs.values()), body, names, owners, lead)

    @property
    def _added(self) -> frozenset[tuple[str, str]]:
        return frozenset(("fields", field) for field in self._hidden)

    def _with_fields(self, listing: Listing, window: Window) -> Window:
        """Add to neutron's `fields=` the fields that paging and sorting need; those that the client did not ask for are removed from the answer."""
        fields = [value for name, value in window.rest if name == "fields"]
        needed = dict.fromkeys([listing.marker, *(key.field for key in self._order.keys)])
        self._hidden = tuple(field for field in needed if fields and field not in fields)
        return replace(window, rest=(*window.rest, *(("fields", field) for field in self._hidden)))

    async def _place(self) -> Positions:
        """The place after which the page begins.

        Raises:
            MarkerError: the marker is not known.
        """
        marker = self._window.marker
        if marker is None:
            return Positions()
        if is_positions(marker):
            positions = Positions.parse(marker)
            strange = {*positions.after, *positions.ended} - {target.cloud for target in self._targets}
            if strange:
                raise MarkerError(f"The marker is of a list with other clouds: {', '.join(sorted(strange))}.")
            return positions
        return self._memory.after(self._question.key, marker) or await self._walk(marker)

    async def _walk(self, marker: str) -> Positions:
        """Find an item by its id: read pages from the first one on."""
        after = Positions()
        for _ in range(_WALK):
            pages = await self._pages(after, self._question.listing.page or _WALK)
            names = list(pages)
            merged, end = await _ordered(pages, self._order, after)
            holders = [name for name, page in pages.items() if marker in page.ids]
            if len(holders) > 1:
                raise MarkerError(
                    f"{' and '.join(holders)} have an item {marker[:64]}: follow the link to the next page."
                )
            if holders:
                page = names.index(holders[0])
                number = list(pages[holders[0]].ids).index(marker)
                taken = [0] * len(names)
                for part, index in merged.places():
                    taken[part] = index + 1
                    if (part, index) == (page, number):
                        return _moved(after, pages, taken)
            if not merged.more or not any(merged.taken):
                break
            after = end
        raise MarkerError("No cloud of the scope has an item with the id of the marker in this list.")

    async def _pages(self, after: Positions, limit: int | None) -> dict[str, Page]:
        """Read the next page of each cloud that has more items; a cloud that fails is missing, with its reason."""
        first_pages: dict[str, Page] = {}
        spool = Spool(self._turns.room)
        asked = {target: after.after.get(target.cloud) for target in self._targets if target.cloud not in after.ended}
        for _ in range(_ROUNDS):
            pages: dict[str, Page] = {}
            paths = {
                place: self._path(self._window.asked(self._question.listing, place, limit))
                for place in set(asked.values())
            }
            questions = [(target, paths[place]) for target, place in asked.items()]
            ask = partial(self._ask_page, places=asked, limit=limit, pages=pages, spool=spool)
            legs = await ask_all(ask, questions, self._deadline, self._turns)
            again: dict[Target, str | None] = {}
            for (target, place), leg in zip(asked.items(), legs, strict=True):
                self._legs[leg.cloud], page = leg, pages.get(leg.cloud)
                if leg.code or page is None:
                    first_pages.pop(leg.cloud, None)
                    continue
                first_pages[leg.cloud] = page
                if page.part.more and not page.items and page.next_marker not in {None, place}:
                    again[target] = page.next_marker
            if not again:
                break
            asked = again
        # A cloud that links to a next page and never returns an item has no more.
        ordered = {target.cloud: first_pages[target.cloud] for target in self._targets if target.cloud in first_pages}
        return {
            name: page if page.items or not page.part.more else replace(page, part=replace(page.part, more=False))
            for name, page in ordered.items()
        }

    async def _ask_page(
        self,
        target: Target,
        path: str,
        places: Mapping[Target, str | None],
        limit: int | None,
        pages: dict[str, Page],
        spool: Spool,
    ) -> Reply:
        """Ask one cloud, and parse its page when it arrives.

        Raises:
            OpenStackoidError: the cloud does not answer, its answer is not a page, or there is no room for it.
        """
        reply = await self._ask(target, path)
        if not reply.good:
            return reply
        with self._turns.pace.arrived(len(reply.body)):
            async with self._turns.parsing:
                pages[target.cloud] = spool.keep(target.cloud, self._page(target, reply.body, places[target], limit))
                await asyncio.sleep(0)
        return replace(reply, body=b"")  # the page holds it

    def _page(self, target: Target, body: bytes, place: str | None, limit: int | None) -> Page:
        """Parse the page of a cloud that was asked for what comes after `place`.

        Raises:
            PeerAnswerError: it is no such page.
        """
        try:
            # Else the full check costs more than the page; counting costs a tenth of it.
            if len(body) > limits.ANSWER.values and body.count(b",") > limits.ANSWER.values:
                limits.check(body, limits.ANSWER)
            page = read(self._question.listing, self._order, body, limit)
        except (PageError, LimitError) as error:
            raise PeerAnswerError(f"{target.cloud} answered what is no page: {error}.") from None
        if place is not None and place in page.ids:
            if has_next(self._question.listing, page.rest):
                raise PeerAnswerError(f"{target.cloud} answers the same page again, whatever the marker is.")
            page = page.behind(place)  # as nova's key pairs before 2.35: the whole list, whatever limit and marker are
        return replace(page, items=without(page.items, self._hidden)) if self._hidden else page

    def _path(self, query: str) -> str:
        return f"{self._question.path}?{query}" if query else self._question.path

    def _marker(self, now: Positions, names: Sequence[str], pages: Mapping[str, Page], merged: Merged) -> str | None:
        """The marker of the next page; None if this is the last one. In both cases the page's end is remembered under its last item."""
        if self._question.listing.paging is not Paging.MARKER:
            return None
        last = merged.owners[-1]
        last_id = pages[names[last]].marker(merged.taken[last] - 1)
        self._memory.ended(self._question.key, last_id, now)
        return (now.text() or last_id) if merged.more else None


async def _ordered(
    pages: Mapping[str, Page], order: Order, after: Positions, limit: int | None = None
) -> tuple[Merged, Positions]:
    """The order of the items behind a place, and the place behind them; beside the event loop if they are many."""

    def ordered() -> tuple[Merged, Positions]:
        merged = merge([page.part for page in pages.values()], [key.descending for key in order.keys], limit)
        return merged, _moved(after, pages, merged.taken)

    if sum(len(page.items) for page in pages.values()) > LARGE:
        return await asyncio.to_thread(ordered)
    return ordered()


def _moved(before: Positions, pages: Mapping[str, Page], taken: Sequence[int]) -> Positions:
    """The place after the items that were taken."""
    after, ended = dict(before.after), set(before.ended)
    for (name, page), count in zip(pages.items(), taken, strict=True):
        if count == len(page.items) and not page.part.more:
            ended.add(name)
            after.pop(name, None)
        elif count and page.ids:
            after[name] = page.marker(count - 1)
    return Positions(after, frozenset(ended))


def _count(value: Any) -> int:
    """A number of items; 0 if the value, which may be any JSON, is none. Python does not write sums of any length."""
    return value if type(value) is int and 0 <= value <= _MOST_ITEMS else 0


def _around(name: str, rest: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The text of a document before and after its items."""
    more = json.dumps(rest, separators=(",", ":"))[1:].encode()  # orjson refuses integers beyond 64 bits
    return b'{"' + name.encode() + b'":[', b"]" + (b"," if rest else b"") + more
