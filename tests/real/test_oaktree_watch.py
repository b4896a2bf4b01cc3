"""A watch of a real server, from its build to its end, through an oaktree before two real clouds."""

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from openstack.config import OpenStackConfig
from openstack.connection import Connection
from tests.oaktree.watched import PACE, Reader, served

from openstackoid.lab import Lab

# openstacksdk warns its own code of what it will drop.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


@pytest.fixture
def nova(lab: Lab) -> Iterator[Any]:
    config = OpenStackConfig(config_files=[str(lab.clouds_yaml)])
    with Connection(config=config.get_one("CloudOne")) as connection:
        yield connection


@pytest.fixture
def server(nova: Any) -> Iterator[Any]:
    """A server that is just being built."""
    made = nova.compute.create_server(
        name="watched",
        image_id=next(iter(nova.image.images())).id,
        flavor_id=next(iter(nova.compute.flavors())).id,
        networks="none",
    )
    try:
        yield made
    finally:
        nova.compute.delete_server(made, ignore_missing=True)


async def test_a_real_server_is_watched_from_its_build_to_its_end(lab: Lab, nova: Any, server: Any) -> None:
    pace = dataclasses.replace(PACE, interval=0.5)
    async with served(lab.clouds_yaml, {}, pace=pace) as stage:
        every: Reader = stage.watch(cloud="CloudOne")
        active = await stage.watch("watched", cloud="CloudOne", status="ACTIVE").rest()
        changes = [change for change, _, _ in active]
        assert (changes[0], changes[-1]) == ("CURRENT", "REACHED")
        assert set(changes[1:-1]) <= {"UPDATED"}
        assert {server_id for _, server_id, _ in active} == {server.id}
        assert active[-1][2] == "ACTIVE"
        gone = stage.watch(server.id, cloud="CloudOne", gone=True)
        first = await gone.next()
        assert (first.server.name, first.server.location.cloud) == ("watched", "CloudOne")
        assert first.server.location.project == "demo"
        await asyncio.to_thread(nova.compute.delete_server, server)
        assert [change for change, _, _ in (await gone.rest())[-2:]] == ["DELETED", "REACHED"]
        heard: list[tuple[str, str, str]] = []
        while not heard or heard[-1][:2] != ("DELETED", server.id):
            heard.append(await every.word())
        assert heard[0][0] == "CURRENT"
