"""A watcher: its unread changes, whether its condition holds, and how its watch ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from typing import Final

from oaktree.v1.common_pb2 import CHANGE_CREATED, CHANGE_CURRENT, CHANGE_DELETED, CHANGE_REACHED, Change
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.watches.conditions import DeletedError, Until
from openstackoid.oaktree.watches.pending import Event, Pending
from openstackoid.oaktree.watches.states import State


class Watcher:
    """One watch. Polls deliver changes to it, in the event loop; its caller reads `events`.

    A condition is evaluated when a change is delivered, not when it is read: a status that the resource had only while the reader was
    slow counts.

    Attributes:
        id: id of the watched resource; empty for all resources of a kind.
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
        """Create a watcher.

        Args:
            until: the condition that ends the watch.
            codec: codec of the messages that the condition's expression applies to.
            ended: called when no more changes will be delivered, even if some are unread.
            most: number of changes that are kept unmerged for a slow reader.
            id_: see `id`.
            zone: in a watch of all resources, the availability zone to restrict it to; empty for all zones.
            sources: the polls that must have delivered all their resources before a condition on all can hold.
        """
        self.id: Final = id_
        self._until: Final = until
        self._codec: Final = codec
        self._when_ended: Final = ended
        self._zone: Final = zone
        self._missing: Final = set(sources)
        self._pending: Final = Pending(most)
        self._there: Final[dict[tuple[str, str], bool]] = {}  # resource key -> whether the condition holds
        self._unmet = 0
        self._last: State | None = None
        self._ended = False
        self._error: BaseException | None = None
        self._wake: asyncio.Future[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether the watch has ended: no more changes will be delivered."""
        return self._ended

    @property
    def waiting(self) -> int:
        """The number of unread changes."""
        return len(self._pending)

    def tell(self, change: "Change.ValueType", state: State, at: float) -> None:
        """Deliver a change, or the current state, of a resource. Call `settle` after the last one of several."""
        if self._ended or (self.id and state is self._last and change != CHANGE_DELETED):
            return  # a watcher that was added during the delivery has this state already
        self._last = state
        if not self.id and self._zone:
            known = state.key in self._there
            if change != CHANGE_DELETED and state.zone != self._zone:
                if not known:
                    return
                change = CHANGE_DELETED  # it moved to another zone
            elif change == CHANGE_DELETED and not known:
                return
            elif change not in {CHANGE_CURRENT, CHANGE_DELETED} and not known:
                change = CHANGE_CREATED
        self._pending.put(Event(change, state, at))
        self._judge(change, state, at)
        self._notify()

    def heard(self, source: Hashable) -> None:
        """Note that a poll has delivered all its resources once."""
        self._missing.discard(source)

    def settle(self, at: float) -> None:
        """Evaluate a condition on all resources, after all changes of one poll were delivered."""
        if self._ended or self.id or self._missing or not self._until.waits:
            return
        if not self._there if self._until.gone else self._there and not self._unmet:
            self._reached(None, at)

    def fail(self, error: BaseException) -> None:
        """End the watch with an error, which is raised after the unread changes."""
        if not self._ended:
            self._error = error
            self._end()

    async def events(self) -> AsyncIterator[Event]:
        """Yield the changes as they are delivered; for one reader.

        Raises:
            BaseException: the error that ended the watch.
        """
        while True:
            while len(self._pending):
                yield self._pending.take()
            if self._error is not None:
                # Many watches may raise this one error object, and each raise would extend its traceback.
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
