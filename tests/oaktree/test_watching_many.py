"""Very many who watch what is there already, one after the other, cost their cloud a question an interval."""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from tests.oaktree.keystone import entry
from tests.oaktree.nova import Nova
from tests.oaktree.silent import served
from tests.volume import volume

from oaktree.client import Oaktree as Client
from oaktree.v1 import compute_pb2
from oaktree.v1.common_pb2 import CHANGE_REACHED, Condition

INTERVAL = 2.0
LONG = 120.0
MANY, AT_ONCE = volume(800), 20
ABSENT = "11111111-2222-4333-8444-555555555555"


@dataclass
class World:
    """An oaktree before a cloud with a server that is in its state already."""

    client: Client
    cloud: Nova
    server: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with contextlib.closing(Nova()) as cloud:
        server = cloud.boot("web", status="ACTIVE")
        folder = tmp_path_factory.mktemp("many")
        with served(folder, {"one": entry(cloud.url)}, watch={"interval": INTERVAL}) as client:
            yield World(client, cloud, server)


@pytest.mark.parametrize(
    "asked",
    [
        lambda world: compute_pb2.WatchServerRequest(id=world.server, until=Condition(status="ACTIVE")),
        lambda _: compute_pb2.WatchServerRequest(id="web", until=Condition(status="ACTIVE")),
        lambda _: compute_pb2.WatchServerRequest(id=ABSENT, until=Condition(gone=True)),
        lambda _: compute_pb2.WatchServerRequest(until=Condition(status="ACTIVE")),
    ],
    ids=["id", "name", "gone", "all"],
)
def test_watchers_of_what_is_there_already(world: World, asked: Callable[[World], Any]) -> None:
    request = asked(world)

    def watch(_: int) -> bool:
        answers = list(world.client.compute.WatchServer(request, timeout=LONG))
        return answers[-1].change == CHANGE_REACHED

    assert watch(0)
    before, began = len(world.cloud.asked), time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        assert all(threads.map(watch, range(MANY)))
    intervals = (time.monotonic() - began) / INTERVAL
    # By name or of what is absent, one look is two questions: by id, and in the list.
    assert len(world.cloud.asked) - before <= 2 * (intervals + 2)
