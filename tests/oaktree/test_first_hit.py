"""One resource by its id: who has it answers, and nobody waits for a cloud that hangs. A name needs all of them."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from tests.oaktree.failures import reason
from tests.oaktree.keystone import entry
from tests.oaktree.making import Cloud
from tests.oaktree.silent import hung, served
from tests.oaktree.upstream import Seen, reply

from oaktree.client import Oaktree as Client
from oaktree.v1 import compute_pb2, image_pb2, resource_pb2
from oaktree.v1.common_pb2 import CHANGE_CURRENT, Condition
from oaktree.v1.location_pb2 import Location

SERVER = "11111111-2222-4333-8444-555555555555"
OTHER = "33333333-2222-4333-8444-555555555555"
IMAGE = "22222222-2222-4333-8444-555555555555"
# The server's own time for a cloud; calls that wait for it take longer than their deadline.
TIMEOUT, DEADLINE = 600, 60.0
WELL = Location(region="RegionOne")


class Owner(Cloud):
    """Has a server and an image, and changes the server's name."""

    slow = False

    def _serve(self, seen: Seen, path: str) -> bytes | None:
        if self.slow:
            time.sleep(0.3)
        if seen.method == "PUT":
            return reply(200, {"server": self.servers[SERVER] | {"name": "changed"}})
        return super()._serve(seen, path)


@dataclass
class World:
    """An oaktree before the owner, another that has the same image and a server of the same name, and a cloud that hangs."""

    client: Client
    owner: Owner
    twin: Owner


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        owner = stack.enter_context(contextlib.closing(Owner()))
        twin = stack.enter_context(contextlib.closing(Owner()))
        twin.slow = True
        hangs = entry(stack.enter_context(hung())) | {"region_name": "RegionTwo"}
        clouds = {"hung": hangs, "owner": entry(owner.url), "twin": entry(twin.url)}
        # Its breaker would leave the cloud alone after five seconds, and hide what waiting costs: by then all calls here are over.
        client = stack.enter_context(served(tmp_path_factory.mktemp("first"), clouds, timeout=TIMEOUT))
        yield World(client, owner, twin)


@pytest.fixture(autouse=True)
def resources(world: World) -> None:
    for cloud, server in ((world.owner, SERVER), (world.twin, OTHER)):
        cloud.made["servers"] = {server: {"id": server, "name": "web", "status": "ACTIVE", "progress": 0}}
        cloud.made["images"] = {IMAGE: {"id": IMAGE, "name": "cirros", "status": "active"}}


def get(client: Client) -> Any:
    return client.compute.GetServer(compute_pb2.GetServerRequest(id=SERVER), timeout=DEADLINE).server.name == "web"


def generic(client: Client) -> Any:
    asked = resource_pb2.GetResourceRequest(kind="compute.server", id=SERVER)
    return client.resources.GetResource(asked, timeout=DEADLINE).resource.id == SERVER


def update(client: Client) -> Any:
    asked = compute_pb2.UpdateServerRequest(id=SERVER, server=compute_pb2.Server(name="changed"))
    return client.compute.UpdateServer(asked, timeout=DEADLINE).server.name == "changed"


def watch(client: Client) -> Any:
    asked = compute_pb2.WatchServerRequest(id=SERVER, until=Condition(status="ACTIVE"))
    return next(iter(client.compute.WatchServer(asked, timeout=DEADLINE))).change == CHANGE_CURRENT


def delete(client: Client) -> Any:
    return client.compute.DeleteServer(compute_pb2.DeleteServerRequest(id=SERVER), timeout=DEADLINE).id == SERVER


@pytest.mark.parametrize("call", [get, generic, update, watch, delete], ids=lambda each: each.__name__)
def test_a_hit_by_id_is_answered_at_once(world: World, call: Callable[[Client], Any]) -> None:
    assert call(world.client)


def test_many_at_once_are_answered_too(world: World) -> None:
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(watch(world.client))) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [True] * 20


def test_a_name_needs_an_answer_of_all(world: World) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        world.client.compute.GetServer(compute_pb2.GetServerRequest(id="web", location=WELL), timeout=DEADLINE)
    assert reason(caught.value) == "NAME_AMBIGUOUS"


def test_so_does_the_id_of_an_image_which_its_creator_may_have_chosen(world: World) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        world.client.image.GetImage(image_pb2.GetImageRequest(id=IMAGE, location=WELL), timeout=DEADLINE)
    assert reason(caught.value) == "NAME_AMBIGUOUS"
