"""Lists that were asked for before: asked on the event loop, as openstacksdk asked, with the same result; and what is not plain, by openstacksdk."""

import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openstack.config import OpenStackConfig
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.nova import Nova, nova
from tests.oaktree.upstream import Seen, reply

from oaktree.v1 import compute_pb2
from oaktree.v1.common_pb2 import Summary
from openstackoid.oaktree.resources import listing
from openstackoid.oaktree.resources.filters import Filters
from openstackoid.oaktree.resources.kinds import Kinds
from openstackoid.oaktree.resources.listing import Lists
from openstackoid.oaktree.resources.repeating import Repeats
from openstackoid.oaktree.upstream.breaker import Breaker, Patience
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.upstream.clouds import Clouds
from openstackoid.oaktree.upstream.gate import Gate
from openstackoid.oaktree.upstream.regions import Region
from openstackoid.oaktree.upstream.sending import Sender
from openstackoid.oaktree.upstream.sessions import Gates

KIND = Kinds().get("compute.server")
assert KIND
CODEC = KIND.codec(compute_pb2.Server)


class Counted(ThreadPoolExecutor):
    """Threads, and how often one was needed."""

    used = 0

    def submit(self, *args: Any, **options: Any) -> Any:
        self.used += 1
        return super().submit(*args, **options)


@dataclass
class Asker:
    """Lists the servers of one cloud."""

    cloud: Nova
    region: Region
    threads: Counted
    repeats: Repeats

    async def batches(self) -> list[int]:
        """How many items come at a time."""
        ask = Lists(KIND, CODEC, [self.region], [], repeats=self.repeats)  # type: ignore[arg-type]
        return [len(each) async for each in listing.listed(ask, Call(), self.threads) if not isinstance(each, Summary)]

    async def ask(self, **filters: Any) -> tuple[list[Any], Summary]:
        ask = Lists(KIND, CODEC, [self.region], [], Filters(sent=filters), repeats=self.repeats)  # type: ignore[arg-type]
        found: list[Any] = []
        async for each in listing.listed(ask, Call(), self.threads):
            if isinstance(each, Summary):
                return found, each
            found += each
        raise AssertionError("no summary")

    async def names(self, **filters: Any) -> list[str]:
        servers, summary = await self.ask(**filters)
        assert not summary.results[0].HasField("error"), summary
        return [each.name for each in servers]

    async def failure(self) -> str:
        servers, summary = await self.ask()
        assert not servers
        return str(summary.results[0].error.message)

    @property
    def seen(self) -> list[Seen]:
        return [each for each in self.cloud._upstream.seen if "/servers" in each.target]


class Undiscovered(Nova):
    """Says nothing of its versions, so that openstacksdk looks for them each time."""

    def _answer(self, seen: Seen, sock: socket.socket) -> bytes | None:
        if seen.target.rstrip("/") in {"/compute/v2.1", "/compute", ""}:
            return reply(404)
        return super()._answer(seen, sock)


@pytest.fixture
def cloud() -> Iterator[Nova]:
    with nova(page=100) as made:
        for number in range(3):
            made.boot(f"vm-{number}", "ACTIVE")
        yield made


@contextlib.asynccontextmanager
async def asking(cloud: Nova, tmp_path: Path) -> AsyncIterator[Asker]:
    again = Patience(first=0.01, longest=0.02)
    gates = Gates(lambda name, region: Gate(name, region, Breaker(name, region, again)))
    clouds = Clouds(OpenStackConfig(config_files=[str(clouds_yaml(tmp_path, {"one": cloud}))]), gates.session)
    repeats = Repeats(Sender(), gates.gate)
    with Counted(4) as threads:
        yield Asker(cloud, clouds.regions()[0], threads, repeats)
    await repeats.close()


@pytest.fixture
async def asker(cloud: Nova, tmp_path: Path) -> AsyncIterator[Asker]:
    async with asking(cloud, tmp_path) as made:
        yield made


async def test_the_second_list_needs_no_thread_and_asks_the_same(asker: Asker) -> None:
    first, _ = await asker.ask()
    assert asker.threads.used == 1
    second, _ = await asker.ask()
    assert asker.threads.used == 1
    assert first == second
    one, two = asker.seen
    assert (one.method, one.target) == (two.method, two.target)
    assert {**one.headers, "accept-encoding": "", "connection": ""} == {
        **two.headers,
        "accept-encoding": "",
        "connection": "",
    }


async def test_what_changed_is_seen_each_time(asker: Asker) -> None:
    await asker.ask()
    for number in range(3, 6):
        asker.cloud.boot(f"vm-{number}", "ACTIVE")
        assert len(await asker.names()) == number + 1
    asker.cloud.change(next(iter(asker.cloud.servers)), name="renamed")
    assert "renamed" in await asker.names()
    assert asker.threads.used == 1


async def test_other_filters_are_another_question(asker: Asker) -> None:
    await asker.names()
    await asker.names(status="ACTIVE")
    assert asker.threads.used == 2
    assert "status=ACTIVE" in asker.seen[1].target
    await asker.names(status="ACTIVE")
    await asker.names()
    assert asker.threads.used == 2
    assert [each.target for each in asker.seen[:2]] == [each.target for each in reversed(asker.seen[2:])]


async def test_another_page_is_openstacksdks_and_the_first_is_not_asked_for_twice(asker: Asker) -> None:
    await asker.names()
    for number in range(3, 150):
        asker.cloud.boot(f"vm-{number}", "ACTIVE", progress=number)
    before = len(asker.seen)
    assert len(await asker.names()) == 150
    assert ["marker" in each.target for each in asker.seen[before:]] == [False, True]


async def test_many_small_items_come_in_batches_as_from_a_thread(asker: Asker) -> None:
    body = json.dumps({"servers": [{"id": str(number)} for number in range(600)]}).encode()
    asker.cloud.rubbish[:] = [body, body]
    assert await asker.batches() == await asker.batches() == [250, 250, 100]
    assert asker.threads.used == 1


async def test_a_large_answer_is_read_in_a_thread(asker: Asker) -> None:
    await asker.names()
    asker.cloud.boot("large", "ACTIVE", metadata={f"key-{number}": "x" * 250 for number in range(400)})
    before = len(asker.seen)
    assert len(await asker.names()) == 4
    assert asker.threads.used == 2
    assert len(asker.seen) == before + 1
    # The next one is openstacksdk's from the beginning, on its own connection.
    assert len(await asker.names()) == 4
    assert asker.threads.used == 3
    first, second, third = (each.connection for each in asker.seen)
    assert first == third != second


@pytest.mark.parametrize(
    ("code", "words"), [(500, "500"), (403, "as the test wants it"), (404, "as the test wants it")]
)
async def test_an_error_is_told_as_openstacksdk_tells_it(asker: Asker, code: int, words: str) -> None:
    asker.cloud.faults[:] = [code]
    told = await asker.failure()  # by openstacksdk
    assert words in told
    await asker.names()
    before = len(asker.seen)
    asker.cloud.faults[:] = [code]
    assert await asker.failure() == told
    assert len(asker.seen) == before + 1


async def test_a_token_that_ended_is_replaced(asker: Asker) -> None:
    await asker.names()
    asker.cloud.faults[:] = [401]
    before = len(asker.seen)
    assert len(await asker.names()) == 3
    assert len(asker.seen) == before + 2
    assert sum(each.method == "POST" for each in asker.cloud._upstream.seen) == 2  # it was asked for another one
    used = asker.threads.used
    await asker.names()  # by openstacksdk: nothing is known of this token
    await asker.names()
    assert asker.threads.used <= used + 1


async def test_a_connection_that_fails_is_told_as_openstacksdk_tells_it(asker: Asker) -> None:
    await asker.names()
    asker.cloud.broken = True
    assert "Unable to establish connection" in await asker.failure()


@pytest.mark.parametrize("body", [b"[]", b"{}", b"not JSON", b'{"servers": 3}', b'{"servers": [1]}', b"\xff"])
async def test_rubbish_is_told_as_openstacksdk_tells_it(asker: Asker, body: bytes) -> None:
    asker.cloud.rubbish[:] = [body]
    told = await asker.failure()
    with contextlib.suppress(AssertionError):
        await asker.names()
    assert await asker.names()
    used = asker.threads.used
    asker.cloud.rubbish[:] = [body]
    assert await asker.failure() == told
    assert asker.threads.used == used + 1


async def test_a_number_that_no_64_bits_hold_is_kept(asker: Asker) -> None:
    asker.cloud.boot("huge", "ACTIVE", odd=2**70)
    (first, _), (second, _) = await asker.ask(), await asker.ask()
    assert first == second
    assert asker.threads.used == 1
    assert second[-1].other["odd"] == str(2**70)


async def test_what_openstacksdk_looks_for_before_is_not_taken_for_the_list(tmp_path: Path) -> None:
    cloud = Undiscovered()
    cloud.boot("vm", "ACTIVE")
    with contextlib.closing(cloud):
        async with asking(cloud, tmp_path) as asker:
            for number in range(1, 4):
                assert await asker.names() == ["vm"]
                assert asker.threads.used == number
