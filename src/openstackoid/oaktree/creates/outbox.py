"""The outbox of webhooks: which operation's end is still to be told to whom. A row is written in the transaction that ends the operation.

So a process that is killed loses none: whoever polls the table sends what is due. A row is claimed by moving its next attempt into the future before the
request, so that workers share the work, and a request whose sender dies is sent again. Methods block.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from openstackoid.oaktree.creates.tables import NOTICES, TABLES
from openstackoid.storage.databases import Database

_AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Notice:
    """One end of an operation that one webhook is to be told.

    Attributes:
        operation: the id of the operation.
        caller: whose it is.
        webhook: the name of the webhook.
        ended_at: when the operation ended, in milliseconds since 1970; part of the notice's identity: an operation that is undone later ends again.
        attempts: how often it was sent.
        next_at: when it is due, in milliseconds since 1970.
    """

    operation: str
    caller: str
    webhook: str
    ended_at: int
    attempts: int
    next_at: int

    @property
    def id(self) -> str:
        """The same for each attempt."""
        return f"{self.operation}-{self.ended_at}"


class Outbox:
    """The notices of all workers that share a database."""

    def __init__(
        self,
        database: Database,
        webhooks: Callable[[str], Sequence[str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Use the database of operations.

        Args:
            database: where the operations are.
            webhooks: the names of the webhooks for a caller's operations.
            clock: seconds since 1970.
        """
        self._database: Final = database
        self._webhooks: Final = webhooks
        self._clock: Final = clock

    def put(self, connection: Connection, operation: str, caller: str) -> None:
        """Write the notices of an operation that ends in this transaction; they replace those of an earlier end."""
        if names := self._webhooks(caller):
            connection.execute(delete(NOTICES).where(NOTICES.c.operation == operation))
            connection.execute(insert(NOTICES), [self._row(operation, name) for name in names])

    def put_interrupted(self) -> int:
        """Write notices of operations whose worker died: nobody ends them until their caller asks. Returns how many there are."""
        table = TABLES.operations
        chosen = (
            select(table.c.id, table.c.caller)
            .where(
                table.c.done == 0,
                table.c.lease_until < self._now(),
                ~exists().where(NOTICES.c.operation == table.c.id),
            )
            .order_by(table.c.id)
            .limit(_AT_ONCE)
        )
        abandoned: list[tuple[str, Sequence[str]]] = []
        after = ""
        while True:  # operations that no webhook is told of stay among them: whoever has many must not hide the others
            with self._database.reading() as connection:
                page = [(row[0], row[1]) for row in connection.execute(chosen.where(table.c.id > after))]
            abandoned += [(operation, names) for operation, caller in page if (names := self._webhooks(caller))]
            if len(page) < _AT_ONCE:
                break
            after = page[-1][0]
        rows = [self._row(operation, name) for operation, names in abandoned for name in names]
        for row in rows:
            try:
                with self._database.changing() as connection, connection.begin_nested():
                    connection.execute(insert(NOTICES).values(row))
            except IntegrityError:  # another worker did
                continue
        return len(rows)

    def due(self, most: int) -> list[Notice]:
        """Notices whose time has come, the oldest first."""
        table = TABLES.operations
        chosen = (
            select(NOTICES, table.c.caller)
            .join(table, table.c.id == NOTICES.c.operation)
            .where(NOTICES.c.next_at <= self._now())
            .order_by(NOTICES.c.next_at)
            .limit(most)
        )
        with self._database.reading() as connection:
            return [Notice(**row) for row in connection.execute(chosen).mappings()]

    def claim(self, notice: Notice, pause: float) -> bool:
        """Take a notice for one attempt; it is due again after a pause in seconds. False if somebody else has taken it."""
        values = {"next_at": self._now() + int(pause * 1000), "attempts": notice.attempts + 1}
        return self._change(
            notice, values, and_(NOTICES.c.attempts == notice.attempts, NOTICES.c.next_at == notice.next_at)
        )

    def postpone(self, notice: Notice, pause: float) -> bool:
        """Have a claimed notice due again after a pause in seconds: its attempt has failed. False if somebody else has taken it meanwhile."""
        return self._change(
            notice, {"next_at": self._now() + int(pause * 1000)}, NOTICES.c.attempts == notice.attempts + 1
        )

    def close(self, notice: Notice) -> bool:
        """Note that a notice was delivered, or given up; False if the operation has ended again meanwhile."""
        return self._change(notice, {"next_at": None})

    def clean(self) -> None:
        """Delete the notices of operations that are forgotten."""
        there = exists().where(TABLES.operations.c.id == NOTICES.c.operation)
        with self._database.changing() as connection:
            connection.execute(delete(NOTICES).where(~there))

    def _change(self, notice: Notice, values: Mapping[str, int | None], *more: ColumnElement[bool]) -> bool:
        same = (
            NOTICES.c.operation == notice.operation,
            NOTICES.c.webhook == notice.webhook,
            NOTICES.c.ended_at == notice.ended_at,
        )
        with self._database.changing() as connection:
            return connection.execute(update(NOTICES).where(*same, *more).values(values)).rowcount == 1

    def _row(self, operation: str, webhook: str) -> dict[str, object]:
        now = self._now()
        return {"operation": operation, "webhook": webhook, "ended_at": now, "attempts": 0, "next_at": now}

    def _now(self) -> int:
        return int(self._clock() * 1000)
