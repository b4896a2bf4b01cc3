"""A fresh database of each kind, for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.trust.servers import Server, mariadb, postgresql

from openstackoid.regions.tables import MIGRATIONS
from openstackoid.storage.databases import Database


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    with mariadb() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'regions.sqlite'}"
    server: Server = request.getfixturevalue(f"{request.param}_server")
    return server.database()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A database whose tables are there."""
    made = Database(url)
    MIGRATIONS.upgrade(made)
    yield made
    made.close()
