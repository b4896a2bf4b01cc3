"""Large and odd JSON costs who sends it, and nobody else: not their time, and not the gateway's memory."""

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from tests.gateway.owners import refusal
from tests.gateway.wire import Answer, ask, reply
from tests.haproxy.world import Authority
from tests.hostile.honest import Honest, alone
from tests.hostile.programs import Peer, Send, Visitor
from tests.volume import volume

from openstackoid.core import limits
from openstackoid.core.errors import BusyError
from openstackoid.core.ids import Ids
from openstackoid.core.limits import MIB, Limit, LimitError
from openstackoid.core.links import Links
from openstackoid.gateway.upstream.rewriter import Job
from openstackoid.gateway.upstream.rewriting import Rewriting

Work = Callable[[], object]
LINK = b'{}], "next": "%s/image/v2/x"}'


def memory(gateway: Honest) -> int:
    """The most that its process ever had, in bytes."""
    status = Path(f"/proc/{gateway.gateway.process.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) << 10


@pytest.fixture(scope="module")
def gateway_alone_module(hostile_folder: Path, peer_program: Peer, signer: Authority) -> Iterator[Honest]:
    """One whose memory no other module has filled."""
    with alone(hostile_folder / "documents", peer_program, signer) as made:
        yield made


def beside(work: Work, honest: Honest) -> tuple[float, float]:
    """Seconds of the work, and of the longest of others' requests meanwhile."""
    done, waits = threading.Event(), [0.0]

    def others() -> None:
        # With pauses that are short beside what is looked for, or these requests would be most of the work.
        while not done.wait(0.01):
            began = time.monotonic()
            ask(honest.url("network"), "/v2.0/networks", token=honest.user)
            waits.append(time.monotonic() - began)

    thread = threading.Thread(target=others)
    thread.start()
    began = time.monotonic()
    try:
        work()
    finally:
        took = time.monotonic() - began
        done.set()
        thread.join()
    return took, max(waits)


def large(mallory: Peer, path: str, thousands: int) -> int:
    """Have it answer with as many empty objects and a link; the size of that."""
    piece, tail = b"{}," * 1000, LINK % mallory.peering.encode()
    size = 12 + len(piece) * thousands + len(tail)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % size
    mallory.answers(path, head + b'{"images": [', Send(piece, thousands), tail)
    return size


def slow_ask(honest: Honest, path: str) -> list[Answer]:
    """Several at once, as one user's."""
    found: list[Answer] = []
    threads = [threading.Thread(target=lambda: found.append(honest.ask(path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_large_answer_stops_nobody(gateway_alone: Honest, mallory: Peer) -> None:
    large(mallory, "/image/v2/large", volume(450, 2))
    gateway_alone.ask("/v2/large")  # the process has begun
    found: list[Answer] = []
    took, waited = beside(lambda: found.extend(slow_ask(gateway_alone, "/v2/large")), gateway_alone)
    assert [each.status for each in found] == [200] * 3
    assert all(f"{gateway_alone.url()}/v2/x" == each.json["next"] for each in found)
    assert waited < took / 2


def test_millions_of_values_are_refused_before_they_take_memory(gateway_alone: Honest, mallory: Peer) -> None:
    size = large(mallory, "/image/v2/many", 5000)
    before = memory(gateway_alone)
    answer = gateway_alone.ask("/v2/many")
    assert refusal(answer) == (502, "peer.answer")
    assert "1000000 values" in answer.error
    assert memory(gateway_alone) - before < 10 * size  # 24 times, parsed


@pytest.mark.parametrize("begun", [b"[", b'{"a":', b'{"images": [[['], ids=["lists", "objects", "mixed"])
def test_depth_is_refused(gateway_alone: Honest, mallory: Peer, begun: bytes) -> None:
    for depth in (100, 300, 200_000):
        body = begun * depth + b'"' + mallory.peering.encode() + b'/image"'
        mallory.answers("/image/v2/deep", reply(200, body, {"Content-Type": "application/json"}))
        assert refusal(gateway_alone.ask("/v2/deep")) == (502, "peer.answer")


def test_an_answer_over_its_size_is_refused(gateway_alone: Honest, mallory: Peer) -> None:
    body = b'{"next": "' + b"x" * (limits.ANSWER.size + 1) + b'"}'
    mallory.answers("/image/v2/long", reply(200, body, {"Content-Type": "application/json"}))
    answer = gateway_alone.ask("/v2/long")
    assert refusal(answer) == (502, "peer.answer")
    assert "16 MiB" in answer.error


def test_six_large_requests_of_a_visitor_stop_nobody(gateway_alone: Honest, visitor: Visitor) -> None:
    user = b'{"user_id": "%s"}' % (b"a" * 32)
    body = b'{"members": [' + b"{}," * 1_300_000 + user + b"]}"
    assert len(body) < limits.REQUEST.size
    statuses: list[int] = []

    def attack() -> None:
        came = visitor.asks(
            gateway_alone.cloud,
            "/image/v2/images",
            "Content-Type: application/json",
            method="POST",
            body=body,
            count=6,
        )
        statuses.extend(each.answer.status for each in came)

    took, waited = beside(attack, gateway_alone)
    assert statuses == [413] * 6
    assert waited < took


# The processes themselves.

SAME = Links({"http://two": "http://one"})
WIDE = Limit(64 * MIB, depth=64, values=10_000_000)


def document(count: int) -> bytes:
    return b"[" + b'{"href": "http://two/x"},' * count + b"{}]"


async def test_a_process_that_dies_costs_nobody_a_document() -> None:
    rewriting = Rewriting()
    try:
        rewrite = Job("image", WIDE, links=SAME)
        wanted = document(5000).replace(b"two", b"one")
        assert await rewriting.apply(rewrite, document(5000), "peer") == wanted
        (idle,) = rewriting._idle
        idle.kill()
        await idle.wait()
        assert await rewriting.apply(rewrite, document(5000), "peer") == wanted
        same = b" " * 100_000 + b"[1]"
        assert await rewriting.apply(rewrite, same, "peer") is same
        # What is no JSON, or over its limit, is said, and the process goes on.
        with pytest.raises(ValueError, match="expected JSON"):
            await rewriting.apply(rewrite, document(5000)[:-1], "peer")
        with pytest.raises(LimitError, match="10 values"):
            await rewriting.apply(Job("image", Limit(MIB, 64, 10), links=SAME), document(5000), "peer")
        ids = Ids({"a" * 32: "b" * 32})
        told = await rewriting.apply(
            Job("network", WIDE, ids), b'{"network": {"tenant_id": "' + b"a" * 32 + b'"}}' + b" " * 99_999, "peer"
        )
        assert told == b'{"network": {"tenant_id": "' + b"b" * 32 + b'"}}' + b" " * 99_999
    finally:
        await rewriting.close()


def test_nor_in_the_event_loop_of_a_gateway() -> None:
    """uvloop closes the pipe of a process that has ended, and writing to it raises no ConnectionError. Processes end by themselves now and then."""

    async def twice() -> None:
        rewriting, rewrite = Rewriting(), Job("image", WIDE, links=SAME)
        try:
            wanted = await rewriting.apply(rewrite, document(5000), "peer")
            (idle,) = rewriting._idle
            idle.kill()
            await idle.wait()
            while idle.stdin is not None and not idle.stdin.is_closing():
                await asyncio.sleep(0.01)
            assert await rewriting.apply(rewrite, document(5000), "peer") == wanted
        finally:
            await rewriting.close()

    uvloop.run(twice())


async def test_a_process_has_no_secret_of_the_gateways_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable may hold the keys (`trust.keys_env`), and what reads hostile documents may be broken into."""
    monkeypatch.setenv("OPENSTACKOID_KEYS", "marker-of-a-key")
    rewriting = Rewriting()
    try:
        assert await rewriting.apply(Job("image", WIDE, links=SAME), document(5000), "peer")
        (idle,) = rewriting._idle
        environment = Path(f"/proc/{idle.pid}/environ").read_bytes()
        assert b"PATH=" in environment
        assert b"marker-of-a-key" not in environment
    finally:
        await rewriting.close()


async def test_who_goes_away_ends_what_is_done_for_it() -> None:
    rewriting = Rewriting()
    try:
        task = asyncio.create_task(rewriting.apply(Job("image", WIDE, links=SAME), document(400_000), "peer"))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert rewriting._idle == []
        assert await rewriting.apply(Job("image", WIDE, links=SAME), document(5000), "other")
    finally:
        await rewriting.close()


def test_what_is_held_is_bounded_for_each_and_for_all() -> None:
    rewriting = Rewriting()
    with rewriting.holding("Mallory") as first, rewriting.holding("Mallory") as second:
        first.grow(30 * MIB)
        with pytest.raises(BusyError, match="Mallory"):
            second.grow(30 * MIB)
        with rewriting.holding("CloudTwo") as other, rewriting.holding("CloudThree") as third:
            other.grow(48 * MIB)
            third.grow(48 * MIB)
            with rewriting.holding("CloudFour") as fourth, pytest.raises(BusyError):
                fourth.grow(8 * MIB)
    with rewriting.holding("Mallory") as again:
        again.grow(48 * MIB)


async def test_documents_of_one_list_of_many_clouds_leave_room_for_others() -> None:
    rewriting, rewrite = Rewriting(), Job("image", WIDE, links=SAME)
    try:
        many = [
            asyncio.create_task(rewriting.apply(rewrite, document(volume(20_000, 2)), f"peer-{number}", of_many=True))
            for number in range(40)
        ]
        await asyncio.wait(many, return_when=asyncio.FIRST_COMPLETED)
        before = sum(task.done() for task in many)
        await rewriting.apply(rewrite, document(5000), "other")
        # It waits for those that are under way, and for those that were next.
        assert sum(task.done() for task in many) - before < 10
        await asyncio.gather(*many)
    finally:
        await rewriting.close()


async def test_a_document_in_which_nothing_may_change_needs_no_process() -> None:
    rewriting = Rewriting()
    links = Links({"http://two": "http://one"}, "image")
    try:
        other = document(4000).replace(b"two", b"six")
        assert await rewriting.apply(Job("image", WIDE, links=links), other, "peer") is other
        assert rewriting._idle == []
        # An escaped slash may be part of any URL.
        escaped = document(4000).replace(b"http://two", b"http:\\/\\/two")
        changed = await rewriting.apply(Job("image", WIDE, links=links), escaped, "peer")
        assert changed.count(b"http://one/x") == 4000
        assert len(rewriting._idle) == 1
    finally:
        await rewriting.close()
