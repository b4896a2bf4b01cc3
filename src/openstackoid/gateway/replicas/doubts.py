"""Replicas whose members may differ, since a cloud refused its part of a change; in SQL. Methods block: in a coroutine, use `asyncio.to_thread`.

A doubt has the sealed request of the change, with the rights of the user who made it. It is gone when a repair has settled it, or after some tries.
"""

import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from openstackoid.gateway.replicas.tables import DOUBTS, LEASES
from openstackoid.storage.databases import Database

_NAME: Final = "reconcile"
_TRIES: Final = 12


@dataclass(frozen=True, slots=True)
class Doubt:
    """One replica in doubt; `caller` is PROJECT/USER."""

    replica: str
    caller: str
    sealed: str
    tries: int

    @property
    def project(self) -> str:
        """The replica's project."""
        return self.caller.partition("/")[0]


class Doubts:
    """All doubts of all gateways that share a database.

    Args:
        database: with the tables.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def lead(self, owner: str, seconds: float) -> bool:
        """Take or renew the lease of the one gateway that repairs. Returns whether this owner has it."""
        now = _now()
        values = {"owner": owner, "lease_until": now + int(seconds * 1000)}
        try:
            with self._database.changing() as connection:
                free = or_(LEASES.c.owner == owner, LEASES.c.lease_until < now)
                taken = connection.execute(update(LEASES).where(LEASES.c.name == _NAME, free).values(values))
                if taken.rowcount == 1:
                    return True
                if connection.scalar(select(LEASES.c.name).where(LEASES.c.name == _NAME)) is not None:
                    return False
                connection.execute(insert(LEASES).values(name=_NAME, **values))
        except IntegrityError:
            return False  # another gateway was faster
        return True

    def due(self, most: int) -> list[Doubt]:
        """Some doubts, those that were not tried for longest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(DOUBTS).order_by(DOUBTS.c.tried_at, DOUBTS.c.replica).limit(most))
            return [Doubt(row["replica"], row["caller"], row["sealed"], row["tries"]) for row in rows.mappings()]

    def settle(self, doubt: Doubt) -> None:
        """Delete a doubt, unless there is a newer one about the same replica."""
        with self._database.changing() as connection:
            place = (DOUBTS.c.replica == doubt.replica, DOUBTS.c.sealed == doubt.sealed)
            connection.execute(delete(DOUBTS).where(*place))

    def tried(self, doubt: Doubt) -> None:
        """Note that a repair has not settled a doubt; the last try deletes it."""
        if doubt.tries + 1 >= _TRIES:
            self.settle(doubt)
            return
        with self._database.changing() as connection:
            values = {"tries": doubt.tries + 1, "tried_at": _now()}
            connection.execute(update(DOUBTS).where(DOUBTS.c.replica == doubt.replica).values(values))


def doubt(connection: Connection, replica: str, caller: str, sealed: str) -> None:
    """Record a doubt, in the transaction of a step; a newer one takes the place of an older."""
    connection.execute(delete(DOUBTS).where(DOUBTS.c.replica == replica))
    connection.execute(insert(DOUBTS).values(replica=replica, caller=caller, sealed=sealed, tries=0, tried_at=_now()))


def _now() -> int:
    return int(time.time() * 1000)
