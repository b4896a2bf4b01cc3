"""Deadlines of response streams that have no deadline of their own: the expiry of the caller's token, and the stop of the server.

A stream that waits for its next answer is cancelled at once and ends with the reason. An answer that is being sent is completed first.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any, ClassVar, Final

from grpc import StatusCode

from openstackoid.oaktree import errors
from openstackoid.oaktree.upstream.credentials import UnauthenticatedError

_AGAIN: Final = 1.0  # retry delay for callers, in seconds: another worker answers, or the restarted server


class StoppingError(errors.OaktreeError):
    """The server stops, and ends streams that would otherwise keep it running."""

    code: ClassVar[StatusCode] = StatusCode.UNAVAILABLE
    reason: ClassVar[str] = "SERVER_STOPPING"


class Deadlines:
    """The deadlines of all streams of a worker. For use in one event loop."""

    def __init__(self) -> None:
        """Create the set without streams."""
        self._open: Final[set[_Deadline]] = set()
        self._stopped = False

    def stop(self) -> None:
        """End all streams, and every stream that starts from now on."""
        self._stopped = True
        for deadline in self._open:
            deadline.end(_stopping())

    async def until(
        self, answers: AsyncGenerator[Any, None], expires: float | None = None
    ) -> AsyncGenerator[Any, None]:
        """Yield answers until they end or the deadline comes.

        Args:
            answers: the stream; closed at the end.
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
    """The deadline of one stream."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error
        self._waiting: asyncio.Task[Any] | None = None

    def end(self, error: Exception) -> None:
        """End the stream; at once if it waits for an answer."""
        if self._error is None:
            self._error = error
            if self._waiting is not None:
                self._waiting.cancel()

    @contextlib.contextmanager
    def at(self, expires: float | None) -> Iterator[None]:
        """End the stream when the caller's token expires."""
        if expires is None:
            yield
            return
        # The poll continues for other watchers of the same subject, whose tokens are still valid.
        error = UnauthenticatedError("the token has ended: watch again with a new one")
        timer = asyncio.get_running_loop().call_later(max(0.0, expires - time.time()), self.end, error)
        try:
            yield
        finally:
            timer.cancel()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Context of waiting for an answer: raises the error that ends the stream meanwhile, as `asyncio.timeout` does."""
        if (error := self._error) is not None:
            raise error
        task = self._waiting = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            # Unless the caller has cancelled as well.
            if (error := self._error) is None or (task is not None and task.uncancel() > 0):
                raise
            raise error from None
        finally:
            self._waiting = None


def _stopping() -> StoppingError:
    return StoppingError(
        "the server stops: ask again, which another worker or the next server answers", retry_after=_AGAIN
    )
