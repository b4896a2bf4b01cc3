"""How many requests to several clouds, or copies of images, run at a time in one worker: of each user, and in total.

Each holds answers of many clouds, or pieces of data, in memory, and keeps connections busy. A user gets one more place only while more
places are free than this user already has, so the last places are left to others: two users whose clouds are slow do not hold all places.

    8 places, 4 of one user at most: the first user gets 4, the second 2, the third 1, the fourth 1

Of those who wait, the user who has the fewest places is next.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from openstackoid.core.errors import FanOutsError


def has_place(mine: int, taken: int, total: int, per_user: int) -> bool:
    """Whether a user gets one more place.

    Args:
        mine: places that the user has.
        taken: by all users.
        total: places that there are.
        per_user: places that one user may have.
    """
    return mine < min(per_user, total - taken)


class Admission:
    """The places of one worker.

    Args:
        total: requests at a time.
        per_user: requests of one user at a time.
    """

    def __init__(self, total: int, per_user: int) -> None:
        self._total = total
        self._per_user = per_user
        self._running: Counter[Hashable] = Counter()
        # Users in the order in which they began to wait.
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def place(self, who: Hashable, deadline: float | None) -> AsyncIterator[None]:
        """Wait for a place, and hold it.

        Args:
            who: the user.
            deadline: of the request, in the event loop's time; None to wait for as long as it takes.

        Raises:
            FanOutsError: none becomes free before the deadline.
        """
        if self._has_place(who):  # then nobody waits who could have it
            self._running[who] += 1
        else:
            await self._wait(who, deadline)
        try:
            yield
        finally:
            self._leave(who)

    def _has_place(self, who: Hashable) -> bool:
        return has_place(self._running[who], self._running.total(), self._total, self._per_user)

    async def _wait(self, who: Hashable, deadline: float | None) -> None:
        """Wait until `_leave` gives this user a place."""
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(given)
        try:
            async with asyncio.timeout_at(deadline):
                await given
        except BaseException as error:
            if given.done() and not given.cancelled():
                self._leave(who)  # the place was given at the moment in which the wait ended
            else:
                self._forget(who, given)
            if not isinstance(error, TimeoutError):
                raise
            whose = "this user" if self._running[who] >= self._per_user else "all users"
            raise FanOutsError(
                f"As many requests of {whose} to several clouds are under way here as may be (fanout.running): try again later."
            ) from None

    def _leave(self, who: Hashable) -> None:
        """Give a place back, and those that are free to who waits for them."""
        self._running[who] -= 1
        if not self._running[who]:
            del self._running[who]
        while self._waiting:
            following = min(self._waiting, key=self._running.__getitem__)
            if not self._has_place(following):
                return  # nor has one who has more
            given = self._waiting[following][0]
            self._forget(following, given)
            if not given.done():
                self._running[following] += 1
                given.set_result(None)

    def _forget(self, who: Hashable, given: "asyncio.Future[None]") -> None:
        waiting = self._waiting.get(who)
        if waiting is not None and given in waiting:
            waiting.remove(given)
            if not waiting:
                del self._waiting[who]
