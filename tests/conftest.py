"""What holds for all tests: none fails because the machine is busy, and labs start from the same zygotes."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.volume import volume

settings.register_profile("busy", max_examples=volume(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(scope="session", autouse=True)
def zygotes() -> Iterator[None]:
    """OpenStack's services are imported once for all labs: see `openstackoid.lab.services.keeping`."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as alive:
        alive.bind(str(Path(folder) / "alive"))
        alive.listen()
        os.environ["OPENSTACKOID_LAB_ZYGOTES"] = folder
        yield
        del os.environ["OPENSTACKOID_LAB_ZYGOTES"]
