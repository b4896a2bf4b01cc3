"""How many requests to several clouds ask at a time in one worker: of each user, and in total.

Each holds answers of many clouds in memory, and keeps connections busy. A user who sends many waits for the first ones of them, others do not:
the bound of one user is below the bound of all.
"""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from openstackoid.core.errors import FanOutsError


@dataclass(slots=True)
class _User:
    """One user's places."""

    places: asyncio.Semaphore
    waiting: int = field(default=0)  # or running


class Admission:
    """The places of one worker.

    Args:
        total: requests at a time.
        per_user: requests of one user at a time.
    """

    def __init__(self, total: int, per_user: int) -> None:
        self._total = asyncio.Semaphore(total)
        self._per_user = per_user
        self._users: dict[Hashable, _User] = {}

    @asynccontextmanager
    async def place(self, who: Hashable, deadline: float | None) -> AsyncIterator[None]:
        """Wait for a place, and hold it.

        Args:
            who: the user.
            deadline: of the request, in the event loop's time; None to wait for as long as it takes.

        Raises:
            FanOutsError: none becomes free before the deadline.
        """
        user = self._users.setdefault(who, _User(asyncio.Semaphore(self._per_user)))
        user.waiting += 1
        try:
            await _acquire(user.places, deadline, "this user")
            try:
                await _acquire(self._total, deadline, "all users")
                try:
                    yield
                finally:
                    self._total.release()
            finally:
                user.places.release()
        finally:
            user.waiting -= 1
            if not user.waiting:
                del self._users[who]


async def _acquire(places: asyncio.Semaphore, deadline: float | None, whose: str) -> None:
    try:
        async with asyncio.timeout_at(deadline):
            await places.acquire()
    except TimeoutError:
        raise FanOutsError(
            f"As many requests of {whose} to several clouds are under way here as may be (fanout.running): try again later."
        ) from None
