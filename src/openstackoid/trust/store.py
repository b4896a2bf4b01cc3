"""Agreements that operators make by commands, kept in a database that all gateways of a cloud share.

Every change is one transaction, with its row of history and a new revision; gateways poll the revision twice a second. Calls
block: in a coroutine, `asyncio.to_thread`.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from openstackoid.core.errors import OpenStackoidError
from openstackoid.storage.databases import Database
from openstackoid.storage.urls import StoreError
from openstackoid.trust.agreements import TRANSITIONS, Agreement, State
from openstackoid.trust.contract_grants import ContractGrants
from openstackoid.trust.grants import Grant
from openstackoid.trust.projects import ProjectMappings
from openstackoid.trust.quota_leases import QuotaLeases
from openstackoid.trust.region_health import RegionHealth
from openstackoid.trust.rows import (
    Event,
    Version,
    add_event,
    agreement_of,
    compact,
    event_of,
    grant_document,
    readable,
    row_of,
)
from openstackoid.trust.tables import (
    AGREEMENTS,
    EVENTS,
    MIGRATIONS,
    PEER_KEYS,
    PROJECTS,
    RESERVATIONS,
    REVISION,
    serialise,
)

__all__ = ["AgreementExistsError", "Event", "Store", "StoreError", "UnknownPeerError", "Version"]


class UnknownPeerError(OpenStackoidError):
    """No agreement with a cloud of that name."""

    status = 404
    code = "peer.unknown"


class AgreementExistsError(OpenStackoidError):
    """There is an agreement with a cloud of that name already."""

    status = 409
    code = "peer.exists"


class Store:
    """Agreements, their history, the keys of peers, and the mappings of their projects.

    Attributes:
        projects: the mapping of the peers' projects to ours.
        contracts: those about virtual regions that are in use.
        quotas: what of their quotas is leased to which project.
        region_health: how this cloud's regions do.
    """

    def __init__(self, url: str) -> None:
        """Prepare; `upgrade` comes first.

        Args:
            url: SQLAlchemy URL, see `storage.databases`. A SQLite file that is missing is made, with mode 0600.

        Raises:
            StoreError: not a URL of a kind that is known, or its driver is not installed.
        """
        self._database = Database(url, option="trust.database")
        self.projects: ProjectMappings = ProjectMappings(self._database)
        self.contracts: ContractGrants = ContractGrants(self._database)
        self.quotas: QuotaLeases = QuotaLeases(self._database)
        self.region_health: RegionHealth = RegionHealth(self._database)

    @property
    def name(self) -> str:
        """The database's URL, without its password."""
        return self._database.name

    def upgrade(self, *, create: bool = True) -> None:
        """Bring the tables up to date; safe while others do the same.

        Args:
            create: whether to create the tables, and a file for them, where there are none.

        Raises:
            StoreError: the database is away, was made by a newer version, or has no tables and shall not get any.
        """
        MIGRATIONS.upgrade(self._database, create=create)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def version(self) -> Version:
        """The fingerprint of the database's content now, to compare with an earlier one."""
        # Read before the rest: a change in between is noticed the next time.
        stamp = self._database.stamp()
        last = select(func.coalesce(func.max(EVENTS.c.id), 0)).scalar_subquery()
        with self._database.reading() as connection:
            revision, event = connection.execute(select(REVISION.c.number, last)).one()
        return Version(int(revision), int(event), stamp)

    def revision(self) -> int:
        """A number that grows with every change of agreements or peer keys."""
        return self.version().revision

    def agreements(self) -> list[Agreement]:
        """All agreements, by name. One that a newer version wrote counts as suspended, if this one cannot read it."""
        with self._database.reading() as connection:
            rows = connection.execute(select(AGREEMENTS).order_by(AGREEMENTS.c.peer)).mappings().all()
        return [agreement_of(row) for row in rows]

    def add(self, peer: str, url: str, fingerprint: str, grant: Grant, by: str) -> Agreement:
        """Add a peer, and the grant that counts once we allow it.

        Raises:
            AgreementExistsError: there is one with that name.
        """
        made = Agreement(secrets.token_hex(16), peer, url, fingerprint, State.PROPOSED, grant)
        with self._database.changing() as connection:
            serialise(connection)
            if row_of(connection, peer) is not None:
                raise AgreementExistsError(
                    f"There is an agreement with {peer} already; see: openstackoid peer show {peer}"
                )
            values = {"peer": peer, "id": made.id, "url": url, "fingerprint": fingerprint, "state": made.state.value}
            connection.execute(insert(AGREEMENTS).values(values | {"allowed": compact(grant_document(grant))}))
            detail = {"url": url, "fingerprint": fingerprint, "grant": grant_document(grant)}
            add_event(connection, made, "add", by, made.state, detail)
        return made

    def change(self, peer: str, event: str, by: str, grant: Grant | None = None) -> Agreement | None:
        """Apply an event of `TRANSITIONS`.

        Args:
            peer: the other cloud.
            event: `allow`, `suspend` or `remove`.
            by: the operator.
            grant: the new grant; unchanged if not given.

        Returns:
            The agreement as it is now; None when it is gone, and with it the peer's keys and the projects that stood for its own: another
            cloud that comes under this name must not find them.

        Raises:
            UnknownPeerError: there is none with that name.
        """
        with self._database.changing() as connection:
            serialise(connection)
            row, before = self._known(connection, peer)
            state = TRANSITIONS[event][before.state]
            if state is None:
                for table in (AGREEMENTS, PEER_KEYS, PROJECTS, RESERVATIONS):
                    connection.execute(delete(table).where(table.c.peer == peer))
                add_event(connection, before, event, by, None, {})
                return None
            given = before.grant if grant is None else grant
            if grant is None and readable(row) is None:
                raise StoreError(
                    f"{self._database.name}: what the agreement with {peer} allows is not as this version writes it; "
                    f"say it anew: openstackoid peer allow {peer} --service TYPE ..."
                )
            after = Agreement(before.id, peer, before.url, before.fingerprint, state, given)
            values = {"state": state.value, "allowed": compact(grant_document(given))}
            connection.execute(update(AGREEMENTS).where(AGREEMENTS.c.peer == peer).values(values))
            add_event(connection, after, event, by, state, {} if grant is None else {"grant": grant_document(grant)})
        return after

    def repin(self, peer: str, fingerprint: str, by: str) -> Agreement:
        """Trust another key of a peer, and drop the keys that the peer published before.

        Raises:
            UnknownPeerError: there is none with that name.
        """
        with self._database.changing() as connection:
            serialise(connection)
            _, before = self._known(connection, peer)
            after = Agreement(before.id, peer, before.url, fingerprint, before.state, before.grant)
            connection.execute(update(AGREEMENTS).where(AGREEMENTS.c.peer == peer).values({"fingerprint": fingerprint}))
            connection.execute(delete(PEER_KEYS).where(PEER_KEYS.c.peer == peer))
            add_event(connection, after, "repin", by, after.state, {"fingerprint": fingerprint})
        return after

    def forget_project(self, peer: str, foreign: str, by: str) -> str | None:
        """Forget which project of ours stands for one of a peer's. The project stays; it is found again by its name if that peer's project returns.

        Returns:
            The id of the project; None if none stood for it.
        """
        chosen = (PROJECTS.c.peer == peer) & (PROJECTS.c.foreign_id == foreign)
        with self._database.changing() as connection:
            serialise(connection)
            local: str | None = connection.scalar(select(PROJECTS.c.local_id).where(chosen))
            connection.execute(delete(PROJECTS).where(chosen))
            row = row_of(connection, peer)
            # The file's agreements have no history here.
            if local is not None and row is not None:
                agreement = agreement_of(row)
                detail = {"project": foreign, "local": local}
                add_event(connection, agreement, "forget", by, agreement.state, detail)
        return local

    def history(self, peer: str | None = None) -> list[Event]:
        """Every change, oldest first; of one peer or of all, of agreements that are gone too."""
        chosen = select(EVENTS).order_by(EVENTS.c.id)
        if peer is not None:
            chosen = chosen.where(EVENTS.c.peer == peer)
        with self._database.reading() as connection:
            rows = connection.execute(chosen).mappings().all()
        return [event_of(row) for row in rows]

    def known_keys(self, peer: str) -> dict[str, Any] | None:
        """The keys that a peer published when it was last seen; they count as far as `rings.Ring` says."""
        with self._database.reading() as connection:
            text = connection.scalar(select(PEER_KEYS.c.document).where(PEER_KEYS.c.peer == peer))
        return None if text is None else dict(json.loads(text))

    def remember_keys(self, peer: str, document: Mapping[str, Any]) -> None:
        """Store a peer's published keys, for gateways that start while the peer is unreachable."""
        text = compact(document)
        chosen = PEER_KEYS.c.peer == peer
        with self._database.reading() as connection:
            if connection.scalar(select(PEER_KEYS.c.document).where(chosen)) == text:
                return
        with self._database.changing() as connection:
            serialise(connection)
            connection.execute(delete(PEER_KEYS).where(chosen))
            connection.execute(insert(PEER_KEYS).values({"peer": peer, "document": text}))

    def _known(self, connection: Connection, peer: str) -> tuple[RowMapping, Agreement]:
        row = row_of(connection, peer)
        if row is None:
            names = connection.scalars(select(AGREEMENTS.c.peer).order_by(AGREEMENTS.c.peer)).all()
            raise UnknownPeerError(f"No agreement with {peer}. There are: {', '.join(names) or 'none'}.")
        return row, agreement_of(row)
