"""What the product promises, as a member who exists in CloudOne only; audit trails and the clouds' own databases agree."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.volume import FULL

from openstackoid.lab import Lab

from .conftest import ELSEWHERE, User
from .tools import EXCHANGE

# Projects and owners differ by topology; where data goes depends on how tokens cross alone: in "same", as in "each", with the full volume.
pytestmark = pytest.mark.topologies("each", *(("same",) if FULL else ()), "pass-through")
federated_labs = pytest.mark.topologies("each", *(("same",) if FULL else ()))
every_lab = pytest.mark.topologies("each", "same", "pass-through")

Rows = Callable[[str, str, str], set[str]]
Audit = Callable[..., list[dict[str, Any]]]
ACTIVE = "select id from images where deleted = 0 and status = 'active'"
SERVERS = "select uuid from instances where deleted = 0"


def test_images_of_the_other_cloud(alice: User, rows: Rows, audit: Audit, tmp_path: Path) -> None:
    names = {image["Name"] for image in alice.json("openstack image list --os-scope image=CloudTwo")}
    assert "cirros-cloudtwo" in names
    assert "cirros-cloudone" not in names

    data = tmp_path / "data"
    data.write_bytes(os.urandom(3_000_000))
    image = alice.json(
        f"openstack image create --file {data} --disk-format raw --container-format bare mine --os-scope image=CloudTwo"
    )["id"]
    assert image in rows("CloudTwo", "glance", ACTIVE)
    assert image not in rows("CloudOne", "glance", "select id from images")
    assert alice.run(f"openstack image show {image}").returncode != 0

    saved = tmp_path / "saved"
    alice.ok(f"openstack image save --file {saved} {image} --os-scope image=CloudTwo")
    assert hashlib.sha256(saved.read_bytes()).digest() == hashlib.sha256(data.read_bytes()).digest()

    alice.ok(f"openstack image delete {image} --os-scope image=CloudTwo")
    assert image not in rows("CloudTwo", "glance", ACTIVE)
    for method, path in (
        ("PUT", f"/v2/images/{image}/file"),
        ("GET", f"/v2/images/{image}/file"),
        ("DELETE", f"/v2/images/{image}"),
    ):
        left = audit("CloudOne", method=method, path=path, decision="remote", peer="CloudTwo")
        came = audit("CloudTwo", method=method, path=path, decision="local")
        assert left, (method, path)
        assert {line["global_request_id"] for line in left} == {line["global_request_id"] for line in came}


@federated_labs
def test_a_network_in_the_other_cloud(alice: User, rows: Rows) -> None:
    network = alice.json("openstack network create elsewhere --os-scope network=CloudTwo")["id"]
    every = "select id from networks"
    assert network in rows("CloudTwo", "neutron", every)
    assert network not in rows("CloudOne", "neutron", every)
    assert network in {row["ID"] for row in alice.json("openstack network list --os-scope network=CloudTwo")}
    assert network not in {row["ID"] for row in alice.json("openstack network list")}
    alice.ok(f"openstack network delete {network} --os-scope network=CloudTwo")
    assert network not in rows("CloudTwo", "neutron", every)


@every_lab
def test_what_is_made_there_is_seen_as_ones_own(lab: Lab, alice: User, rows: Rows) -> None:
    """Users never learn how the other cloud calls them: what it keeps is its own matter."""
    user, project = alice.ids
    image = alice.json("openstack image create --disk-format raw --container-format bare own --os-scope image=CloudTwo")
    network = alice.json("openstack network create own --os-scope network=CloudTwo")
    shown = alice.json(f"openstack network show {network['id']} --os-scope network=CloudTwo")
    assert {image["owner"], network["project_id"], shown["project_id"]} == {project}
    kept = rows("CloudTwo", "neutron", f"select project_id from networks where id = '{network['id']}'")
    assert kept == rows("CloudTwo", "glance", f"select owner from images where id = '{image['id']}'")
    if lab.state.federated and lab.state.projects == "each":
        stands_for_it = f"select local_id from projects where peer = 'CloudOne' and foreign_id = '{project}'"
        assert kept == rows("CloudTwo", "trust", stands_for_it)
        assert kept <= rows("CloudTwo", "keystone", "select id from project")
    else:
        assert kept == {project}
    assert user not in rows("CloudTwo", "keystone", "select id from user")
    alice.ok(f"openstack image delete {image['id']} --os-scope image=CloudTwo")
    alice.ok(f"openstack network delete {network['id']} --os-scope network=CloudTwo")


def test_a_server_here_from_an_image_there(lab: Lab, alice: User, rows: Rows, audit: Audit) -> None:
    server = alice.json(
        "openstack server create vm --image cirros-cloudtwo --flavor m1.tiny --network private --wait"
        """ --os-scope '{"image": "CloudTwo"}'"""
    )
    assert server["status"] == "ACTIVE"
    assert server["id"] in rows("CloudOne", "nova", SERVERS)
    assert server["id"] not in rows("CloudTwo", "nova", SERVERS)
    downloads = [
        line
        for line in audit("CloudOne", service="image", decision="remote", status=200)
        if line["path"].endswith("/file")
    ]
    assert downloads, "nova-compute downloaded the image from somewhere else"
    request = downloads[-1]
    assert audit("CloudTwo", path=request["path"], global_request_id=request["global_request_id"], decision="local")
    # CloudTwo's middleware asks its own gateway, which asks CloudOne where tokens pass through. A federated one says all itself.
    asked = audit("CloudTwo", service="identity", decision="remote", peer="CloudOne", status=200)
    assert bool(asked) is not lab.state.federated
    assert audit("CloudTwo", service="identity", home="CloudOne", status=200) or asked
    alice.ok(f"openstack server delete --wait {server['id']}")
    assert server["id"] not in rows("CloudOne", "nova", SERVERS)


@pytest.fixture(scope="module")
def network(alice: User) -> Iterator[str]:
    found: str = alice.json(f"openstack network create net --os-scope {ELSEWHERE}")["id"]
    alice.ok(f"openstack subnet create sub --network {found} --subnet-range 10.99.0.0/24 --os-scope {ELSEWHERE}")
    yield found
    alice.ok(f"openstack network delete {found} --os-scope {ELSEWHERE}")


@every_lab
def test_a_server_there_with_identity_and_image_of_here(
    lab: Lab, alice: User, rows: Rows, network: str, audit: Audit
) -> None:
    server = alice.json(
        f"openstack server create vm --image cirros-cloudone --flavor m1.tiny --network {network} --wait --os-scope {ELSEWHERE}"
    )
    assert server["status"] == "ACTIVE"
    assert server["id"] in rows("CloudTwo", "nova", SERVERS)
    assert server["id"] not in rows("CloudOne", "nova", SERVERS)
    assert server["id"] in {row["ID"] for row in alice.json(f"openstack server list --os-scope {ELSEWHERE}")}
    assert server["id"] not in {row["ID"] for row in alice.json("openstack server list")}
    assert (server["user_id"], server["project_id"]) == alice.ids
    if lab.state.federated:
        # Nova there asks home's neutron for its ports; what home says about that reaches the user.
        half = alice.run("openstack server list --os-scope compute=CloudTwo")
        assert half.returncode == 1
        assert "A service of CloudTwo asks CloudOne" in half.stderr
        assert """--os-scope '{"compute":"CloudTwo","network":"CloudTwo"}'""" in half.stderr.replace("\\", "")
        explained = alice.json("openstack scope explain compute --os-scope compute=CloudTwo")
        assert "warning: the scope leaves network in CloudOne" in explained[0]["Why"][-1]
        assert server["id"] in alice.ok("openstack server list --os-scope compute=CloudTwo,network=CloudTwo")
        assert alice.ids[0] not in rows("CloudTwo", "nova", "select user_id from instances")
    # CloudTwo's nova fetched the image from CloudOne.
    assert [
        line
        for line in audit("CloudTwo", service="image", decision="remote", peer="CloudOne")
        if line["path"].endswith("/file")
    ]
    alice.ok(f"openstack server delete --wait {server['id']} --os-scope {ELSEWHERE}")
    assert server["id"] not in rows("CloudTwo", "nova", SERVERS)


@federated_labs
def test_three_clouds(lab: Lab, alice: User, rows: Rows, network: str, audit: Audit) -> None:
    """Entry in one, compute in the second, image in the third."""
    server = alice.json(
        f"openstack server create three --image cirros-cloudthree --flavor m1.tiny --network {network} --wait"
        f" --os-scope {ELSEWHERE},image=CloudThree"
    )
    assert server["status"] == "ACTIVE"
    assert server["id"] in rows("CloudTwo", "nova", SERVERS)
    fetched = [
        line
        for line in audit("CloudTwo", service="image", decision="remote", peer="CloudThree")
        if line["path"].endswith("/file")
    ]
    assert fetched
    assert audit(
        "CloudThree", path=fetched[-1]["path"], global_request_id=fetched[-1]["global_request_id"], decision="local"
    )
    if lab.state.federated:
        # CloudTwo holds no token that CloudThree believes: it had one from the user's home.
        assert audit("CloudOne", path=EXCHANGE, method="POST", status=200)
        assert audit("CloudThree", service="image", home="CloudOne", decision="local", status=200)
    else:
        assert audit("CloudThree", service="identity", decision="remote", peer="CloudOne", status=200)
    alice.ok(f"openstack server delete --wait {server['id']} --os-scope {ELSEWHERE}")


# What is refused before it goes anywhere does not depend on how clouds meet.
@pytest.mark.topologies("each")
def test_a_server_that_cannot_work_is_refused_before_anything_is_sent(alice: User, rows: Rows) -> None:
    before = (
        rows("CloudOne", "nova", "select uuid from instances"),
        rows("CloudTwo", "nova", "select uuid from instances"),
    )
    done = alice.run(
        "openstack server create ill --image cirros --flavor m1.tiny --network private --os-scope compute=CloudTwo"
    )
    assert done.returncode == 1
    assert "compute from CloudTwo, network from CloudOne" in done.stderr
    assert """--os-scope '{"compute":"CloudTwo","network":"CloudTwo","placement":"CloudTwo"}'""" in done.stderr
    assert before == (
        rows("CloudOne", "nova", "select uuid from instances"),
        rows("CloudTwo", "nova", "select uuid from instances"),
    )


@pytest.mark.topologies("each")
@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("image=CloudNine", "knows no cloud CloudNine"),
        ("imgae=CloudTwo", "which no known cloud has. Did you mean image?"),
        ("image=CloudTwo,glance=CloudTwo", "Did you mean image?"),
        ("'image=(CloudOne | CloudTwo) & CloudThree'", "Write the alternatives out"),
        ("'image=Cloud Two'", "Malformed scope"),
    ],
)
def test_bad_scopes_are_told(alice: User, scope: str, told: str) -> None:
    done = alice.run(f"openstack image list --os-scope {scope}")
    assert done.returncode == 1
    assert told in done.stderr
