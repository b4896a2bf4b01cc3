"""Replicas and their members in SQL. Methods block: in a coroutine, use `asyncio.to_thread`."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from openstackoid.core.replication.last_write import Written
from openstackoid.gateway.replicas.records import Operation
from openstackoid.gateway.replicas.tables import MEMBERS, REPLICAS, TABLES
from openstackoid.operations.stages import Stage
from openstackoid.operations.store import NOBODY
from openstackoid.storage.databases import Database

_AT_ONCE: Final = 500  # operations of one statement


@dataclass(frozen=True)
class Replica:
    """Resources in several clouds that are one for their users.

    Attributes:
        kind: name of a row of `core.replication`.
        owner: id of the project, in the cloud that issues its users' tokens.
        created_at: seconds since 1970.
        members: cloud -> id of the resource there, the clouds sorted by name.
        adopted: whether it was made of resources that were there, which may be anybody's.
        written: what was written last; None if nothing is on record.
    """

    id: str
    kind: str
    owner: str
    created_at: float
    members: Mapping[str, str]
    adopted: bool = False
    written: Written | None = None


class Registry:
    """All replicas.

    Args:
        database: with the tables.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def having(self, kind: str, resource_ids: Iterable[str]) -> list[Replica]:
        """The replicas with a member that has one of these ids, the oldest first.

        Args:
            kind: of the resources.
            resource_ids: ids in any cloud.
        """
        ids = list(resource_ids)
        if not ids:
            return []
        chosen = (
            select(REPLICAS.c.id)
            .join(MEMBERS, MEMBERS.c.replica == REPLICAS.c.id)
            .where(REPLICAS.c.kind == kind, MEMBERS.c.resource_id.in_(ids))
        )
        with self._database.reading() as connection:
            return self._read(connection, set(connection.scalars(chosen)))

    def of(self, owner: str, most: int = 1000) -> list[Replica]:
        """The replicas of a project, the newest first."""
        chosen = (
            select(REPLICAS.c.id).where(REPLICAS.c.owner == owner).order_by(REPLICAS.c.created_at.desc()).limit(most)
        )
        with self._database.reading() as connection:
            return self._read(connection, set(connection.scalars(chosen)))[::-1]

    def get(self, owner: str, replica: str) -> Replica | None:
        """A replica of a project, by its id."""
        with self._database.reading() as connection:
            replicas = self._read(connection, {replica})
        return next((one for one in replicas if one.owner == owner), None)

    def add(self, replica: Replica) -> None:
        """Put a new replica on record."""
        with self._database.changing() as connection:
            put(connection, replica.id, replica.kind, replica.owner, replica.members, adopted=replica.adopted)

    def change(self, write: Callable[[Connection], None]) -> None:
        """Write in a transaction of its own."""
        with self._database.changing() as connection:
            write(connection)

    def forget(self, owner: str, replica: str) -> bool:
        """Forget a replica; its members stay in their clouds. Returns whether there was one."""
        if self.get(owner, replica) is None:
            return False
        with self._database.changing() as connection:
            connection.execute(delete(MEMBERS).where(MEMBERS.c.replica == replica))
            connection.execute(delete(REPLICAS).where(REPLICAS.c.id == replica))
        return True

    def open(self, owner: str) -> list[tuple[str, str]]:
        """Caller and id of a project's operations that are not done, the oldest first."""
        table = TABLES.operations
        chosen = select(table.c.caller, table.c.id).where(
            table.c.done == 0, table.c.caller.startswith(f"{owner}/", autoescape=True)
        )
        with self._database.reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(chosen.order_by(table.c.created_at, table.c.id))]

    def older(self, operation: Operation) -> list[tuple[str, str]]:
        """Caller and id of the operations on the same replica that began before this one and are not done, the oldest first."""
        table, began = TABLES.operations, round(operation.created_at * 1000)
        before = or_(table.c.created_at < began, and_(table.c.created_at == began, table.c.id < operation.id))
        chosen = (
            select(table.c.caller, table.c.id)
            .where(table.c.replica == operation.replica, table.c.done == 0, before)
            .order_by(table.c.created_at, table.c.id)
        )
        with self._database.reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(chosen)]

    def on(self, replica: str) -> list[tuple[str, str]]:
        """Caller and id of the operations on a replica that are not done, the oldest first."""
        table = TABLES.operations
        chosen = select(table.c.caller, table.c.id).where(table.c.replica == replica, table.c.done == 0)
        with self._database.reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(chosen.order_by(table.c.created_at, table.c.id))]

    def wake(self, cloud: str) -> int:
        """End the pauses of operations that nobody runs, and that have something left to do in a cloud. Returns their number."""
        table, parts, now = TABLES.operations, TABLES.parts, int(time.time() * 1000)
        waits = (table.c.done == 0, table.c.owner == NOBODY, table.c.lease_until >= now)
        chosen = (
            select(table.c.id, parts.c.location)
            .join(parts, parts.c.operation == table.c.id)
            .where(*waits, parts.c.stage != int(Stage.DONE))
        )
        with self._database.reading() as connection:
            rows = connection.execute(chosen).all()
        names = sorted({row[0] for row in rows if json.loads(row[1])["cloud"] == cloud})
        woken = 0
        for start in range(0, len(names), _AT_ONCE):
            with self._database.changing() as connection:
                some = table.c.id.in_(names[start : start + _AT_ONCE])
                woken += connection.execute(update(table).where(*waits, some).values(lease_until=now - 1)).rowcount
        return woken

    def waiting(self) -> set[tuple[str, str]]:
        """Cloud and kind of what open operations have left to do."""
        table, parts = TABLES.operations, TABLES.parts
        chosen = (
            select(table.c.kind, parts.c.location)
            .join(parts, parts.c.operation == table.c.id)
            .where(table.c.done == 0, parts.c.stage != int(Stage.DONE))
            .distinct()
        )
        with self._database.reading() as connection:
            return {(json.loads(row[1])["cloud"], row[0]) for row in connection.execute(chosen)}

    @staticmethod
    def _read(connection: Connection, ids: set[str]) -> list[Replica]:
        if not ids:
            return []
        members: dict[str, dict[str, str]] = {}
        rows = connection.execute(select(MEMBERS).where(MEMBERS.c.replica.in_(ids)).order_by(MEMBERS.c.cloud))
        for row in rows.mappings():
            members.setdefault(row["replica"], {})[row["cloud"]] = row["resource_id"]
        chosen = select(REPLICAS).where(REPLICAS.c.id.in_(ids)).order_by(REPLICAS.c.created_at, REPLICAS.c.id)
        return [
            Replica(
                row["id"],
                row["kind"],
                row["owner"],
                row["created_at"] / 1000,
                members.get(row["id"], {}),
                bool(row["adopted"]),
                _written(row["written"], row["written_at"], row["reached"]),
            )
            for row in connection.execute(chosen).mappings()
        ]


def counting(replicas: Sequence[Replica], project: str | None) -> list[Replica]:
    """The replicas that count for a project, with its own first.

    Those of others, which users of public resources name, count as well, but not if they were adopted: an adoption may name anybody's resource
    beside one of its own, and who names the one must not be given the other.

    Args:
        replicas: of all projects.
        project: None if it is not known.
    """
    return sorted(
        (one for one in replicas if one.owner == project or not one.adopted), key=lambda one: one.owner != project
    )


def put(
    connection: Connection,
    replica: str,
    kind: str,
    owner: str,
    members: Mapping[str, str],
    *,
    adopted: bool = False,
    values: Mapping[str, Any] | None = None,
    entry: str = "",
) -> None:
    """Record a replica and its members, in the transaction of a step; a cloud's member takes the place of an older one, which is lost.

    `values` is what the create has set, if there was one, and `entry` the name of this cloud.
    """
    is_new = connection.scalar(select(REPLICAS.c.id).where(REPLICAS.c.id == replica)) is None
    if is_new:
        connection.execute(
            insert(REPLICAS).values(
                id=replica, kind=kind, owner=owner, created_at=int(time.time() * 1000), adopted=int(adopted)
            )
        )
    rows = connection.execute(select(MEMBERS.c.cloud, MEMBERS.c.resource_id).where(MEMBERS.c.replica == replica))
    there = {row[0]: row[1] for row in rows}
    for cloud, resource_id in members.items():
        if cloud in there and there[cloud] != resource_id:
            place = and_(MEMBERS.c.replica == replica, MEMBERS.c.cloud == cloud)
            connection.execute(update(MEMBERS).where(place).values(resource_id=resource_id))
        elif cloud not in there:
            connection.execute(insert(MEMBERS).values(replica=replica, cloud=cloud, resource_id=resource_id))
    joins = entry in members and entry not in there  # later than others if it was away when they were created
    if values is not None and (is_new or joins):
        at = time.time() if joins else None
        write(connection, replica, lambda before: values if is_new else before or None, values, at)


def renew(connection: Connection, replica: str, members: Mapping[str, str]) -> None:
    """Put other members in the places of lost ones, if the replica is on record, in the transaction of a step."""
    row = connection.execute(select(REPLICAS.c.kind, REPLICAS.c.owner).where(REPLICAS.c.id == replica)).first()
    if row is not None:
        put(connection, replica, row[0], row[1], members)


def write(
    connection: Connection,
    replica: str,
    change: Callable[[Mapping[str, Any]], Mapping[str, Any] | None],
    arrived: Mapping[str, Any],
    at: float | None,
) -> None:
    """Record what was written last of a replica, in the transaction of a step.

    Args:
        connection: of the transaction.
        replica: of which; nothing is done if it is not on record.
        change: makes what is on record then of what is on record now (of nothing without a record); None to leave it as it is.
        arrived: field -> value, as members have it now.
        at: when the entry cloud's member had it, in seconds since 1970; None if it has not.
    """
    chosen = select(REPLICAS.c.written, REPLICAS.c.written_at, REPLICAS.c.reached).where(REPLICAS.c.id == replica)
    row = connection.execute(chosen).first()
    if row is None:
        return
    before, now = _written(*row), int(time.time() * 1000)
    values = change(before.values if before else {})
    if values is None:
        return
    # A later update may have gone ahead of this one: its values have not arrived.
    last = {name for name, value in arrived.items() if values.get(name) == value}
    reached = {name: then for name, then in before.reached.items() if name not in last} if before else {}
    reached |= {} if at is None else dict.fromkeys(last, at)
    times = json.dumps({name: int(then * 1000) for name, then in reached.items()})
    changed = {"written": json.dumps(values), "written_at": now, "reached": times}
    connection.execute(update(REPLICAS).where(REPLICAS.c.id == replica).values(changed))


def is_open(database: Database, operation: str) -> bool:
    """Whether an operation is not at its end."""
    table = TABLES.operations
    with database.reading() as connection:
        chosen = select(table.c.id).where(table.c.id == operation, table.c.done == 0)
        return connection.scalar(chosen) is not None


def _written(values: str | None, at: int | None, reached: str | None) -> Written | None:
    if values is None or at is None:
        return None
    written: dict[str, Any] = json.loads(values)
    # Without times, of an earlier version: the last write was that of all fields.
    times: dict[str, int] = dict.fromkeys(written, at) if reached is None else json.loads(reached)
    return Written(written, {name: time / 1000 for name, time in times.items() if name in written})
