"""A database of each kind, for each test that asks for one: fresh, or with tables that are as new."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.trust.prepared import Prepared
from tests.trust.servers import Server, mariadb, postgresql

from openstackoid.trust.store import Store


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    with mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_prepared(postgresql_server: Server) -> Prepared:
    return Prepared(postgresql_server.database)


@pytest.fixture(scope="session")
def mariadb_prepared(mariadb_server: Server) -> Prepared:
    return Prepared(mariadb_server.database)


@pytest.fixture(scope="session")
def sqlite_prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("prepared") / "trust.sqlite"
    store = Store(f"sqlite:///{file}")
    store.upgrade()
    store.close()
    return file


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; of one with tables, if the test has a `store`."""
    has_tables = "store" in request.fixturenames
    if request.param == "sqlite":
        file = tmp_path / "trust.sqlite"
        if has_tables:
            shutil.copy(request.getfixturevalue("sqlite_prepared"), file)
        return f"sqlite:///{file}"
    if has_tables:
        prepared: Prepared = request.getfixturevalue(f"{request.param}_prepared")
        return prepared.url()
    server: Server = request.getfixturevalue(f"{request.param}_server")
    return server.database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store whose tables are there."""
    made = Store(url)
    made.upgrade()
    yield made
    made.close()
