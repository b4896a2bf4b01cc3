"""Deadlines of streams that have none of their own: the end of the caller's token, and the stop of the server.

A stream that waits for an answer is cancelled at once and ends with the reason; an answer that is being sent is sent first.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any, ClassVar, Final

from grpc import StatusCode

from openstackoid.oaktree import errors
from openstackoid.oaktree.upstream.credentials import UnauthenticatedError

_AGAIN: Final = 1.0  # seconds after which a caller may ask again: another worker, or the server after its restart


class StoppingError(errors.OaktreeError):
    """The server stops, and with it what would hold it up for ever."""

    code: ClassVar[StatusCode] = StatusCode.UNAVAILABLE
    reason: ClassVar[str] = "SERVER_STOPPING"


class Deadlines:
    """All such streams of a worker. In one event loop."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: Final[set[_Deadline]] = set()
        self._stopped = False

    def stop(self) -> None:
        """End all of them, and those that begin from now on."""
        self._stopped = True
        for deadline in self._open:
            deadline.end(_stopping())

    async def until(
        self, answers: AsyncGenerator[Any, None], expires: float | None = None
    ) -> AsyncGenerator[Any, None]:
        """Answers until their end, or until this.

        Args:
            answers: closed at the end.
            expires: when the caller's token ends, in seconds since the epoch; None for never.

        Raises:
            UnauthenticatedError: the token has ended.
            StoppingError: the server stops.
        """
        deadline = _Deadline(_stopping() if self._stopped else None)
        with deadline.at(expires):
            self._open.add(deadline)
            try:
                async with contextlib.aclosing(answers):
                    while True:
                        with deadline.waiting():
                            try:
                                answer = await anext(answers)
                            except StopAsyncIteration:
                                return
                        yield answer
            finally:
                self._open.discard(deadline)


class _Deadline:
    """Of one stream."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error
        self._waiting: asyncio.Task[Any] | None = None

    def end(self, error: Exception) -> None:
        """End it, at once if it waits for an answer."""
        if self._error is None:
            self._error = error
            if self._waiting is not None:
                self._waiting.cancel()

    @contextlib.contextmanager
    def at(self, expires: float | None) -> Iterator[None]:
        """End it with the caller's token."""
        if expires is None:
            yield
            return
        # Others may watch the same with tokens that go on, and the poll with them.
        error = UnauthenticatedError("the token has ended: watch again with a new one")
        timer = asyncio.get_running_loop().call_later(max(0.0, expires - time.time()), self.end, error)
        try:
            yield
        finally:
            timer.cancel()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for an answer: what ends the stream meanwhile is raised here, as `asyncio.timeout` does."""
        if (error := self._error) is not None:
            raise error
        task = self._waiting = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            # Unless the caller has gone, too.
            if (error := self._error) is None or (task is not None and task.uncancel() > 0):
                raise
            raise error from None
        finally:
            self._waiting = None


def _stopping() -> StoppingError:
    return StoppingError(
        "the server stops: ask again, which another worker or the next server answers", retry_after=_AGAIN
    )
