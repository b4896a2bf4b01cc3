"""Operations in SQL: the requests to each cloud, and their progress. Methods block: in a coroutine, use `asyncio.to_thread`.

The worker that runs an operation owns it by a lease of some seconds, which it renews. If the worker dies, another takes the operation over, with a
new owner: later writes of the old owner are refused. Times are those of the machines' clocks, which must agree within a second or two (NTP).
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from openstackoid.core.errors import OpenStackoidError
from openstackoid.operations.forms import Form, OperationT, PartT
from openstackoid.operations.stages import Stage
from openstackoid.operations.tables import Tables
from openstackoid.storage.databases import Database
from openstackoid.storage.migrations import Migrations
from openstackoid.storage.urls import StoreError


class LostError(OpenStackoidError):
    """Another worker took the operation over, since this one did not renew its lease in time."""

    status = 409
    code = "operation.lost"


NOBODY: Final = ""  # owner of an operation that was left
# Writes more in the transaction of a step.
Also = Callable[[Connection], None]


class Store(Generic[OperationT, PartT]):
    """All operations of all workers of one side that share a database.

    Args:
        url: SQLAlchemy URL, see `storage.databases`. A missing SQLite file is created, with mode 0600.
        tables: the side's.
        migrations: of these tables.
        form: of rows.
        option: of the configuration that the URL comes from, for messages.
        lease: duration of a lease, in seconds: a worker that does not renew it counts as dead.
        keep: seconds after which an operation is deleted, with its key.
        clock: seconds since 1970.

    Raises:
        StoreError: the URL is of no supported database, or its driver is not installed. Every other method raises it, too: the database failed.
    """

    def __init__(
        self,
        url: str,
        tables: Tables,
        migrations: Migrations,
        form: Form[OperationT, PartT],
        *,
        option: str = "database",
        lease: float = 15.0,
        keep: float = 7 * 86400.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lease: Final = lease
        self.database: Final = Database(url, option=option)
        self._operations: Final = tables.operations
        self._parts: Final = tables.parts
        self._migrations: Final = migrations
        self._form: Final = form
        self._keep: Final = keep
        self._clock: Final = clock

    def upgrade(self) -> None:
        """Upgrade the tables to the current schema; several workers may do it at the same time."""
        self._migrations.upgrade(self.database)

    def close(self) -> None:
        """Close the database connections."""
        self.database.close()

    def begin(
        self,
        caller: str,
        key: str | None,
        digest: str,
        kind: str,
        locations: Iterable[str],
        more: Mapping[str, Any] | None = None,
    ) -> tuple[OperationT, bool]:
        """Record a new operation, owned by this worker.

        Args:
            caller: who asks; a key is theirs alone.
            key: their idempotency key.
            digest: of the request.
            kind: of the resource.
            locations: each part's, as text.
            more: values of the side's own columns.

        Returns:
            The new operation, and True; or the operation that the caller already has under this key, and False.
        """
        now, table = self._now(), self._operations
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
            **(more or {}),
        }
        parts = [
            {
                "operation": made["id"],
                "number": number,
                "location": location,
                "stage": int(Stage.ACCEPTED),
                "changed_at": now,
            }
            for number, location in enumerate(locations)
        ]
        if key is not None and (existing := self._one(caller, table.c.idempotency_key == key)) is not None:
            return existing, False
        try:
            with self.database.changing() as connection:
                try:
                    with connection.begin_nested():
                        connection.execute(insert(table).values(made))
                except IntegrityError:
                    raise _TakenError from None
                if parts:
                    connection.execute(insert(self._parts), parts)
        except _TakenError:
            # A concurrent call with this key has inserted its operation first.
            existing = None if key is None else self._one(caller, table.c.idempotency_key == key)
            if existing is None:
                raise StoreError(f"{self.database.name}: it refuses a new operation: try again") from None
            return existing, False
        operation = self._one(caller, table.c.id == made["id"])
        if operation is None:
            raise StoreError(f"{self.database.name}: an operation is gone that was put on record a moment ago")
        return operation, True

    def take(self, operation: OperationT, *, waiting: bool = False) -> OperationT | None:
        """Take over an operation that is done, or whose lease has expired. Returns None if another owner has a valid lease.

        Args:
            operation: as it was read.
            waiting: take one as well that its last owner left, and whose pause has not ended.
        """
        is_free = operation.done or self.is_over(operation) or (waiting and operation.owner == NOBODY)
        if not is_free:
            return None
        owner, table = secrets.token_hex(16), self._operations
        with self.database.changing() as connection:
            taken = connection.execute(
                update(table)
                .where(
                    table.c.id == operation.id,
                    table.c.owner == operation.owner,
                    table.c.lease_until == operation.lease_until,
                    table.c.done == int(operation.done),
                )
                .values(owner=owner, lease_until=self._now() + int(self.lease * 1000), done=0)
            )
            if taken.rowcount != 1:
                return None
        return self.get(operation.caller, operation.id)

    def is_over(self, operation: OperationT) -> bool:
        """Whether the lease of an operation has expired."""
        return operation.lease_until < self._now()

    def abandoned(self, most: int) -> list[OperationT]:
        """Operations that are not done, and whose lease has expired; the oldest lease first."""
        table = self._operations
        chosen = select(table).where(table.c.done == 0, table.c.lease_until < self._now())
        with self.database.reading() as connection:
            rows = connection.execute(chosen.order_by(table.c.lease_until).limit(most)).mappings().all()
            return self._whole(connection, rows)

    def beat(self, owners: Iterable[str]) -> None:
        """Renew the leases of these operations."""
        names, table = list(owners), self._operations
        if not names:
            return
        with self.database.changing() as connection:
            connection.execute(
                update(table)
                .where(table.c.owner.in_(names), table.c.done == 0)
                .values(lease_until=self._now() + int(self.lease * 1000))
            )

    def change(self, operation: OperationT, *parts: PartT, also: Also | None = None) -> None:
        """Record the progress of parts, in one transaction.

        Raises:
            LostError: the operation has another owner now; the caller must not take the next step.
        """
        with self.database.changing() as connection:
            self._hold(connection, operation)
            self._write(connection, operation, parts, also)

    def end(self, operation: OperationT, *parts: PartT, also: Also | None = None, forget_key: bool = False) -> None:
        """End the lease of an operation, as the last step.

        Args:
            operation: which.
            parts: whose progress is recorded in the same transaction.
            also: writes more in it.
            forget_key: whether its idempotency key is free again, since nothing came of it.

        Raises:
            LostError: it has another owner.
        """
        values: dict[str, Any] = {"done": 1} | ({"idempotency_key": None} if forget_key else {})
        with self.database.changing() as connection:
            self._hold(connection, operation)
            connection.execute(update(self._operations).where(self._operations.c.id == operation.id).values(values))
            self._write(connection, operation, parts, also)

    def leave(self, operation: OperationT, pause: float) -> None:
        """Leave an operation that is not done to any worker, after a pause in seconds; does nothing if it has another owner."""
        table = self._operations
        with self.database.changing() as connection:
            connection.execute(
                update(table)
                .where(table.c.id == operation.id, table.c.owner == operation.owner, table.c.done == 0)
                .values(owner=NOBODY, lease_until=self._now() + int(pause * 1000))
            )

    def get(self, caller: str, name: str) -> OperationT | None:
        """Get an operation of a caller, by its id or by the caller's key."""
        table = self._operations
        return self._one(caller, table.c.id == name) or self._one(caller, table.c.idempotency_key == name)

    def page(self, caller: str, size: int, after: tuple[int, str] | None = None) -> tuple[list[OperationT], str]:
        """A page of a caller's operations, the newest first.

        Args:
            caller: whose.
            size: of the page.
            after: where the page before ended: the two values of its mark.

        Returns:
            The page, and where it ends: "MILLISECONDS,ID", or "" if it is the last.
        """
        table = self._operations
        chosen = select(table).where(table.c.caller == caller)
        if after is not None:
            at, name = after
            chosen = chosen.where(or_(table.c.created_at < at, and_(table.c.created_at == at, table.c.id < name)))
        chosen = chosen.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(size + 1)
        with self.database.reading() as connection:
            rows = connection.execute(chosen).mappings().all()
            operations = self._whole(connection, rows[:size])
        last = rows[size - 1] if len(rows) > size else None
        return operations, "" if last is None else f"{last['created_at']},{last['id']}"

    def recorded(self, resource_ids: Sequence[str], *, but: str) -> set[str]:
        """Which of these resource ids were created by other operations than `but`."""
        if not resource_ids:
            return set()
        table = self._parts
        chosen = select(table.c.resource_id).where(table.c.resource_id.in_(resource_ids), table.c.operation != but)
        with self.database.reading() as connection:
            return set(connection.scalars(chosen))

    def clean(self) -> int:
        """Delete expired operations that no worker is running. Returns their number."""
        now, table = self._now(), self._operations
        chosen = and_(
            table.c.created_at < now - int(self._keep * 1000),
            or_(table.c.done == 1, table.c.lease_until < now),
        )
        with self.database.changing() as connection:
            ids = list(connection.scalars(select(table.c.id).where(chosen).limit(1000)))
            if ids:
                connection.execute(delete(self._parts).where(self._parts.c.operation.in_(ids)))
                connection.execute(delete(table).where(table.c.id.in_(ids)))
        return len(ids)

    def _one(self, caller: str, condition: ColumnElement[bool]) -> OperationT | None:
        chosen = select(self._operations).where(self._operations.c.caller == caller, condition)
        with self.database.reading() as connection:
            rows = connection.execute(chosen).mappings().all()
            return self._whole(connection, rows)[0] if rows else None

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _hold(self, connection: Connection, operation: OperationT) -> None:
        # The row is locked until the end of the transaction: nobody can take the operation over between this check and the change.
        table = self._operations
        chosen = select(table.c.owner).where(table.c.id == operation.id).with_for_update()
        if connection.scalar(chosen) != operation.owner:
            raise LostError(f"operation {operation.id} was taken over by another worker: ask for it there")

    def _write(self, connection: Connection, operation: OperationT, parts: Iterable[PartT], also: Also | None) -> None:
        now, table = self._now(), self._parts
        for part in parts:
            connection.execute(
                update(table)
                .where(table.c.operation == operation.id, table.c.number == part.number)
                .values(self._form.columns(part) | {"changed_at": now})
            )
        if also is not None:
            also(connection)

    def _whole(self, connection: Connection, rows: Sequence[RowMapping]) -> list[OperationT]:
        table = self._parts
        chosen = select(table).where(table.c.operation.in_([row["id"] for row in rows])).order_by(table.c.number)
        parts: dict[str, list[PartT]] = {}
        for row in connection.execute(chosen).mappings():
            parts.setdefault(row["operation"], []).append(self._form.part(row))
        return [self._form.operation(row, parts.get(row["id"], [])) for row in rows]


class _TakenError(Exception):
    """The caller already has an operation under this key."""
