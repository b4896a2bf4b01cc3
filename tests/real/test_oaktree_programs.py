"""Programs of few lines through an oaktree before two real clouds: a group by names, openstacksdk, and a cloud's own API with oaktree's token."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openstack.config import OpenStackConfig
from openstack.connection import Connection
from tests.oaktree.shell import PROGRAM
from tests.oaktree.toolchains import ruby
from tests.oaktree.world import Oaktree

from openstackoid.lab import Lab

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
CLOUDS = ("CloudOne", "CloudTwo")
GROUP = """
net: {kind: network, attributes: {name: grouped}}
sub: {kind: subnet, attributes: {name: grouped, network_id: "${net.id}", ip_version: 4, cidr: 10.77.0.0/24}}
web: {kind: server, attributes: {name: grouped, image: cirros, flavor: m1.tiny, network: "${sub.network_id}"}}
"""


@pytest.fixture
def tree(lab: Lab, tmp_path: Path) -> Iterator[Oaktree]:
    """Before two of the clouds, and as an admin of the first."""
    entries = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]
    path = tmp_path / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": {name: entries[name] for name in (*CLOUDS, "CloudOne-admin")}}))
    server = Oaktree(tmp_path, path)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def through(tree: Oaktree, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """openstacksdk through the oaktree, a connection for each cloud; at the end the group's resources are deleted."""
    file = tmp_path / "through.yaml"
    entry = {"auth_type": "oaktree", "auth": {"oaktree_target": tree.address, "oaktree_plaintext": True}}
    file.write_text(yaml.safe_dump({"clouds": {"all": entry}}))
    config = OpenStackConfig(config_files=[str(file)])
    made: dict[str, Any] = {name: Connection(config=config.get_one("all", region_name=name)) for name in CLOUDS}
    yield made
    for connection in made.values():
        for server in connection.compute.servers(name="grouped"):
            connection.compute.delete_server(server)
            connection.compute.wait_for_delete(server, wait=120)
        for network in connection.network.networks(name="grouped"):
            connection.network.delete_network(network)
        connection.close()


def build(tree: Oaktree, members: str, *words: str) -> "subprocess.CompletedProcess[str]":
    places = [word for name in CLOUDS for word in ("--location", name)]
    return subprocess.run(
        [*PROGRAM, "call", "group", "build", "-", *places, "--plaintext", "-f", "json", *words],
        env=os.environ | {"OAKTREE_TARGET": tree.address},
        input=members,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_a_group_by_names_is_in_both_clouds_for_openstacksdk(tree: Oaktree, through: dict[str, Any]) -> None:
    done = build(tree, GROUP, "--idempotency-key", "grouped")
    assert done.returncode == 0, done.stderr
    parts = json.loads(done.stdout)
    assert {(part["location"]["cloud"], part["member"], part["stage"]) for part in parts} == {
        (name, member, "done") for name in CLOUDS for member in ("net", "sub", "web")
    }
    for name, connection in through.items():
        [server] = connection.compute.servers(name="grouped")
        [network] = connection.network.networks(name="grouped")
        assert server.status == "ACTIVE"
        assert list(server.addresses) == ["grouped"]
        assert {part["id"] for part in parts if part["location"]["cloud"] == name} >= {server.id, network.id}
        assert connection.compute.find_server("grouped").id == server.id
    again = build(tree, GROUP, "--idempotency-key", "grouped")
    assert again.returncode == 0, again.stderr
    assert [len(list(connection.compute.servers(name="grouped"))) for connection in through.values()] == [1, 1]


def test_a_group_of_which_a_part_fails_is_nowhere(tree: Oaktree, through: dict[str, Any]) -> None:
    # An image of the first cloud alone.
    done = build(tree, GROUP.replace("image: cirros", "image: cirros-cloudone"), "--undo")
    assert done.returncode in (1, 3)
    assert "CloudTwo" in done.stderr
    for connection in through.values():
        assert not list(connection.compute.servers(name="grouped"))
        assert not list(connection.network.networks(name="grouped"))


def test_a_clouds_own_api_has_what_oaktree_lacks(tree: Oaktree) -> None:
    programs = ruby()
    command = [*programs.rest, tree.address, "CloudOne-admin", ""]
    environment = os.environ | programs.environment
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "count" in json.loads(done.stdout)["hypervisor_statistics"]
