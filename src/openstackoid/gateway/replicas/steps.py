"""One operation whose lease this worker holds: records each step, and sends requests to the clouds of its parts."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, update

from openstackoid.core.errors import OpenStackoidError
from openstackoid.core.replication import Kind, kind_named
from openstackoid.gateway.fanout.admission import Admission
from openstackoid.gateway.fanout.asking import Reply
from openstackoid.gateway.replicas.asking import Asker, reason
from openstackoid.gateway.replicas.pace import Patience
from openstackoid.gateway.replicas.records import Operation, Part
from openstackoid.gateway.replicas.sealed import Request
from openstackoid.gateway.replicas.tables import TABLES
from openstackoid.gateway.replicas.translating import path_of
from openstackoid.operations import marks
from openstackoid.operations.stages import Stage
from openstackoid.operations.store import Store

NOT_FOUND: Final = 404
_PASSING: Final = frozenset({401, 429, 503})  # the token has expired, too many requests, the service is away


@dataclass(frozen=True, slots=True)
class Means:
    """What all operations of a worker use. Times are seconds.

    Attributes:
        store: of operations.
        timeout: for each request to a cloud.
        settle: after which a cloud no longer processes a request whose answer never came.
        patience: how slow a cloud may be that sends or takes data of an image.
        entry: name of this cloud.
        copies: places of the copies of images, each of which holds some pieces in memory.
        pause: between two looks for what an unanswered request may have made.
    """

    store: Store[Operation, Part]
    timeout: float
    settle: float
    patience: Patience
    entry: str
    copies: Admission
    pause: float = 1.0


class Steps:
    """One operation.

    Args:
        operation: as this worker owns it.
        request: what it sends.
        asker: asks clouds on behalf of its user.
        means: of the worker.
    """

    def __init__(self, operation: Operation, request: Request, asker: Asker, means: Means) -> None:
        self.operation: Final = operation
        self.request: Final = request
        self.means: Final = means
        self.kind: Final[Kind] = kind_named(operation.kind)
        self.parts: Final = list(operation.parts)
        self.replies: Final[dict[int, Reply]] = {}  # of parts that have just succeeded, or were refused
        self.asker: Final = asker

    async def record(self, *parts: Part, also: Callable[[Connection], None] | None = None) -> None:
        """Put the progress of parts on record.

        Raises:
            LostError: another worker has taken the operation over.
            StoreError: the database failed: the next step must not be taken.
        """
        await asyncio.to_thread(self.means.store.change, self.operation, *parts, also=also)
        for part in parts:
            self.parts[part.number] = part

    async def end(
        self, *parts: Part, also: Callable[[Connection], None] | None = None, forget_key: bool = False
    ) -> None:
        """End the operation: it needs no worker any more, and the user's token leaves the database."""

        def write(connection: Connection) -> None:
            table = TABLES.operations
            connection.execute(update(table).where(table.c.id == self.operation.id).values(sealed=None))
            if also is not None:
                also(connection)

        await asyncio.to_thread(self.means.store.end, self.operation, *parts, also=write, forget_key=forget_key)
        for part in parts:
            self.parts[part.number] = part

    async def ask(
        self, part: Part, method: str, path: str, document: Any = None, content_type: str | None = None
    ) -> Reply:
        """Send a request to the cloud of a part.

        Raises:
            OpenStackoidError: no answer came, or one that may not be passed on.
            TimeoutError: it took too long.
        """
        async with asyncio.timeout(self.means.timeout):
            return await self.asker.send(
                part.target,
                method,
                path,
                document,
                service=self.kind.service,
                content_type=content_type or self.request.content_type,
            )

    def member_path(self, part: Part) -> str:
        """Path of a part's member."""
        return path_of(self.request.collection, part.resource_id)

    def of(self, *stages: Stage) -> list[Part]:
        """The parts in these stages."""
        return [part for part in self.parts if part.stage in stages]

    def is_settled(self, part: Part) -> bool:
        """Whether the cloud no longer processes the part's last request."""
        return (part.sent_at or 0.0) + self.means.settle <= time.time()


def failed(part: Part, reply: Reply, stage: Stage) -> Part:
    """A part whose cloud answered with an error."""
    return replace(
        part, stage=stage, status=reply.status, code=f"status.{reply.status}", error=reason(reply, part.cloud)
    )


def missed(part: Part, error: BaseException, stage: Stage) -> Part:
    """A part whose cloud did not answer."""
    if isinstance(error, OpenStackoidError):
        return replace(part, stage=stage, status=None, code=error.code, error=str(error))
    return replace(part, stage=stage, status=None, code="peer.timeout", error=f"{part.cloud} did not answer in time.")


def surely_not_received(error: BaseException) -> bool:
    """Whether a request that failed with this error certainly had no effect."""
    return isinstance(error, OpenStackoidError) and not error.received


def is_passing(part: Part) -> bool:
    """Whether a part that failed may succeed later: its cloud was away, or failed."""
    return part.status is None or not marks.refused(part.status) or part.status in _PASSING


def summary(parts: Sequence[Part]) -> str:
    """What went wrong, for people."""
    return " ".join(part.error if part.error.endswith(".") else f"{part.error}." for part in parts if part.error)
