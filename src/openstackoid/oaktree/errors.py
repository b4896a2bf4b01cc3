"""The exceptions of oaktree itself.

    OaktreeError
    |-- InvalidError         INVALID_ARGUMENT     INVALID_FIELD          a field of the request is invalid; names it
    |-- MissingError         NOT_FOUND            NOT_FOUND              no queried cloud has the resource
    |-- AmbiguousError       FAILED_PRECONDITION  NAME_AMBIGUOUS         several resources match: give a location or an id
    |-- UnsupportedError     UNIMPLEMENTED        NOT_SUPPORTED          the kind does not support the verb
    |-- ForbiddenError       PERMISSION_DENIED    POLICY_FORBIDDEN       the caller's policy does not allow it
    |-- CallCancelledError   CANCELLED            CALL_CANCELLED         the caller cancelled
    |-- CallDeadlineError    DEADLINE_EXCEEDED    DEADLINE_EXCEEDED      the caller's deadline has passed
    |-- CloudTimeoutError    UNAVAILABLE          CLOUD_TIMEOUT          the server's timeout for a cloud has passed
    |-- RateError            RESOURCE_EXHAUSTED   RATE_LIMITED           the server's own rate limit for the cloud
    |-- BusyError            RESOURCE_EXHAUSTED   OPERATIONS_LIMITED     the server's own limit of concurrent operations in the cloud
    |-- LeftAloneError       UNAVAILABLE          CLOUD_LEFT_ALONE       the cloud failed several times in a row, and gets no requests now
    |-- RedirectError        FAILED_PRECONDITION  CLOUD_REDIRECTED       the cloud redirects, with the token, to another host
    |-- AnswerTooLargeError  RESOURCE_EXHAUSTED   CLOUD_ANSWER_TOO_LARGE the answer is larger than the maximum
    `-- AnswerError          INTERNAL             CLOUD_ANSWER_INVALID   the answer does not conform to the API

`statuses.py` converts these, and the errors of clouds (codes.py), to gRPC statuses; docs/reference/oaktree.md has the whole table.
A reason and its meaning never change. A message never contains the query of a URL, or anything that looks like a token.
"""

from typing import ClassVar, Final

from grpc import StatusCode


class OaktreeError(Exception):
    """The base of oaktree's exceptions; `str()` is the message for the caller.

    Attributes:
        code: the gRPC code.
        reason: the permanent code, as `ErrorInfo.reason`.
        retry_after: seconds after which the caller may retry, or None.
        cloud: the cloud that the error is about, if the code that handles it does not know it; else empty.
    """

    code: ClassVar[StatusCode] = StatusCode.INTERNAL
    reason: ClassVar[str] = "INTERNAL"
    cloud: str = ""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Keep the message and the details."""
        self.retry_after = retry_after
        super().__init__(message)


class InvalidError(OaktreeError):
    """A field of the request is invalid."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "INVALID_FIELD"

    def __init__(self, field: str, expected: str) -> None:
        """Keep the path of the field in the request, such as "options.page_size", and the message."""
        self.field = field
        self.expected = expected
        super().__init__(f"{field}: {expected}")


class MissingError(OaktreeError):
    """None of the queried clouds has the resource."""

    code = StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class AmbiguousError(OaktreeError):
    """More than one resource has the name or id."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "NAME_AMBIGUOUS"


class UnsupportedError(OaktreeError):
    """The kind does not support the verb."""

    code = StatusCode.UNIMPLEMENTED
    reason = "NOT_SUPPORTED"


class ForbiddenError(OaktreeError):
    """The caller's policy does not allow the request."""

    code = StatusCode.PERMISSION_DENIED
    reason = "POLICY_FORBIDDEN"


class CallCancelledError(OaktreeError):
    """The caller cancelled the call."""

    code = StatusCode.CANCELLED
    reason = "CALL_CANCELLED"


class CallDeadlineError(OaktreeError):
    """The caller's deadline passed before the answer arrived."""

    code = StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class CloudTimeoutError(OaktreeError):
    """The server's own timeout passed before the cloud answered, and before the caller's deadline."""

    code = StatusCode.UNAVAILABLE
    reason = "CLOUD_TIMEOUT"


class RateError(OaktreeError):
    """The rate limit of the cloud-region requires a longer wait than is allowed."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"


class BusyError(OaktreeError):
    """As many operations as are allowed at once were in progress in the cloud-region until the operation's timeout."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "OPERATIONS_LIMITED"


class LeftAloneError(OaktreeError):
    """The cloud failed several times in a row, and gets no requests for some time."""

    code = StatusCode.UNAVAILABLE
    reason = "CLOUD_LEFT_ALONE"


class RedirectError(OaktreeError):
    """The cloud's answer redirects to another host, which would get the token."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CLOUD_REDIRECTED"


class AnswerTooLargeError(OaktreeError):
    """The cloud's answer is larger than the maximum."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "CLOUD_ANSWER_TOO_LARGE"


class AnswerError(OaktreeError):
    """The cloud's answer does not conform to its API."""

    code = StatusCode.INTERNAL
    reason = "CLOUD_ANSWER_INVALID"


class LocatedError(Exception):
    """Wraps an error with the cloud-region and service in which it occurred.

    Attributes:
        error: the error.
        cloud: the name of the cloud.
        region: the name of the region.
        service: the service type, such as "compute".
        as_server: whether the request used the credentials of the server's `clouds.yaml`, not the caller's.
    """

    def __init__(self, error: BaseException, *, cloud: str, region: str, service: str, as_server: bool) -> None:
        """Keep the error and its place."""
        self.error: Final = error
        self.cloud: Final = cloud
        self.region: Final = region
        self.service: Final = service
        self.as_server: Final = as_server
        super().__init__(str(error))


def invalid(field: str, expected: str) -> InvalidError:
    """Make an error for one field of a request: its path, and a message with the expected and the actual value."""
    return InvalidError(field, expected)
