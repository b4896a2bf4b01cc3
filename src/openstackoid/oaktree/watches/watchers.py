"""One who watches: what it has not read yet, whether its condition holds, and how its watch ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from typing import Final

from oaktree.v1.common_pb2 import CHANGE_CREATED, CHANGE_CURRENT, CHANGE_DELETED, CHANGE_REACHED, Change
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.watches.conditions import DeletedError, Until
from openstackoid.oaktree.watches.pending import Event, Pending
from openstackoid.oaktree.watches.states import State


class Watcher:
    """One watch. Polls tell it what happens, in the event loop; its caller reads `events`.

    A condition is looked at when a change is told, not when it is read: a status that was passed while the reader slept counts.

    Attributes:
        id: of the one resource; empty for all of a kind.
    """

    def __init__(
        self,
        until: Until,
        codec: Codec,
        ended: Callable[["Watcher"], None],
        *,
        most: int,
        id_: str = "",
        zone: str = "",
        sources: Iterable[Hashable] = (),
    ) -> None:
        """Begin.

        Args:
            until: when to end.
            codec: of the messages that a query is for.
            ended: called when nothing more will happen, whether or not everything was read.
            most: changes that are kept as they came for a slow reader.
            id_: see `id`.
            zone: of all of a kind, only those in this availability zone; empty for all zones.
            sources: the polls that must have told everything once before a condition for all can hold.
        """
        self.id: Final = id_
        self._until: Final = until
        self._codec: Final = codec
        self._when_ended: Final = ended
        self._zone: Final = zone
        self._missing: Final = set(sources)
        self._pending: Final = Pending(most)
        self._there: Final[dict[tuple[str, str], bool]] = {}  # what is there, and whether the condition holds for it
        self._unmet = 0
        self._last: State | None = None
        self._ended = False
        self._error: BaseException | None = None
        self._wake: asyncio.Future[None] | None = None

    @property
    def ended(self) -> bool:
        """Nothing more will happen."""
        return self._ended

    @property
    def waiting(self) -> int:
        """Changes that were not read yet."""
        return len(self._pending)

    def tell(self, change: "Change.ValueType", state: State, at: float) -> None:
        """A resource changed, or this is what it is; after the last of several comes `settle`."""
        if self._ended or (self.id and state is self._last and change != CHANGE_DELETED):
            return  # it came while others were told, and knows
        self._last = state
        if not self.id and self._zone:
            known = state.key in self._there
            if change != CHANGE_DELETED and state.zone != self._zone:
                if not known:
                    return
                change = CHANGE_DELETED  # it went to another zone
            elif change == CHANGE_DELETED and not known:
                return
            elif change not in {CHANGE_CURRENT, CHANGE_DELETED} and not known:
                change = CHANGE_CREATED
        self._pending.put(Event(change, state, at))
        self._judge(change, state, at)
        self._notify()

    def heard(self, source: Hashable) -> None:
        """A poll has told everything once."""
        self._missing.discard(source)

    def settle(self, at: float) -> None:
        """All that was seen at one time is told: look whether the condition holds for all of a kind."""
        if self._ended or self.id or self._missing or not self._until.waits:
            return
        if not self._there if self._until.gone else self._there and not self._unmet:
            self._reached(None, at)

    def fail(self, error: BaseException) -> None:
        """End with an error, after what waits to be read."""
        if not self._ended:
            self._error = error
            self._end()

    async def events(self) -> AsyncIterator[Event]:
        """What happens, as it happens; for one reader.

        Raises:
            BaseException: what the watch ended with.
        """
        while True:
            while len(self._pending):
                yield self._pending.take()
            if self._error is not None:
                # Many may end with the same error, and each would add to its traceback.
                raise self._error.with_traceback(None)
            if self._ended:
                return
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake

    def _judge(self, change: "Change.ValueType", state: State, at: float) -> None:
        if change == CHANGE_DELETED:
            self._unmet -= self._there.pop(state.key, True) is False
            if self.id:
                self._gone(state, at)
            return
        met = self._until.met(state, self._codec)
        if not self.id:
            self._unmet += (not met) - (self._there.get(state.key, True) is False)
            self._there[state.key] = met
        if self.id and met:
            self._reached(state, at)
        elif (failure := self._until.failure(state)) is not None:
            self.fail(failure)

    def _gone(self, state: State, at: float) -> None:
        if self._until.gone:
            self._reached(state, at)
        elif self._until.waits:
            self.fail(DeletedError(f"{state} was deleted before what was waited for came true"))
        else:
            self._end()

    def _reached(self, state: State | None, at: float) -> None:
        self._pending.put(Event(CHANGE_REACHED, state, at))
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._notify()
        self._when_ended(self)

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
