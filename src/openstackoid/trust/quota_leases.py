"""The quota of a contract, leased to its projects, so that the sum over all of them cannot pass it, whoever is killed when.

A row for each contract, project and name of a quota:

    granted   what the project may use: creates are admitted up to it
    ceiling   the highest quota that the service may have in force for the project
    bound     at least what the project uses, with everything under way
    admitted  all that was ever admitted; it only grows
    used      what the service counted the last time, at the time `counted` (Unix milliseconds)
    settled   whether the service is known to have `granted` in force

The invariant: over all projects, the sum of max(granted, ceiling) is at most the contract's quota. A lease is raised here first, and at the service
after that; it is lowered here first, so that nothing more is admitted, and `ceiling` follows when the service has confirmed. So after a kill at any
point the rows promise no more than there is, and the next request settles what was left.

A create is admitted by one transaction that raises `bound` (`take`). What uses less is counted anew (`begin_count`, `counted`), which takes three
steps: read what is under way, ask the service, write the sum. What is finished meanwhile is counted twice, never not at all.

Calls block: in a coroutine, `asyncio.to_thread`.
"""

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, delete, func, insert, select, update

from openstackoid.core.region_quota import QUOTAS
from openstackoid.storage.databases import Database
from openstackoid.trust.tables import QUOTA_HOLDS, QUOTA_LEASES, QUOTA_LOCKS, serialise

LOCK: Final = 30  # seconds: who changes a project's quota at a service is done before
HOLD: Final = 600  # seconds until a request of a process that was killed counts as over
_L: Final = QUOTA_LEASES.c
_NUMBERS: Final = ("granted", "ceiling", "bound", "used", "counted")


@dataclass(frozen=True, slots=True)
class Lease:
    """A row; see above."""

    project: str
    name: str
    granted: int
    ceiling: int
    bound: int
    used: int
    counted: int
    settled: bool


@dataclass(frozen=True, slots=True)
class Count:
    """The first step of a count: what was admitted before it, and what of that was under way."""

    admitted: Mapping[str, int]
    under_way: Mapping[str, int]


class QuotaLeases:
    """The leases of all contracts of one cloud."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prepare(self, contract: str, project: str, names: Collection[str]) -> None:
        """Make the rows that are missing: nothing is granted."""
        with self._database.reading() as connection:
            missing = set(names) - {lease.name for lease in _leases(connection, _of(contract, project))}
        if not missing:
            return
        values: dict[str, Any] = {"contract": contract, "project": project, "granted": 0, "ceiling": 0, "bound": 0}
        values |= {"admitted": 0, "used": 0, "counted": 0, "settled": 0}
        with self._database.changing() as connection:
            serialise(connection, 0)
            missing = set(names) - {lease.name for lease in _leases(connection, _of(contract, project))}
            for name in sorted(missing):
                connection.execute(insert(QUOTA_LEASES).values(values | {"name": name}))

    def leases(self, contract: str, names: Collection[str]) -> list[Lease]:
        """The leases of all projects of a contract."""
        with self._database.reading() as connection:
            return _leases(connection, (_L.contract == contract) & _L.name.in_(names))

    def take(self, contract: str, project: str, amounts: Mapping[str, int], now: int) -> str | None:
        """Admit a request that takes these amounts of one service's quotas.

        Args:
            contract: id.
            project: ours.
            amounts: name -> how much.
            now: Unix seconds.

        Returns:
            The id of what it holds; None if its lease does not suffice, or the service may not have it in force.
        """
        held, of = secrets.token_hex(16), _of(contract, project)
        with self._database.changing() as connection:
            serialise(connection, 0)
            leases = {lease.name: lease for lease in _leases(connection, of & _L.name.in_(amounts))}
            for name, amount in amounts.items():
                lease = leases.get(name)
                if lease is None or not lease.settled or lease.bound + amount > lease.granted:
                    return None
            for name, amount in amounts.items():
                taken = {"bound": _L.bound + amount, "admitted": _L.admitted + amount}
                connection.execute(update(QUOTA_LEASES).where(of & (_L.name == name)).values(taken))
            values: dict[str, Any] = {
                "id": held,
                "contract": contract,
                "project": project,
                "service": QUOTAS[next(iter(amounts))],
            }
            values |= {"amounts": json.dumps(dict(amounts)), "expires": now + HOLD}
            connection.execute(insert(QUOTA_HOLDS).values(values))
        return held

    def finish(self, held: str, *, refused: bool) -> None:
        """Forget a request that was answered.

        Args:
            held: as `take` gave it.
            refused: whether it certainly took nothing.
        """
        with self._database.changing() as connection:
            serialise(connection, 0)
            row = connection.execute(select(QUOTA_HOLDS).where(QUOTA_HOLDS.c.id == held)).mappings().one_or_none()
            if row is None:
                return
            connection.execute(delete(QUOTA_HOLDS).where(QUOTA_HOLDS.c.id == held))
            if refused:
                for name, amount in json.loads(row["amounts"]).items():
                    chosen = _of(row["contract"], row["project"]) & (_L.name == name) & (_L.bound >= amount)
                    connection.execute(update(QUOTA_LEASES).where(chosen).values(bound=_L.bound - amount))

    def renew(self, held: Collection[str], now: int) -> None:
        """Keep what a request holds that is still under way."""
        with self._database.changing() as connection:
            serialise(connection, 0)
            connection.execute(update(QUOTA_HOLDS).where(QUOTA_HOLDS.c.id.in_(held)).values(expires=now + HOLD))

    def under_way(self, contract: str, service: str, now: int) -> frozenset[str]:
        """The requests that hold something of a service's quotas."""
        chosen = (QUOTA_HOLDS.c.contract == contract) & (QUOTA_HOLDS.c.service == service)
        with self._database.reading() as connection:
            found = select(QUOTA_HOLDS.c.id).where(chosen & (QUOTA_HOLDS.c.expires > now))
            return frozenset(connection.scalars(found))

    def begin_count(self, contract: str, project: str, service: str, now: int) -> Count:
        """The first step of a count. The service is asked after it."""
        with self._database.changing() as connection:
            serialise(connection, 0)
            connection.execute(delete(QUOTA_HOLDS).where(QUOTA_HOLDS.c.expires <= now))
            chosen = (QUOTA_HOLDS.c.contract == contract) & (QUOTA_HOLDS.c.project == project)
            under_way: dict[str, int] = {}
            for text in connection.scalars(select(QUOTA_HOLDS.c.amounts).where(chosen)):
                for name, amount in json.loads(text).items():
                    under_way[name] = under_way.get(name, 0) + amount
            rows = connection.execute(select(_L.name, _L.admitted).where(_of(contract, project)))
            admitted = {name: amount for name, amount in rows if QUOTAS.get(name) == service}
        return Count(admitted, under_way)

    def counted(self, contract: str, project: str, count: Count, used: Mapping[str, int], started: int) -> None:
        """The last step of a count.

        Args:
            contract: id.
            project: ours.
            count: of the first step.
            used: name -> what the service counted, after it.
            started: when the first step was (Unix milliseconds).
        """
        of = _of(contract, project)
        with self._database.changing() as connection:
            serialise(connection, 0)
            for name, before in count.admitted.items():
                if name in used:
                    least = used[name] + count.under_way.get(name, 0)
                    values = {"bound": _L.admitted + (least - before), "used": used[name], "counted": started}
                    connection.execute(update(QUOTA_LEASES).where(of & (_L.name == name)).values(values))

    def grow(self, contract: str, project: str, quota: Mapping[str, int], amounts: Mapping[str, int]) -> bool:
        """Raise a project's leases, so that a request finds room, from what nobody has; with something to spare while there is plenty.

        Returns:
            Whether each of the amounts has room now; the service is to be settled before it is used.
        """
        of = _of(contract, project)
        with self._database.changing() as connection:
            serialise(connection, 0)
            leases = {lease.name: lease for lease in _leases(connection, of & _L.name.in_(amounts))}
            wanted: dict[str, int] = {}
            for name, amount in amounts.items():
                lease = leases[name]
                missing = max(0, lease.bound + amount - lease.granted)
                # What the service may still have in force is this project's already.
                free = quota[name] - _promised(connection, contract, name) + max(0, lease.ceiling - lease.granted)
                if missing > free:
                    return False
                if missing:
                    wanted[name] = lease.granted + min(free, missing + (free - missing) // 8)
            for name, granted in wanted.items():
                values = {"granted": granted, "ceiling": max(granted, leases[name].ceiling), "settled": 0}
                connection.execute(update(QUOTA_LEASES).where(of & (_L.name == name)).values(values))
        return True

    def shrink(self, contract: str, project: str, names: Collection[str]) -> bool:
        """Lower a project's leases to what it uses; returns whether the service is to be settled, which makes room for others."""
        lower = _of(contract, project) & _L.name.in_(names) & (_L.granted > _L.bound)
        with self._database.changing() as connection:
            serialise(connection, 0)
            connection.execute(update(QUOTA_LEASES).where(lower).values(granted=_L.bound, settled=0))
            left = select(func.count()).select_from(QUOTA_LEASES).where(_unsettled(contract, project, names))
            return bool(connection.scalar(left))

    def unsettled(self, contract: str, project: str, names: Collection[str]) -> dict[str, int]:
        """What the service is to have in force for these; empty if it is known to have it."""
        with self._database.reading() as connection:
            leases = _leases(connection, _of(contract, project) & _L.name.in_(names))
        return {} if all(lease.settled for lease in leases) else {lease.name: lease.granted for lease in leases}

    def settle(self, contract: str, project: str, in_force: Mapping[str, int]) -> None:
        """Note what the service has in force; a lease that has changed meanwhile stays unsettled."""
        with self._database.changing() as connection:
            serialise(connection, 0)
            for name, amount in in_force.items():
                row = _of(contract, project) & (_L.name == name) & (_L.granted == amount)
                connection.execute(update(QUOTA_LEASES).where(row).values(ceiling=amount, settled=1))

    def doubt(self, contract: str, project: str, names: Collection[str]) -> None:
        """Let the service be settled again: it has refused what it should have admitted."""
        with self._database.changing() as connection:
            serialise(connection, 0)
            rows = _of(contract, project) & _L.name.in_(names)
            connection.execute(update(QUOTA_LEASES).where(rows).values(settled=0))

    def lock(self, contract: str, project: str, service: str, holder: str, now: int) -> bool:
        """Let one process change a project's leases and its quota at a service; false if another one does."""
        chosen = _lock(contract, project, service)
        with self._database.changing() as connection:
            serialise(connection, 0)
            until = connection.scalar(select(QUOTA_LOCKS.c.until).where(chosen))
            # A time far in the future is not from a running process: clocks were set back.
            if until is not None and now < until <= now + 2 * LOCK:
                return False
            connection.execute(delete(QUOTA_LOCKS).where(chosen))
            values = {"contract": contract, "project": project, "service": service, "holder": holder}
            connection.execute(insert(QUOTA_LOCKS).values(values | {"until": now + LOCK}))
        return True

    def forget_project(self, contract: str, project: str) -> None:
        """Give back all that a project has of a contract's quota: the project is gone, and all that it had."""
        with self._database.changing() as connection:
            serialise(connection, 0)
            for table in (QUOTA_LEASES, QUOTA_HOLDS, QUOTA_LOCKS):
                connection.execute(delete(table).where(table.c.contract == contract, table.c.project == project))

    def unlock(self, contract: str, project: str, service: str, holder: str) -> None:
        """Give the lock back; another holder's stays."""
        with self._database.changing() as connection:
            chosen = _lock(contract, project, service) & (QUOTA_LOCKS.c.holder == holder)
            connection.execute(delete(QUOTA_LOCKS).where(chosen))


def forget(connection: Connection, contract: str) -> None:
    """Forget the leases of a contract that is over."""
    for table in (QUOTA_LEASES, QUOTA_HOLDS, QUOTA_LOCKS):
        connection.execute(delete(table).where(table.c.contract == contract))


def _leases(connection: Connection, chosen: ColumnElement[bool]) -> list[Lease]:
    rows = connection.execute(select(QUOTA_LEASES).where(chosen).order_by(_L.project, _L.name)).mappings()
    return [_lease(row) for row in rows]


def _lease(row: RowMapping) -> Lease:
    granted, ceiling, bound, used, counted = (int(row[name]) for name in _NUMBERS)
    return Lease(row["project"], row["name"], granted, ceiling, bound, used, counted, bool(row["settled"]))


def _promised(connection: Connection, contract: str, name: str) -> int:
    """What all projects may use, or the service may let them use."""
    chosen = select(_L.granted, _L.ceiling).where((_L.contract == contract) & (_L.name == name))
    return sum(max(int(granted), int(ceiling)) for granted, ceiling in connection.execute(chosen))


def _unsettled(contract: str, project: str, names: Collection[str]) -> ColumnElement[bool]:
    return _of(contract, project) & _L.name.in_(names) & (_L.settled == 0)


def _of(contract: str, project: str, table: Table = QUOTA_LEASES) -> ColumnElement[bool]:
    return (table.c.contract == contract) & (table.c.project == project)


def _lock(contract: str, project: str, service: str) -> ColumnElement[bool]:
    return _of(contract, project, QUOTA_LOCKS) & (QUOTA_LOCKS.c.service == service)
