"""The items of a list that are more than a gateway holds in memory wait in a file without a name, and nothing of it stays."""

import asyncio
import contextlib
import errno
import json
import os
import resource
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.lists import row
from tests.gateway.test_fanout_walks import LISTS, QUERIES, made, written
from tests.gateway.wire import TOKEN, Answer, Cloud, Gateway, ask, connect, everything, reply, scope, until
from tests.volume import volume

from openstackoid.core.errors import BusyError
from openstackoid.gateway.fanout.memory import FanOutMemory
from openstackoid.gateway.fanout.spooling import Room

BOTH: Final = "CloudOne & Small"
PATH: Final = "/v2/images"
MEMORY: Final = 1 << 20
DISK: Final = 24 << 20
ITEMS: Final = 1000
ASKED: Final = [
    *((kind, query) for kind, some in QUERIES.items() for query in some),
    ("networks", "fields=created&sort_key=name&sort_dir=asc"),
]


@settings(max_examples=volume(200), deadline=None)
@given(LISTS, st.sampled_from(ASKED), st.sampled_from([0, 100]))
def test_items_in_a_file_are_answered_as_those_in_memory(
    lists: list[list[tuple[str, str]]], asked: tuple[str, str], memory: int
) -> None:
    kind, query = asked

    async def page(memory: int) -> tuple[Any, list[int]]:
        clouds = made(row(kind), lists, largest=100)
        clouds.room = Room(memory, disk=1 << 20)
        found = await clouds.page(query, annotate=kind == "images")
        assert not [leg.code for leg in found.legs if leg.code]
        return written(found), list(found.owners)

    async def check() -> None:
        assert await page(memory) == await page(1 << 20)
        clouds = made(row(kind), lists, largest=2)
        clouds.room = Room(memory, disk=1 << 20)
        assert await clouds.walk(query, by_id="fields" not in query, forgets=True) == await made(row(kind), lists).walk(
            query
        )

    asyncio.run(check())


async def test_a_cloud_whose_items_have_no_room_is_missed() -> None:
    clouds = made(row("images"), [[("a", "2"), ("b", "1")], [("c", "3")]])
    one = len(json.dumps(clouds.clouds["Cloud1"].items[0])) + 64  # its id and its sort key
    clouds.room = Room(memory=0, disk=one)
    page = await clouds.page("")
    assert [(leg.cloud, leg.code) for leg in page.legs] == [("Cloud0", "document.busy"), ("Cloud1", None)]
    assert "with a limit" in page.legs[0].message
    assert [item["name"] for item in written(page)["images"]] == ["c"]


async def test_a_large_list_goes_on_behind_an_item_that_no_memory_has() -> None:
    clouds = made(row("servers"), [[("a", f"{number:04}") for number in range(900)] for _ in range(3)], largest=1000)
    clouds.room = Room(memory=0, disk=16 << 20)
    ids = [item["id"] for item in written(await clouds.page(""))["servers"]]
    assert len(set(ids)) == 2700
    clouds.memory = FanOutMemory()
    behind = await clouds.page(f"marker={ids[1500]}")
    assert [item["id"] for item in written(behind)["servers"]] == ids[1501:]


@dataclass
class Large:
    """A gateway that holds one MiB in memory, and two clouds with lists of ten each."""

    gateway: Gateway
    directory: Path
    items: dict[str, list[dict[str, str]]]

    def whole(self) -> Answer:
        return ask(self.gateway.url("image"), PATH, scope(image=BOTH))

    def begin(self) -> socket.socket:
        """A client that has read the head of a list."""
        connection = connect(self.gateway.url("image"))
        named = json.dumps({"image": BOTH})
        head = (
            f"GET {PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Auth-Token: {TOKEN}\r\nX-Scope: {named}\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        return connection

    def open_files(self) -> list[str]:
        """What the gateway has open in the directory."""
        found = []
        for number in Path(f"/proc/{self.gateway.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.append(str(number.readlink()))
        return [file for file in found if file.startswith(f"{self.directory}/")]


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Large]:
    clouds = {"CloudOne": Cloud("CloudOne", paths=False), "Small": Cloud("Small", paths=True)}
    items = {}
    for name, cloud in clouds.items():
        made_ = [{"id": f"{name}-{number:04}", "created_at": f"{9999 - number}"} for number in range(ITEMS)]
        items[name] = [item | {"text": "x" * 10_000} for item in made_]
        cloud["image"].on(PATH, _always({"images": items[name]}))
    directory = tmp_path / "lists"
    directory.mkdir()
    one = clouds["CloudOne"]
    peers = {"Small": {"url": clouds["Small"]["image"].url, "services": {"image": clouds["Small"]["image"].url}}}
    fanout = {"memory": MEMORY, "disk": DISK, "directory": str(directory)}
    gateway = Gateway(tmp_path / "one", one.config(peers=peers, fanout=fanout))
    try:
        gateway.ready()
        yield Large(gateway, directory, items)
    finally:
        gateway.end()
        gateway.stop()
        for cloud in clouds.values():
            cloud.close()
    assert "Traceback" not in gateway.said


def _always(document: Any) -> Any:
    return lambda _seen, _connection: reply(200, document)


def test_a_list_waits_in_a_file_that_has_no_name_and_ends_with_the_answer(large: Large) -> None:
    with large.begin() as connection:
        (file,) = large.open_files()
        assert file.endswith(" (deleted)")
        assert not list(large.directory.iterdir())
        rest = everything(connection)
    assert rest.endswith(b"0\r\n\r\n")
    until(lambda: not large.open_files())
    answer = large.whole()
    assert (answer.status, answer.get("X-Scope-Missing")) == (200, None)
    expected = [item for pair in zip(*large.items.values(), strict=True) for item in pair]
    assert answer.json["images"] == expected


def test_of_a_client_that_leaves_and_of_a_killed_gateway_nothing_stays(large: Large) -> None:
    with large.begin():
        assert len(large.open_files()) == 1
    until(lambda: not large.open_files())
    with large.begin():
        assert len(large.open_files()) == 1
        large.gateway.process.send_signal(signal.SIGKILL)
        large.gateway.process.wait(30)
    assert not list(large.directory.iterdir())


def test_when_the_disk_is_full_the_cloud_is_missed_and_the_gateway_goes_on(large: Large) -> None:
    before = resource.prlimit(large.gateway.process.pid, resource.RLIMIT_FSIZE, (12 << 20, resource.RLIM_INFINITY))
    answer = large.whole()
    assert answer.status == 200
    assert len(answer.json["images"]) == ITEMS
    assert str(answer.get("X-Scope-Missing")).endswith(";code=document.busy")
    resource.prlimit(large.gateway.process.pid, resource.RLIMIT_FSIZE, before)
    assert large.whole().get("X-Scope-Missing") is None


def test_a_directory_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    one = Cloud("CloudOne", paths=False)
    try:
        gateway = Gateway(tmp_path / "one", one.config(fanout={"directory": str(tmp_path / "missing")}))
        assert gateway.stop() != 0
        assert "expected a directory that the gateway can write to" in gateway.said
    finally:
        one.close()


async def test_a_disk_that_fails_while_a_list_is_merged_is_an_error_with_a_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the call of the system is replaced: no file system here fails on demand."""
    clouds = made(row("images"), [[("a", "2"), ("b", "1")], [("c", "3")]])
    clouds.room = Room(memory=0, disk=1 << 20)

    def fails(_number: int, _size: int, _place: int) -> bytes:
        raise OSError(errno.EIO, "it is broken")

    body = (await clouds.page("")).body
    assert body is not None
    monkeypatch.setattr(os, "pread", fails)
    for act in (lambda: body.is_small, lambda: next(body.chunks())):
        with pytest.raises(BusyError, match=r"Input/output error.*limit"):
            act()
    with pytest.raises(BusyError):
        await clouds.page("")


def test_an_answer_whose_file_fails_breaks_off(large: Large) -> None:
    """What was begun is not followed by another answer, and the gateway goes on."""
    with large.begin() as connection:
        (number,) = [
            number
            for number in Path(f"/proc/{large.gateway.process.pid}/fd").iterdir()
            if str(number.readlink()).startswith(f"{large.directory}/")
        ]
        os.truncate(number, 0)
        rest = everything(connection)
    assert not rest.endswith(b"0\r\n\r\n")
    assert b"HTTP/1.1" not in rest
    assert large.whole().status == 200
