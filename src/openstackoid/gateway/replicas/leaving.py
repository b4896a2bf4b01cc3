"""Members of replicas that were deleted, while their clouds may still show them.

Nova and cinder take a DELETE and do the work afterwards, each cloud in its own time. Clients wait by asking for the one id that they know until it
is gone (`openstack server delete --wait`): the answer is that it is gone when every cloud's member is, as the replica was one resource to them.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from openstackoid.core.replication import kind_named
from openstackoid.gateway.replicas.registry import Replica
from openstackoid.gateway.replicas.tables import LEAVING, MEMBERS, REPLICAS
from openstackoid.storage.databases import Database

_KEPT: Final = 24 * 3600.0  # seconds; no client is expected to wait longer for a server to be deleted
_AT_ONCE: Final = 1000  # of one cleaning


def drop(connection: Connection, replica: str, clouds: Iterable[str]) -> None:
    """Forget members whose clouds have taken the DELETE, and the replica with its last member, in the transaction of a step."""
    named = list(clouds)
    _note(connection, replica, named)
    connection.execute(delete(MEMBERS).where(MEMBERS.c.replica == replica, MEMBERS.c.cloud.in_(named)))
    if connection.scalar(select(MEMBERS.c.cloud).where(MEMBERS.c.replica == replica).limit(1)) is None:
        connection.execute(delete(REPLICAS).where(REPLICAS.c.id == replica))


def leaving(database: Database, kind: str, resource_id: str) -> list[Replica]:
    """The replicas that have lost a member with this id within a day, each with all members lost since.

    Args:
        database: with the tables.
        kind: of the resource.
        resource_id: in any cloud.
    """
    since = LEAVING.c.deleted_at >= _oldest()
    chosen = select(LEAVING.c.replica).where(LEAVING.c.kind == kind, LEAVING.c.resource_id == resource_id)
    rows = select(LEAVING).where(LEAVING.c.replica.in_(chosen), since).order_by(LEAVING.c.deleted_at, LEAVING.c.cloud)
    members: dict[str, dict[str, str]] = {}
    with database.reading() as connection:
        found = connection.execute(rows).mappings().all()
    for row in found:
        members.setdefault(row["replica"], {})[row["cloud"]] = row["resource_id"]
    newest = {row["replica"]: row for row in found}
    return [
        Replica(name, kind, row["owner"], row["deleted_at"] / 1000, members[name], bool(row["adopted"]))
        for name, row in newest.items()
    ]


def clean(database: Database) -> int:
    """Forget members that were deleted more than a day ago, by their keys: MariaDB would lock a range for others' deletes, too. Returns their number."""
    with database.reading() as connection:
        chosen = select(LEAVING.c.replica, LEAVING.c.cloud).where(LEAVING.c.deleted_at < _oldest()).limit(_AT_ONCE)
        old = connection.execute(chosen).all()
    if old:
        with database.changing() as connection:
            for replica, cloud in old:
                connection.execute(delete(LEAVING).where(LEAVING.c.replica == replica, LEAVING.c.cloud == cloud))
    return len(old)


def _oldest() -> int:
    """Milliseconds since 1970."""
    return int((time.time() - _KEPT) * 1000)


def _note(connection: Connection, replica: str, clouds: Sequence[str]) -> None:
    whole = connection.execute(select(REPLICAS).where(REPLICAS.c.id == replica)).mappings().first()
    if whole is None or not kind_named(whole["kind"]).lingers:
        return
    here = (MEMBERS.c.replica == replica, MEMBERS.c.cloud.in_(clouds))
    for cloud, resource_id in connection.execute(select(MEMBERS.c.cloud, MEMBERS.c.resource_id).where(*here)).all():
        place = (LEAVING.c.replica == replica, LEAVING.c.cloud == cloud)
        values = {"resource_id": resource_id, "deleted_at": int(time.time() * 1000)}
        # A member that took the place of a deleted one has the same key.
        if not connection.execute(update(LEAVING).where(*place).values(values)).rowcount:
            values |= {name: whole[name] for name in ("kind", "owner", "adopted")}
            connection.execute(insert(LEAVING).values(replica=replica, cloud=cloud, **values))
