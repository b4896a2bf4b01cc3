"""Creates in real clouds at once: images in the format that each wants, servers, and a server that is killed in the middle."""

import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openstack.config import OpenStackConfig
from openstack.connection import Connection
from tests.oaktree.creator import CREATED, DONE, UNDONE, all_of, oaktree, request
from tests.oaktree.process import SLOW, Server, drain, retried
from tests.oaktree.test_uploading import requests
from tests.oaktree.upstream import until
from tests.volume import volume

from oaktree.v1 import common_pb2, operation_pb2
from oaktree.v1.common_pb2 import Stage
from openstackoid.lab import Lab

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
CLOUDS = ("CloudOne", "CloudTwo")


@pytest.fixture
def clouds_file(lab: Lab, tmp_path: Path) -> Path:
    """Two of the clouds; the second wants raw images."""
    entries = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]
    chosen = {name: entries[name] for name in CLOUDS}
    chosen["CloudTwo"] |= {"image_format": "raw"}
    path = tmp_path / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": chosen}))
    return path


@pytest.fixture
def connections(clouds_file: Path) -> Iterator[dict[str, Any]]:
    config = OpenStackConfig(config_files=[str(clouds_file)])
    made: dict[str, Any] = {name: Connection(config=config.get_one(name)) for name in CLOUDS}
    yield made
    for each in made.values():
        for server in each.compute.servers():
            if server.name == "made":
                each.compute.delete_server(server)
        each.close()


async def test_an_image_goes_to_each_cloud_in_its_format_and_back(
    clouds_file: Path, connections: dict[str, Any], tmp_path: Path
) -> None:
    subprocess.run(["qemu-img", "create", "-f", "qcow2", tmp_path / "disk", "2M"], check=True, capture_output=True)
    async with oaktree(tmp_path, clouds_file) as tree:
        told = await all_of(tree.image.UploadImage(requests((tmp_path / "disk").read_bytes(), "qcow2")), "image")
        assert not told.errors()
        shown = {each.location.cloud: each for each in told.resources}
        assert [shown[name].disk_format for name in CLOUDS] == ["qcow2", "raw"]
        for name in CLOUDS:
            image = connections[name].image.get_image(shown[name].id)
            assert (image.status, image.size) == ("active", shown[name].size)
            assert told.stages(name)[-1] == DONE
        assert shown["CloudTwo"].size == 2 * 1024**2
        undone = await tree.operations.UndoOperation(operation_pb2.UndoOperationRequest(id=told.operation))
        assert {each.stage for each in undone.operation.parts} == {UNDONE}
    for name in CLOUDS:
        assert connections[name].image.find_image(shown[name].id) is None


def a_server(connections: dict[str, Any], cloud: str, key: str) -> Any:
    """A request for a server that this cloud can have."""
    ask = request("made", cloud, key=key, wait=True)
    ask.server.flavor_id = next(iter(connections[cloud].compute.flavors())).id
    ask.server.image_id = next(iter(connections[cloud].image.images())).id
    ask.server.networks.string_value = "none"
    return ask


async def test_a_server_is_created_once_and_waited_for(
    clouds_file: Path, connections: dict[str, Any], tmp_path: Path
) -> None:
    async with oaktree(tmp_path, clouds_file) as tree:
        for name in CLOUDS:
            ask = a_server(connections, name, f"key-{name}")
            first = await all_of(tree.compute.CreateServer(ask))
            again = await all_of(tree.compute.CreateServer(ask))
            assert not first.errors()
            assert first.stages(name)[-1] == DONE
            assert first.resources[0].admin_password
            assert first.resources[-1].status == "ACTIVE"
            assert {each.id for each in again.resources} == {first.resources[0].id}
            assert [each.name for each in connections[name].compute.servers()].count("made") == 1


def test_killed_while_real_clouds_create_nothing_is_there_twice(
    clouds_file: Path, connections: dict[str, Any], tmp_path: Path
) -> None:
    """Killed as soon as the request is on record: the cloud may have it, or not, or just be at it."""
    server = Server(tmp_path, clouds_file, settle=5)
    try:
        for number in range(volume(3)):
            ask = a_server(connections, "CloudOne", f"killed-{number}")
            ask.options.CopyFrom(common_pb2.CreateOptions(idempotency_key=f"killed-{number}"))
            call = server.compute.CreateServer(ask, timeout=SLOW)
            operation = next(call).progress.operation_id
            until(lambda operation=operation: sent(tmp_path, operation), SLOW)  # type: ignore[misc]
            server.kill()
            drain(call)
            server.start()
            assert retried(server.compute.CreateServer(ask, timeout=2 * SLOW)) == {"CloudOne": CREATED}
            assert [each.name for each in connections["CloudOne"].compute.servers()].count("made") == number + 1
    finally:
        server.kill()


def sent(folder: Path, operation: str) -> bool:
    with sqlite3.connect(folder / "operations.sqlite") as database:
        chosen = "SELECT 1 FROM oaktree_parts WHERE operation = ? AND stage = ?"
        return database.execute(chosen, (operation, Stage.STAGE_SENT)).fetchone() is not None
