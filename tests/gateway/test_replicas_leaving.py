"""Deleted members of replicas, on record for a day."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from openstackoid.gateway.replicas.leaving import clean, drop, leaving
from openstackoid.gateway.replicas.registry import Registry, Replica
from openstackoid.gateway.replicas.tables import LEAVING, MIGRATIONS
from openstackoid.storage.databases import Database

DAY: Final = 24 * 3600 * 1000
MEMBERS: Final = {"CloudOne": "id-1", "CloudTwo": "id-2", "CloudThree": "id-3"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/operations.sqlite")
    MIGRATIONS.upgrade(made)
    yield made
    made.close()


def put(database: Database, kind: str, name: str = "r", *, adopted: bool = False) -> Registry:
    registry = Registry(database)
    registry.add(Replica(name, kind, "owner", 0.0, MEMBERS, adopted))
    return registry


def delete(database: Database, *clouds: str, name: str = "r") -> None:
    with database.changing() as connection:
        drop(connection, name, clouds)


def test_members_are_found_by_the_id_of_any_while_the_others_stay(database: Database) -> None:
    registry = put(database, "compute.server", adopted=True)
    delete(database, "CloudOne", "CloudTwo")
    assert registry.having("compute.server", ["id-1"]) == []
    assert [one.members for one in registry.having("compute.server", ["id-3"])] == [{"CloudThree": "id-3"}]
    [found] = leaving(database, "compute.server", "id-2")
    assert (found.id, found.owner, found.adopted) == ("r", "owner", True)
    assert found.members == {"CloudOne": "id-1", "CloudTwo": "id-2"}
    assert leaving(database, "compute.server", "id-3") == []
    delete(database, "CloudThree")
    assert registry.get("owner", "r") is None
    assert [one.members for one in leaving(database, "compute.server", "id-3")] == [MEMBERS]
    assert leaving(database, "block-storage.volume", "id-3") == []


def test_a_member_that_took_the_place_of_a_deleted_one_is_found_too(database: Database) -> None:
    put(database, "block-storage.volume")
    delete(database, "CloudOne", "CloudTwo", "CloudThree")
    put(database, "block-storage.volume")
    with database.changing() as connection:
        connection.execute(sa.text("UPDATE replicas_members SET resource_id = 'new' WHERE cloud = 'CloudOne'"))
    delete(database, "CloudOne")
    assert leaving(database, "block-storage.volume", "id-1") == []
    assert [one.members["CloudTwo"] for one in leaving(database, "block-storage.volume", "new")] == ["id-2"]


def test_only_kinds_that_linger_are_noted(database: Database) -> None:
    put(database, "network.network")
    delete(database, *MEMBERS)
    with database.reading() as connection:
        assert connection.execute(sa.select(LEAVING)).all() == []


def test_a_deleted_member_is_forgotten_after_a_day(database: Database) -> None:
    for name in ("old", "new"):
        put(database, "compute.server", name)
        delete(database, *MEMBERS, name=name)
    older = sa.update(LEAVING).where(LEAVING.c.replica == "old").values(deleted_at=LEAVING.c.deleted_at - DAY)
    with database.changing() as connection:
        connection.execute(older)
    assert [one.id for one in leaving(database, "compute.server", "id-1")] == ["new"]
    assert (clean(database), clean(database)) == (len(MEMBERS), 0)
    with database.reading() as connection:
        assert {row.replica for row in connection.execute(sa.select(LEAVING))} == {"new"}
