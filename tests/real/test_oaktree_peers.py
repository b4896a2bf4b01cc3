"""An oaktree whose clouds.yaml has CloudOne alone, and CloudOne's gateway, which leads to the others: as Alice, who exists in CloudOne only."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openstack.config import OpenStackConfig
from openstack.connection import Connection
from tests.oaktree.serving import Oaktree, oaktree
from tests.oaktree.test_peers import results, told
from tests.oaktree.test_uploading import requests

from oaktree.v1 import cloud_pb2, compute_pb2, image_pb2, image_pb2_grpc
from oaktree.v1.location_pb2 import Location
from openstackoid.lab import Lab
from openstackoid.oaktree.upstream.credentials import TOKEN

from .conftest import User
from .tools import Config, reconfigured

pytestmark = [
    pytest.mark.topologies("each", "pass-through"),
    # openstacksdk warns its own code of what it will drop.
    pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning"),
]

THERE = "CloudOne:CloudTwo"
Rows = Callable[[str, str, str], set[str]]
Audit = Callable[..., list[dict[str, Any]]]


@pytest.fixture
async def server(lab: Lab, tmp_path: Path) -> AsyncIterator[Oaktree]:
    """For Alice alone, and for users with tokens."""
    entries = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]
    path = tmp_path / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": {"CloudOne": entries["CloudOne"]}}))
    settings = {
        "listen": [f"unix:{tmp_path}/s/oaktree.sock"],
        "peers": {"of": ["CloudOne"]},
        "callers": {"local": True, "tokens": True},
        "timeout": 60,
    }
    async with oaktree(path, settings) as made:
        yield made


@pytest.fixture
def made(alice: User) -> Iterator[list[tuple[str, str]]]:
    """(kind, id) of what a test makes in CloudTwo."""
    things: list[tuple[str, str]] = []
    yield things
    for kind, number in things:
        alice.run(f"openstack {kind} delete {number} --os-scope compute=CloudTwo,image=CloudTwo,network=CloudTwo")


def images(server: Oaktree) -> Any:
    return image_pb2_grpc.ImageServiceStub(server.channel)


async def listed(server: Oaktree, *metadata: tuple[str, str]) -> tuple[set[tuple[str, str]], dict[str, Any]]:
    """(cloud, name) of all images, and what became of each cloud's part."""
    found, last = set(), None
    async for each in images(server).ListImages(image_pb2.ListImagesRequest(), metadata=metadata, timeout=120):
        found |= {(image.location.cloud, image.name) for image in each.images}
        last = each
    assert last is not None
    return found, results(last.summary)


async def test_images_of_everywhere(server: Oaktree, alice: User) -> None:
    for metadata in ((), ((TOKEN, f"CloudOne {alice.token()}"),)):
        found, by_cloud = await listed(server, *metadata)
        assert found >= {
            ("CloudOne", "cirros-cloudone"),
            ("CloudOne:CloudTwo", "cirros-cloudtwo"),
            ("CloudOne:CloudThree", "cirros-cloudthree"),
        }
        assert {name: each.error.code for name, each in by_cloud.items()} == {
            "CloudOne": 0, "CloudOne:CloudTwo": 0, "CloudOne:CloudThree": 0,
        }  # fmt: skip
        assert {each.location.region for each in by_cloud.values()} == {"RegionOne"}
        assert not found & {("CloudOne", "cirros-cloudtwo"), ("CloudOne:CloudTwo", "cirros-cloudone")}


async def test_an_image_is_uploaded_there(
    server: Oaktree, made: list[tuple[str, str]], rows: Rows, audit: Audit
) -> None:
    data = bytes(range(256)) * 4096
    upload = images(server).UploadImage(requests(data, "raw", THERE), timeout=120)
    answers = [each async for each in upload]
    found = [each.image for each in answers if each.HasField("image")]
    made += [("image", each.id) for each in found[-1:]]
    assert [(each.location.cloud, each.status, each.size) for each in found[-1:]] == [(THERE, "active", len(data))]
    active = "select id from images where deleted = 0 and status = 'active'"
    assert found[-1].id in rows("CloudTwo", "glance", active)
    assert found[-1].id not in rows("CloudOne", "glance", "select id from images")
    path = f"/v2/images/{found[-1].id}/file"
    assert audit("CloudOne", method="PUT", path=path, decision="remote", peer="CloudTwo")
    assert audit("CloudTwo", method="PUT", path=path, decision="local")
    assert not audit("CloudOne", method="PUT", path=path, decision="local")


async def test_a_server_is_created_there_and_gone_again(
    server: Oaktree, alice: User, made: list[tuple[str, str]], rows: Rows
) -> None:
    flavors = alice.json("openstack flavor list --os-scope compute=CloudTwo")
    cirros = alice.json("openstack image list --os-scope image=CloudTwo")
    request = compute_pb2.CreateServerRequest(
        locations=[Location(cloud=THERE)],
        server=compute_pb2.Server(name="there", flavor_id=flavors[0]["ID"], image_id=cirros[0]["ID"]),
    )
    request.server.networks.string_value = "none"
    request.options.wait = True
    answers = [each async for each in server.compute.CreateServer(request, timeout=180)]
    found = [each.server for each in answers if each.HasField("server")]
    made += [("server", each.id) for each in found[-1:]]
    assert [(each.location.cloud, each.status) for each in found[-1:]] == [(THERE, "ACTIVE")]
    alive = "select uuid from instances where deleted = 0"
    assert found[-1].id in rows("CloudTwo", "nova", alive)
    assert found[-1].id not in rows("CloudOne", "nova", alive)
    assert (await server.servers(locations=[{"cloud": THERE}]))[0] == {(THERE, "there")}
    assert (THERE, "there") in (await server.servers())[0]
    await server.compute.DeleteServer(
        compute_pb2.DeleteServerRequest(location=Location(cloud=THERE), id=found[-1].id), timeout=120
    )
    until = compute_pb2.WatchServerRequest(location=Location(cloud=THERE), id=found[-1].id)
    until.until.gone = True
    async for _ in server.compute.WatchServer(until, timeout=120):
        pass
    assert found[-1].id not in rows("CloudTwo", "nova", alive)


@pytest.mark.topologies("each")
async def test_what_the_agreement_forbids_is_told_with_the_reason(server: Oaktree, lab: Lab) -> None:
    def without(config: Config) -> None:
        config["peers"]["CloudOne"]["allow"]["services"] = ["network"]

    with reconfigured(lab, CloudTwo=without):
        found, by_cloud = await listed(server)
        reason, message = told(by_cloud[THERE].error)
        assert reason == "CLOUD_FORBIDDEN"
        assert "CloudTwo's agreement with CloudOne has no rule that allows GET image /v2/images" in message
        assert {cloud for cloud, _ in found} == {"CloudOne", "CloudOne:CloudThree"}
        assert not by_cloud["CloudOne"].error.code


async def test_the_way_past_the_api(server: Oaktree, lab: Lab) -> None:
    request = cloud_pb2.GetRestInfoRequest(location=Location(cloud=THERE), service="image")
    info = await server.clouds.GetRestInfo(request, timeout=60)
    with Connection(config=OpenStackConfig(config_files=[str(lab.clouds_yaml)]).get_one("CloudOne")) as plain:
        answer = plain.session.get(
            f"{info.root_url.rstrip('/')}/images", headers=dict(info.headers), authenticated=False
        )
    assert "cirros-cloudtwo" in {each["name"] for each in answer.json()["images"]}
