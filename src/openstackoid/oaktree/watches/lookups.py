"""A cache of recent lookups by id or name: repeated lookups of one resource cost one request per interval. Pure."""

from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from openstackoid.oaktree.watches.states import State

# Callers choose the ids and names, so the number of entries is bounded.
_MOST: Final = 1024


@dataclass(frozen=True)
class Lookup:
    """The result of a lookup: the resource, or None if it does not exist."""

    state: State | None
    at: float  # time.monotonic() of the request


class Lookups:
    """The last results, by id or name."""

    def __init__(self) -> None:
        """Create an empty cache."""
        self._kept: Final[LRUCache[str, Lookup]] = LRUCache(_MOST)

    def keep(self, name: str, state: State | None, at: float) -> None:
        """Store the result of a lookup."""
        self._kept[name] = Lookup(state, at)

    def forget(self, resource_id: str) -> None:
        """Drop the results for a resource that was deleted."""
        for name in [name for name, lookup in self._kept.items() if lookup.state and lookup.state.id == resource_id]:
            del self._kept[name]

    def get(self, name: str, since: float) -> Lookup | None:
        """The result of a lookup since the given time; None if there was no lookup."""
        lookup = self._kept.get(name)
        return lookup if lookup is not None and lookup.at > since else None
