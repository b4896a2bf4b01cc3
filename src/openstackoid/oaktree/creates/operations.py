"""Records of creates in SQL: the requests to each cloud-region, and their progress. Methods block: in a coroutine, use `asyncio.to_thread`.

The worker that runs an operation owns it by a lease of some seconds, which it renews. If the worker dies, the next call for the operation
takes it over, with a new owner: later writes of the old owner are refused. Times are those of the machines' clocks,
which must agree within a second or two (NTP).
"""

import base64
import binascii
import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from google.protobuf import json_format
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from oaktree.v1 import common_pb2
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import errors
from openstackoid.oaktree.creates.records import (
    LostError,
    Operation,
    Part,
    RecordsError,
    columns_of,
    operation_of,
    part_of,
)
from openstackoid.oaktree.creates.tables import MIGRATIONS, OPERATIONS, PARTS
from openstackoid.storage.databases import Database
from openstackoid.storage.urls import StoreError


class Operations:
    """All operations of all workers that share a database."""

    def __init__(
        self, url: str, *, lease: float = 15.0, keep: float = 7 * 86400.0, clock: Callable[[], float] = time.time
    ) -> None:
        """Prepare; call `upgrade` before anything else.

        Args:
            url: SQLAlchemy URL, see `storage.databases`. A missing SQLite file is created, with mode 0600.
            lease: duration of a lease, in seconds: a worker that does not renew it counts as dead.
            keep: seconds after which an operation is deleted, with its key.
            clock: seconds since 1970.

        Raises:
            RecordsError: the URL is of no supported database, or its driver is not installed.
        """
        self.lease: Final = lease
        self._keep: Final = keep
        self._clock: Final = clock
        with _records_errors():
            self._database: Final = Database(url, option="database")

    def upgrade(self) -> None:
        """Upgrade the tables to the current schema; several workers may do it at the same time."""
        with _records_errors():
            MIGRATIONS.upgrade(self._database)

    def close(self) -> None:
        """Close the database connections."""
        self._database.close()

    def begin(
        self, caller: str, key: str | None, digest: str, kind: str, locations: Iterable[Location]
    ) -> tuple[Operation, bool]:
        """Record a new operation, owned by this worker.

        Returns:
            The new operation, and True; or the operation that the caller already has under this key, and False.
        """
        now = self._now()
        made = {
            "id": secrets.token_hex(16),
            "caller": caller,
            "idempotency_key": key,
            "digest": digest,
            "kind": kind,
            "created_at": now,
            "owner": secrets.token_hex(16),
            "lease_until": now + int(self.lease * 1000),
            "done": 0,
        }
        parts = [
            {
                "operation": made["id"],
                "number": number,
                "location": json_format.MessageToJson(location, indent=None),
                "stage": common_pb2.STAGE_ACCEPTED,
                "changed_at": now,
            }
            for number, location in enumerate(locations)
        ]
        if key is not None and (found := self._one(caller, OPERATIONS.c.idempotency_key == key)) is not None:
            return found, False
        try:
            with _records_errors(), self._database.changing() as connection:
                try:
                    with connection.begin_nested():
                        connection.execute(insert(OPERATIONS).values(made))
                except IntegrityError:
                    raise _TakenError from None
                if parts:
                    connection.execute(insert(PARTS), parts)
        except _TakenError:
            # A concurrent call with this key has inserted its operation first.
            found = None if key is None else self._one(caller, OPERATIONS.c.idempotency_key == key)
            if found is None:
                raise RecordsError(f"{self._database.name}: it refuses a new operation: try again") from None
            return found, False
        operation = self._one(caller, OPERATIONS.c.id == made["id"])
        if operation is None:
            raise RecordsError(f"{self._database.name}: an operation is gone that was put on record a moment ago")
        return operation, True

    def take(self, operation: Operation) -> Operation | None:
        """Take over an operation that is done, or whose lease has expired. Returns None if another owner has a valid lease."""
        if not operation.done and not self.is_over(operation):
            return None
        owner = secrets.token_hex(16)
        with _records_errors(), self._database.changing() as connection:
            found = connection.execute(
                update(OPERATIONS)
                .where(
                    OPERATIONS.c.id == operation.id,
                    OPERATIONS.c.owner == operation.owner,
                    OPERATIONS.c.lease_until == operation.lease_until,
                    OPERATIONS.c.done == int(operation.done),
                )
                .values(owner=owner, lease_until=self._now() + int(self.lease * 1000), done=0)
            )
            if found.rowcount != 1:
                return None
        return self.get(operation.caller, operation.id)

    def is_over(self, operation: Operation) -> bool:
        """Whether the lease of an operation has expired."""
        return operation.lease_until < self._now()

    def beat(self, owners: Iterable[str]) -> None:
        """Renew the leases of these operations."""
        names = list(owners)
        if not names:
            return
        with _records_errors(), self._database.changing() as connection:
            connection.execute(
                update(OPERATIONS)
                .where(OPERATIONS.c.owner.in_(names), OPERATIONS.c.done == 0)
                .values(lease_until=self._now() + int(self.lease * 1000))
            )

    def change(self, operation: Operation, part: Part) -> None:
        """Record the progress of a part.

        Raises:
            LostError: the operation has another owner now; the caller must not take the next step.
        """
        values = columns_of(part) | {"changed_at": self._now()}
        with _records_errors(), self._database.changing() as connection:
            self._hold(connection, operation)
            connection.execute(
                update(PARTS).where(PARTS.c.operation == operation.id, PARTS.c.number == part.number).values(values)
            )

    def end(self, operation: Operation) -> None:
        """End the lease of an operation; raises LostError if it has another owner."""
        with _records_errors(), self._database.changing() as connection:
            self._hold(connection, operation)
            connection.execute(update(OPERATIONS).where(OPERATIONS.c.id == operation.id).values(done=1))

    def get(self, caller: str, name: str) -> Operation | None:
        """Get an operation of a caller, by its id or by the caller's key."""
        return self._one(caller, OPERATIONS.c.id == name) or self._one(caller, OPERATIONS.c.idempotency_key == name)

    def page(self, caller: str, size: int, token: str = "") -> tuple[list[Operation], str]:
        """A page of a caller's operations, the newest first, and the token of the next page.

        Raises:
            errors.InvalidError: the token is invalid.
        """
        chosen = select(OPERATIONS).where(OPERATIONS.c.caller == caller)
        if token:
            at, name = _place(token)
            chosen = chosen.where(
                or_(OPERATIONS.c.created_at < at, and_(OPERATIONS.c.created_at == at, OPERATIONS.c.id < name))
            )
        chosen = chosen.order_by(OPERATIONS.c.created_at.desc(), OPERATIONS.c.id.desc()).limit(size + 1)
        with _records_errors(), self._database.reading() as connection:
            rows = connection.execute(chosen).mappings().all()
            found = self._whole(connection, rows[:size])
        last = rows[size - 1] if len(rows) > size else None
        text = "" if last is None else base64.urlsafe_b64encode(f"{last['created_at']},{last['id']}".encode()).decode()
        return found, text

    def known(self, resource_ids: Sequence[str], *, but: str) -> set[str]:
        """Which of these resource ids were created by other operations."""
        if not resource_ids:
            return set()
        chosen = select(PARTS.c.resource_id).where(PARTS.c.resource_id.in_(resource_ids), PARTS.c.operation != but)
        with _records_errors(), self._database.reading() as connection:
            return set(connection.scalars(chosen))

    def clean(self) -> int:
        """Delete expired operations that no worker is running. Returns their number."""
        now = self._now()
        chosen = and_(
            OPERATIONS.c.created_at < now - int(self._keep * 1000),
            or_(OPERATIONS.c.done == 1, OPERATIONS.c.lease_until < now),
        )
        with _records_errors(), self._database.changing() as connection:
            ids = list(connection.scalars(select(OPERATIONS.c.id).where(chosen).limit(1000)))
            if ids:
                connection.execute(delete(PARTS).where(PARTS.c.operation.in_(ids)))
                connection.execute(delete(OPERATIONS).where(OPERATIONS.c.id.in_(ids)))
        return len(ids)

    def _one(self, caller: str, condition: ColumnElement[bool]) -> Operation | None:
        chosen = select(OPERATIONS).where(OPERATIONS.c.caller == caller, condition)
        with _records_errors(), self._database.reading() as connection:
            rows = connection.execute(chosen).mappings().all()
            return self._whole(connection, rows)[0] if rows else None

    def _now(self) -> int:
        return int(self._clock() * 1000)

    @staticmethod
    def _hold(connection: Connection, operation: Operation) -> None:
        # The row is locked until the end of the transaction: nobody can take the operation over between this check and the change.
        chosen = select(OPERATIONS.c.owner).where(OPERATIONS.c.id == operation.id).with_for_update()
        if connection.scalar(chosen) != operation.owner:
            raise LostError(f"operation {operation.id} was taken over by another worker: ask for it there")

    @staticmethod
    def _whole(connection: Connection, rows: Sequence[RowMapping]) -> list[Operation]:
        chosen = select(PARTS).where(PARTS.c.operation.in_([row["id"] for row in rows])).order_by(PARTS.c.number)
        parts: dict[str, list[Part]] = {}
        for row in connection.execute(chosen).mappings():
            parts.setdefault(row["operation"], []).append(part_of(row))
        return [operation_of(row, parts.get(row["id"], [])) for row in rows]


class _TakenError(Exception):
    """The caller already has an operation under this key."""


@contextlib.contextmanager
def _records_errors() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise RecordsError(str(error)) from error


def _place(token: str) -> tuple[int, str]:
    try:
        at, _, name = base64.urlsafe_b64decode(token.encode()).decode().partition(",")
        return int(at), name
    except (binascii.Error, ValueError) as error:
        raise errors.invalid("page_token", "expected next_page_token of the page before, as it came") from error
