"""A fresh database of each kind, for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
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


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'trust.sqlite'}"
    server: Server = request.getfixturevalue(f"{request.param}_server")
    return server.database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store whose tables are there."""
    made = Store(url)
    made.upgrade()
    yield made
    made.close()
