"""One poll an interval for all who watch the same: a list, or single questions where those are fewer requests."""

import asyncio
import contextlib
import functools
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from openstack import exceptions

from oaktree.v1.common_pb2 import CHANGE_CREATED, CHANGE_CURRENT, CHANGE_DELETED, CHANGE_UPDATED, Change
from openstackoid.oaktree.upstream.calls import Call, in_thread
from openstackoid.oaktree.watches import asking, failure_policy
from openstackoid.oaktree.watches.asking import Answer, Asker, Subject
from openstackoid.oaktree.watches.lookups import Lookup, Lookups
from openstackoid.oaktree.watches.pace import Pace
from openstackoid.oaktree.watches.states import State
from openstackoid.oaktree.watches.token_rotation import TokenRotation, refuses
from openstackoid.oaktree.watches.watchers import Watcher

__all__ = ["Pace", "Poll"]

T = TypeVar("T")

# Items that services give in one answer, if nobody configured it (nova's and cinder's max_limit): more are several requests.
_PAGE: Final = 1000
# Changes and watchers are told in turns, so that thousands of them do not stop everything else.
_TURN: Final = 500


@dataclass(eq=False)
class Poll:
    """All who watch one subject, and what is known of it: for an interval longer than anybody watches. In one event loop.

    Attributes:
        subject: what is watched; as all who watch it see it, with a token of theirs or another.
        pace: how often.
        asker: how it is asked.
        threads: where questions block.
        emptied: called when nobody has watched for an interval.
    """

    subject: Subject
    pace: Pace
    asker: Asker
    threads: ThreadPoolExecutor
    emptied: Callable[["Poll"], None]
    _states: dict[str, State] = field(default_factory=dict)
    _lookups: Lookups = field(default_factory=Lookups)
    _seen: dict[str, float] = field(default_factory=dict)  # id -> when it was asked for by itself
    _listed: float = -math.inf  # when all were asked for
    _answered: float = field(default_factory=time.monotonic)
    _at: float = 0.0  # when the newest answer came, in seconds since the epoch
    _due: float = 0.0
    _pages: float = 1.0  # requests that a list costs
    _complete: bool = False  # the states are all that there are
    _failures: int = 0
    _asked: int = 0
    _error: Exception | None = None
    _of_one: dict[str, set[Watcher]] = field(default_factory=dict)
    _of_all: set[Watcher] = field(default_factory=set)
    _tokens: TokenRotation = field(default_factory=TokenRotation)
    _joining: Counter[str] = field(default_factory=Counter)
    _holders: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _call: Call = field(default_factory=Call)
    _task: "asyncio.Task[None] | None" = None
    _retiring: asyncio.TimerHandle | None = None

    # Who watches.

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Go on existing meanwhile, also without a watcher."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            self._rest()

    async def find(self, name: str, subject: Subject) -> State | None:
        """The resource of this id or name, not older than the interval; None if it is not there.

        Who looks for one while others do so too shares a list with them. What is asked is asked with the token of `subject`, the caller's own.

        Raises:
            Exception: what the cloud answers instead.
        """
        asked = self._asked
        self._joining[name] += 1
        try:
            async with self._lock:
                self._share(asked)
                if (known := self._fresh(name)) is not None:
                    return known.state
                if self._lists(self._joining.keys() | self._of_one.keys()) and not self._is_fresh(self._listed):
                    await self._ask(self._list, subject)
                    if (known := self._fresh(name)) is not None and known.state is not None:
                        return known.state
                began = time.monotonic()
                state = await self._ask(self._one, subject, name)
                self._lookups.keep(name, state, began)
                return state
        finally:
            self._joining[name] -= 1
            if not self._joining[name]:
                del self._joining[name]

    async def fill(self, subject: Subject) -> None:
        """Know all that there are, as of an interval ago at most; asked with the caller's own token, that of `subject`.

        Raises:
            Exception: what the cloud answers instead.
        """
        asked = self._asked
        async with self._lock:
            self._share(asked)
            if not (self._complete and self._is_fresh(self._listed)):
                await self._ask(functools.partial(self._list, needed=True), subject)

    async def prepare(self, look: Callable[[State], object]) -> None:
        """Do something that takes time with all that is known, in a thread."""
        states = list(self._states.values())
        await self._thread(lambda: [look(state) for state in states])

    def add(self, watcher: Watcher, subject: Subject, state: State | None = None) -> None:
        """Go on telling a watcher: of a resource that was just found, or of all, after `fill`. While the poll is held.

        From now on others are polled for with the token of `subject`, too.
        """
        self._tokens.add(watcher, subject)
        if state is not None:
            state = self._states.setdefault(state.id, state)
            self._of_one.setdefault(state.id, set()).add(watcher)
            watcher.tell(CHANGE_CURRENT, state, self._at)
        else:
            self._of_all.add(watcher)
            if self._complete:
                self._introduce(watcher)
        if (self._task is None or self._task.cancelling() or self._task.done()) and (self._of_one or self._of_all):
            self._task = asyncio.create_task(self._run(), name=f"poll {self.subject.kind.name}")

    def leave(self, watcher: Watcher) -> None:
        """Tell it nothing more; the poll ends with its last watcher."""
        self._of_all.discard(watcher)
        self._tokens.drop(watcher)
        for name in [name for name in (watcher.id,) if watcher in self._of_one.get(name, ())]:
            self._of_one[name].discard(watcher)
            if not self._of_one[name]:
                del self._of_one[name]
                self._seen.pop(name, None)
                if not self._complete:
                    self._states.pop(name, None)
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
        self._retiring = asyncio.get_running_loop().call_later(self.pace.interval, self._retire)

    def _retire(self) -> None:
        """Be forgotten, unless somebody has come."""
        if not self.needed:
            self.emptied(self)

    @property
    def needed(self) -> bool:
        """Somebody watches, or looks for something."""
        return bool(self._of_one or self._of_all or self._holders)

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """What polls; None before somebody watches."""
        return self._task

    @property
    def watchers(self) -> list[Watcher]:
        """All who watch."""
        return [*self._of_all, *(each for many in self._of_one.values() for each in many)]

    # What is asked.

    async def _run(self) -> None:
        self._answered = time.monotonic()
        while True:
            await asyncio.sleep(self._due - time.monotonic())
            async with self._lock:
                if self._due > time.monotonic():
                    continue  # somebody who came has asked meanwhile
                try:
                    await self._ask(self._look)
                except Exception as error:  # noqa: BLE001 - it may pass; if not, the watchers hear of it
                    self._failed(error)

    async def _look(self) -> None:
        """What all watchers need to know. A token that the cloud refuses ends the watches of those who brought it; others are tried."""
        while len(self._tokens):
            subject = self._tokens.next()
            try:
                if self._of_all or self._lists(self._of_one):
                    return await self._list(subject, needed=bool(self._of_all))
                return await self._single(subject, list(self._of_one))
            except Exception as error:
                if not refuses(error) or len(self._tokens) == 1:
                    raise
                for watcher in self._tokens.of(subject):
                    watcher.fail(subject.located(error))
                    # Now: whoever reads slowly leaves late, and the token would be tried again and again.
                    self._tokens.drop(watcher)
        return None

    def _lists(self, ids: Collection[str]) -> bool:
        """Whether a list costs fewer requests than asking for these."""
        return self.subject.listable and (not self.subject.gettable or len(ids) > self._pages)

    async def _list(self, subject: Subject, *, needed: bool = False) -> None:
        """Ask for all. Where that is forbidden, and not needed, single ones are asked for from now on."""
        self._due = time.monotonic() + self.pace.interval
        before = self._states
        try:
            answer = await self._thread(self.asker.listed, subject, before)
        except exceptions.ForbiddenException:
            if needed or not self.subject.gettable:
                raise
            self._pages = math.inf
            await self._single(subject, list(self._of_one))
            return
        listed = time.monotonic() - answer.age
        found = answer.states
        # A list may lag: one that is watched, and is not in it, is asked for.
        lost = {name for name in self._of_one if name not in found and self._seen.get(name, -math.inf) <= listed}
        if lost and self.subject.gettable:
            found |= (await self._got(subject, sorted(lost), before)).states
        # One that was asked for after the list, which another worker may have made, is as it was then.
        later = {name: seen for name, seen in self._seen.items() if seen > listed and name in before}
        found |= {name: before[name] for name in later}
        found |= {name: before[name] for name in self._of_one if name not in found and name not in lost}
        self._pages = 1 + len(found) // _PAGE
        complete, self._complete = self._complete, True
        self._states = found
        self._listed = listed
        self._due = listed + self.pace.interval
        self._seen = later
        self._at = time.time() - answer.age
        await self._compare(before, dict(found), list(self._of_all) if complete else [])
        if not complete:
            for watcher in list(self._of_all):
                self._introduce(watcher)

    async def _single(self, subject: Subject, ids: list[str]) -> None:
        """Ask for these."""
        self._due = time.monotonic() + self.pace.interval
        before = self._states
        answer = await self._got(subject, ids, before)
        seen = time.monotonic() - answer.age
        # As for lists; and who came meanwhile was told of what is known.
        later = {name for name in self._of_one if name not in ids or self._seen.get(name, seen) > seen}
        found = answer.states | {name: before[name] for name in later if name in before}
        self._complete = False
        self._states = {name: state for name, state in found.items() if name in self._of_one}
        self._seen = {name: max(seen, self._seen.get(name, seen)) for name in self._states}
        self._at = time.time() - answer.age
        await self._compare({name: before[name] for name in ids if name in before}, self._states, [])

    async def _got(self, subject: Subject, ids: list[str], before: Mapping[str, State]) -> Answer:
        """Those of the ids that are there; each question has a time of its own, since many may have to wait for the cloud's rate."""
        found: dict[str, State] = {}
        age = 0.0
        for name in ids:
            answer = await self._thread(self.asker.got, subject, name, before)
            found |= answer.states
            age = max(age, answer.age)
        return Answer(found, age)

    async def _compare(self, before: Mapping[str, State], now: Mapping[str, State], of_all: list[Watcher]) -> None:
        """Tell what is different: those who watch one, and these who watch all."""
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
            watcher.settle(self._at)

    async def _one(self, subject: Subject, name: str) -> State | None:
        """One that somebody looks for who watches nothing here yet."""
        if not self.subject.gettable:
            if not self._is_fresh(self._listed):
                await self._list(subject)
            return asking.named(self.subject, name, self._states)
        asked = time.monotonic()
        named_too = not (self._complete and self._is_fresh(self._listed))
        state = await self._thread(functools.partial(asking.one, named_too=named_too), subject, name, self._states)
        if state is None:
            return None
        old = self._states.get(state.id)
        self._states[state.id] = state
        self._seen[state.id] = asked
        self._at = time.time()
        if not (self._of_one or self._of_all):
            self._due = asked + self.pace.interval
        if old is not state:
            await self._compare({} if old is None else {old.id: old}, {state.id: state}, list(self._of_all))
        return state

    async def _ask(self, question: Callable[..., Awaitable[T]], *args: Any) -> T:
        try:
            answer = await question(*args)
        except Exception as error:
            self._error = error
            self._failures += 1
            self._asked += 1
            raise
        self._error = None
        self._failures = 0
        self._asked += 1
        self._answered = time.monotonic()
        return answer

    async def _thread(self, function: Callable[..., T], *args: Any) -> T:
        here = self._call.to(*self.subject.region.key, timeout=self.pace.timeout)
        return await in_thread(here, self.threads, function, *args)

    # What is told.

    def _tell(self, change: "Change.ValueType", state: State, of_all: list[Watcher]) -> None:
        if change == CHANGE_DELETED:
            self._lookups.forget(state.id)
        for watcher in [*self._of_one.get(state.id, ()), *of_all]:
            watcher.tell(change, state, self._at)

    def _introduce(self, watcher: Watcher) -> None:
        for state in self._states.values():
            watcher.tell(CHANGE_CURRENT, state, self._at)
        watcher.heard(self)
        watcher.settle(self._at)

    def _failed(self, error: Exception) -> None:
        """A poll failed: wait longer, or end the watches."""
        silent = time.monotonic() - self._answered
        wait = failure_policy.wait(error, min(self.pace.interval * 2**self._failures, self.pace.longest))
        self._due = time.monotonic() + wait
        if failure_policy.passes(error):
            if silent <= self.pace.patience:
                return
            error = failure_policy.told(error, self.subject.region.key, silent, wait)
        for watcher in self.watchers:
            watcher.fail(self.subject.located(error))

    # What is known.

    def _share(self, asked: int) -> None:
        """Who waited while others asked in vain has asked with them."""
        if self._asked > asked and self._error is not None and failure_policy.passes(self._error):
            raise self._error.with_traceback(None)

    def _fresh(self, name: str) -> Lookup | None:
        """What is known of an id or a name, not older than the interval; None if it has to be asked for."""
        if self._complete and self._is_fresh(self._listed):
            if (state := asking.named(self.subject, name, self._states)) is not None:
                return Lookup(state, self._listed)
        elif name in self._states and self._is_fresh(self._seen.get(name, -math.inf)):
            return Lookup(self._states[name], self._seen[name])
        known = self._lookups.get(name, time.monotonic() - self.pace.interval)
        if known is None or known.state is None:
            return known
        return Lookup(self._states.get(known.state.id, known.state), known.at)

    def _is_fresh(self, then: float) -> bool:
        return time.monotonic() - then < self.pace.interval
