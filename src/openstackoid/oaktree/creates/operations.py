"""Creates on record: what was asked of which cloud-region, and how far it is, in SQL. Calls block: in a coroutine, `asyncio.to_thread`.

A worker that is at an operation owns it for some seconds, and says again and again that it still does. If it dies, anybody who asks for
the operation takes it over, with a new owner: what the old one would still write is refused. Times are those of the machines' clocks,
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
        """Prepare; `upgrade` comes first.

        Args:
            url: SQLAlchemy URL, see `storage.databases`. A SQLite file that is missing is made, with mode 0600.
            lease: seconds for which a worker that says nothing counts as alive.
            keep: seconds after which an operation is forgotten, and its key with it.
            clock: seconds since 1970.

        Raises:
            RecordsError: not a URL of a kind that is known, or its driver is not installed.
        """
        self.lease: Final = lease
        self._keep: Final = keep
        self._clock: Final = clock
        with _records_errors():
            self._database: Final = Database(url, option="database")

    def upgrade(self) -> None:
        """Bring the tables up to date; safe while others do the same."""
        with _records_errors():
            MIGRATIONS.upgrade(self._database)

    def close(self) -> None:
        """Close what is open."""
        self._database.close()

    def begin(
        self, caller: str, key: str | None, digest: str, kind: str, locations: Iterable[Location]
    ) -> tuple[Operation, bool]:
        """Put a new operation on record, owned by whoever called.

        Returns:
            It, and True; or the one that the caller has under this key already, and False.
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
            # Another call with this key was a moment faster.
            found = None if key is None else self._one(caller, OPERATIONS.c.idempotency_key == key)
            if found is None:
                raise RecordsError(f"{self._database.name}: it refuses a new operation: try again") from None
            return found, False
        operation = self._one(caller, OPERATIONS.c.id == made["id"])
        if operation is None:
            raise RecordsError(f"{self._database.name}: an operation is gone that was put on record a moment ago")
        return operation, True

    def take(self, operation: Operation) -> Operation | None:
        """Become the owner of one that is done, or whose owner says nothing any more; None if somebody else is it."""
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
        """Its owner said nothing for too long."""
        return operation.lease_until < self._now()

    def beat(self, owners: Iterable[str]) -> None:
        """Say that these are alive."""
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
        """Put on record how far a part is.

        Raises:
            LostError: the operation has another owner now: whatever was to follow must not be done.
        """
        values = columns_of(part) | {"changed_at": self._now()}
        with _records_errors(), self._database.changing() as connection:
            self._hold(connection, operation)
            connection.execute(
                update(PARTS).where(PARTS.c.operation == operation.id, PARTS.c.number == part.number).values(values)
            )

    def end(self, operation: Operation) -> None:
        """Nothing goes on any more; LostError if somebody else is at it."""
        with _records_errors(), self._database.changing() as connection:
            self._hold(connection, operation)
            connection.execute(update(OPERATIONS).where(OPERATIONS.c.id == operation.id).values(done=1))

    def get(self, caller: str, name: str) -> Operation | None:
        """One of a caller's, by its id or by the caller's key."""
        return self._one(caller, OPERATIONS.c.id == name) or self._one(caller, OPERATIONS.c.idempotency_key == name)

    def page(self, caller: str, size: int, token: str = "") -> tuple[list[Operation], str]:
        """A caller's, the newest first, and where the next page starts.

        Raises:
            errors.InvalidError: a token that is none of ours.
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
        """Those of the ids that other operations than this one created."""
        if not resource_ids:
            return set()
        chosen = select(PARTS.c.resource_id).where(PARTS.c.resource_id.in_(resource_ids), PARTS.c.operation != but)
        with _records_errors(), self._database.reading() as connection:
            return set(connection.scalars(chosen))

    def clean(self) -> int:
        """Forget the old ones at which nobody is; returns how many."""
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
        # The row is locked to the end of the transaction: nobody takes it over between this look and the change.
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
    """The caller has an operation under this key."""


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
