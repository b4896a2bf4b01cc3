"""One table from what goes wrong in clouds to gRPC's codes, and the tree of what oaktree itself refuses.

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

What clouds answer, and what openstacksdk and keystoneauth make of it, is in codes.py; docs/reference/oaktree.md has the whole
table. A reason never changes and never means something else. Nothing that looks like a token, and no query of a URL, is in a message.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, ClassVar, Final, NoReturn

import grpc
import keystoneauth1.exceptions as keystone
import openstack.exceptions as sdk
import requests
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc_status import rpc_status

from openstackoid.oaktree import answers, codes, faults
from openstackoid.oaktree.masking import clean

DOMAIN: Final = "oaktree.openstackoid"
parse_retry_after: Final = answers.parse_retry_after
_CLIENT_ERRORS: Final = 4  # hundred


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


def status(
    error: BaseException,
    *,
    cloud: str = "",
    region: str = "",
    service: str = "",
    creating: bool = False,
    as_server: bool = False,
) -> status_pb2.Status:
    """What a caller is told of an error.

    Args:
        error: any exception.
        cloud: the cloud that was asked; with `region` and `service` in the details, if not empty.
        region: its region.
        service: the service type, as "compute".
        creating: the request was to create something: HTTP 409 then means that it exists.
        as_server: the cloud was asked as the user of the server's `clouds.yaml`: where it refuses that, its caller need not doubt theirs.
    """
    if isinstance(error, grpc.aio.AioRpcError):
        return _relayed(error)
    if isinstance(error, LocatedError):
        place = {"cloud": error.cloud, "region": error.region, "service": error.service}
        found = status(error.error, **place, creating=creating, as_server=error.as_server)
        where = "/".join(filter(None, (error.cloud, error.region)))
        found.message = clean(f"{where}: {found.message}")
        return found
    error = _telling(error)
    code, reason, message = _meaning(error, creating)
    if reason == codes.INTERNAL[1] and not isinstance(error, OaktreeError):
        faults.log(error)
    if as_server and reason == codes.REFUSED[1]:
        code, message = (
            StatusCode.FAILED_PRECONDITION,
            f"the user of the server's clouds.yaml is refused there: {message}",
        )
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)
    facts = {
        "cloud": cloud or getattr(error, "cloud", ""),
        "region": region,
        "service": service,
        **answers.facts(error),
    }
    info.metadata.update({name: clean(value, 255) for name, value in facts.items() if value})
    details: list[Message] = [info]
    if (seconds := _retry_after(error)) is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(max(1, int(seconds * 1000)))
        details.append(retry)
    if isinstance(error, InvalidError):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=clean(error.field, 255), description=clean(error.expected)
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    found = status_pb2.Status(code=code.value[0], message=clean(message))
    for detail in details:
        found.details.append(_packed(detail))
    return found


async def abort(context: Any, error: BaseException, *, cloud: str = "", region: str = "") -> NoReturn:
    """End a call with an error and its details (`grpc-status-details-bin`).

    Args:
        context: a `grpc.aio.ServicerContext`.
        error: any exception.
        cloud: as for `status`.
        region: see there.
    """
    told = rpc_status.to_status(status(error, cloud=cloud, region=region))
    await context.abort(told.code, told.details, told.trailing_metadata)
    raise AssertionError  # abort() has raised


def known(error: BaseException) -> bool:
    """Whether the table has it; all else is a fault of oaktree's own."""
    return (
        isinstance(error, LocatedError | grpc.aio.AioRpcError)
        or _meaning(_telling(error), False)[1] != codes.INTERNAL[1]
    )


def reason(status: status_pb2.Status) -> str:
    """The permanent code in a status of ours, or an empty text."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _relayed(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    # Another oaktree said it: its details name the cloud behind it.
    metadata: Any = error.trailing_metadata() or ()
    for name, value in metadata:
        if name == "grpc-status-details-bin" and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except ValueError:
                break
    return status_pb2.Status(code=error.code().value[0], message=clean(error.details() or ""))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _telling(error: BaseException) -> BaseException:
    """The error that tells most: behind one that is vague, the first that is not."""
    if not (isinstance(error, codes.VAGUE) or type(error) in {sdk.SDKException, keystone.ClientException}):
        return error
    for each in _causes(error):
        known = isinstance(each, OaktreeError | keystone.HttpError | sdk.HttpException | keystone.ConnectionError)
        if known and not isinstance(each, codes.VAGUE):
            return each
    return error


def _meaning(error: BaseException, creating: bool) -> tuple[StatusCode, str, str]:
    if isinstance(error, OaktreeError):
        return error.code, error.reason, str(error)
    if (number := answers.http_status(error)) is not None:
        text = answers.text(error)
        if number in answers.GONE and not answers.absent(error):
            return *codes.NOT_SERVED, (
                f"HTTP {number} from {answers.url(error) or 'an address'}, where no service of the cloud answers: its auth_url, its catalog, or a "
                f"proxy before it is wrong: {text}"
            )
        if number in {403, 409, 413} and "quota" in text.lower() and "exceed" in text.lower():
            code, why = codes.QUOTA
        elif number == HTTPStatus.CONFLICT and creating:
            code, why = codes.CREATED_TWICE
        else:
            other = StatusCode.FAILED_PRECONDITION if number // 100 == _CLIENT_ERRORS else StatusCode.UNAVAILABLE
            code, why = codes.HTTP.get(number, (other, f"CLOUD_HTTP_{number // 100}XX"))
        return code, why, f"the cloud answered HTTP {number}: {text}"
    if isinstance(error, keystone.ConnectTimeout) and any(
        isinstance(each, requests.ConnectTimeout) for each in _causes(error)
    ):
        return *codes.UNREACHABLE, str(error)  # keystoneauth calls all timeouts so
    for kind, (code, why) in codes.KINDS:
        if isinstance(error, kind):
            return code, why, str(error) or type(error).__name__
    # It may hold anything: only the kind of it is told.
    return *codes.INTERNAL, f"oaktree failed: {type(error).__name__}; its log says more"


def _retry_after(error: BaseException) -> float | None:
    return error.retry_after if isinstance(error, OaktreeError) else answers.retry_after(error)
