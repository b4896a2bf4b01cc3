"""One request for a server in all clouds, by names that each of them looks up: typed, generic, with floating IPs and from volumes."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2
from tests.oaktree.installed import example
from tests.oaktree.whole_cloud import WholeCloud, World, two_clouds

from oaktree.v1 import compute_pb2, operation_pb2, resource_pb2
from oaktree.v1.common_pb2 import CreateOptions
from oaktree.v1.compute_pb2 import ServerSetup
from oaktree.v1.location_pb2 import Location

LONG = 60.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with two_clouds(tmp_path_factory.mktemp("setups")) as made:
        yield made


@pytest.fixture
def world(served: World) -> World:
    for cloud in served.clouds.values():
        cloud.reset()
    return served


def created(world: World, **parts: Any) -> Any:
    """The summary of a create of server `web`."""
    request = compute_pb2.CreateServerRequest(server=compute_pb2.Server(name="web"), **parts)
    return list(world.client.compute.CreateServer(request, timeout=LONG))[-1].summary


def failures(summary: Any) -> dict[str, str]:
    return {each.location.cloud: each.error.message for each in summary.results if each.HasField("error")}


def sent(cloud: WholeCloud, kind: str = "servers") -> dict[str, Any]:
    """The only thing of this kind that was created there."""
    [document] = [document for name, document in cloud.posted if name == kind]
    return document


def test_this_server_in_all_clouds_is_one_request(world: World) -> None:
    setup = ServerSetup(image="cirros", flavor="small", networks=["private"], security_groups=["default"])
    summary = created(world, setup=setup)
    assert not failures(summary)
    for cloud in world.clouds.values():
        document = sent(cloud)
        assert document["imageRef"] == cloud.id("images", "cirros")
        assert document["flavorRef"] == cloud.id("flavors", "small")
        assert document["networks"] == [{"uuid": cloud.id("networks", "private")}]
        assert document["security_groups"] == [{"name": "default"}]
    assert len({cloud.id("images", "cirros") for cloud in world.clouds.values()}) == 2


def test_ids_are_names_too(world: World) -> None:
    one = world.clouds["one"]
    setup = ServerSetup(image=one.id("images", "cirros"), flavor=one.id("flavors", "small"))
    summary = created(world, setup=setup, locations=[Location(cloud="one")])
    assert not failures(summary)
    assert sent(one)["imageRef"] == one.id("images", "cirros")


def test_by_the_generic_call_as_openstacksdk_names_them(world: World) -> None:
    attributes = struct_pb2.Struct()
    attributes.update({"name": "web", "image": "cirros", "flavor": "small", "network": "private", "key_name": "mine"})
    request = resource_pb2.CreateResourceRequest(
        resource=resource_pb2.Resource(kind="compute.server", attributes=attributes)
    )
    summary = list(world.client.resources.CreateResource(request, timeout=LONG))[-1].summary
    assert not failures(summary)
    for cloud in world.clouds.values():
        document = sent(cloud)
        assert document["imageRef"] == cloud.id("images", "cirros")
        assert document["networks"] == [{"uuid": cloud.id("networks", "private")}]
        assert document["key_name"] == "mine"


def test_a_name_that_one_cloud_lacks_fails_there_before_anything_is_created(world: World) -> None:
    world.clouds["one"].add("images", "fedora", status="active")
    setup = ServerSetup(image="fedora", flavor="small")
    summary = created(world, setup=setup)
    assert set(failures(summary)) == {"two"}
    assert "image.image 'fedora' is not in two/RegionOne" in failures(summary)["two"]
    assert world.clouds["two"].posted == []
    assert sent(world.clouds["one"])["name"] == "web"


def test_a_name_that_several_have_is_refused(world: World) -> None:
    world.clouds["two"].add("networks", "private", **{"router:external": False})
    summary = created(world, setup=ServerSetup(image="cirros", flavor="small", networks=["private"]))
    assert "has several of network.network 'private'" in failures(summary)["two"]
    assert set(failures(summary)) == {"two"}


def test_from_a_new_volume(world: World) -> None:
    setup = ServerSetup(image="cirros", flavor="small", boot_from_volume=True, volume_size=7, terminate_volume=True)
    assert not failures(created(world, setup=setup))
    for cloud in world.clouds.values():
        document = sent(cloud)
        assert document["imageRef"] == ""
        [disk] = document["block_device_mapping_v2"]
        assert disk["uuid"] == cloud.id("images", "cirros")
        assert (disk["source_type"], disk["destination_type"], disk["volume_size"]) == ("image", "volume", 7)
        assert disk["delete_on_termination"] is True


def test_from_a_volume_that_is_there(world: World) -> None:
    one = world.clouds["one"]
    volume = one.add("volumes", "root", status="available", size=1)
    setup = ServerSetup(flavor="small", boot_volume="root")
    assert not failures(created(world, setup=setup, locations=[Location(cloud="one")]))
    [disk] = sent(one)["block_device_mapping_v2"]
    assert (disk["source_type"], disk["uuid"], disk["delete_on_termination"]) == ("volume", volume, False)


def test_in_a_group_with_volumes(world: World) -> None:
    for cloud in world.clouds.values():
        cloud.add("os-server-groups", "apart", policy="anti-affinity")
        cloud.add("volumes", "data", status="available", size=1)
    setup = ServerSetup(image="cirros", flavor="small", group="apart", volumes=["data"])
    assert not failures(created(world, setup=setup))
    assert not failures(created(world, setup=ServerSetup(image="cirros", boot_from_volume=True, volumes=["data"])))
    for cloud in world.clouds.values():
        first, second = (document for kind, document in cloud.posted if kind == "servers")
        disks = first["block_device_mapping_v2"]
        assert first["imageRef"] == disks[0]["uuid"] == cloud.id("images", "cirros")
        assert [(each["boot_index"], each["destination_type"]) for each in disks] == [(0, "local"), (-1, "volume")]
        assert disks[1]["uuid"] == cloud.id("volumes", "data")
        assert disks[1]["delete_on_termination"] is False
        kinds = [(each["boot_index"], each["source_type"]) for each in second["block_device_mapping_v2"]]
        assert kinds == [(0, "image"), (-1, "volume")]
        assert cloud.hints[0] == {"group": cloud.id("os-server-groups", "apart")}


def test_a_floating_ip_is_made_once_and_goes_with_the_create(world: World) -> None:
    setup = ServerSetup(image="cirros", flavor="small", networks=["private"], auto_ip=True, ip_pool="public")
    options = CreateOptions(wait=True, idempotency_key="with-address")
    operation = ""
    for _ in range(2):
        request = compute_pb2.CreateServerRequest(server=compute_pb2.Server(name="web"), setup=setup, options=options)
        answers = list(world.client.compute.CreateServer(request, timeout=LONG))
        operation = next(each.progress.operation_id for each in answers if each.HasField("progress"))
        assert not failures(answers[-1].summary)
    for cloud in world.clouds.values():
        address = sent(cloud, "floatingips")
        [port] = cloud.resources["ports"].values()
        assert address["port_id"] == port["id"]
        assert address["floating_network_id"] == cloud.id("networks", "public")
        assert address["fixed_ip_address"] == "10.0.0.5"
    world.client.operations.UndoOperation(operation_pb2.UndoOperationRequest(id=operation), timeout=LONG)
    for cloud in world.clouds.values():
        assert cloud.resources["floatingips"] == {}
        assert cloud.resources["servers"] == {}


def test_undo_leaves_addresses_that_others_made(world: World) -> None:
    one = world.clouds["one"]
    setup = ServerSetup(image="cirros", flavor="small", networks=["private"], auto_ip=True)
    request = compute_pb2.CreateServerRequest(
        server=compute_pb2.Server(name="web"),
        setup=setup,
        options=CreateOptions(wait=True),
        locations=[Location(cloud="one")],
    )
    answers = list(world.client.compute.CreateServer(request, timeout=LONG))
    operation = next(each.progress.operation_id for each in answers if each.HasField("progress"))
    [port] = one.resources["ports"].values()
    other = one.add("floatingips", "", port_id=port["id"], description="reserved by hand")
    world.client.operations.UndoOperation(operation_pb2.UndoOperationRequest(id=operation), timeout=LONG)
    assert list(one.resources["floatingips"]) == [other]


def test_the_example_boots_everywhere_or_nowhere(world: World) -> None:
    words = ("boot_everywhere.py", "web", "fedora", "small", "private")
    world.clouds["one"].add("images", "fedora", status="active")
    done = example(*words, OAKTREE_TARGET=world.address)
    assert done.returncode == 0, done.stderr
    assert "two STAGE_FAILED image.image 'fedora' is not in two/RegionOne" in done.stdout
    assert world.clouds["one"].resources["servers"] == {}
    world.clouds["two"].add("images", "fedora", status="active")
    done = example(*words, OAKTREE_TARGET=world.address)
    assert done.returncode == 0, done.stderr
    assert {"one STAGE_DONE ", "two STAGE_DONE "} <= set(done.stdout.splitlines())


def test_the_example_goes_away_and_awaits_what_became_of_it(world: World) -> None:
    done = example("boot_and_await.py", "web", "cirros", "small", OAKTREE_TARGET=world.address)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "True [('one', 'ACTIVE'), ('two', 'ACTIVE')]"


@pytest.mark.parametrize(
    ("setup", "field"),
    [
        (ServerSetup(image="cirros", flavor="small", auto_ip=True), "options.wait"),
        (ServerSetup(image="cirros", boot_volume="root"), "setup.boot_volume"),
        (ServerSetup(flavor="small", boot_from_volume=True), "setup.boot_from_volume"),
        (ServerSetup(image="cirros", volume_size=3), "setup.volume_size"),
        (ServerSetup(image="cirros", ip_pool="public"), "setup.ip_pool"),
        (ServerSetup(image="cirros", terminate_volume=True), "setup.terminate_volume"),
    ],
)
def test_what_cannot_be_meant_names_its_field(world: World, setup: ServerSetup, field: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        created(world, setup=setup)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert str(caught.value.details()).startswith(f"{field}: ")
    assert not any(cloud.posted for cloud in world.clouds.values())


def test_a_name_and_an_id_for_the_same_exclude_each_other(world: World) -> None:
    request = compute_pb2.CreateServerRequest(
        server=compute_pb2.Server(name="web", image_id="x"), setup=ServerSetup(image="cirros")
    )
    with pytest.raises(grpc.RpcError) as caught:
        list(world.client.compute.CreateServer(request, timeout=LONG))
    assert "setup.image: expected either image, by name, or image_id" in str(caught.value.details())
