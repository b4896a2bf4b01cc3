"""A caller's call: its deadline, its cancellation, and the threads that block for it.

openstacksdk blocks, so requests to clouds run in threads; the context variable `CALL` is the call that a thread works for.
"""

import asyncio
import contextlib
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from openstackoid.oaktree import errors
from openstackoid.oaktree.upstream.turns import TURNS

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

# After its deadline, the thread of a call has this many seconds to raise its own, more precise error.
_GRACE: Final = 0.25
_KEPT_IDS: Final = 16


class Attempt:
    """One request of a call in progress, and the socket that it uses.

    Attributes:
        reused: whether its connection had served another request before.
        most: maximum size of the response body, in bytes; None for no limit.
        raw: urllib3's response; None before it arrives.
    """

    __slots__ = ("call", "most", "raw", "reused", "socket")

    def __init__(self, call: "Call", most: int | None) -> None:
        self.call: Final = call
        self.most: Final = most
        self.reused = False
        self.socket: socket.socket | None = None
        self.raw: Any = None

    def hold(self, held: socket.socket | None, *, reused: bool) -> None:
        """Set the socket that the request uses."""
        self.reused = reused
        self.call.hold(self, held)

    def shut(self) -> None:
        """Shut the socket down, if the request still uses it."""
        if self.socket is None or (self.raw is not None and self.raw.connection is None):
            return
        # Not SSLSocket.shutdown, which first drops its TLS object: another thread that is writing would continue in plain text.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class Call:
    """One call of a caller, to one cloud-region or to several. Thread-safe.

    Attributes:
        cloud: the name of the cloud; empty for a call to several.
        region: the name of the region.
        patience: the server's timeout for the cloud, in seconds, if it ends before the caller's deadline; else None.
        failed: errors of addresses in this call: a second request to an address whose circuit has opened since raises the same error.
        requests: number of requests sent.
        request_ids: the cloud's request ids of the last requests, the newest last.
        ahead: a function that gets each request before it is sent, with the adapter, its timeout and options, and returns a response that
            has already arrived, or None. None for most calls.
    """

    def __init__(
        self, deadline: float | None = None, *, cloud: str = "", region: str = "", patience: float | None = None
    ) -> None:
        """Begin a call.

        Args:
            deadline: a time of `time.monotonic()`; None for no deadline.
            cloud: for `cloud`.
            region: for `region`.
            patience: for `patience`.
        """
        self.deadline: Final = deadline
        self.cloud: Final = cloud
        self.region: Final = region
        self.patience: Final = patience
        self.failed: Final[dict[str, requests.RequestException]] = {}
        self.requests = 0
        self.ahead: Callable[..., requests.Response | None] | None = None
        self.request_ids: Final[deque[str]] = deque(maxlen=_KEPT_IDS)
        self._lock: Final = threading.Lock()
        self._ended: Final = threading.Event()
        self._cancelled = False
        self._attempts: Final[set[Attempt]] = set()
        self._parts: Final[weakref.WeakSet[Call]] = weakref.WeakSet()

    def to(self, cloud: str, region: str, *, timeout: float | None = None, kept: float = 0.0) -> "Call":
        """Make the part of this call that is for one cloud-region. It ends with this call, or `timeout` seconds from now.

        Args:
            cloud: for `cloud`.
            region: for `region`.
            timeout: the server's timeout for a cloud, in seconds.
            kept: the share of this call's remaining time that the part must leave.
        """
        now, deadline, patience = time.monotonic(), self.deadline, self.patience
        if deadline is not None:
            deadline = now + (deadline - now) * (1 - kept)
        if timeout is not None and (deadline is None or now + timeout < deadline):
            deadline, patience = now + timeout, timeout
        part = Call(deadline, cloud=cloud, region=region, patience=patience)
        with self._lock:
            self._parts.add(part)
            cancelled = self._cancelled
        if cancelled:
            part.cancel()
        return part

    @property
    def cancelled(self) -> bool:
        """Whether the call was cancelled."""
        return self._cancelled

    @property
    def over(self) -> bool:
        """Whether the call was cancelled, or its deadline has passed."""
        return self._cancelled or self.left() == 0.0

    def left(self) -> float | None:
        """Seconds until the deadline, 0 if it has passed; None if there is none."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        """Raise if the call is over.

        Raises:
            errors.CallCancelledError: the call was cancelled.
            errors.CallDeadlineError: the caller's deadline has passed.
            errors.CloudTimeoutError: the server's timeout has passed.
        """
        if self._cancelled:
            raise errors.CallCancelledError("the caller has gone: the call was given up")
        if self.left() == 0.0:
            raise self.late()

    def late(self) -> errors.OaktreeError:
        """Make the error for a cloud that has not answered in time: of the caller's deadline, or of the server's timeout."""
        if self.patience is None:
            return errors.CallDeadlineError(LATE)
        return errors.CloudTimeoutError(f"the cloud did not answer within {self.patience:g} s, this server's timeout")

    def wait(self, seconds: float) -> None:
        """Sleep, no longer than until the deadline or a cancellation; raises as `check` does."""
        left = self.left()
        with TURNS.resting():
            self._ended.wait(seconds if left is None else min(seconds, left))
        self.check()

    def cancel(self) -> None:
        """Cancel the call: shut its connections down and wake its threads. Thread-safe; does not block."""
        with self._lock:
            self._cancelled = True
            parts = list(self._parts)
            self._end()
        for part in parts:
            part.cancel()

    def expire(self) -> None:
        """Shut the connections of the call down, if its deadline has passed."""
        with self._lock:
            if self.left() == 0.0:
                self._end()

    def _end(self) -> None:
        self._ended.set()
        for attempt in self._attempts:
            attempt.shut()

    def begin(self, most: int | None = None) -> Attempt:
        """Begin a request of the call, with a response body of at most `most` bytes."""
        attempt = Attempt(self, most)
        with self._lock:
            self.requests += 1
            self._attempts.add(attempt)
        return attempt

    def hold(self, attempt: Attempt, held: socket.socket | None) -> None:
        """Record the socket that a request uses."""
        with self._lock:
            attempt.socket = held
            if self._ended.is_set():
                attempt.shut()

    def end(self, attempt: Attempt) -> None:
        """End a request: another request may now use its connection."""
        with self._lock:
            self._attempts.discard(attempt)
            attempt.socket = None


LATE: Final = "the call's deadline passed before the cloud had answered: give it more time"

CALL: Final[ContextVar[Call | None]] = ContextVar("oaktree_call", default=None)


def run(call: Call, function: Callable[..., T], *args: Any) -> T:
    """Call a function with `CALL` set. Returns its result."""
    token = CALL.set(call)
    try:
        call.check()
        return function(*args)
    finally:
        CALL.reset(token)


async def in_thread(call: Call, executor: Executor, function: Callable[..., T], *args: Any) -> T:
    """Run a blocking function of a call in a thread. Returns its result.

    When the task is cancelled, or the deadline passes, the call's connections are shut down; the task does not wait for the thread, which
    may still be making a connection.

    Raises:
        errors.CallDeadlineError: the deadline passed.
        errors.CloudTimeoutError: the server's timeout passed.
        asyncio.CancelledError: the task was cancelled.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, lambda: run(call, function, *args))
    try:
        done, _ = await asyncio.wait({future}, timeout=call.left())
        if not done:
            call.expire()
            done, _ = await asyncio.wait({future}, timeout=_GRACE)
        if done:
            return future.result()
    except asyncio.CancelledError:
        call.cancel()
        future.cancel()
        raise
    future.cancel()
    call.check()
    raise call.late()
