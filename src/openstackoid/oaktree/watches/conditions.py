"""The condition that a watch waits for, and the errors that end the watch before. Pure."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message
from grpc import StatusCode

from oaktree.v1.common_pb2 import Condition
from oaktree.v1.resource_pb2 import Resource
from openstackoid.oaktree import errors
from openstackoid.oaktree.masking import clean
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.expressions import compiled, shape_of
from openstackoid.oaktree.resources.filters import Filters
from openstackoid.oaktree.resources.kinds import Kind
from openstackoid.oaktree.watches.states import State, status_of

# nova, cinder, heat, octavia, glance and ironic: ERROR, error_deleting, CREATE_FAILED, "deploy failed", killed.
_FAILED: Final = re.compile(r"error(?:[_ ].*)?|(?:.*[_ ])?failed|killed", re.IGNORECASE)
_STATUS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ .:-]{0,63}")


class FailedError(errors.OaktreeError):
    """A resource is in an error status, and the watch waits for another status."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "RESOURCE_FAILED"


class DeletedError(errors.OaktreeError):
    """A resource was deleted, and the watch waits for another condition."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "RESOURCE_DELETED"


@dataclass(frozen=True)
class Until:
    """A validated condition. With none of the three, the watch ends when the resource is deleted or the caller cancels.

    Attributes:
        status: the status to wait for, in lower case.
        gone: wait until the resource is deleted.
        expression: a JMESPath expression; wait until it is true.
    """

    status: str = ""
    gone: bool = False
    expression: str = ""
    _query: Any = field(default=None, repr=False, compare=False)

    @property
    def waits(self) -> bool:
        """Whether there is a condition to wait for."""
        return bool(self.status or self.gone or self.expression)

    def met(self, state: State, codec: Codec) -> bool:
        """Whether the condition holds for an existing resource. The result is cached in the state: many watchers have the same condition."""
        if self.status:
            return state.status.lower() == self.status
        if not self.expression:
            return False
        return state.recall((codec, self.expression), lambda: Filters(query=self._query).keeps(state.message(codec)))

    def failure(self, state: State) -> FailedError | None:
        """The error if the resource cannot reach the status any more; None if it still can."""
        if not self.status or state.status.lower() == self.status or not _FAILED.fullmatch(state.status):
            return None
        fault = clean(state.fault()) or "the cloud does not say why"
        return FailedError(f"{state} is in status {state.status}, not {self.status.upper()}: {fault}")


def parse(kind: Kind, until: Condition, message: type[Message] = Resource) -> Until:
    """Parse and validate the condition of a request.

    Args:
        kind: the watched kind.
        until: the message of the request.
        message: the protobuf message type of the resources.

    Raises:
        errors.InvalidError: the condition can never be true; names the field.
    """
    match until.WhichOneof("until"):
        case "status":
            if status_of(kind) is None:
                raise errors.invalid(
                    "until.status", f"a {kind.name} has no status: wait with until.query or until.gone"
                )
            if not _STATUS.fullmatch(until.status):
                raise errors.invalid("until.status", f"expected a status as ACTIVE, got {until.status[:80]!r}")
            return Until(status=until.status.lower())
        case "gone":
            if not until.gone:
                raise errors.invalid("until.gone", "expected true, or no condition at all")
            return Until(gone=True)
        case "query":
            if not until.query.strip():
                raise errors.invalid("until.query", "expected a JMESPath expression, got an empty text")
            return Until(expression=until.query, _query=compiled("until.query", until.query, shape_of(kind, message)))
        case _:
            return Until()
