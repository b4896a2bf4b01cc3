"""The records of a create: the operation, and its part for each cloud-region."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf import json_format
from google.rpc import status_pb2
from grpc import StatusCode
from sqlalchemy import RowMapping

from oaktree.v1 import common_pb2
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import errors

_LONGEST_STATUS: Final = 255


class RecordsError(errors.OaktreeError):
    """The database of operations failed."""

    code = StatusCode.UNAVAILABLE
    reason = "RECORDS_FAILED"


class LostError(errors.OaktreeError):
    """Another worker took the operation over, since this one did not renew its lease in time."""

    code = StatusCode.ABORTED
    reason = "OPERATION_TAKEN_OVER"


@dataclass(frozen=True)
class Part:
    """One cloud-region's part of an operation.

    Attributes:
        number: index of the part in the operation, from 0.
        location: the cloud-region, with the requested project and zone.
        stage: a value of `oaktree.v1.Stage`.
        resource_id: id of the created resource, once it is known.
        status: status of the resource.
        error: the error, if it failed.
        sought: the data with which `reconciling` finds the resource again; None before the create was sent.
        sent_at: time of the last create request, in seconds since 1970.
    """

    number: int
    location: Location
    stage: int = common_pb2.STAGE_ACCEPTED
    resource_id: str = ""
    status: str = ""
    error: status_pb2.Status | None = None
    sought: dict[str, Any] | None = None
    sent_at: float | None = None


@dataclass(frozen=True)
class Operation:
    """A create in one or several cloud-regions."""

    id: str
    caller: str
    key: str | None
    digest: str
    kind: str
    created_at: float  # seconds since 1970
    owner: str
    lease_until: int  # milliseconds since 1970
    done: bool
    parts: tuple[Part, ...] = field(default=())


def columns_of(part: Part) -> dict[str, Any]:
    """The columns of a part that change."""
    return {
        "stage": part.stage,
        "resource_id": part.resource_id or None,
        "status": part.status[:_LONGEST_STATUS] or None,
        "error": None if part.error is None else base64.b64encode(part.error.SerializeToString()).decode(),
        "sought": None if part.sought is None else json.dumps(part.sought),
        "sent_at": None if part.sent_at is None else int(part.sent_at * 1000),
    }


def part_of(row: RowMapping) -> Part:
    """Make a part from its row."""
    return Part(
        number=row["number"],
        location=json_format.Parse(row["location"], Location()),
        stage=row["stage"],
        resource_id=row["resource_id"] or "",
        status=row["status"] or "",
        error=None if row["error"] is None else status_pb2.Status.FromString(base64.b64decode(row["error"])),
        sought=None if row["sought"] is None else json.loads(row["sought"]),
        sent_at=None if row["sent_at"] is None else row["sent_at"] / 1000,
    )


def operation_of(row: RowMapping, parts: list[Part]) -> Operation:
    """Make an operation from its row."""
    return Operation(
        id=row["id"],
        caller=row["caller"],
        key=row["idempotency_key"],
        digest=row["digest"],
        kind=row["kind"],
        created_at=row["created_at"] / 1000,
        owner=row["owner"],
        lease_until=row["lease_until"],
        done=bool(row["done"]),
        parts=tuple(parts),
    )
