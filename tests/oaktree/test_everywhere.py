"""Lists as iterators: items of all clouds, and an error where some did not answer; and where `connect()` goes by itself."""

import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tests.oaktree.answering import Oaktree, running
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.whole_cloud import WholeCloud
from tests.oaktree.world import Oaktree as Server

import oaktree
from oaktree.v1 import compute_pb2, resource_pb2
from oaktree.v1.location_pb2 import Location


@pytest.fixture
def partly(tmp_path: Path) -> Iterator[Oaktree]:
    """An oaktree with two clouds that answer, and one that does not."""
    with running(Oaktree(tmp_path)) as server:
        yield server


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, WholeCloud]]:
    """Two clouds, and OAKTREE_TARGET at a server before them."""
    folder = tmp_path_factory.mktemp("everywhere")
    made = {name: WholeCloud(name) for name in ("one", "two")}
    server = Server(folder, clouds_yaml(folder, made))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OAKTREE_TARGET", server.address)
        yield made
    server.stop()
    for cloud in made.values():
        cloud.close()


def test_a_loop_gets_all_and_then_an_error_if_a_cloud_failed(partly: Oaktree) -> None:
    with oaktree.connect(partly.target, plain=True) as tree:
        servers = tree.everywhere.servers()
        first, second = next(servers), next(servers)
        with pytest.raises(oaktree.CloudsFailedError) as caught:
            next(servers)
    assert isinstance(first, compute_pb2.Server)
    assert [first.name, second.name] == ["web-one", "web-two"]
    assert [each.location.cloud for each in caught.value.failures] == ["dead"]
    assert str(caught.value) == "what was listed is not all: dead/RegionOne: no answer"


def test_a_list_of_a_part_cannot_be_made_without_notice(partly: Oaktree) -> None:
    with oaktree.connect(partly.target, plain=True) as tree, pytest.raises(oaktree.CloudsFailedError):
        list(tree.everywhere.servers())


def test_a_warning_if_that_is_asked_for(partly: Oaktree) -> None:
    with (
        oaktree.connect(partly.target, plain=True) as tree,
        pytest.warns(oaktree.CloudsFailedWarning, match="dead/RegionOne: no answer") as caught,
    ):
        assert len(list(tree.everywhere.servers(failures="warn"))) == 2
    assert caught[0].filename == __file__


def test_what_an_oaktree_refuses_is_its_error(partly: Oaktree) -> None:
    with oaktree.connect(partly.target, plain=True) as tree, pytest.raises(grpc.RpcError):
        list(tree.everywhere.servers(query="["))


def test_every_list_of_the_api_is_there(partly: Oaktree) -> None:
    with oaktree.connect(partly.target, plain=True) as tree:
        names = dir(tree.everywhere)
        assert {"servers", "images", "security_groups", "load_balancers", "resources"} <= set(names)
        assert not {"clouds", "kinds", "operations"} & set(names)
        with pytest.raises(AttributeError, match=r"no list 'serverz'; it has .*servers"):
            tree.everywhere.serverz()


def test_whole_lists_of_a_real_server_by_its_name_in_the_environment(clouds: dict[str, WholeCloud]) -> None:
    with warnings.catch_warnings(), oaktree.connect(plain=True) as tree:
        warnings.simplefilter("error")
        images = list(tree.everywhere.images())
        assert {each.id for each in images} == {cloud.id("images", "cirros") for cloud in clouds.values()}
        assert [each.location.cloud for each in tree.everywhere.flavors(locations=["two"])] == ["two"]
        places = [("one", "RegionOne"), Location(cloud="two")]
        assert len(list(tree.everywhere.networks(locations=places, filters={"name": "private"}))) == 2
        generic = list(tree.everywhere.resources(kind="network.network", order_by="name", page_size=1))
        assert [each.name for each in generic] == ["private", "private", "public", "public"]
        assert all(isinstance(each, resource_pb2.Resource) for each in generic)
        # Neither cloud has a service for zones of DNS: an answer.
        assert list(tree.everywhere.dns_zones()) == []


def test_the_default_is_where_serve_listens(partly: Oaktree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OAKTREE_TARGET", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(partly.socket.parent))
    with oaktree.connect() as tree, pytest.raises(oaktree.CloudsFailedError, match="dead/RegionOne"):
        list(tree.everywhere.servers())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a socket to another user")
def test_a_default_socket_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OAKTREE_TARGET", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(tmp_path / "oaktree.sock"))
        os.chown(tmp_path / "oaktree.sock", 12345, -1)
        with pytest.raises(ValueError, match="belongs to another user"):
            oaktree.connect()
