"""One poll per interval for all watchers of a subject: a list, or single gets if those are fewer requests."""

import asyncio
import contextlib
import functools
import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from openstack import exceptions

from oaktree.v1.common_pb2 import CHANGE_CREATED, CHANGE_CURRENT, CHANGE_DELETED, CHANGE_UPDATED, Change
from openstackoid.oaktree.upstream.calls import Call, in_thread
from openstackoid.oaktree.watches import asking, failure_policy
from openstackoid.oaktree.watches.asking import Answer, Asker, Subject
from openstackoid.oaktree.watches.audience import Audience
from openstackoid.oaktree.watches.failure_policy import Health
from openstackoid.oaktree.watches.pace import Pace
from openstackoid.oaktree.watches.snapshot import Snapshot
from openstackoid.oaktree.watches.states import State
from openstackoid.oaktree.watches.token_rotation import refuses
from openstackoid.oaktree.watches.watchers import Watcher

__all__ = ["Pace", "Poll"]

T = TypeVar("T")

# Changes are delivered in batches, so that thousands of changes or watchers do not block the event loop.
_TURN: Final = 500


class Poll:
    """The watchers of one subject, and its snapshot; lives for one interval after the last watcher left. In one event loop."""

    def __init__(
        self,
        subject: Subject,
        pace: Pace,
        asker: Asker,
        threads: ThreadPoolExecutor,
        emptied: Callable[["Poll"], None],
    ) -> None:
        """Create a poll without watchers.

        Args:
            subject: the watched subject, the same for all watchers whatever their token.
            pace: intervals and timeouts.
            asker: sends the requests.
            threads: the threads in which the requests block.
            emptied: called when the poll had no watcher for an interval.
        """
        self.subject: Final = subject
        self._pace: Final = pace
        self._asker: Final = asker
        self._threads: Final = threads
        self._emptied: Final = emptied
        self._snapshot: Final = Snapshot(subject, pace.interval)
        self._audience: Final = Audience()
        self._health: Final = Health()
        self._lock: Final = asyncio.Lock()
        self._due = 0.0
        self._call = Call()
        self._task: asyncio.Task[None] | None = None
        self._retiring: asyncio.TimerHandle | None = None

    # Watchers.

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Context in which the poll is kept even without a watcher."""
        try:
            with self._audience.held():
                yield
        finally:
            self._rest()

    async def find(self, name: str, subject: Subject) -> State | None:
        """Find a resource by id or name; the result is not older than the interval. Returns None if it does not exist.

        Concurrent lookups share a list. Requests use the token of `subject`, which is the caller's own.

        Raises:
            Exception: the error of the request.
        """
        questions, snapshot = self._health.questions, self._snapshot
        with self._audience.looking_for(name):
            async with self._lock:
                self._health.share(questions)
                if (known := snapshot.lookup(name)) is not None:
                    return known.state
                if self._lists(self._audience.wanted) and not snapshot.list_is_fresh:
                    await self._ask(self._list, subject)
                    if (known := snapshot.lookup(name)) is not None and known.state is not None:
                        return known.state
                began = time.monotonic()
                state = await self._ask(self._one, subject, name)
                snapshot.lookups.keep(name, state, began)
                return state

    async def fill(self, subject: Subject) -> None:
        """List all resources, unless the snapshot is complete and not older than the interval. Uses the token of `subject`, the caller's own.

        Raises:
            Exception: the error of the request.
        """
        questions = self._health.questions
        async with self._lock:
            self._health.share(questions)
            if not self._snapshot.is_fresh:
                await self._ask(functools.partial(self._list, needed=True), subject)

    async def prepare(self, look: Callable[[State], object]) -> None:
        """Call a slow function for all known states, in a thread."""
        states = list(self._snapshot.states.values())
        await self._thread(lambda: [look(state) for state in states])

    def add(self, watcher: Watcher, subject: Subject, state: State | None = None) -> None:
        """Add a watcher of a resource that `find` returned, or of all resources after `fill`. Call it while the poll is held.

        From now on the poll uses the token of `subject` in turn with the others.
        """
        if state is not None:
            state = self._snapshot.states.setdefault(state.id, state)
        self._audience.add(watcher, subject, state)
        if state is not None:
            watcher.tell(CHANGE_CURRENT, state, self._snapshot.at)
        elif self._snapshot.complete:
            self._introduce(watcher)
        ended = self._task is None or self._task.cancelling() or self._task.done()
        if ended and self._audience.watching:
            self._task = asyncio.create_task(self._run(), name=f"poll {self.subject.kind.name}")

    def leave(self, watcher: Watcher) -> None:
        """Remove a watcher; the poll ends with its last watcher."""
        if (unwatched := self._audience.leave(watcher)) is not None:
            self._snapshot.forget(unwatched)
        self._rest()

    def _rest(self) -> None:
        if self.needed:
            return
        self._call.cancel()
        self._call = Call()
        if self._task is not None:
            self._task.cancel()
        if self._retiring is not None:
            self._retiring.cancel()
        self._retiring = asyncio.get_running_loop().call_later(self._pace.interval, self._retire)

    def _retire(self) -> None:
        """Call `emptied`, unless a watcher has been added."""
        if not self.needed:
            self._emptied(self)

    @property
    def needed(self) -> bool:
        """Whether there is a watcher, a lookup in progress, or a holder."""
        return self._audience.needed

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """The polling task; None before the first watcher."""
        return self._task

    @property
    def watchers(self) -> list[Watcher]:
        """All watchers."""
        return self._audience.watchers

    # Requests.

    async def _run(self) -> None:
        self._health.answered = time.monotonic()
        while True:
            await asyncio.sleep(self._due - time.monotonic())
            async with self._lock:
                if self._due > time.monotonic():
                    continue  # a new watcher's request has refreshed the snapshot meanwhile
                try:
                    await self._ask(self._look)
                except Exception as error:  # noqa: BLE001 - it may be temporary; if not, it ends the watches
                    self._failed(error)

    async def _look(self) -> None:
        """Poll once for all watchers. If the cloud refuses a token, the watches with that token end, and the next token is tried."""
        audience = self._audience
        while len(audience.tokens):
            subject = audience.tokens.next()
            try:
                if audience.of_all or self._lists(audience.of_one):
                    return await self._list(subject, needed=bool(audience.of_all))
                return await self._single(subject, list(audience.of_one))
            except Exception as error:
                if not refuses(error) or len(audience.tokens) == 1:
                    raise
                for watcher in audience.tokens.of(subject):
                    watcher.fail(subject.located(error))
                    # Drop at once: a slow reader leaves late, and until then the refused token would be tried again and again.
                    audience.tokens.drop(watcher)
        return None

    def _lists(self, ids: Collection[str]) -> bool:
        """Whether a list costs fewer requests than one get for each id."""
        return self.subject.listable and (not self.subject.gettable or len(ids) > self._snapshot.pages)

    async def _list(self, subject: Subject, *, needed: bool = False) -> None:
        """List all resources. If listing is forbidden and not needed, use single gets from now on."""
        self._due = time.monotonic() + self._pace.interval
        snapshot, watched = self._snapshot, self._audience.of_one
        before = snapshot.states
        try:
            answer = await self._thread(self._asker.listed, subject, before)
        except exceptions.ForbiddenException:
            if needed or not self.subject.gettable:
                raise
            snapshot.pages = math.inf
            await self._single(subject, list(watched))
            return
        listed = time.monotonic() - answer.age
        lost = snapshot.lost(answer, listed, watched)
        if lost and self.subject.gettable:
            answer = answer.with_states((await self._got(subject, sorted(lost), before)).states)
        complete = snapshot.complete
        snapshot.take_list(answer, listed, watched, lost)
        self._due = snapshot.listed + self._pace.interval
        await self._compare(before, dict(snapshot.states), list(self._audience.of_all) if complete else [])
        if not complete:
            for watcher in list(self._audience.of_all):
                self._introduce(watcher)

    async def _single(self, subject: Subject, ids: list[str]) -> None:
        """Get the resources with these ids."""
        self._due = time.monotonic() + self._pace.interval
        answer = await self._got(subject, ids, self._snapshot.states)
        before = self._snapshot.take_single(answer, ids, self._audience.of_one)
        await self._compare(before, self._snapshot.states, [])

    async def _got(self, subject: Subject, ids: list[str], before: Mapping[str, State]) -> Answer:
        """Get the resources with these ids that exist. Each request has its own timeout, since many may wait for the rate limit."""
        states: dict[str, State] = {}
        age = 0.0
        for name in ids:
            answer = await self._thread(self._asker.got, subject, name, before)
            states |= answer.states
            age = max(age, answer.age)
        return Answer(states, age)

    async def _one(self, subject: Subject, name: str) -> State | None:
        """Look up one resource for a caller that has no watch here yet."""
        snapshot = self._snapshot
        if not self.subject.gettable:
            if not snapshot.list_is_fresh:
                await self._list(subject)
            return asking.named(self.subject, name, snapshot.states)
        asked = time.monotonic()
        look = functools.partial(asking.one, named_too=not snapshot.is_fresh)
        state = await self._thread(look, subject, name, snapshot.states)
        if state is None:
            return None
        before = snapshot.take_one(state, asked)
        if not self._audience.watching:
            self._due = asked + self._pace.interval
        if before is not state:
            old = {} if before is None else {before.id: before}
            await self._compare(old, {state.id: state}, list(self._audience.of_all))
        return state

    async def _ask(self, question: Callable[..., Awaitable[T]], *args: Any) -> T:
        try:
            answer = await question(*args)
        except Exception as error:
            self._health.failed(error)
            raise
        self._health.succeeded()
        return answer

    async def _thread(self, function: Callable[..., T], *args: Any) -> T:
        here = self._call.to(*self.subject.region.key, timeout=self._pace.timeout)
        return await in_thread(here, self._threads, function, *args)

    # Delivery.

    async def _compare(self, before: Mapping[str, State], now: Mapping[str, State], of_all: list[Watcher]) -> None:
        """Deliver the differences to the watchers of single resources, and to the given watchers of all."""
        changes = [
            (CHANGE_UPDATED if name in before else CHANGE_CREATED, state)
            for name, state in now.items()
            if state is not before.get(name)
        ]
        changes += [(CHANGE_DELETED, old) for name, old in before.items() if name not in now]
        for count, (change, state) in enumerate(changes, 1):
            self._tell(change, state, of_all)
            if count % _TURN == 0:
                await asyncio.sleep(0)
        for watcher in of_all:
            watcher.settle(self._snapshot.at)

    def _tell(self, change: "Change.ValueType", state: State, of_all: list[Watcher]) -> None:
        if change == CHANGE_DELETED:
            self._snapshot.lookups.forget(state.id)
        for watcher in [*self._audience.of(state.id), *of_all]:
            watcher.tell(change, state, self._snapshot.at)

    def _introduce(self, watcher: Watcher) -> None:
        for state in self._snapshot.states.values():
            watcher.tell(CHANGE_CURRENT, state, self._snapshot.at)
        watcher.heard(self)
        watcher.settle(self._snapshot.at)

    def _failed(self, error: Exception) -> None:
        """Handle a failed poll: increase the interval, or end the watches."""
        pace = self._pace
        silent = time.monotonic() - self._health.answered
        wait = failure_policy.wait(error, min(pace.interval * 2**self._health.failures, pace.longest))
        self._due = time.monotonic() + wait
        if failure_policy.passes(error):
            if silent <= pace.patience:
                return
            error = failure_policy.silent_error(error, self.subject.region.key, silent, wait)
        for watcher in self.watchers:
            watcher.fail(self.subject.located(error))
