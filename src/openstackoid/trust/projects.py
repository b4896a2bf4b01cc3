"""The mapping of a peer's projects to projects of this cloud, and the reservation by which only one of several gateways creates a project.

    get      the project that stands for it, if one does
    reserve  before Keystone is asked: MINE to one process, OTHERS to all others, FULL beyond the agreed number
    bind     Keystone made it: it stands for the peer's from now on
    release  Keystone was not asked or refused (the place is free again), or nobody knows (the place is kept)

A reservation counts as a project until it is released: a process that was killed may have made one. Whoever comes after its time
takes it over, and finds that project by its name.

A project that is gone at home (`mark`) stays bound, and does not count towards the agreed number. All together, those that are gone too, are
at most `GONE_FACTOR` times as many: a peer whose projects come and go must not fill this cloud with projects.
"""

import hashlib
import time
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, select, update

from openstackoid.storage.databases import Database
from openstackoid.trust.tables import PROJECTS, QUOTA_HOLDS, QUOTA_LEASES, QUOTA_LOCKS, RESERVATIONS, serialise

# Seconds: who makes a project renews its reservation in time. Gateways' clocks may differ: who comes too early asks Keystone by name first.
LEASE: Final = 10


GONE_FACTOR: Final = 10


@dataclass(frozen=True, slots=True)
class Mapped:
    """A project of ours that stands for one of a peer's.

    Attributes:
        foreign: id of the peer's project.
        local: id of ours.
        gone: since when the peer's does not exist (Unix seconds); None if it does.
    """

    foreign: str
    local: str
    gone: int | None


class Claim(Enum):
    """The result of a reservation."""

    MINE = "who asked makes the project"
    OTHERS = "another process is making it, or has made it"
    FULL = "as many as agreed are made, or being made"


def project_name(peer: str, agreement: str, foreign: str) -> str:
    """The name of the project that stands for a peer's project: 64 characters at most, and unique over all projects of all peers.

    It is a digest, since "A-b" with "c" must differ from "A" with "b-c". It includes the agreement, since another cloud may later have the name
    of a removed one, and must not get its projects.

    Args:
        peer: the other cloud.
        agreement: id of the agreement, or of the contract.
        foreign: the peer's project.
    """
    digest = hashlib.sha256(f"{agreement}\0{foreign}".encode()).hexdigest()
    return f"{peer[:31]}-{digest[:32]}"


class ProjectMappings:
    """The projects of one cloud that stand for its peers' projects. Calls block."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, peer: str, foreign: str) -> str | None:
        """The id of our project that stands for a peer's project; None if there is none."""
        chosen = select(PROJECTS.c.local_id).where(_of(PROJECTS, peer, foreign))
        with self._database.reading() as connection:
            return connection.scalar(chosen)

    def all(self, peer: str) -> list[tuple[str, str]]:
        """(the peer's project, our project) of all bound projects."""
        chosen = select(PROJECTS.c.foreign_id, PROJECTS.c.local_id).where(PROJECTS.c.peer == peer)
        with self._database.reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(chosen.order_by(PROJECTS.c.foreign_id))]

    def reserved(self, peer: str) -> list[str]:
        """The peer's projects for which one of ours is being made, or was when the process that made it was killed."""
        chosen = select(RESERVATIONS.c.foreign_id).where(RESERVATIONS.c.peer == peer)
        with self._database.reading() as connection:
            return list(connection.scalars(chosen.order_by(RESERVATIONS.c.foreign_id)))

    def making(self, peer: str) -> list[str]:
        """Those of `reserved` that a process is making now."""
        now = int(time.time())
        chosen = select(RESERVATIONS.c.foreign_id).where(RESERVATIONS.c.peer == peer)
        # A time far in the future is not from a running process: clocks were set back.
        live = (RESERVATIONS.c.expires > now) & (RESERVATIONS.c.expires <= now + 2 * LEASE)
        with self._database.reading() as connection:
            return list(connection.scalars(chosen.where(live).order_by(RESERVATIONS.c.foreign_id)))

    def forget(self, peer: str, foreign: str, deleted: str | None = None) -> None:
        """Forget a peer's project, and what was leased to ours of a contract's quota: ours is deleted, or was never made.

        Args:
            peer: the other cloud.
            foreign: id of its project.
            deleted: id of ours; if another one stands for the peer's by now, that one stays. Empty: none was made. None: whichever it is.
        """
        with self._database.changing() as connection:
            serialise(connection, 0)
            local = connection.scalar(select(PROJECTS.c.local_id).where(_of(PROJECTS, peer, foreign)))
            if local is not None and deleted is not None and local != deleted:
                return
            for table in (QUOTA_LEASES, QUOTA_HOLDS, QUOTA_LOCKS):
                connection.execute(delete(table).where(table.c.project == local))
            for table in (PROJECTS, RESERVATIONS):
                connection.execute(delete(table).where(_of(table, peer, foreign)))

    def held(self, peer: str) -> list[Mapped]:
        """All bound projects of a peer, with those that are gone."""
        chosen = select(PROJECTS.c.foreign_id, PROJECTS.c.local_id, PROJECTS.c.gone).where(PROJECTS.c.peer == peer)
        with self._database.reading() as connection:
            return [Mapped(*row) for row in connection.execute(chosen.order_by(PROJECTS.c.foreign_id))]

    def mark(self, peer: str, foreign: str, *, gone: bool) -> bool:
        """Record whether a peer's project is gone; returns whether that is new."""
        unlike = PROJECTS.c.gone.is_(None) if gone else PROJECTS.c.gone.is_not(None)
        since = int(time.time()) if gone else None
        with self._database.changing() as connection:
            serialise(connection, 0)
            changed = update(PROJECTS).where(_of(PROJECTS, peer, foreign) & unlike).values(gone=since)
            return bool(connection.execute(changed).rowcount)

    def reserve(self, peer: str, foreign: str, holder: str, most: int) -> Claim:
        """Reserve the creation of the project that will stand for a peer's project.

        Args:
            peer: the other cloud.
            foreign: id of its project.
            holder: 32 characters that no other reservation has.
            most: maximum number of this peer's projects, created and reserved; those that are gone do not count.
        """
        now = int(time.time())
        mine = {"holder": holder, "expires": now + LEASE}
        with self._database.reading() as connection:
            # Check without the lock first: a peer that requests ever more projects must not delay other writers.
            if _is_full(connection, peer, foreign, most):
                return Claim.FULL
        with self._database.changing() as connection:
            serialise(connection, 0)
            if connection.scalar(select(PROJECTS.c.local_id).where(_of(PROJECTS, peer, foreign))) is not None:
                return Claim.OTHERS
            if _is_full(connection, peer, foreign, most):
                return Claim.FULL
            here = _of(RESERVATIONS, peer, foreign)
            until = connection.scalar(select(RESERVATIONS.c.expires).where(here))
            # A time far in the future is not from a running process: clocks were set back.
            if until is not None and now < until <= now + 2 * LEASE:
                return Claim.OTHERS
            connection.execute(delete(RESERVATIONS).where(here))
            connection.execute(insert(RESERVATIONS).values({"peer": peer, "foreign_id": foreign} | mine))
        return Claim.MINE

    def renew(self, peer: str, foreign: str, holder: str) -> None:
        """Extend the holder's reservation while Keystone works."""
        held = _of(RESERVATIONS, peer, foreign) & (RESERVATIONS.c.holder == holder)
        with self._database.changing() as connection:
            serialise(connection, 0)
            connection.execute(update(RESERVATIONS).where(held).values(expires=int(time.time()) + LEASE))

    def bind(self, peer: str, foreign: str, holder: str, local: str) -> str | None:
        """Bind a project of ours to a peer's project, permanently.

        Returns:
            The id of the project that does; None if the reservation is not the holder's any more: another process has taken it over,
            or the agreement was removed and the project must not be found under another one.
        """
        with self._database.changing() as connection:
            serialise(connection, 0)
            winner: str | None = connection.scalar(select(PROJECTS.c.local_id).where(_of(PROJECTS, peer, foreign)))
            if winner is not None:
                return winner
            held = _of(RESERVATIONS, peer, foreign) & (RESERVATIONS.c.holder == holder)
            if not connection.execute(delete(RESERVATIONS).where(held)).rowcount:
                return None
            connection.execute(insert(PROJECTS).values({"peer": peer, "foreign_id": foreign, "local_id": local}))
        return local

    def release(self, peer: str, foreign: str, holder: str, *, keep: bool) -> None:
        """Give a reservation back.

        Args:
            peer: the other cloud.
            foreign: id of its project.
            holder: as reserved; another one's reservation stays.
            keep: whether Keystone may have made the project: its place stays taken, and the next process may take over at once.
        """
        held = _of(RESERVATIONS, peer, foreign) & (RESERVATIONS.c.holder == holder)
        with self._database.changing() as connection:
            serialise(connection, 0)
            connection.execute(
                update(RESERVATIONS).where(held).values(expires=0) if keep else delete(RESERVATIONS).where(held)
            )


def _is_full(connection: Connection, peer: str, foreign: str, most: int) -> bool:
    """Whether there is no room for another project of a peer beside those that are created or reserved."""
    counted = select(func.count(), func.count(PROJECTS.c.gone)).select_from(PROJECTS)
    bound, gone = connection.execute(counted.where(_others(PROJECTS, peer, foreign))).one()
    made = select(func.count()).select_from(RESERVATIONS).where(_others(RESERVATIONS, peer, foreign))
    reserved = connection.scalar(made) or 0
    return bound - gone + reserved >= most or bound + reserved >= GONE_FACTOR * most


def _others(table: Table, peer: str, foreign: str) -> ColumnElement[bool]:
    return (table.c.peer == peer) & (table.c.foreign_id != foreign)


def _of(table: Table, peer: str, foreign: str) -> ColumnElement[bool]:
    return (table.c.peer == peer) & (table.c.foreign_id == foreign)
