"""Use of contracts in the database, and statements of it. Calls block: in a coroutine, `asyncio.to_thread`.

Lines are what a provider has measured, and until when it has; they only grow. Statements and answers are only ever added.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, and_, bindparam, insert, select, update

from openstackoid.regions.errors import ForkError, PeriodError, UnknownStatementError
from openstackoid.regions.objects.statement import ANSWER, STATEMENT, Statement
from openstackoid.regions.objects.terms import digest
from openstackoid.regions.objects.usage import Line, Period, plain
from openstackoid.regions.tables import CONTRACTS, STATEMENTS, USAGE, USAGE_MARKS, serialise
from openstackoid.storage.databases import Database

_AT_ONCE: Final = 100
_LONGEST_PAUSE: Final = 300  # seconds
_S: Final = STATEMENTS.c


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement or an answer as it is kept.

    Attributes:
        document: the payload.
        signed: as its signer sent it.
        sent: whether the other side has it; of ours alone.
    """

    document: Mapping[str, Any]
    signed: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Due:
    """One of ours that is to be sent."""

    contract: str
    number: int
    kind: str
    peer: str
    signed: str


class Usages:
    """What contracts have used."""

    def __init__(self, database: Database) -> None:
        """Use a database whose tables are there."""
        self._database = database

    def measured(self, contract: str, project: str) -> datetime | None:
        """Until when a project was measured; None if it never was."""
        with self._database.reading() as connection:
            until = connection.scalar(select(USAGE_MARKS.c.until).where(_mark(contract, project)))
        return None if until is None else datetime.fromtimestamp(until, UTC)

    def record(
        self,
        contract: str,
        project: str,
        servers: Sequence[Line],
        stored: Sequence[Line],
        since: datetime | None,
        now: datetime,
    ) -> bool:
        """Write what a project has used; false if another process has written meanwhile: nothing is written then.

        While clocks are set back nothing is added.

        Args:
            contract: id.
            project: the consumer's.
            servers: whole days so far: the larger number stays.
            stored: what is to be added, of the time since.
            since: as `measured` had it.
            now: until when it was measured.
        """
        before, until = None if since is None else int(since.timestamp()), int(now.timestamp())
        with self._database.changing() as connection:
            serialise(connection)
            mark = connection.scalar(select(USAGE_MARKS.c.until).where(_mark(contract, project)))
            if mark != before:
                return False
            if mark is None:
                values = {"contract": contract, "project": project, "until": until}
                connection.execute(insert(USAGE_MARKS).values(values))
            elif until > mark:
                connection.execute(update(USAGE_MARKS).where(_mark(contract, project)).values(until=until))
            added = stored if mark is None or until > mark else ()
            for lines, adds in ((servers, False), (added, True)):
                for line in lines:
                    _grow(connection, contract, line, adds=adds)
        return True

    def lines(self, contract: str, period: Period) -> list[Line]:
        """What was measured in a period."""
        inside = (USAGE.c.day >= period.first.isoformat()) & (USAGE.c.day < period.end.isoformat())
        columns = (USAGE.c.project, USAGE.c.day, USAGE.c.sku, USAGE.c.unit, USAGE.c.quantity)
        chosen = select(*columns).where((USAGE.c.contract == contract) & inside)
        with self._database.reading() as connection:
            rows = connection.execute(chosen).all()
        return sorted(Line(*row[:4], Decimal(row[4])) for row in rows)

    def all(self, contract: str, kind: str = STATEMENT) -> dict[int, Signed]:
        """Number -> statement, or answer."""
        chosen = select(STATEMENTS).where((_S.contract == contract) & (_S.kind == kind)).order_by(_S.number)
        with self._database.reading() as connection:
            return {row["number"]: _signed(row) for row in connection.execute(chosen).mappings()}

    def get(self, contract: str, number: int) -> Signed:
        """A statement.

        Raises:
            UnknownStatementError: there is none of that number.
        """
        found = self.all(contract).get(number)
        if found is None:
            raise UnknownStatementError(f"The contract {contract} has no statement {number}.")
        return found

    def add(self, statement: Statement, signed: str, by: str, *, ours: bool, now: int) -> bool:
        """Keep a statement, whose signature was verified if it is the other side's; false if it is here already.

        Raises:
            ForkError: another one has its number.
            PeriodError: it does not follow the one before it.
        """
        contract = statement.document["contract"]
        with self._database.changing() as connection:
            serialise(connection)
            there = _row(connection, contract, statement.number, STATEMENT)
            if there is not None:
                _same(there, statement.document)
                return False
            last = select(STATEMENTS).where((_S.contract == contract) & (_S.kind == STATEMENT))
            before = connection.execute(last.order_by(_S.number.desc()).limit(1)).mappings().one_or_none()
            expected = 1 if before is None else before["number"] + 1
            if statement.number != expected:
                raise PeriodError(f"Expected the statement {expected} of the contract, got {statement.number}.")
            if before is not None and Statement(json.loads(before["payload"])).period.end > statement.period.first:
                raise PeriodError(f"The statement {before['number']} covers days from {statement.period.first} on.")
            _insert(connection, statement.document, signed, by, ours=ours, now=now)
        return True

    def answer(self, document: Mapping[str, Any], signed: str, by: str, *, ours: bool, now: int) -> bool:
        """Keep the answer to a statement; false if it is here already.

        Raises:
            UnknownStatementError: no such statement, or another text.
            ForkError: it was answered otherwise.
        """
        contract, number = document["contract"], document["number"]
        with self._database.changing() as connection:
            serialise(connection)
            statement = _row(connection, contract, number, STATEMENT)
            if statement is None or digest(json.loads(statement["payload"])) != document["digest"]:
                raise UnknownStatementError(f"The contract {contract} has no statement {number} with this digest.")
            there = _row(connection, contract, number, ANSWER)
            if there is not None:
                _same(there, document)
                return False
            _insert(connection, document, signed, by, ours=ours, now=now)
        return True

    def due(self, now: int) -> list[Due]:
        """Ours that the other side does not have, and that are to be sent now."""
        with self._database.reading() as connection:
            return [Due(*row) for row in connection.execute(_DUE, {"now": now})]

    def sent(self, due: Due) -> None:
        """The other side has it."""
        with self._database.changing() as connection:
            connection.execute(update(STATEMENTS).where(_of(due.contract, due.number, due.kind)).values(sent=1))

    def failed(self, due: Due, now: int) -> None:
        """Try again later: after 1, 2, 4, ... seconds."""
        row = _of(due.contract, due.number, due.kind)
        with self._database.changing() as connection:
            attempts = connection.scalar(select(_S.attempts).where(row)) or 0
            pause = min(_LONGEST_PAUSE, 1 << min(attempts, 16))
            connection.execute(update(STATEMENTS).where(row).values(attempts=attempts + 1, due=now + pause))


def _mark(contract: str, project: str) -> Any:
    return (USAGE_MARKS.c.contract == contract) & (USAGE_MARKS.c.project == project)


def _grow(connection: Connection, contract: str, line: Line, *, adds: bool) -> None:
    columns = (USAGE.c.contract, USAGE.c.project, USAGE.c.day, USAGE.c.sku, USAGE.c.unit)
    row = and_(*(column == value for column, value in zip(columns, (contract, *line.key), strict=True)))
    kept = connection.scalar(select(USAGE.c.quantity).where(row))
    if kept is None:
        connection.execute(insert(USAGE).values({"contract": contract, **line.to_json()}))
        return
    quantity = Decimal(kept) + line.quantity if adds else max(Decimal(kept), line.quantity)
    connection.execute(update(USAGE).where(row).values(quantity=plain(quantity)))


def _of(contract: str, number: int, kind: str) -> Any:
    return (_S.contract == contract) & (_S.number == number) & (_S.kind == kind)


def _row(connection: Connection, contract: str, number: int, kind: str) -> RowMapping | None:
    return connection.execute(select(STATEMENTS).where(_of(contract, number, kind))).mappings().one_or_none()


def _signed(row: RowMapping) -> Signed:
    return Signed(json.loads(row["payload"]), row["signed"], bool(row["sent"]))


def _same(row: RowMapping, document: Mapping[str, Any]) -> None:
    if json.loads(row["payload"]) != dict(document):
        raise ForkError(
            f"There is another {row['kind']} {row['number']} of the contract {row['contract']}, which does not change."
        )


def _insert(connection: Connection, document: Mapping[str, Any], signed: str, by: str, *, ours: bool, now: int) -> None:
    values = {name: document[name] for name in ("contract", "number", "kind")}
    payload = json.dumps(dict(document), sort_keys=True, separators=(",", ":"))
    values |= {"payload": payload, "signed": signed, "operator": by[:255], "sent": int(not ours), "attempts": 0}
    connection.execute(insert(STATEMENTS).values(values | {"due": now}))


def _due() -> Select[Any]:
    now = bindparam("now", type_=_S.due.type)
    columns = (_S.contract, _S.number, _S.kind, CONTRACTS.c.peer, _S.signed)
    chosen = select(*columns).join(CONTRACTS, CONTRACTS.c.id == _S.contract)
    chosen = chosen.where((_S.sent == 0) & ((_S.due <= now) | (_S.due > now + 2 * _LONGEST_PAUSE)))
    return chosen.order_by(_S.due, _S.number).limit(_AT_ONCE)


# Made once: each control plane asks every second.
_DUE: Final = _due()
