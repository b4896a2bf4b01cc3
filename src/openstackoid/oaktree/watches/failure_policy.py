"""A cloud that does not answer a poll: whether that passes, when it is asked again, and what its watchers are told in the end."""

import random
from typing import Final

from google.rpc import code_pb2, error_details_pb2
from grpc import StatusCode

from openstackoid.oaktree import errors

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
    return errors.status(error).code in _PASSING


def wait(error: Exception, seconds: float) -> float:
    """Seconds until the next question: what the cloud or its breaker asks for, else `seconds`, less up to half of it by chance."""
    retry = error_details_pb2.RetryInfo()
    for detail in errors.status(error).details:
        if detail.Unpack(retry):
            return max(seconds / 2, float(retry.retry_delay.ToTimedelta().total_seconds()))
    return seconds * (1 - random.random() / 2)  # noqa: S311 - spreads load, guards nothing


def told(error: Exception, place: tuple[str, str], silent: float, again: float) -> SilentError:
    """What watchers are told.

    Args:
        error: what the cloud answered last.
        place: cloud and region.
        silent: seconds since its last answer that counts.
        again: seconds after which a new watch may go better.
    """
    where = "/".join(filter(None, place))
    last = errors.status(error).message
    return SilentError(f"{where} has not answered for {silent:.0f} s; the last error: {last}", retry_after=again)
