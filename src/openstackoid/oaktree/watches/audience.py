"""The watchers of one subject (of one resource, or of all), and the lookups in progress. Pure."""

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

from openstackoid.oaktree.watches.asking import Subject
from openstackoid.oaktree.watches.states import State
from openstackoid.oaktree.watches.token_rotation import TokenRotation
from openstackoid.oaktree.watches.watchers import Watcher


class Audience:
    """The watchers of one poll.

    Attributes:
        of_one: watchers of one resource, by the id of the resource.
        of_all: watchers of all resources of the subject.
        tokens: the watchers' tokens, which the poll uses in turn.
    """

    def __init__(self) -> None:
        """Create an audience without watchers."""
        self.of_one: Final[dict[str, set[Watcher]]] = {}
        self.of_all: Final[set[Watcher]] = set()
        self.tokens: Final = TokenRotation()
        self._looking_for: Final[Counter[str]] = Counter()
        self._holders = 0

    @property
    def needed(self) -> bool:
        """Whether there is a watcher, a lookup in progress, or a holder."""
        return bool(self.of_one or self.of_all or self._holders)

    @property
    def watching(self) -> bool:
        """Whether there is a watcher."""
        return bool(self.of_one or self.of_all)

    @property
    def watchers(self) -> list[Watcher]:
        """All watchers."""
        return [*self.of_all, *(watcher for watchers in self.of_one.values() for watcher in watchers)]

    @property
    def wanted(self) -> Collection[str]:
        """Ids and names that are being watched or looked up."""
        return self._looking_for.keys() | self.of_one.keys()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Context in which `needed` is true even without a watcher."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1

    @contextlib.contextmanager
    def looking_for(self, name: str) -> Iterator[None]:
        """Context of one lookup: `wanted` contains the id or name."""
        self._looking_for[name] += 1
        try:
            yield
        finally:
            self._looking_for[name] -= 1
            if not self._looking_for[name]:
                del self._looking_for[name]

    def add(self, watcher: Watcher, subject: Subject, state: State | None) -> None:
        """Add a watcher of one resource, or of all.

        Args:
            watcher: the watcher.
            subject: the subject, with the token of the watcher's call.
            state: the resource; None for all.
        """
        self.tokens.add(watcher, subject)
        if state is None:
            self.of_all.add(watcher)
        else:
            self.of_one.setdefault(state.id, set()).add(watcher)

    def leave(self, watcher: Watcher) -> str | None:
        """Remove a watcher. Returns the id of its resource if that resource has no watcher of its own left, else None."""
        self.of_all.discard(watcher)
        self.tokens.drop(watcher)
        if watcher not in self.of_one.get(watcher.id, ()):
            return None
        self.of_one[watcher.id].discard(watcher)
        if self.of_one[watcher.id]:
            return None
        del self.of_one[watcher.id]
        return watcher.id

    def of(self, resource_id: str) -> Collection[Watcher]:
        """The watchers of this one resource."""
        return self.of_one.get(resource_id, ())
