"""The records of a change in several clouds: the operation, and its part for each cloud."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import RowMapping

from openstackoid.core import scope as scopes
from openstackoid.core.plans import Target
from openstackoid.operations.forms import Form
from openstackoid.operations.stages import Stage

_LONGEST: Final = 2000  # characters of an error


class Policy(StrEnum):
    """What happens to a create if a cloud fails."""

    UNDO = "undo"
    KEEP = "keep"
    CONVERGE = "converge"


class Work(StrEnum):
    """What an operation does."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    COPY = "copy"


@dataclass(frozen=True)
class Part:
    """One cloud's part of an operation.

    Attributes:
        number: index of the part in the operation, from 0.
        target: the cloud, and its scope.
        resource_id: of the member, once it is known.
        status: HTTP status of the cloud's answer; None before, or if there was none.
        code: permanent code of the error, or `status.NNN`, if it failed.
        error: the error for people.
        mark, own_id: by which the member is found again; empty before the create was sent.
        sent_at: time of the last request, in seconds since 1970.
        progress: bytes of an image that were sent; None if it is about no image's data.
    """

    number: int
    target: Target
    stage: Stage = Stage.ACCEPTED
    resource_id: str = ""
    status: int | None = None
    code: str | None = None
    error: str = ""
    mark: str = ""
    own_id: str | None = None
    sent_at: float | None = None
    progress: int | None = None

    @property
    def cloud(self) -> str:
        """The cloud's name."""
        return self.target.cloud


@dataclass(frozen=True)
class Operation:
    """A change in several clouds."""

    id: str
    caller: str
    key: str | None
    digest: str
    kind: str
    created_at: float  # seconds since 1970
    owner: str
    lease_until: int  # milliseconds since 1970
    done: bool
    replica: str
    work: Work
    policy: Policy
    sealed: str | None
    parts: tuple[Part, ...] = ()

    @property
    def project(self) -> str:
        """The caller's project."""
        return self.caller.partition("/")[0]


def location_of(target: Target, resource_id: str = "") -> str:
    """A part's location as text; with the id of its member, if that is known before."""
    return json.dumps({"cloud": target.cloud, "scope": scopes.format(target.scope), "id": resource_id})


def _columns(part: Part) -> dict[str, Any]:
    error = None if part.code is None else json.dumps([part.code, part.error[:_LONGEST]])
    return {
        "stage": int(part.stage),
        "resource_id": part.resource_id or None,
        "status": None if part.status is None else str(part.status),
        "error": error,
        "sought": json.dumps([part.mark, part.own_id]) if part.mark else None,
        "sent_at": None if part.sent_at is None else int(part.sent_at * 1000),
        "progress": part.progress,
    }


def _part(row: RowMapping) -> Part:
    location = json.loads(row["location"])
    code, error = json.loads(row["error"]) if row["error"] else (None, "")
    mark, own_id = json.loads(row["sought"]) if row["sought"] else ("", None)
    return Part(
        number=row["number"],
        target=Target(location["cloud"], scopes.parse(location["scope"])),
        stage=Stage(row["stage"]),
        resource_id=row["resource_id"] or location["id"],
        status=None if row["status"] is None else int(row["status"]),
        code=code,
        error=error,
        mark=mark,
        own_id=own_id,
        sent_at=None if row["sent_at"] is None else row["sent_at"] / 1000,
        progress=row["progress"],
    )


def _operation(row: RowMapping, parts: list[Part]) -> Operation:
    work, _, policy = row["intent"].partition(" ")
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
        replica=row["replica"] or row["id"],
        work=Work(work),
        policy=Policy(policy),
        sealed=row["sealed"],
        parts=tuple(parts),
    )


FORM: Final = Form(_columns, _part, _operation)
