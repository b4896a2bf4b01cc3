"""Changes in several clouds, with the stock client on real clouds: in every cloud or in none, and all members by the id of one."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from tests.volume import FULL

from openstackoid.core.partial import read_members
from openstackoid.lab import Lab

from .conftest import CLOUDS, User
from .http_client import HttpClient
from .tools import until

pytestmark = pytest.mark.topologies("pass-through")

EVERYWHERE: Final = " & ".join(CLOUDS)
KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJaJrPsCVxhzDC9HXVbQTJXFDDHPxJhb2GbGkA9aPq5l alice"


def scoped(command: str, *services: str, clouds: str = EVERYWHERE) -> str:
    return f"openstack {command} --os-scope '{json.dumps(dict.fromkeys(services, clouds))}'"


LISTS: Final = {
    "network": "/v2.0/networks",
    "subnet": "/v2.0/subnets",
    "keypair": "/v2.1/os-keypairs",
    "image": "/v2/images?limit=100",
    "server": "/v2.1/servers",
}


@pytest.fixture(scope="module")
def http(alice: User) -> HttpClient:
    return HttpClient(alice)


def names(http: HttpClient, kind: str, service: str) -> dict[str, list[str]]:
    """The names of things of a kind in each cloud by itself."""
    documents = {cloud: http.ask("GET", service, LISTS[kind], cloud) for cloud in CLOUDS}
    key = f"{kind}s"
    return {cloud: [item.get(kind, item)["name"] for item in listed[key]] for cloud, listed in documents.items()}


def test_a_network_and_its_subnet_in_every_cloud(lab: Lab, alice: User, http: HttpClient) -> None:
    network = alice.json(scoped("network create all --description mine", "network"))
    assert network["description"] == "mine"
    subnet = alice.json(
        scoped(f"subnet create all --network {network['id']} --subnet-range 10.77.0.0/24 --no-dhcp", "network")
    )
    members = _members(lab, alice, "network", f"/v2.0/networks/{network['id']}")
    assert (sorted(members), members["CloudOne"]) == (sorted(CLOUDS), network["id"])
    for cloud, member in members.items():
        shown = http.ask("GET", "network", f"/v2.0/networks/{member}", cloud)["network"]
        assert (shown["name"], shown["description"], len(shown["subnets"])) == ("all", "mine", 1)
    replica = next(
        row for row in alice.json("openstack replica list") if f"CloudOne: {network['id']}" in row["Members"]
    )
    checked = alice.json(f"openstack replica check {replica['ID']}")
    assert [(row["Cloud"], row["ID"], row["State"]) for row in checked] == [
        (cloud, members[cloud], "there") for cloud in sorted(CLOUDS)
    ]
    alice.ok(scoped(f"network set {members['CloudThree']} --name renamed", "network"))
    assert all("renamed" in found for found in names(http, "network", "network").values())
    # One cloud refuses a range that it has in this network already: what the others made is deleted again.
    alice.ok(
        f"openstack subnet create there --network {members['CloudTwo']} --subnet-range 10.78.0.0/24 --os-scope network=CloudTwo"
    )
    refused = alice.run(scoped(f"subnet create here --network {network['id']} --subnet-range 10.78.0.0/24", "network"))
    assert refused.returncode != 0
    assert "CloudTwo answered 400" in refused.stderr
    assert "It is in no cloud." in refused.stderr
    assert not any("here" in found for found in names(http, "subnet", "network").values())
    alice.ok("openstack subnet delete there --os-scope network=CloudTwo")
    alice.ok(scoped(f"subnet delete {subnet['id']}", "network"))
    alice.ok(scoped(f"network delete {members['CloudTwo']}", "network"))
    assert not any("renamed" in found for found in names(http, "network", "network").values())


def _members(lab: Lab, alice: User, service: str, path: str) -> dict[str, str]:
    answer = requests.get(
        f"{lab.clouds['CloudOne'].frontend(service)}{path}",
        headers={"X-Auth-Token": alice.token(), "X-Scope": json.dumps({service: EVERYWHERE})},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return read_members(answer.headers["X-Scope-Replicas"])


def test_a_keypair_that_one_cloud_has_is_made_in_none(alice: User, http: HttpClient, tmp_path: Any) -> None:
    (tmp_path / "key.pub").write_text(KEY)
    create = f"keypair create several --public-key {tmp_path / 'key.pub'}"
    alice.ok(f"openstack {create} --os-scope compute=CloudThree")
    refused = alice.run(scoped(create, "compute"))
    assert refused.returncode != 0
    assert "CloudThree has compute.keypair several already" in refused.stderr
    found = names(http, "keypair", "compute")
    assert [cloud for cloud, keys in found.items() if "several" in keys] == ["CloudThree"]
    alice.ok("openstack keypair delete several --os-scope compute=CloudThree")
    alice.ok(scoped(create, "compute"))
    assert all("several" in keys for keys in names(http, "keypair", "compute").values())
    alice.ok(scoped("keypair delete several", "compute"))
    assert not any("several" in keys for keys in names(http, "keypair", "compute").values())


def test_one_upload_for_every_cloud(alice: User, http: HttpClient, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(os.urandom(3_000_000))
    command = f"image create --file {data} --disk-format raw --container-format bare everywhere"
    image = alice.json(scoped(command, "image"))["id"]
    shown = [http.ask("GET", "image", f"/v2/images/{image}", cloud) for cloud in CLOUDS]
    assert {one["status"] for one in shown} == {"active"}
    assert {one["checksum"] for one in shown} == {hashlib.md5(data.read_bytes(), usedforsecurity=False).hexdigest()}
    alice.ok(scoped(f"image delete {image}", "image"))
    assert not any("everywhere" in found for found in names(http, "image", "image").values())


@pytest.mark.topologies("each")
def test_an_image_is_copied_to_clouds_of_other_owners(alice: User, http: HttpClient, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(os.urandom(3_000_000))
    create = (
        f"openstack image create --file {data} --disk-format raw --container-format bare --property hw_disk_bus=scsi"
    )
    original = alice.json(f"{create} travels --os-scope image=CloudTwo")["id"]
    rows = alice.json("openstack image copy travels --from CloudTwo --to CloudOne,CloudThree")
    assert [(row["Cloud"], row["Result"]) for row in rows] == [("CloudOne", "copied"), ("CloudThree", "copied")]
    again = alice.json(f"openstack image copy {original} --from CloudTwo --to CloudOne,CloudThree")
    assert [(row["ID"], row["Result"]) for row in again] == [(row["ID"], "is there") for row in rows]
    ids = {row["Cloud"]: row["ID"] for row in rows} | {"CloudTwo": original}
    for cloud, image in ids.items():
        shown = http.ask("GET", "image", f"/v2/images/{image}", cloud)
        assert (shown["status"], shown["hw_disk_bus"]) == ("active", "scsi")
        assert shown["checksum"] == hashlib.md5(data.read_bytes(), usedforsecurity=False).hexdigest()
        assert not shown["os_hidden"]
        http.ask("DELETE", "image", f"/v2/images/{image}", cloud)


def test_a_server_in_every_cloud_from_one_image(alice: User, http: HttpClient, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(os.urandom(100_000))
    upload = f"image create --file {data} --disk-format raw --container-format bare boots"
    image = alice.json(scoped(upload, "image"))["id"]
    flavors = {
        cloud: flavor["id"]
        for cloud in CLOUDS
        for flavor in http.ask("GET", "compute", "/v2.1/flavors", cloud)["flavors"]
        if flavor["name"] == "m1.tiny"
    }
    adopted = " ".join(f"{cloud}={flavor}" for cloud, flavor in flavors.items())
    replica = alice.json(f"openstack replica adopt flavor {adopted}")["id"]
    services = ("compute", "image", "network")
    create = f"server create --image {image} --flavor {flavors['CloudOne']} --no-network --wait web"
    server = alice.json(scoped(f"{create} --os-compute-api-version 2.37", *services))
    assert server["status"] == "ACTIVE"
    assert all("web" in servers for servers in names(http, "server", "compute").values())

    path = "/v2.1/servers/detail?name=web"

    def states() -> set[str]:
        servers = [http.ask("GET", "compute", path, cloud)["servers"] for cloud in CLOUDS]
        assert [len(found) for found in servers] == [1] * len(CLOUDS)
        return {found[0]["status"] for found in servers}

    rows = alice.json(scoped("server list --name web", *services))
    assert {row["Status"] for row in rows} == {"ACTIVE"}
    alice.ok(scoped(f"server stop {server['id']}", *services))
    until(lambda: states() == {"SHUTOFF"})
    assert alice.json(scoped(f"server show {server['id']}", *services))["status"] == "SHUTOFF"
    alice.ok(scoped(f"server delete {server['id']} --wait", *services))
    assert [http.ask("GET", "compute", path, cloud)["servers"] for cloud in CLOUDS] == [[], [], []]
    alice.ok(f"openstack replica forget {replica}")
    alice.ok(scoped(f"image delete {image}", "image"))


# What a name means does not depend on how tokens cross: in clouds of one owner, too, with the full volume.
@pytest.mark.topologies("each", *(("pass-through",) if FULL else ()))
@pytest.mark.parametrize("services", [("compute",), ("compute", "image", "network")], ids=" ".join)
def test_a_server_in_two_clouds_of_what_has_these_names_there(
    alice: User, http: HttpClient, services: tuple[str, ...]
) -> None:
    """The network is a replica, the image and the flavor are of each cloud; with compute alone, both boot the image of the entry cloud."""
    two = CLOUDS[:2]
    clouds = " & ".join(two)
    alice.ok(scoped("network create by-name", "network", clouds=clouds))
    alice.ok(scoped("subnet create by-name --network by-name --subnet-range 10.81.0.0/24", "network", clouds=clouds))
    create = "server create by-name --flavor m1.tiny --image cirros --network by-name --wait"
    server = alice.json(scoped(create, *services, clouds=clouds))
    assert server["status"] == "ACTIVE"

    def state(cloud: str) -> list[tuple[str, list[str]]]:
        scope = json.dumps(dict.fromkeys(("compute", "network", "placement"), cloud))
        servers = http.ask("GET", "compute", "/v2.1/servers/detail?name=by-name", scope)["servers"]
        return [(server["status"], list(server["addresses"])) for server in servers]

    until(lambda: all(state(cloud) == [("ACTIVE", ["by-name"])] for cloud in two))
    assert state(CLOUDS[2]) == []
    alice.ok(scoped(f"server delete {server['id']} --wait", *services, clouds=clouds))
    until(lambda: not any(state(cloud) for cloud in two))
    alice.ok(scoped("network delete by-name", "network", clouds=clouds))
    assert not any("by-name" in found for found in names(http, "network", "network").values())
