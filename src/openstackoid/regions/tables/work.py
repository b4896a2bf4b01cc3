"""Work in the database, and which process does a piece of it. Calls block: in a coroutine, `asyncio.to_thread`.

A process takes a piece for a time, writes each stage before it begins, and gives the piece back. One that was killed leaves its time to run out.
"""

import json
import time
from typing import Any, Final

from sqlalchemy import BindParameter, RowMapping, Select, bindparam, delete, exists, insert, select, update

from openstackoid.regions.objects.states import ContractState, Side
from openstackoid.regions.objects.work import LONGEST_PAUSE, MOST_LEFT, WHOLE, Left, Stage, Work, WorkKind, pause
from openstackoid.regions.tables import CONTRACTS, WORK, serialise
from openstackoid.storage.databases import Database

LEASE: Final = 12  # seconds; renewed while the work goes on
_LONGEST_ERROR: Final = 255
_AT_ONCE: Final = 100


class Works:
    """The work of a provider."""

    def __init__(self, database: Database) -> None:
        """Use a database whose tables are there."""
        self._database = database

    def add(
        self, contract: str, kind: WorkKind, stage: Stage, project: str = WHOLE, local: str = "", *, again: bool = False
    ) -> None:
        """Put work on record; what is on record already stays, unless it is to be done `again` from this stage on, or is of another sub-project.

        A project that was cleaned up may have come again at its home: another sub-project stands for it, and is to be cleaned up as well.
        """
        row = (WORK.c.contract == contract) & (WORK.c.kind == kind.value) & (WORK.c.project == project)
        values = {"stage": stage.value, "attempts": 0, "error": "", "due": 0}
        with self._database.changing() as connection:
            serialise(connection)
            on_record = connection.execute(select(WORK.c.local).where(row)).one_or_none()
            if on_record is not None:
                other = bool(local) and on_record.local != local
                if again or other:
                    # Whoever has it now loses it: what it does of another stage must not count for this one.
                    connection.execute(
                        update(WORK)
                        .where(row)
                        .values({**values, "local": local or on_record.local, "holder": "", "until": 0})
                    )
                return
            made = {"contract": contract, "kind": kind.value, "project": project, "local": local, **values}
            connection.execute(insert(WORK).values({**made, "removed": 0, "remaining": "[]", "holder": "", "until": 0}))

    def due(self, now: int) -> list[Work]:
        """What is not done, is due, and is in nobody's hands."""
        with self._database.reading() as connection:
            return [_work(row) for row in connection.execute(_DUE, {"now": now}).mappings()]

    def of(self, contract: str) -> list[Work]:
        """All work of a contract."""
        chosen = select(WORK).where(WORK.c.contract == contract).order_by(WORK.c.kind, WORK.c.project)
        with self._database.reading() as connection:
            return [_work(row) for row in connection.execute(chosen).mappings()]

    def ended(self) -> list[str]:
        """Contracts of this provider that are ended, and whose clean-up is not on record."""
        with self._database.reading() as connection:
            return list(connection.scalars(_ENDED))

    def take(self, work: Work, holder: str, now: int) -> Work | None:
        """Take a piece of work; None if another process has it, or it is done.

        Args:
            work: as it was read.
            holder: 32 characters that no other process has.
            now: Unix seconds.
        """
        free = _row(work) & _is_free(now) & (WORK.c.stage != Stage.DONE.value)
        with self._database.changing() as connection:
            serialise(connection)
            held = {"holder": holder, "until": now + LEASE}
            if not connection.execute(update(WORK).where(free).values(held)).rowcount:
                return None
            return _work(connection.execute(select(WORK).where(_row(work))).mappings().one())

    def renew(self, work: Work, holder: str) -> None:
        """Keep it: the work goes on."""
        self._change(work, holder, {"until": int(time.time()) + LEASE})

    def advance(self, work: Work, holder: str, stage: Stage) -> bool:
        """Write the next stage before it begins; whether the work is still the holder's."""
        values: dict[str, Any] = {"stage": stage.value, "until": int(time.time()) + LEASE}
        return self._change(work, holder, values)

    def achieved(self, work: Work, holder: str, removed: int, left: tuple[Left, ...]) -> bool:
        """Write what was removed, and what is left; whether the work is still the holder's."""
        remaining = json.dumps([item.to_json() for item in left[:MOST_LEFT]], separators=(",", ":"))
        return self._change(work, holder, {"removed": WORK.c.removed + removed, "remaining": remaining})

    def give_back(self, work: Work, holder: str, due: int) -> None:
        """Give it back without fault: it goes on then (Unix seconds)."""
        self._change(work, holder, {"until": 0, "due": due, "error": "", "attempts": 0})

    def failed(self, work: Work, holder: str, error: str, now: int) -> None:
        """Give it back after a failure: it is due later each time."""
        again = now + pause(work.attempts)
        values = {"until": 0, "due": again, "error": error[:_LONGEST_ERROR], "attempts": work.attempts + 1}
        self._change(work, holder, values)

    def forget(self, contract: str, kind: WorkKind, project: str) -> None:
        """Take work off the record."""
        row = (WORK.c.contract == contract) & (WORK.c.kind == kind.value) & (WORK.c.project == project)
        with self._database.changing() as connection:
            serialise(connection)
            connection.execute(delete(WORK).where(row))

    def _change(self, work: Work, holder: str, values: dict[str, Any]) -> bool:
        held = _row(work) & (WORK.c.holder == holder)
        with self._database.changing() as connection:
            serialise(connection)
            return bool(connection.execute(update(WORK).where(held).values(values)).rowcount)


# A clock that was ahead, and was set back, has left times that no other could: they hold nobody up.
def _is_free(now: int | BindParameter[int]) -> Any:
    return (WORK.c.until <= now) | (WORK.c.until > now + 2 * LEASE)


def _is_due(now: BindParameter[int]) -> Any:
    return (WORK.c.due <= now) | (WORK.c.due > now + 2 * LONGEST_PAUSE)


def _due() -> Select[Any]:
    now = bindparam("now", type_=WORK.c.due.type)
    return (
        select(WORK)
        .where(WORK.c.stage != Stage.DONE.value, _is_due(now), _is_free(now))
        .order_by(WORK.c.due, WORK.c.contract, WORK.c.project)
        .limit(_AT_ONCE)
    )


def _ended() -> Select[Any]:
    on_record = exists().where(
        WORK.c.contract == CONTRACTS.c.id, WORK.c.kind == WorkKind.CLEAN.value, WORK.c.project == WHOLE
    )
    over = (CONTRACTS.c.state == ContractState.ENDED.value) & (CONTRACTS.c.side == Side.PROVIDER.value)
    return select(CONTRACTS.c.id).where(over, ~on_record)


# Made once: each control plane asks every second.
_DUE: Final = _due()
_ENDED: Final = _ended()


def _row(work: Work) -> Any:
    same = (WORK.c.contract == work.contract) & (WORK.c.kind == work.kind.value)
    return same & (WORK.c.project == work.project)


def _work(row: RowMapping) -> Work:
    left = tuple(Left.from_json(item) for item in json.loads(row["remaining"]))
    kind, stage = WorkKind(row["kind"]), Stage(row["stage"])
    return Work(
        row["contract"],
        kind,
        row["project"],
        row["local"],
        stage,
        row["removed"],
        left,
        row["error"],
        row["attempts"],
    )
