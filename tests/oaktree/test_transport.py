"""Requests at the wire: deadlines, cancelling, rates, redirects, sizes, retries; with requests, keystoneauth and openstacksdk."""

import asyncio
import contextlib
import gzip
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from tests.oaktree.hanging import HANGING, certificate, chunks, gate, silent, soon, until_closed
from tests.oaktree.upstream import Handler, Seen, reply, until, upstream

from openstackoid.oaktree import errors
from openstackoid.oaktree.upstream.calls import CALL, Call, in_thread, run
from openstackoid.oaktree.upstream.transport import session
from openstackoid.rates.limiters import LocalLimiter


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.mark.parametrize("handler", HANGING)
async def test_a_cancelled_call_ends_its_connection_and_its_thread(
    handler: Handler, threads: ThreadPoolExecutor
) -> None:
    ended = threading.Event()
    raised: list[BaseException] = []

    def ask(url: str) -> None:
        try:
            session(gate()).get(url)
        except BaseException as error:
            raised.append(error)
            raise
        finally:
            ended.set()

    with upstream(handler) as cloud:
        task = asyncio.create_task(in_thread(Call(), threads, ask, cloud.url))
        await asyncio.to_thread(until, lambda: cloud.seen)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # No timeout of the transport is as short as this wait's limit.
        await asyncio.to_thread(until, ended.is_set)
        await asyncio.to_thread(until, lambda: cloud.closed)
        assert isinstance(raised[0], errors.CallCancelledError)


@pytest.mark.parametrize("handler", HANGING)
async def test_a_deadline_ends_its_connection_and_its_thread(handler: Handler, threads: ThreadPoolExecutor) -> None:
    with upstream(handler) as cloud:
        with pytest.raises(errors.CallDeadlineError):
            await in_thread(soon(0.3), threads, session(gate()).get, cloud.url)
        await asyncio.to_thread(until, lambda: cloud.closed)


@contextlib.contextmanager
def unreachable() -> Iterator[str]:
    """The URL of a listener whose queue is full: it drops what comes, as a firewall does."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            each = stack.enter_context(socket.socket())
            each.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                each.connect(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"


async def test_a_thread_that_makes_a_connection_is_not_waited_for(threads: ThreadPoolExecutor) -> None:
    with unreachable() as url:
        call = Call()
        task = asyncio.create_task(in_thread(call, threads, session(gate(connect_timeout=1)).get, url))
        await asyncio.to_thread(until, lambda: call.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_a_connection_that_cannot_be_made_in_time_closes_the_cloud_only_if_the_time_was_the_servers() -> None:
    with unreachable() as url:
        through = session(gate(connect_timeout=0.5))
        for _ in range(3):
            with pytest.raises(errors.CallDeadlineError):
                run(soon(0.05), through.get, url)
        with pytest.raises(requests.ConnectTimeout):
            through.get(url)
        with pytest.raises(errors.LeftAloneError):
            through.get(url)


def test_socket_timeouts_are_what_the_deadline_leaves_without_an_event_loop_too() -> None:
    with upstream(silent) as cloud, pytest.raises(errors.CallDeadlineError):
        run(soon(0.2), session(gate()).get, cloud.url)


def test_a_configured_timeout_is_a_failure_of_the_cloud() -> None:
    with upstream(silent) as cloud, pytest.raises(requests.ReadTimeout):
        run(soon(60), session(gate(read_timeout=0.2)).get, cloud.url)


def test_what_is_asked_of_requests_shortens_the_timeouts_and_never_lengthens_them() -> None:
    with upstream(silent) as cloud, pytest.raises(requests.ReadTimeout):
        session(gate()).get(cloud.url, timeout=0.2)
    with upstream(silent) as cloud, pytest.raises(requests.ReadTimeout):
        session(gate(read_timeout=0.2)).get(cloud.url, timeout=1000)


async def test_cancelling_a_call_ends_its_parts(threads: ThreadPoolExecutor) -> None:
    whole = Call()
    part = whole.to("one", "R", timeout=1000)
    with upstream(silent) as cloud:
        future = asyncio.get_running_loop().run_in_executor(threads, run, part, session(gate()).get, cloud.url)
        await asyncio.to_thread(until, lambda: cloud.seen)
        whole.cancel()
        with pytest.raises(errors.CallCancelledError):
            await future
    assert whole.to("one", "S").cancelled


async def test_who_cancels_ends_no_request_of_others_that_has_the_same_connection_later(
    threads: ThreadPoolExecutor,
) -> None:
    through = session(gate(connections=1))
    going = threading.Event()

    def handler(seen: Seen, _: socket.socket) -> bytes:
        if seen.target == "/second":
            assert going.wait(20)
        return reply(200, b"well")

    with upstream(handler) as cloud:
        first = Call()
        run(first, through.get, f"{cloud.url}/first")
        future = asyncio.get_running_loop().run_in_executor(threads, through.get, f"{cloud.url}/second")
        await asyncio.to_thread(until, lambda: len(cloud.seen) == 2)
        first.cancel()
        going.set()
        assert (await future).text == "well"
        assert {each.connection for each in cloud.seen} == {1}


def test_a_streamed_answer_is_ended_by_cancelling_too() -> None:
    call = Call()

    def read(url: str) -> None:
        answer = session(gate()).get(url, stream=True)
        call.cancel()
        for _ in answer.iter_content(3):
            pass

    with upstream(chunks) as cloud, pytest.raises((errors.CallCancelledError, requests.RequestException)):
        run(call, read, cloud.url)


def test_a_call_knows_how_many_requests_it_took_and_their_ids() -> None:
    ids = iter(["req-1", "req-2\x07" + "x" * 100])
    call = Call()

    def handler(_: Seen, __: socket.socket) -> bytes:
        return reply(200, b"", {"X-Openstack-Request-Id": next(ids)})

    with upstream(handler) as cloud:
        through = session(gate())
        for _ in range(2):
            run(call, through.get, cloud.url)
    assert call.requests == 2
    assert call.request_ids[0] == "req-1"
    assert len(call.request_ids[1]) == 64
    assert call.request_ids[1].isprintable()
    assert CALL.get() is None


def too_large(seen: Seen, _: socket.socket) -> bytes:
    bodies = {"/plain": b"x" * 5000, "/packed": gzip.compress(b"x" * 1_000_000)}
    packed = {"Content-Encoding": "gzip"} if seen.target == "/packed" else {}
    return reply(200, bodies[seen.target], packed)


@pytest.mark.parametrize("path", ["/plain", "/packed"])
def test_an_answer_that_is_too_large_is_not_read(path: str) -> None:
    with upstream(too_large) as cloud:
        with pytest.raises(errors.AnswerTooLargeError):
            session(gate(largest_answer=4000)).get(cloud.url + path)
        streamed = session(gate(largest_answer=4000)).get(cloud.url + path, stream=True)
        assert sum(len(chunk) for chunk in streamed.iter_content(100)) >= 5000


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    def endless(_: Seen, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                sock.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    with upstream(endless) as cloud:
        with pytest.raises(errors.AnswerTooLargeError):
            session(gate(largest_answer=1_000_000)).get(cloud.url)
        until(lambda: cloud.closed)


def test_requests_wait_for_their_rate_and_never_past_the_deadline() -> None:
    with upstream(lambda *_: reply(200)) as cloud:
        through = session(gate(limiter=LocalLimiter(0.01)))
        through.get(cloud.url)
        for call in (soon(0.5), Call()):
            with pytest.raises(errors.RateError) as caught:
                run(call, through.get, cloud.url)
            assert caught.value.retry_after
            assert 90 < caught.value.retry_after <= 100
        assert len(cloud.seen) == 1


async def test_cancelling_ends_the_wait_for_a_rate(threads: ThreadPoolExecutor) -> None:
    limiter = LocalLimiter(0.05)
    limiter.reserve("one/R")
    future = threads.submit(run, call := Call(), session(gate(limiter=limiter)).get, "http://127.0.0.1:1")
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(errors.CallCancelledError):
        await asyncio.wrap_future(future)


async def test_all_of_it_with_tls(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    pem, context = certificate(tmp_path)

    def handler(seen: Seen, sock: socket.socket) -> bytes | None:
        if seen.target == "/well":
            return reply(200, b"well")
        until_closed(seen, sock)
        return None

    def wrap(sock: socket.socket) -> socket.socket:
        return context.wrap_socket(sock, server_side=True)

    with upstream(handler, wrap=wrap) as cloud:
        through = session(gate())
        with pytest.raises(requests.exceptions.SSLError):
            through.get(f"{cloud.url}/well")
        # A certificate that does not count is told at once: nothing of it closes the cloud to others.
        assert through.get(f"{cloud.url}/well", verify=str(pem)).text == "well"
        with pytest.raises(errors.CallDeadlineError):
            await in_thread(soon(0.3), threads, lambda: through.get(cloud.url, verify=str(pem)))
        call = Call()
        task = asyncio.create_task(in_thread(call, threads, lambda: through.get(cloud.url, verify=str(pem))))
        await asyncio.to_thread(until, lambda: len(cloud.seen) == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(until, lambda: len(cloud.closed) >= 3)
