"""What a caller waits for: a deadline, an end when the caller goes, and the thread that blocks for it.

openstacksdk blocks, so what asks a cloud runs in a thread; `CALL` says for which call.
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

# After its deadline a call has this long, in seconds, to say itself what it was waiting for.
_GRACE: Final = 0.25
_KEPT_IDS: Final = 16


class Attempt:
    """One request of a call on its way, and the socket that it uses.

    Attributes:
        reused: its connection had served another request before.
        most: bytes of an answer's body that are read; None for all.
        raw: urllib3's response, once there is one.
    """

    __slots__ = ("call", "most", "raw", "reused", "socket")

    def __init__(self, call: "Call", most: int | None) -> None:
        self.call: Final = call
        self.most: Final = most
        self.reused = False
        self.socket: socket.socket | None = None
        self.raw: Any = None

    def hold(self, held: socket.socket | None, *, reused: bool) -> None:
        """It goes over this socket."""
        self.reused = reused
        self.call.hold(self, held)

    def shut(self) -> None:
        """Shut its socket down, if it is still its own."""
        if self.socket is None or (self.raw is not None and self.raw.connection is None):
            return
        # Not SSLSocket.shutdown, which first forgets its TLS: another thread that is writing would go on in plain text.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class Call:
    """What one caller waits for, at one cloud-region or at several. From any thread.

    Attributes:
        cloud: the cloud that it is for; empty for a call to several.
        region: its region.
        patience: seconds that the server gives the cloud, where its caller would wait longer; None where the deadline is the caller's.
        failed: how addresses failed in this call: a second request to one that is left alone since tells the same.
        requests: how many were sent.
        request_ids: the last ids that the cloud gave to requests, the newest last.
        ahead: is shown each request before it is sent, with the adapter, its timeout and options; returns an answer that is there already, or
            None. None for most calls.
    """

    def __init__(
        self, deadline: float | None = None, *, cloud: str = "", region: str = "", patience: float | None = None
    ) -> None:
        """Begin a call.

        Args:
            deadline: as `time.monotonic()` has it; None for none.
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
        """The part of this call that is for one cloud-region: it ends with this one, or `timeout` seconds from now.

        Args:
            cloud: for `cloud`.
            region: for `region`.
            timeout: the server's own, in seconds.
            kept: the share of what this call has left that is not for the cloud.
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
        """Nobody waits for it any more."""
        return self._cancelled

    @property
    def over(self) -> bool:
        """It was cancelled, or its deadline has passed."""
        return self._cancelled or self.left() == 0.0

    def left(self) -> float | None:
        """Seconds until the deadline, 0 if it has passed; None if there is none."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        """Go on only if somebody waits.

        Raises:
            errors.CallCancelledError: it was cancelled.
            errors.CallDeadlineError: its deadline has passed.
            errors.CloudTimeoutError: the server's timeout has passed.
        """
        if self._cancelled:
            raise errors.CallCancelledError("the caller has gone: the call was given up")
        if self.left() == 0.0:
            raise self.late()

    def late(self) -> errors.OaktreeError:
        """The error of a cloud that has not answered when the time is over: the caller's, or the server's."""
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
        """Give it up: its connections are shut down, its threads wake. From any thread; does not block."""
        with self._lock:
            self._cancelled = True
            parts = list(self._parts)
            self._end()
        for part in parts:
            part.cancel()

    def expire(self) -> None:
        """Shut down what it waits for, if its deadline has passed."""
        with self._lock:
            if self.left() == 0.0:
                self._end()

    def _end(self) -> None:
        self._ended.set()
        for attempt in self._attempts:
            attempt.shut()

    def begin(self, most: int | None = None) -> Attempt:
        """One request of it, of whose answer `most` bytes are read."""
        attempt = Attempt(self, most)
        with self._lock:
            self.requests += 1
            self._attempts.add(attempt)
        return attempt

    def hold(self, attempt: Attempt, held: socket.socket | None) -> None:
        """The socket that a request goes over."""
        with self._lock:
            attempt.socket = held
            if self._ended.is_set():
                attempt.shut()

    def end(self, attempt: Attempt) -> None:
        """That request is over: its connection is somebody else's now."""
        with self._lock:
            self._attempts.discard(attempt)
            attempt.socket = None


LATE: Final = "the call's deadline passed before the cloud had answered: give it more time"

CALL: Final[ContextVar[Call | None]] = ContextVar("oaktree_call", default=None)


def run(call: Call, function: Callable[..., T], *args: Any) -> T:
    """What a function returns, with `CALL` set meanwhile."""
    token = CALL.set(call)
    try:
        call.check()
        return function(*args)
    finally:
        CALL.reset(token)


async def in_thread(call: Call, executor: Executor, function: Callable[..., T], *args: Any) -> T:
    """What a blocking function returns, run in a thread for a call.

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
