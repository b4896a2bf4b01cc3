"""The tree of what oaktree itself refuses or cannot do.

    OaktreeError
    |-- InvalidError         INVALID_ARGUMENT     INVALID_FIELD          the request is wrong; names the field
    |-- MissingError         NOT_FOUND            NOT_FOUND              no cloud of those asked has it
    |-- AmbiguousError       FAILED_PRECONDITION  NAME_AMBIGUOUS         several have it: a location or an id would tell
    |-- UnsupportedError     UNIMPLEMENTED        NOT_SUPPORTED          this kind has not this verb
    |-- ForbiddenError       PERMISSION_DENIED    POLICY_FORBIDDEN       the caller's policy does not allow it
    |-- CallCancelledError   CANCELLED            CALL_CANCELLED         the caller has gone
    |-- CallDeadlineError    DEADLINE_EXCEEDED    DEADLINE_EXCEEDED      the caller's time is over
    |-- CloudTimeoutError    UNAVAILABLE          CLOUD_TIMEOUT          the server's own time for a cloud is over
    |-- RateError            RESOURCE_EXHAUSTED   RATE_LIMITED           our own limit of requests a second to that cloud
    |-- LeftAloneError       UNAVAILABLE          CLOUD_LEFT_ALONE       it failed several times in a row and is not asked now
    |-- RedirectError        FAILED_PRECONDITION  CLOUD_REDIRECTED       it sent us, and the token, to another host
    |-- AnswerTooLargeError  RESOURCE_EXHAUSTED   CLOUD_ANSWER_TOO_LARGE more bytes than are read from one answer
    `-- AnswerError          INTERNAL             CLOUD_ANSWER_INVALID   what came is not what the API says

`statuses.py` makes gRPC statuses of these and of what clouds answer (codes.py); docs/reference/oaktree.md has the whole table.
A reason never changes and never means something else. Nothing that looks like a token, and no query of a URL, is in a message.
"""

from typing import ClassVar, Final

from grpc import StatusCode


class OaktreeError(Exception):
    """Something that oaktree refuses or cannot do; `str()` is what a caller reads.

    Attributes:
        code: the gRPC code.
        reason: the permanent code, as `ErrorInfo.reason`.
        retry_after: seconds after which it may be tried again, or None.
        cloud: the cloud that it is about, where no one else knows; or empty.
    """

    code: ClassVar[StatusCode] = StatusCode.INTERNAL
    reason: ClassVar[str] = "INTERNAL"
    cloud: str = ""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Keep what is told."""
        self.retry_after = retry_after
        super().__init__(message)


class InvalidError(OaktreeError):
    """A request with something in it that cannot be meant."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "INVALID_FIELD"

    def __init__(self, field: str, expected: str) -> None:
        """Keep the field's path in the request, as "options.page_size", and what was expected and came."""
        self.field = field
        self.expected = expected
        super().__init__(f"{field}: {expected}")


class MissingError(OaktreeError):
    """A resource that none of the clouds has that were asked."""

    code = StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class AmbiguousError(OaktreeError):
    """A name or id that more than one resource has."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "NAME_AMBIGUOUS"


class UnsupportedError(OaktreeError):
    """A verb that a kind has not."""

    code = StatusCode.UNIMPLEMENTED
    reason = "NOT_SUPPORTED"


class ForbiddenError(OaktreeError):
    """Something that the caller's policy does not allow."""

    code = StatusCode.PERMISSION_DENIED
    reason = "POLICY_FORBIDDEN"


class CallCancelledError(OaktreeError):
    """The caller gave up, and so did we."""

    code = StatusCode.CANCELLED
    reason = "CALL_CANCELLED"


class CallDeadlineError(OaktreeError):
    """The caller's deadline came before the answer."""

    code = StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class CloudTimeoutError(OaktreeError):
    """The server's own timeout came before the cloud's answer, and before the caller's deadline."""

    code = StatusCode.UNAVAILABLE
    reason = "CLOUD_TIMEOUT"


class RateError(OaktreeError):
    """The cloud-region's requests per second are used up for longer than may be waited."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"


class LeftAloneError(OaktreeError):
    """A cloud that failed several times in a row is not asked for some time."""

    code = StatusCode.UNAVAILABLE
    reason = "CLOUD_LEFT_ALONE"


class RedirectError(OaktreeError):
    """A cloud's answer would have sent the token to another host."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CLOUD_REDIRECTED"


class AnswerTooLargeError(OaktreeError):
    """An answer of more bytes than the server reads."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "CLOUD_ANSWER_TOO_LARGE"


class AnswerError(OaktreeError):
    """An answer that is not what the API promises."""

    code = StatusCode.INTERNAL
    reason = "CLOUD_ANSWER_INVALID"


class LocatedError(Exception):
    """What went wrong in one cloud-region, on its way to a caller: with the place, which the error itself does not know.

    Attributes:
        error: what went wrong.
        cloud: where.
        region: where.
        service: of which service, as "compute".
        as_server: the cloud was asked as the user of the server's `clouds.yaml`, not with a credential of the caller's.
    """

    def __init__(self, error: BaseException, *, cloud: str, region: str, service: str, as_server: bool) -> None:
        """Keep both."""
        self.error: Final = error
        self.cloud: Final = cloud
        self.region: Final = region
        self.service: Final = service
        self.as_server: Final = as_server
        super().__init__(str(error))


def invalid(field: str, expected: str) -> InvalidError:
    """An error for one field of a request: its path, and what was expected and what came."""
    return InvalidError(field, expected)
