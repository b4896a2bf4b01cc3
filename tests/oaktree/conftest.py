"""What several files of tests stand on; each is for itself in the module that makes it."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.oaktree import making, people
from tests.oaktree.creator import Oaktree, oaktree
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.shell import Shell, shell
from tests.oaktree.watched import Stage, staged
from tests.oaktree.world import Simulated
from tests.redis_server import RedisServer, redis_server
from tests.trust.conftest import mariadb_server, postgresql_server, url

from openstackoid.oaktree.cache.keys import Key, identity

__all__ = ["mariadb_server", "postgresql_server", "url"]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as made:
        yield made


@pytest.fixture
def key() -> Key:
    """Of an answer that no cache remembers yet."""
    return Key(identity(cloud="one", user_id=os.urandom(8).hex()), "compute.server", b"all")


# In processes of their own.


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    simulated = Simulated(tmp_path_factory.mktemp("clouds"))
    yield simulated
    simulated.stop()


@pytest.fixture(scope="session")
def sh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Two clouds that are well. Tests name what they create, and delete it."""
    with shell(tmp_path_factory.mktemp("well"), "Alpha", "Beta") as made:
        yield made


@pytest.fixture(scope="session")
def ill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One that is well, one whose Nova is out of order."""
    with shell(tmp_path_factory.mktemp("ill"), "Alpha", "Broken", timeout=10) as made:
        made.clouds.tell("Broken", fault="500")
        yield made


# In the test's own.


@pytest.fixture
def ours() -> Iterator[dict[str, making.Cloud]]:
    """Two clouds in which things can be created."""
    with making.clouds("One", "Two") as made:
        yield made


@pytest.fixture
async def tree(tmp_path: Path, ours: dict[str, making.Cloud]) -> AsyncIterator[Oaktree]:
    """An oaktree before them."""
    async with oaktree(tmp_path, clouds_yaml(tmp_path, ours)) as made:
        yield made


@pytest.fixture
def homes() -> Iterator[dict[str, people.Cloud]]:
    """Two clouds, each with a server of alice's and one of bob's."""
    made = {"CloudOne": people.Cloud(), "CloudTwo": people.Cloud()}
    for name, cloud in made.items():
        cloud.boot(f"alice-{name}")
        cloud.boot(f"bob-{name}", tenant_id=people.OTHER)
    yield made
    for cloud in made.values():
        cloud.close()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """One cloud, and an oaktree that watches it."""
    async with staged(tmp_path, "One") as made:
        yield made


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Stage]:
    """The same with two."""
    async with staged(tmp_path, "One", "Two") as made:
        yield made
