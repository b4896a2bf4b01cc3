"""What the last answers of a cloud say of one subject's resources, and how old each is. Pure."""

import math
import time
from collections.abc import Collection, Mapping
from typing import Final

from openstackoid.oaktree.watches import asking
from openstackoid.oaktree.watches.asking import Answer, Subject
from openstackoid.oaktree.watches.lookups import Lookup, Lookups
from openstackoid.oaktree.watches.states import State

# Items that services give in one answer, if nobody configured it (nova's and cinder's max_limit): more are several requests.
_PAGE: Final = 1000


class Snapshot:
    """The resources of one subject as they were seen last.

    Attributes:
        states: by id.
        seen: when each that was asked for by itself was asked for, as `time.monotonic()` has it.
        listed: when all were asked for; -inf if they never were.
        complete: the states are all that there are.
        at: when the newest answer came, in seconds since the epoch.
        pages: requests that a list costs; inf where lists are forbidden.
        lookups: what was found by ids and names.
    """

    def __init__(self, subject: Subject, interval: float) -> None:
        """Begin with nothing; what is not older than `interval` seconds is fresh."""
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
        """All that there are, not older than the interval."""
        return self.complete and self.list_is_fresh

    @property
    def list_is_fresh(self) -> bool:
        """All were asked for within the interval."""
        return self._within(self.listed)

    def lookup(self, name: str) -> Lookup | None:
        """What is known of an id or a name, not older than the interval; None if it has to be asked for."""
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
        """Those of the watched ids that a list lacks, and that were not asked for since it was (`listed`): a list may lag."""
        return {name for name in watched if name not in answer.states and self.seen.get(name, -math.inf) <= listed}

    def take_list(self, answer: Answer, listed: float, watched: Collection[str], lost: Collection[str]) -> None:
        """Replace all by a list.

        Args:
            answer: the list, with those of `lost` that were found by themselves.
            listed: when it was asked for, as `time.monotonic()` has it.
            watched: ids that are watched.
            lost: what `lost` gave.
        """
        before, states = self.states, answer.states
        # One that was asked for after the list, which another worker may have made, is as it was then.
        self.seen = {name: seen for name, seen in self.seen.items() if seen > listed and name in before}
        states |= {name: before[name] for name in self.seen}
        states |= {name: before[name] for name in watched if name not in states and name not in lost}
        self.pages = 1 + len(states) // _PAGE
        self.complete = True
        self.states = states
        self.listed = listed
        self.at = time.time() - answer.age

    def take_single(self, answer: Answer, ids: Collection[str], watched: Collection[str]) -> Mapping[str, State]:
        """Replace those that were asked for by themselves; what they were before.

        Args:
            answer: those of `ids` that are there.
            ids: what was asked for.
            watched: ids that are watched: nothing else is kept.
        """
        before, seen = self.states, time.monotonic() - answer.age
        # As for lists; and who came meanwhile was told of what is known.
        later = {name for name in watched if name not in ids or self.seen.get(name, seen) > seen}
        found = answer.states | {name: before[name] for name in later if name in before}
        self.complete = False
        self.states = {name: state for name, state in found.items() if name in watched}
        self.seen = {name: max(seen, self.seen.get(name, seen)) for name in self.states}
        self.at = time.time() - answer.age
        return {name: before[name] for name in ids if name in before}

    def take_one(self, state: State, asked: float) -> State | None:
        """Keep one that somebody looked for; what it was before."""
        before = self.states.get(state.id)
        self.states[state.id] = state
        self.seen[state.id] = asked
        self.at = time.time()
        return before

    def forget(self, resource_id: str) -> None:
        """Nobody watches one by itself any more."""
        self.seen.pop(resource_id, None)
        if not self.complete:
            self.states.pop(resource_id, None)

    def _within(self, then: float) -> bool:
        return time.monotonic() - then < self._interval
