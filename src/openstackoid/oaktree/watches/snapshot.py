"""A snapshot of one subject's resources, from a cloud's last answers, with the age of each. Pure."""

import math
import time
from collections.abc import Collection, Mapping
from typing import Final

from openstackoid.oaktree.watches import asking
from openstackoid.oaktree.watches.asking import Answer, Subject
from openstackoid.oaktree.watches.lookups import Lookup, Lookups
from openstackoid.oaktree.watches.states import State

# Default page size of services (nova's and cinder's max_limit): a longer list takes several requests.
_PAGE: Final = 1000


class Snapshot:
    """The resources of one subject as they were seen last.

    Attributes:
        states: by id.
        seen: for resources that were fetched singly, the time of the request (`time.monotonic()`).
        listed: the time of the last list request; -inf if there was none.
        complete: whether the states are all resources of the subject.
        at: the time of the newest answer, in seconds since the epoch.
        pages: number of requests that a list takes; inf if lists are forbidden.
        lookups: results of lookups by id or name.
    """

    def __init__(self, subject: Subject, interval: float) -> None:
        """Create an empty snapshot; an answer is fresh for `interval` seconds."""
        self.states: dict[str, State] = {}
        self.seen: dict[str, float] = {}
        self.listed = -math.inf
        self.complete = False
        self.at = 0.0
        self.pages = 1.0
        self.lookups: Final = Lookups()
        self._subject: Final = subject
        self._interval: Final = interval

    @property
    def is_fresh(self) -> bool:
        """Whether the snapshot is complete and not older than the interval."""
        return self.complete and self.list_is_fresh

    @property
    def list_is_fresh(self) -> bool:
        """Whether the last list is not older than the interval."""
        return self._within(self.listed)

    def lookup(self, name: str) -> Lookup | None:
        """The cached result for an id or name, not older than the interval; None if a request is needed."""
        if self.is_fresh:
            if (state := asking.named(self._subject, name, self.states)) is not None:
                return Lookup(state, self.listed)
        elif name in self.states and self._within(self.seen.get(name, -math.inf)):
            return Lookup(self.states[name], self.seen[name])
        known = self.lookups.get(name, time.monotonic() - self._interval)
        if known is None or known.state is None:
            return known
        return Lookup(self.states.get(known.state.id, known.state), known.at)

    def lost(self, answer: Answer, listed: float, watched: Collection[str]) -> set[str]:
        """Watched ids that a list lacks and that were not fetched singly since the list request (`listed`): lists may lag behind."""
        return {name for name in watched if name not in answer.states and self.seen.get(name, -math.inf) <= listed}

    def take_list(self, answer: Answer, listed: float, watched: Collection[str], lost: Collection[str]) -> None:
        """Replace all states by a list.

        Args:
            answer: the list, with the resources of `lost` that a single get found.
            listed: the time of the list request (`time.monotonic()`).
            watched: ids that are watched.
            lost: the result of `lost`.
        """
        before, states = self.states, answer.states
        # A resource that was fetched after the list request (perhaps another worker's) keeps the later state.
        self.seen = {name: seen for name, seen in self.seen.items() if seen > listed and name in before}
        states |= {name: before[name] for name in self.seen}
        states |= {name: before[name] for name in watched if name not in states and name not in lost}
        self.pages = 1 + len(states) // _PAGE
        self.complete = True
        self.states = states
        self.listed = listed
        self.at = time.time() - answer.age

    def take_single(self, answer: Answer, ids: Collection[str], watched: Collection[str]) -> Mapping[str, State]:
        """Replace the states of resources that were fetched singly. Returns their states before.

        Args:
            answer: the resources of `ids` that exist.
            ids: the requested ids.
            watched: ids that are watched; other resources are not kept.
        """
        before, seen = self.states, time.monotonic() - answer.age
        # As for lists; and watchers that were added meanwhile have got the known states.
        later = {name for name in watched if name not in ids or self.seen.get(name, seen) > seen}
        states = answer.states | {name: before[name] for name in later if name in before}
        self.complete = False
        self.states = {name: state for name, state in states.items() if name in watched}
        self.seen = {name: max(seen, self.seen.get(name, seen)) for name in self.states}
        self.at = time.time() - answer.age
        return {name: before[name] for name in ids if name in before}

    def take_one(self, state: State, asked: float) -> State | None:
        """Store a resource that was looked up. Returns its state before."""
        before = self.states.get(state.id)
        self.states[state.id] = state
        self.seen[state.id] = asked
        self.at = time.time()
        return before

    def forget(self, resource_id: str) -> None:
        """Note that a resource has no watcher of its own any more."""
        self.seen.pop(resource_id, None)
        if not self.complete:
            self.states.pop(resource_id, None)

    def _within(self, then: float) -> bool:
        return time.monotonic() - then < self._interval
