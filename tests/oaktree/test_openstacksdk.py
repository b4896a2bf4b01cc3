"""openstacksdk through an oaktree, by an entry of clouds.yaml: a program that knows nothing of oaktree."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import openstack.exceptions as sdk
import pytest
import yaml
from openstack.config import OpenStackConfig
from tests.oaktree import installed
from tests.oaktree.upstream import reply
from tests.oaktree.whole_cloud import World, two_clouds

from oaktree.everywhere import CloudsFailedWarning

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with two_clouds(tmp_path_factory.mktemp("sdk")) as made:
        yield made


@pytest.fixture
def world(served: World) -> World:
    for cloud in served.clouds.values():
        cloud.reset()
    return served


@pytest.fixture
def file(world: World, tmp_path: Path) -> Path:
    made = tmp_path / "clouds.yaml"
    entry = {"auth_type": "oaktree", "auth": {"oaktree_target": world.address}}
    made.write_text(yaml.safe_dump({"clouds": {"all": entry, "regions": {**entry, "regions": ["one", "two"]}}}))
    return made


@pytest.fixture
def everywhere(file: Path) -> Iterator[Any]:
    with openstack.connection.Connection(config=OpenStackConfig(config_files=[str(file)]).get_one("all")) as made:
        yield made


@pytest.fixture
def one(file: Path) -> Iterator[Any]:
    config = OpenStackConfig(config_files=[str(file)]).get_one("all", region_name="one/RegionOne")
    with openstack.connection.Connection(config=config) as made:
        yield made


def ids(world: World, kind: str) -> set[str]:
    return {name for cloud in world.clouds.values() for name in cloud.resources[kind]}


def test_lists_are_of_all_clouds(world: World, everywhere: Any) -> None:
    for cloud in world.clouds.values():
        cloud.add("servers", "web", status="ACTIVE", flavor={"original_name": "small", "vcpus": 1})
        cloud.add("servers", "db", status="SHUTOFF")
        cloud.add("volumes", "data", status="available", size=10)
    found = list(everywhere.compute.servers())
    assert {each.id for each in found} == ids(world, "servers")
    assert {(each.name, each.status) for each in found} == {("web", "ACTIVE"), ("db", "SHUTOFF")}
    assert {each.flavor.vcpus for each in found if each.name == "web"} == {1}
    assert len(list(everywhere.compute.servers(name="web"))) == 2
    assert len(list(everywhere.compute.servers(details=False))) == 4
    assert len(list(everywhere.compute.servers(limit=1))) == 4
    assert {each.id for each in everywhere.image.images()} == ids(world, "images")
    assert {each.is_router_external for each in everywhere.network.networks()} == {True, False}
    assert [each.size for each in everywhere.block_storage.volumes()] == [10, 10]
    # The cloud layer is the same below.
    assert {each.id for each in everywhere.list_servers(bare=True)} == ids(world, "servers")
    assert {each.id for each in everywhere.list_networks()} == ids(world, "networks")
    assert {each.id for each in everywhere.compute.flavors()} == ids(world, "flavors")


def test_one_is_found_got_changed_and_deleted_wherever_it_is(world: World, everywhere: Any) -> None:
    there = world.clouds["two"].add("servers", "web", status="ACTIVE")
    assert everywhere.compute.get_server(there).name == "web"
    assert everywhere.compute.find_server("web").id == there
    assert everywhere.get_server("web", bare=True).id == there
    assert everywhere.compute.find_server("nothing") is None
    with pytest.raises(sdk.NotFoundException, match="NOT_FOUND"):
        everywhere.compute.get_server("nothing")
    with pytest.raises(sdk.DuplicateResource):
        everywhere.image.find_image("cirros")
    everywhere.compute.delete_server(there)
    assert ids(world, "servers") == set()
    everywhere.compute.delete_server(there)  # no error, as openstacksdk has it
    with pytest.raises(sdk.NotFoundException):
        everywhere.compute.delete_server(there, ignore_missing=False)


def test_a_create_is_in_the_cloud_that_the_region_names(world: World, one: Any) -> None:
    server = one.create_server("web", image="cirros", flavor="small", network="private", auto_ip=False)
    server = one.compute.wait_for_server(server)
    [(kind, posted)] = world.clouds["one"].posted
    assert (kind, server.id, server.status) == (
        "servers",
        next(iter(world.clouds["one"].resources["servers"])),
        "ACTIVE",
    )
    assert posted["imageRef"] == world.clouds["one"].id("images", "cirros")
    assert posted["flavorRef"] == world.clouds["one"].id("flavors", "small")
    assert posted["networks"] == [{"uuid": world.clouds["one"].id("networks", "private")}]
    network = one.network.create_network(name="mine", is_admin_state_up=False)
    assert world.clouds["one"].resources["networks"][network.id]["admin_state_up"] is False
    assert one.delete_server("web", wait=True)
    assert not world.clouds["two"].posted
    assert [each.name for each in one.image.images()] == ["cirros"]


def test_regions_of_an_entry_are_clouds(world: World, file: Path) -> None:
    regions = OpenStackConfig(config_files=[str(file)]).get_all()
    found = {}
    for config in regions:
        if config.name == "regions":
            with openstack.connection.Connection(config=config) as made:
                [image] = made.image.images()
                found[config.region_name] = image.id
    assert found == {name: cloud.id("images", "cirros") for name, cloud in world.clouds.items()}


def test_what_cannot_go_through_says_so(world: World, everywhere: Any, one: Any) -> None:
    there = world.clouds["one"].add("servers", "web", status="ACTIVE")
    with pytest.raises(sdk.BadRequestException, match="name one of them, as in region_name"):
        everywhere.network.create_network(name="mine")
    with pytest.raises(sdk.HttpException, match=f"POST /servers/{there}/action of compute does not go through oaktree"):
        one.compute.reboot_server(there, "HARD")
    assert not world.clouds["one"].posted
    assert not world.clouds["two"].posted


def test_a_partial_list_raises_or_warns_if_it_is_asked_to(
    world: World, everywhere: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.clouds["two"], "_serve", lambda *_: reply(500, {"computeFault": {"message": "broken"}}))
    with pytest.raises(sdk.HttpException, match="two/RegionOne"):
        list(everywhere.image.images())
    entry = {"auth_type": "oaktree", "auth": {"oaktree_target": world.address, "oaktree_failures": "warn"}}
    file.write_text(yaml.safe_dump({"clouds": {"all": entry}}))
    config = OpenStackConfig(config_files=[str(file)]).get_one("all")
    with openstack.connection.Connection(config=config) as lenient, pytest.warns(CloudsFailedWarning, match="two"):
        assert [each.name for each in lenient.image.images()] == ["cirros"]


def test_an_oaktree_that_is_away_is_an_error(file: Path) -> None:
    file.write_text(
        yaml.safe_dump({"clouds": {"all": {"auth_type": "oaktree", "auth": {"oaktree_target": "unix:/nothing"}}}})
    )
    config = OpenStackConfig(config_files=[str(file)]).get_one("all")
    with openstack.connection.Connection(config=config) as away, pytest.raises(Exception, match=r"nothing|connect"):
        list(away.compute.servers())


def test_threads_share_a_connection(world: World, everywhere: Any) -> None:
    for cloud in world.clouds.values():
        cloud.add("servers", "web", status="ACTIVE")
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(list(everywhere.compute.servers())))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [2] * 8


def run(file: Path, *command: str | Path) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON"))}
    environment = {**kept, "OS_CLIENT_CONFIG_FILE": str(file)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_is_openstacksdk_alone(world: World, file: Path) -> None:
    program = ROOT / "examples/oaktree/under_openstacksdk.py"
    assert "oaktree" not in program.read_text().partition('"""\n')[2]
    for cloud in world.clouds.values():
        cloud.add("servers", "web", status="ACTIVE")
    python = installed.python("openstacksdk")
    assert run(file, python, program).split() == ["web", "ACTIVE"] * 2
    assert [kind for kind, _ in world.clouds["one"].posted] == ["networks"]
    assert not world.clouds["two"].posted


def test_the_stock_client_lists_everywhere_and_creates_in_a_cloud(world: World, file: Path) -> None:
    program = Path(sys.executable).with_name("openstack")
    assert (
        run(file, program, "--os-cloud", "all", "image", "list", "-f", "value", "-c", "Name").split() == ["cirros"] * 2
    )
    run(file, program, "--os-cloud", "all", "--os-region-name", "two", "network", "create", "mine")
    assert "mine" in [each["name"] for each in world.clouds["two"].resources["networks"].values()]
    assert not world.clouds["one"].posted


def test_commands_for_other_clouds_do_not_import_grpc() -> None:
    """Each loads the plugins of keystoneauth for their options."""
    program = """
import sys
from keystoneauth1 import loading
options = loading.get_available_plugin_loaders()["oaktree"].get_options()
print(any(option.dest == "oaktree_target" for option in options), "grpc" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["True", "False"]
