"""Failure policy of polls: which errors are temporary, when to poll again, and the error that ends the watches."""

import random
import time
from dataclasses import dataclass, field
from typing import Final

from google.rpc import code_pb2, error_details_pb2
from grpc import StatusCode

from openstackoid.oaktree import errors, statuses

# Temporary errors. Every other error ends the watches at once: another request would fail in the same way.
_PASSING: Final = frozenset(
    {
        code_pb2.UNAVAILABLE,
        code_pb2.DEADLINE_EXCEEDED,
        code_pb2.RESOURCE_EXHAUSTED,
        code_pb2.INTERNAL,
        code_pb2.UNKNOWN,
        code_pb2.ABORTED,
        code_pb2.CANCELLED,
    }
)


class SilentError(errors.OaktreeError):
    """A cloud has not answered for longer than `Pace.patience`."""

    code = StatusCode.UNAVAILABLE
    reason = "CLOUD_SILENT"


def passes(error: Exception) -> bool:
    """Whether the error may be temporary: a later request may succeed."""
    return statuses.status(error).code in _PASSING


def wait(error: Exception, seconds: float) -> float:
    """Seconds until the next request: as the cloud or its breaker demands, else `seconds` less a random part of up to half."""
    retry = error_details_pb2.RetryInfo()
    for detail in statuses.status(error).details:
        if detail.Unpack(retry):
            return max(seconds / 2, float(retry.retry_delay.ToTimedelta().total_seconds()))
    return seconds * (1 - random.random() / 2)  # noqa: S311 - spreads load, no secret


def silent_error(error: Exception, place: tuple[str, str], silent: float, again: float) -> SilentError:
    """Make the error that ends the watches of a cloud that does not answer.

    Args:
        error: the error of the last request.
        place: cloud and region.
        silent: seconds since the last successful answer.
        again: seconds after which the caller may try a new watch.
    """
    where = "/".join(filter(None, place))
    last = statuses.status(error).message
    return SilentError(f"{where} has not answered for {silent:.0f} s; the last error: {last}", retry_after=again)


@dataclass
class Health:
    """Success and failure counts of the requests of one poll.

    Attributes:
        questions: number of requests.
        failures: number of failed requests since the last answer.
        error: the error of the last request; None if it was answered.
        answered: time of the last answer (`time.monotonic()`).
    """

    questions: int = 0
    failures: int = 0
    error: Exception | None = None
    answered: float = field(default_factory=time.monotonic)

    def succeeded(self) -> None:
        """Record an answer."""
        self.questions += 1
        self.failures = 0
        self.error = None
        self.answered = time.monotonic()

    def failed(self, error: Exception) -> None:
        """Record a failed request."""
        self.questions += 1
        self.failures += 1
        self.error = error

    def share(self, questions: int) -> None:
        """Raise the last error if more requests than `questions` were sent: a caller that waited for them need not repeat them."""
        if self.questions > questions and self.error is not None and passes(self.error):
            raise self.error.with_traceback(None)
