"""What was found by an id or a name a moment ago: a thousand who look for the same, one after the other, cost one question an interval. Pure."""

from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from openstackoid.oaktree.watches.states import State

# Callers choose what they look for.
_MOST: Final = 1024


@dataclass(frozen=True)
class Lookup:
    """An answer: the resource, or None where there was none."""

    state: State | None
    at: float  # as time.monotonic() has it


class Lookups:
    """The last answers, by what was looked for."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: Final[LRUCache[str, Lookup]] = LRUCache(_MOST)

    def keep(self, name: str, state: State | None, at: float) -> None:
        """What was found by an id or a name."""
        self._kept[name] = Lookup(state, at)

    def forget(self, resource_id: str) -> None:
        """That resource is gone."""
        for name in [name for name, each in self._kept.items() if each.state and each.state.id == resource_id]:
            del self._kept[name]

    def get(self, name: str, since: float) -> Lookup | None:
        """What was found since then; None if nobody looked."""
        found = self._kept.get(name)
        return found if found is not None and found.at > since else None
