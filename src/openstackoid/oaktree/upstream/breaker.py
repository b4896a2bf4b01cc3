"""A cloud that does not answer is left alone for a while, so that it costs its timeout once and not for every call.

One breaker for each cloud-region, shared by all callers of the process, with one circuit for each address (scheme, host, port) that
failed there: a load balancer service that is gone must not take compute with it. A circuit

- opens after `failures` failures in a row (no connection, no answer in time), or `bad_answers` of HTTP 502, 503 or 504 and broken
  connections: such a cloud costs little, and is often well again at the next try;
- refuses at once while it is open, for `first` seconds, then for twice as long each time up to `longest`, less some jitter;
- then lets one request through, and closes at its success. Any answer closes it, whatever its status but those three: 401 and 403 are
  the caller's own.

A caller's deadline or cancellation is no evidence of a failed cloud. Waiting counts as a failure only when requests have waited for
`patience` seconds altogether, since the last answer of that address. Time during which several requests waited counts once: many callers with
deadlines of a millisecond do not open a circuit for others.
"""

import enum
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from google.rpc import status_pb2

from openstackoid.oaktree import errors, statuses

# A cloud chooses the addresses in its catalog and its links, so the number of circuits is bounded.
_MOST_CIRCUITS: Final = 100
# Retry delay, in seconds, for requests that are refused while a trial request is in progress.
_TRYING: Final = 1.0
_BAD_ANSWERS: Final = frozenset({502, 503, 504})


class Failure(enum.Enum):
    """How a request failed."""

    UNREACHABLE = "unreachable"  # no connection
    SILENT = "silent"  # no answer in time
    BROKEN = "broken"  # the connection ended without an answer


@dataclass(frozen=True)
class Patience:
    """When a circuit opens, and for how long. Times are seconds."""

    failures: int = 1
    bad_answers: int = 5
    patience: float = 5.0
    first: float = 5.0
    longest: float = 60.0
    jitter: float = 0.2  # the maximum share of the time by which the wait is shortened at random


@dataclass(frozen=True)
class State:
    """The health of a cloud-region, as its breaker knows it.

    Attributes:
        available: no circuit is open, or another address of the cloud-region has answered since.
        last_error: the last error of an open circuit; None if no circuit is open.
        retry_at: time of the next trial of an open circuit, in seconds since the epoch; None if no circuit is open.
    """

    available: bool
    last_error: status_pb2.Status | None = None
    retry_at: float | None = None


@dataclass
class _Circuit:
    """The circuit of one address; an address without failures has none."""

    failures: int = 0
    bad: int = 0
    waited: float = 0.0  # seconds without an answer; overlapping waits count once
    waited_until: float = float("-inf")
    open_for: float = 0.0  # seconds; 0 while closed
    until: float = 0.0
    trying: bool = False
    failed_at: float = float("-inf")
    error: status_pb2.Status | None = None


class Breaker:
    """The circuits of one cloud-region. Thread-safe."""

    def __init__(
        self,
        cloud: str,
        region: str,
        patience: Patience | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create a breaker with all circuits closed.

        Args:
            cloud: its name, for errors.
            region: its region's name.
            patience: when circuits open.
            clock: a monotonic clock, in seconds.
        """
        self._cloud: Final = cloud
        self._region: Final = region
        self._patience: Final = patience or Patience()
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._circuits: Final[dict[str, _Circuit]] = {}
        self._answered_at = float("-inf")

    def state(self) -> State:
        """The current state."""
        with self._lock:
            now = self._clock()
            opened = [circuit for circuit in self._circuits.values() if circuit.open_for]
            if not opened:
                return State(available=True)
            last = max(opened, key=lambda circuit: circuit.failed_at)
            retry_at = time.time() + max(0.0, min(broken.until for broken in opened) - now)
            return State(self._answered_at > last.failed_at, last.error, retry_at)

    def check(self, address: str) -> None:
        """Raise as `enter` would now; reserves nothing."""
        with self._lock:
            circuit = self._circuits.get(address)
            if circuit is not None and circuit.open_for:
                self._refuse(circuit)

    def enter(self, address: str) -> "Permit":
        """Get a permit to send one request to an address: a context manager, to which the outcome must be reported.

        Raises:
            errors.LeftAloneError: the circuit is open.
        """
        with self._lock:
            circuit = self._circuits.get(address)
            if circuit is None or not circuit.open_for:
                return Permit(self, address, self._clock())
            self._refuse(circuit)
            circuit.trying = True
            return Permit(self, address, self._clock(), trial=circuit)

    def _refuse(self, circuit: _Circuit) -> None:
        left = circuit.until - self._clock()
        if left <= 0 and not circuit.trying:
            return
        last = circuit.error.message if circuit.error else ""
        seconds = left if left > 0 else _TRYING
        raise errors.LeftAloneError(
            f"{self._cloud} {self._region} failed and is not asked for {seconds:.1f} s more; the last error: {last}",
            retry_after=seconds,
        )

    def answered(self, permit: "Permit", code: int) -> None:
        """Record that the address answered with an HTTP status."""
        if code in _BAD_ANSWERS:
            self._fail(permit, Failure.BROKEN, errors.AnswerError(f"the cloud answered HTTP {code}"))
            return
        with self._lock:
            self._answered_at = self._clock()
            self._circuits.pop(permit.address, None)

    def failed(self, permit: "Permit", failure: Failure, error: BaseException) -> None:
        """Record that the address did not answer during the time of the permit."""
        self._fail(permit, failure, error)

    def _fail(self, permit: "Permit", failure: Failure, error: BaseException) -> None:
        status = statuses.status(error, cloud=self._cloud, region=self._region)
        with self._lock:
            now = self._clock()
            circuit = self._circuits.get(permit.address)
            if circuit is None:
                self._make_room()
                circuit = self._circuits[permit.address] = _Circuit()
            circuit.error = status
            circuit.failed_at = now
            if failure is Failure.BROKEN:
                circuit.bad += 1
            elif failure is Failure.UNREACHABLE or self._long_enough(circuit, permit.since, now):
                circuit.failures += 1
            elif permit.trial is circuit:
                return  # the trial waited too short a time: the next request may try at once
            trial = permit.trial is circuit
            if circuit.open_for and not trial:
                return  # the request began before the circuit opened
            wanted = self._patience
            if trial or circuit.failures >= wanted.failures or circuit.bad >= wanted.bad_answers:
                circuit.open_for = min(circuit.open_for * 2 or wanted.first, wanted.longest)
                jitter = 1 - wanted.jitter * random.random()  # noqa: S311 - spreads load, no secret
                circuit.until = now + circuit.open_for * jitter
                circuit.waited = 0.0

    def _long_enough(self, circuit: _Circuit, since: float, now: float) -> bool:
        circuit.waited += max(0.0, now - max(since, circuit.waited_until))
        circuit.waited_until = now
        # A timeout may end slightly early, so 99 % of the configured time is enough.
        return circuit.waited >= self._patience.patience * 0.99

    def _make_room(self) -> None:
        if len(self._circuits) >= _MOST_CIRCUITS:
            del self._circuits[min(self._circuits, key=lambda circuit: self._circuits[circuit].failed_at)]

    def leave(self, permit: "Permit") -> None:
        """End the request. After a trial without a result, the next request may be the trial."""
        with self._lock:
            if permit.trial is not None:
                permit.trial.trying = False


class Permit:
    """A permit to send one request."""

    __slots__ = ("_breaker", "address", "since", "trial")

    def __init__(self, breaker: Breaker, address: str, since: float, trial: _Circuit | None = None) -> None:
        self._breaker = breaker
        self.address = address
        self.since = since  # by the breaker's clock
        self.trial = trial

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._breaker.leave(self)

    def answered(self, code: int) -> None:
        """Record that the cloud answered with an HTTP status."""
        self._breaker.answered(self, code)

    def failed(self, failure: Failure, error: BaseException) -> None:
        """Record that the cloud did not answer."""
        self._breaker.failed(self, failure, error)
