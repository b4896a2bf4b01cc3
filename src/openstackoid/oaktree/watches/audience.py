"""Who watches one subject: one resource of it, or all; and who looks for one just now. Pure."""

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
        of_one: by the id of what they watch.
        of_all: who watch all resources of the subject.
        tokens: theirs, with which the poll asks.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self.of_one: Final[dict[str, set[Watcher]]] = {}
        self.of_all: Final[set[Watcher]] = set()
        self.tokens: Final = TokenRotation()
        self._looking_for: Final[Counter[str]] = Counter()
        self._holders = 0

    @property
    def needed(self) -> bool:
        """Somebody watches, or looks for something."""
        return bool(self.of_one or self.of_all or self._holders)

    @property
    def watching(self) -> bool:
        """Somebody watches."""
        return bool(self.of_one or self.of_all)

    @property
    def watchers(self) -> list[Watcher]:
        """All who watch."""
        return [*self.of_all, *(watcher for watchers in self.of_one.values() for watcher in watchers)]

    @property
    def wanted(self) -> Collection[str]:
        """Ids and names that are watched or looked for."""
        return self._looking_for.keys() | self.of_one.keys()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Be needed meanwhile, also without a watcher."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1

    @contextlib.contextmanager
    def looking_for(self, name: str) -> Iterator[None]:
        """Want an id or a name meanwhile."""
        self._looking_for[name] += 1
        try:
            yield
        finally:
            self._looking_for[name] -= 1
            if not self._looking_for[name]:
                del self._looking_for[name]

    def add(self, watcher: Watcher, subject: Subject, state: State | None) -> None:
        """One more: of one resource, or of all.

        Args:
            watcher: who.
            subject: what, with the token that came with the call.
            state: the resource; None for all.
        """
        self.tokens.add(watcher, subject)
        if state is None:
            self.of_all.add(watcher)
        else:
            self.of_one.setdefault(state.id, set()).add(watcher)

    def leave(self, watcher: Watcher) -> str | None:
        """One who watches no more; the id of the resource that nobody watches by itself any more, if there is one."""
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
        """Who watch one resource by itself."""
        return self.of_one.get(resource_id, ())
