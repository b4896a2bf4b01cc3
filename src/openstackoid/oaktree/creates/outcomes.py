"""Outcomes of the parts of a create: the errors and messages for callers. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.message import Message
from google.rpc import code_pb2, status_pb2
from grpc import StatusCode

from oaktree.v1 import common_pb2, operation_pb2
from oaktree.v1.common_pb2 import CloudResult, Progress, Summary
from openstackoid.oaktree import errors
from openstackoid.oaktree.creates.reconciling import text
from openstackoid.oaktree.creates.records import Operation, Part
from openstackoid.oaktree.masking import clean
from openstackoid.oaktree.resources.kinds import Kind
from openstackoid.oaktree.resources.structs import document

UNSENT: Final = frozenset({common_pb2.STAGE_ACCEPTED, common_pb2.STAGE_CANCELLED})
OPEN: Final = frozenset({common_pb2.STAGE_SENT, common_pb2.STAGE_UNKNOWN})
MADE: Final = frozenset({common_pb2.STAGE_CREATED, common_pb2.STAGE_DONE})
BAD: Final = frozenset({common_pb2.STAGE_FAILED, common_pb2.STAGE_UNKNOWN})
# A part that failed with one of these, with nothing created, may be tried again under the same key.
PASSING: Final = frozenset(
    {code_pb2.UNAVAILABLE, code_pb2.DEADLINE_EXCEEDED, code_pb2.RESOURCE_EXHAUSTED, code_pb2.ABORTED, code_pb2.UNKNOWN}
)
ENDED: Final[Mapping[int, str]] = {
    common_pb2.STAGE_UNDONE: "it was created, and deleted again",
    common_pb2.STAGE_CANCELLED: "it was given up before it was sent",
}
_SHOWN: Final = 5  # ids in a message


class OutcomeUnknownError(errors.OaktreeError):
    """A create was sent, and it cannot be determined whether a resource was created."""

    code = StatusCode.UNKNOWN
    reason = "OUTCOME_UNKNOWN"


class NotCreatedError(errors.OaktreeError):
    """A create was sent, and no resource was created: it may be sent again."""

    code = StatusCode.ABORTED
    reason = "NOT_CREATED"


class NotReadyError(errors.OaktreeError):
    """The resource was created, and failed afterwards."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "RESOURCE_FAILED"


class OperationRunningError(errors.OaktreeError):
    """The request has to wait until the operation is done."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "OPERATION_RUNNING"


class CloudGoneError(errors.OaktreeError):
    """The caller no longer has this cloud-region."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CLOUD_GONE"


def progress_of(
    operation: str, part: Part, *, percent: int | None = None, error: status_pb2.Status | None = None
) -> Progress:
    """The progress message of a part."""
    made = Progress(
        operation_id=operation,
        location=part.location,
        stage=part.stage,  # type: ignore[arg-type]
        resource_id=part.resource_id,
        status=part.status,
        percent=percent,
    )
    if (status := error or part.error) is not None:
        made.error.CopyFrom(status)
    return made


def message_of(operation: Operation, parts: Sequence[Progress] = ()) -> operation_pb2.Operation:
    """The message of an operation; of its recorded parts, unless others are given."""
    made = operation_pb2.Operation(
        id=operation.id,
        kind=operation.kind,
        idempotency_key=operation.key or "",
        done=operation.done,
        parts=parts or [progress_of(operation.id, part) for part in operation.parts],
    )
    made.created_at.FromMilliseconds(int(operation.created_at * 1000))
    return made


def summary_of(parts: Iterable[Part], also: Mapping[int, status_pb2.Status], elapsed: Mapping[int, float]) -> Summary:
    """The summary message of a create.

    Args:
        parts: all parts.
        also: errors that are not recorded, by part number.
        elapsed: duration of each part, in seconds.
    """
    summary = Summary()
    for part in parts:
        result = CloudResult(location=part.location, items=int(part.stage in MADE))
        result.elapsed.FromNanoseconds(int(elapsed.get(part.number, 0) * 1e9))
        error = part.error or also.get(part.number)
        if error is None and part.stage in ENDED:
            error = status_pb2.Status(code=code_pb2.CANCELLED, message=ENDED[part.stage])
        if error is not None:
            result.error.CopyFrom(error)
        summary.results.append(result)
    return summary


def unknown(kind: Kind, part: Part, ids: Iterable[str], error: BaseException | None) -> OutcomeUnknownError:
    """The error of a part whose outcome is unknown: the known facts, and what the caller can do."""
    shown = list(ids)[:_SHOWN]
    since = f"found since: {', '.join(shown)}" if shown else "nothing like it was found yet"
    why = f" ({clean(error, 120)})" if error is not None else ""
    asked = text(part.sought or {"attributes": {}})
    return OutcomeUnknownError(
        f"the create of {kind.name} {asked} was sent, and its answer never came{why}; {since}. "
        "Ask again with the same key, or look in the cloud and delete what is too much"
    )


def attributes_of(message: Message) -> dict[str, Any]:
    """The attributes of a resource, from a typed or a generic message."""
    attributes = document(message)
    inner = attributes.get("attributes")
    return inner if isinstance(inner, dict) and "kind" in attributes else attributes
