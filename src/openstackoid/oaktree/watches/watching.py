"""Watches: changes of resources until a condition holds. All watchers of a subject share one poll per interval.

The streams share the encoded resources as well: a resource is encoded once, and a slow reader keeps only references.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from oaktree.v1.common_pb2 import CHANGE_REACHED, Change
from openstackoid.oaktree import errors
from openstackoid.oaktree.cache.answers import Cache
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.deciding import outcomes, unique
from openstackoid.oaktree.resources.kinds import Kind
from openstackoid.oaktree.upstream.regions import Region
from openstackoid.oaktree.watches.asking import Asker, Subject
from openstackoid.oaktree.watches.conditions import Until
from openstackoid.oaktree.watches.pending import Event
from openstackoid.oaktree.watches.polls import Pace, Poll
from openstackoid.oaktree.watches.states import State
from openstackoid.oaktree.watches.watchers import Watcher


@dataclass(frozen=True)
class Watch:
    """The parameters of one watch.

    Attributes:
        kind: the kind of the resources.
        codec: codec of the kind's messages.
        regions: the cloud-regions to watch.
        id: id or name of one resource; empty for all.
        until: the condition that ends the watch.
        parents: the parameters of the kind's path, such as a parent's id.
        zone: in a watch of all resources, the availability zone to restrict it to; empty for all.
    """

    kind: Kind
    codec: Codec
    regions: Sequence[Region]
    id: str = ""
    until: Until = field(default_factory=Until)
    parents: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""


class Watches:
    """All watches of a process. In one event loop."""

    def __init__(
        self, threads: ThreadPoolExecutor, pace: Pace | None = None, *, cache: Cache | None = None, most: int = 64
    ) -> None:
        """Create the set without watches.

        Args:
            threads: the threads in which requests to clouds block.
            pace: intervals and timeouts of the polls.
            cache: a cache in the Redis that the workers share; None if there is none.
            most: number of changes that are kept unmerged for a slow reader.
        """
        self._threads: Final = threads
        self._pace: Final = pace or Pace()
        self._asker: Final = Asker(cache, self._pace.interval)
        self._most: Final = most
        self._polls: Final[dict[tuple[Any, ...], Poll]] = {}

    @property
    def polls(self) -> list[Poll]:
        """The active polls."""
        return [poll for poll in self._polls.values() if poll.needed]

    async def watch(self, watch: Watch) -> AsyncGenerator[Event, None]:
        """Yield the current state, then the changes, and last that the condition holds.

        Raises:
            errors.MissingError: the resource does not exist, and the condition is not its deletion.
            errors.AmbiguousError: several cloud-regions have a resource of this id or name.
            errors.InvalidError: the watch is of all resources of a kind that cannot be listed.
            conditions.FailedError: the resource is in an error status, and cannot reach the wanted status.
            conditions.DeletedError: the resource was deleted, and the condition is not its deletion.
            failure_policy.SilentError: its cloud has not answered for `Pace.patience`.
            Exception: the error of a request to a cloud.
        """
        if watch.id and not watch.kind.cls.allow_list and not watch.kind.cls.allow_fetch:
            raise errors.UnsupportedError(f"{watch.kind.name} can be neither listed nor asked for: nobody can watch it")
        if not watch.id and not watch.kind.cls.allow_list:
            raise errors.invalid("id", f"{watch.kind.name} has no lists: give the id of one")
        with contextlib.ExitStack() as stack:
            subjects = [Subject(region, watch.kind, watch.parents) for region in watch.regions]
            joined = [(self._poll(subject), subject) for subject in subjects]
            for poll, _ in joined:
                stack.enter_context(poll.held())
            try:
                watcher = await (self._one(watch, joined) if watch.id else self._all(watch, joined))
            except errors.MissingError:
                if not watch.until.gone:
                    raise
                watcher = None
        if watcher is None:
            yield Event(CHANGE_REACHED, None, time.time())
            return
        try:
            async for event in watcher.events():
                yield event
        finally:
            for poll, _ in joined:
                poll.leave(watcher)

    async def follow(
        self, kind: Kind, codec: Codec, region: Region, id_: str, until: Until, parents: Mapping[str, str] | None = None
    ) -> AsyncGenerator[tuple["Change.ValueType", Message], None]:
        """As `watch`, for one resource in one cloud-region; yields its messages. Close the iterator (`aclosing`) if you stop early."""
        async with contextlib.aclosing(self.watch(Watch(kind, codec, [region], id_, until, parents or {}))) as events:
            async for event in events:
                if event.state is not None:
                    yield event.change, event.state.message(codec)

    def _poll(self, subject: Subject) -> Poll:
        if subject.key not in self._polls:
            made = Poll(subject, self._pace, self._asker, self._threads, self._emptied)
            self._polls[subject.key] = made
        return self._polls[subject.key]

    def _emptied(self, poll: Poll) -> None:
        if self._polls.get(poll.subject.key) is poll:
            del self._polls[poll.subject.key]

    async def _one(self, watch: Watch, joined: Sequence[tuple[Poll, Subject]]) -> Watcher:
        results = await outcomes(
            [poll.find(watch.id, subject) for poll, subject in joined],
            lambda state: state is not None and state.id == watch.id and unique(watch.kind, watch.id),
        )
        joiners = [(*joiner, state) for joiner, state in zip(joined, results, strict=True) if isinstance(state, State)]
        if len(joiners) > 1:
            places = ", ".join(sorted("/".join(filter(None, subject.region.key)) for _, subject, _ in joiners))
            raise errors.AmbiguousError(
                f"{watch.kind.name} {watch.id!r} is in {places}: give a location with one of them."
            )
        for (_, subject), result in zip(joined, results, strict=True):
            if not joiners and isinstance(result, BaseException):
                raise subject.located(result)
        if not joiners:
            places = ", ".join(sorted({region.location.cloud for region in watch.regions})) or "no cloud"
            raise errors.MissingError(f"{watch.kind.name} {watch.id!r} is not in {places}, by id or by name.")
        [(poll, subject, state)] = joiners
        watcher = Watcher(watch.until, watch.codec, poll.leave, most=self._most, id_=state.id)
        poll.add(watcher, subject, state)
        return watcher

    async def _all(self, watch: Watch, joined: Sequence[tuple[Poll, Subject]]) -> Watcher:
        polls = [poll for poll, _ in joined]
        results = await _all_of([poll.fill(subject) for poll, subject in joined])
        failed = [result for result in results if isinstance(result, BaseException)]
        if failed and len(failed) == len(polls):
            raise joined[0][1].located(failed[0])
        if watch.until.expression:
            await _all_of([poll.prepare(lambda state: watch.until.met(state, watch.codec)) for poll in polls])

        def leave(watcher: Watcher) -> None:
            for poll in polls:
                poll.leave(watcher)

        watcher = Watcher(watch.until, watch.codec, leave, most=self._most, zone=watch.zone, sources=polls)
        # Regions that did not answer are queried again; their resources are delivered when they answer.
        for poll, subject in joined:
            if not watcher.ended:
                poll.add(watcher, subject)
        return watcher


async def _all_of(work: Sequence[Any]) -> list[Any]:
    """Yield the items of all iterators, or raise their first error; the iterators end with the caller."""
    return await asyncio.gather(*work, return_exceptions=True)
