"""Error messages: from the status of a call, and from the clouds' errors in a summary."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from oaktree.v1.common_pb2 import CloudResult, Summary
from oaktree.v1.location_pb2 import Location
from openstackoid.output import printable

OK: Final = 0
FAILED: Final = 1
WRONG: Final = 2
PARTLY: Final = 3

_QUOTES: Final = re.compile(r'[,="]')
# A cloud without the service has no resources of it: this counts as an answer.
_NO_SERVICE: Final = "SERVICE_MISSING"
# Fields of requests -> the arguments of the command line.
_OPTIONS: Final = (
    ("options.filters.", "--filter "),
    ("options.query", "--query"),
    ("options.order_by", "--sort"),
    ("options.page_size", "--page-size"),
    ("options.page_token", "--page-token"),
    ("options.idempotency_key", "--idempotency-key"),
    ("options.timeout", "--timeout"),
    ("resource.attributes.", "--set "),
    ("resource.", "--set "),
    ("create.image.", "--set "),
    ("create.locations", "--location"),
    ("create.options.", "--"),
    ("parents.", "--parent "),
    ("locations", "--location"),
    ("location", "--location"),
    ("until.query", "--until-query"),
    ("until.", "--until "),
)


@dataclass(frozen=True)
class Failure:
    """A readable error.

    Attributes:
        code: the name of the gRPC code.
        message: the message of the server or the cloud.
        reason: the permanent reason, if the status comes from an oaktree.
        facts: cloud, region, service, request_id, http_status, as far as they are known.
        retry: seconds after which the call may be retried.
        fields: invalid fields of the request, each with the expected value.
    """

    code: str
    message: str
    reason: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    retry: float | None = None
    fields: tuple[tuple[str, str], ...] = ()

    def document(self) -> dict[str, Any]:
        """The error as JSON."""
        return {"code": self.code, "reason": self.reason, "message": self.message, **self.facts}

    def __str__(self) -> str:
        said = "; ".join(f"{_option(name)}: {expected}" for name, expected in self.fields) or self.message
        notes = [self.reason or self.code]
        if self.facts.get("service"):
            notes.append(self.facts["service"])
        if self.facts.get("request_id"):
            notes.append(f"the cloud's request id {self.facts['request_id']}")
        if self.retry is not None:
            notes.append(f"try again in {self.retry:g} s")
        return printable(f"{said.rstrip('.')} ({', '.join(notes)})")


def of_status(status: status_pb2.Status) -> Failure:
    """Make a Failure from a status."""
    info, retry, request = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        for known in (info, retry, request):
            if detail.Is(known.DESCRIPTOR):
                detail.Unpack(known)
    return Failure(
        code=code_pb2.Code.Name(status.code) if status.code in code_pb2.Code.values() else str(status.code),
        message=status.message,
        reason=info.reason,
        facts=dict(info.metadata),
        retry=retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None,
        fields=tuple(
            (field_violation.field, field_violation.description) for field_violation in request.field_violations
        ),
    )


def of_call(error: grpc.RpcError, target: str) -> Failure:
    """Make a Failure from the error of a call: with an oaktree's own status, or with gRPC's."""
    call: Any = error
    for name, value in call.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            try:
                return of_status(status_pb2.Status.FromString(value))
            except DecodeError:
                break
    code, details = call.code(), call.details() or ""
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            hint = "" if target.startswith("unix:") else " TCP goes over TLS, unless --plaintext."
            details = (
                f"no oaktree answers at {target}: is it running ('openstackoid oaktree serve'), and is this its address "
                f"(--target, or OAKTREE_TARGET)?{hint} What gRPC says: {details}"
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            details = f"{target} has not answered within --timeout"
        case grpc.StatusCode.UNIMPLEMENTED:
            details = f"what listens at {target} does not know this call: is it an oaktree, and as new as this program?"
    return Failure(code=code.name, message=details)


def place(location: Location) -> str:
    """A location in the form of --location."""
    if _QUOTES.search(location.cloud + location.region):
        named = (("cloud", location.cloud), ("region", location.region))
        return ",".join(f'{name}="{value.replace(chr(34), chr(34) * 2)}"' for name, value in named if value)
    return "/".join(filter(None, (location.cloud, location.region))) or "-"


def place_of(resource: Mapping[str, Any]) -> str:
    """The location of a resource as JSON, in the form of --location."""
    location = resource.get("location", {})
    return place(Location(cloud=location.get("cloud", ""), region=location.get("region", "")))


def failures(summary: Summary) -> Iterator[tuple[CloudResult, Failure]]:
    """The clouds that did not answer, with their errors."""
    for result in summary.results:
        if result.HasField("error"):
            yield result, of_status(result.error)


def exit_code(summary: Summary) -> int:
    """0 if every cloud answered, 3 if some did, 1 if none did."""
    troubles = [failure for _, failure in failures(summary)]
    if len(troubles) == len(summary.results):
        return FAILED
    return PARTLY if any(trouble.reason != _NO_SERVICE for trouble in troubles) else OK


def _option(name: str) -> str:
    for part, option in _OPTIONS:
        if name.startswith(part):
            return option + name.removeprefix(part) if option.endswith((" ", "-")) else option
    return name
