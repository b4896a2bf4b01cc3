"""Cache of fan-outs: where a page ended, by its last item, and which cloud has a resource that was listed.

Both entries save queries; without them the gateway asks the clouds again. The keys hold a digest of the token: no user sees entries of another.
"""

import contextlib
from collections.abc import Hashable
from typing import Final

from cachetools import TTLCache

from openstackoid.core.paging import Positions

_PAGES: Final = 16 << 20  # bytes
_CLOUD: Final = 192  # bytes of one cloud's place: its name, an id, and their objects
_ENTRY: Final = 1024  # bytes of an entry itself
_PLACES: Final = 16384
_SECONDS: Final = 600.0


class FanOutMemory:
    """The cache of one worker."""

    def __init__(self) -> None:
        self._pages: TTLCache[Hashable, Positions] = TTLCache(_PAGES, _SECONDS, getsizeof=_weight)
        self._places: TTLCache[Hashable, str] = TTLCache(_PLACES, _SECONDS)

    def ended(self, list_key: Hashable, last: str, positions: Positions) -> None:
        """Remember where a page ended."""
        with contextlib.suppress(ValueError):  # larger than all the room
            self._pages[list_key, last] = positions

    def after(self, list_key: Hashable, last: str) -> Positions | None:
        """Where the page with this last item ended."""
        return self._pages.get((list_key, last))

    def has(self, thing_key: Hashable, cloud: str) -> None:
        """Remember which cloud has a resource."""
        self._places[thing_key] = cloud

    def where(self, thing_key: Hashable) -> str | None:
        """The cloud that had a resource."""
        return self._places.get(thing_key)

    def forget(self, thing_key: Hashable) -> None:
        """Forget a resource: the cloud does not have it any more."""
        self._places.pop(thing_key, None)


def _weight(positions: Positions) -> int:
    return _ENTRY + _CLOUD * (len(positions.after) + len(positions.ended))
