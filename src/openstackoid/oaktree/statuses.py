"""Converts errors to gRPC statuses, with the permanent reason, the location, and the retry delay."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final, NoReturn

import grpc
import keystoneauth1.exceptions as keystone
import openstack.exceptions as sdk
import requests
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc_status import rpc_status

from openstackoid.oaktree import answers, codes, errors, faults
from openstackoid.oaktree.masking import clean

DOMAIN: Final = "oaktree.openstackoid"
_CLIENT_ERRORS: Final = 4  # the first digit of 4xx


def status(
    error: BaseException,
    *,
    cloud: str = "",
    region: str = "",
    service: str = "",
    creating: bool = False,
    as_server: bool = False,
) -> status_pb2.Status:
    """Convert an error to the status for the caller.

    Args:
        error: any exception.
        cloud: the name of the cloud; it is in the details with `region` and `service`, unless they are empty.
        region: the name of the region.
        service: the service type, as "compute".
        creating: the request was to create something: HTTP 409 then means that it exists.
        as_server: the request used the credentials of the server's `clouds.yaml`: a refusal is then not about the caller's credentials.
    """
    if isinstance(error, grpc.aio.AioRpcError):
        return _relayed(error)
    if isinstance(error, errors.LocatedError):
        place = {"cloud": error.cloud, "region": error.region, "service": error.service}
        status_ = status(error.error, **place, creating=creating, as_server=error.as_server)
        where = "/".join(filter(None, (error.cloud, error.region)))
        status_.message = clean(f"{where}: {status_.message}")
        return status_
    error = _telling(error)
    code, reason, message = _meaning(error, creating)
    if reason == codes.INTERNAL[1] and not isinstance(error, errors.OaktreeError):
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
    if isinstance(error, errors.InvalidError):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=clean(error.field, 255), description=clean(error.expected)
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    status_ = status_pb2.Status(code=code.value[0], message=clean(message))
    for detail in details:
        status_.details.append(_packed(detail))
    return status_


async def abort(context: Any, error: BaseException, *, cloud: str = "", region: str = "") -> NoReturn:
    """End a call with an error and its details (`grpc-status-details-bin`).

    Args:
        context: a `grpc.aio.ServicerContext`.
        error: any exception.
        cloud: as for `status`.
        region: see there.
    """
    rpc = rpc_status.to_status(status(error, cloud=cloud, region=region))
    await context.abort(rpc.code, rpc.details, rpc.trailing_metadata)
    raise AssertionError  # unreachable: abort() raises


def known(error: BaseException) -> bool:
    """Whether the table has the error; every other error is internal."""
    return (
        isinstance(error, errors.LocatedError | grpc.aio.AioRpcError)
        or _meaning(_telling(error), False)[1] != codes.INTERNAL[1]
    )


def reason(status: status_pb2.Status) -> str:
    """The permanent reason in a status of oaktree; empty if there is none."""
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
    # A status of another oaktree: its details name the cloud.
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
    """The most specific error: for a vague error, the first cause that is not vague."""
    if not (isinstance(error, codes.VAGUE) or type(error) in {sdk.SDKException, keystone.ClientException}):
        return error
    for cause in _causes(error):
        informative = isinstance(
            cause, errors.OaktreeError | keystone.HttpError | sdk.HttpException | keystone.ConnectionError
        )
        if informative and not isinstance(cause, codes.VAGUE):
            return cause
    return error


def _meaning(error: BaseException, creating: bool) -> tuple[StatusCode, str, str]:
    if isinstance(error, errors.OaktreeError):
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
        isinstance(cause, requests.ConnectTimeout) for cause in _causes(error)
    ):
        return *codes.UNREACHABLE, str(error)  # keystoneauth raises ConnectTimeout for all timeouts
    for kind, (code, why) in codes.KINDS:
        if isinstance(error, kind):
            return code, why, str(error) or type(error).__name__
    # The message may contain anything: the caller gets only the type of the error.
    return *codes.INTERNAL, f"oaktree failed: {type(error).__name__}; its log says more"


def _retry_after(error: BaseException) -> float | None:
    return error.retry_after if isinstance(error, errors.OaktreeError) else answers.retry_after(error)
