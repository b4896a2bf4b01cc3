"""A lab of two real clouds for the tests that break it on purpose; they leave it as it was."""

from collections.abc import Iterator

import pytest
from tests import commands

from openstackoid.lab import Lab

ADDRESS = "127.0.51.0"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    # A deep folder: sockets cannot have so long a path.
    made = Lab(tmp_path_factory.mktemp("lab") / ("deep" * 15), ["Alpha", "Beta"], ADDRESS, spawn=commands.spawn)
    folders = [cloud.haproxy for cloud in made.clouds.values()]
    try:
        made.up(print)
        yield made
    finally:
        # As it is by then: a test has added a cloud.
        Lab(made.directory).reset()
    assert not any(folder.exists() for folder in [made.directory, *folders])
