"""What follows when a poll fails: whether it may pass, when the next poll is due, and the error that ends the watches."""

import random
import time
from dataclasses import dataclass, field
from typing import Final

from google.rpc import code_pb2, error_details_pb2
from grpc import StatusCode

from openstackoid.oaktree import errors, statuses

# What a cloud may say in passing. Anything else ends its watches at once: asking again would not change it.
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
    """A cloud has not answered for longer than watches are patient."""

    code = StatusCode.UNAVAILABLE
    reason = "CLOUD_SILENT"


def passes(error: Exception) -> bool:
    """Whether asking again may go better."""
    return statuses.status(error).code in _PASSING


def wait(error: Exception, seconds: float) -> float:
    """Seconds until the next question: what the cloud or its breaker asks for, else `seconds`, less up to half of it by chance."""
    retry = error_details_pb2.RetryInfo()
    for detail in statuses.status(error).details:
        if detail.Unpack(retry):
            return max(seconds / 2, float(retry.retry_delay.ToTimedelta().total_seconds()))
    return seconds * (1 - random.random() / 2)  # noqa: S311 - spreads load, guards nothing


def silent_error(error: Exception, place: tuple[str, str], silent: float, again: float) -> SilentError:
    """What watchers are told.

    Args:
        error: what the cloud answered last.
        place: cloud and region.
        silent: seconds since its last answer that counts.
        again: seconds after which a new watch may go better.
    """
    where = "/".join(filter(None, place))
    last = statuses.status(error).message
    return SilentError(f"{where} has not answered for {silent:.0f} s; the last error: {last}", retry_after=again)


@dataclass
class Health:
    """How the questions of one poll went.

    Attributes:
        questions: how many were asked.
        failures: how many failed since the last answer.
        error: of the last question; None if it was answered.
        answered: when the last answer came, as `time.monotonic()` has it.
    """

    questions: int = 0
    failures: int = 0
    error: Exception | None = None
    answered: float = field(default_factory=time.monotonic)

    def succeeded(self) -> None:
        """An answer came."""
        self.questions += 1
        self.failures = 0
        self.error = None
        self.answered = time.monotonic()

    def failed(self, error: Exception) -> None:
        """A question failed."""
        self.questions += 1
        self.failures += 1
        self.error = error

    def share(self, questions: int) -> None:
        """Raise the error of a question that others asked since there were so many: who waited meanwhile need not ask again."""
        if self.questions > questions and self.error is not None and passes(self.error):
            raise self.error.with_traceback(None)
