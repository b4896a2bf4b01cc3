"""Requests at the wire: deadlines, cancelling, rates, redirects, sizes, retries; with requests, keystoneauth and openstacksdk."""

import asyncio
import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keystoneauth1.exceptions as keystone
import pytest
import requests
from keystoneauth1 import noauth
from tests.oaktree.hanging import HANGING, certificate, chunks, gate, silent, soon, until_closed
from tests.oaktree.upstream import TOKEN, Handler, Seen, reply, until, upstream, wait_for_end
from tests.ports import free_port

from openstackoid.oaktree import errors
from openstackoid.oaktree.upstream.breaker import Breaker, Patience
from openstackoid.oaktree.upstream.calls import CALL, Call, in_thread, run
from openstackoid.oaktree.upstream.sessions import Gates, Session
from openstackoid.oaktree.upstream.transport import Gate, session
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


@pytest.mark.parametrize("code", [301, 302, 303, 305, 307, 308])
def test_no_token_follows_a_redirect_to_another_host(code: int) -> None:
    with upstream(lambda *_: reply(200)) as elsewhere:
        with upstream(lambda *_: reply(code, b"", {"Location": f"{elsewhere.url}/x"})) as cloud:
            through = Session(session(gate()))
            with pytest.raises(errors.RedirectError) as caught:
                through.get(cloud.url, headers={"X-Auth-Token": TOKEN}, authenticated=False)
            assert len(cloud.seen) == 1
        assert elsewhere.seen == []
        assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("location", ["/there", "{url}/there", "//127.0.0.1:{port}/there"])
def test_redirects_within_a_host_are_followed(location: str) -> None:
    def handler(seen: Seen, _: socket.socket) -> bytes:
        place = location.format(url=cloud.url, port=cloud.port)
        return reply(200, b"there") if seen.target == "/there" else reply(302, b"", {"Location": place})

    with upstream(handler) as cloud:
        absolute = location.startswith("{")
        if absolute:  # keystoneauth asks for the Location as it is; a relative one is no URL to requests
            answer = Session(session(gate())).get(cloud.url, authenticated=False)
        else:
            answer = session(gate()).get(cloud.url)
        assert answer.text == "there"


def test_a_connection_that_the_cloud_has_closed_meanwhile_costs_a_question_nothing_and_repeats_no_change() -> None:
    def once(seen: Seen, sock: socket.socket) -> bytes | None:
        if len([each for each in cloud.seen if each.connection == seen.connection]) > 1:
            return None  # closes, with a request on its way
        return reply(200, b"well")

    with upstream(once) as cloud:
        through = session(gate())
        through.get(cloud.url)
        assert through.get(cloud.url).text == "well"
        with pytest.raises(requests.ConnectionError):
            through.post(cloud.url, data=b"x")
        assert [each.method for each in cloud.seen] == ["GET", "GET", "GET", "POST"]


def test_retries_of_keystoneauth_are_told_how_long_they_may_wait() -> None:
    with upstream(lambda *_: reply(503, b"", {"Retry-After": "1000"})) as cloud:
        through = Session(session(gate()))
        answer = run(
            soon(30), lambda: through.get(cloud.url, status_code_retries=5, raise_exc=False, authenticated=False)
        )
        assert answer.status_code == 503
        with pytest.raises(keystone.ServiceUnavailable):
            run(soon(30), lambda: through.get(cloud.url, status_code_retries=5, authenticated=False))
        assert len(cloud.seen) == 2


def test_retries_of_keystoneauth_happen_and_end_with_the_call() -> None:
    call = soon(60)

    def handler(_: Seen, __: socket.socket) -> bytes:
        if len(cloud.seen) == 3:
            call.cancel()
        return reply(503, b"", {"Retry-After": "0"})

    with upstream(handler) as cloud:
        through = Session(session(gate()))
        with pytest.raises(errors.CallCancelledError):
            run(call, lambda: through.get(cloud.url, status_code_retries=50, authenticated=False))
        assert len(cloud.seen) == 3


def test_a_change_is_not_sent_again_after_a_failed_connection() -> None:
    def drop(_: Seen, __: socket.socket) -> None:
        return None

    with upstream(drop) as cloud:
        through = Session(session(gate()))
        for send in (through.get, through.post):
            with pytest.raises(keystone.ConnectFailure):
                send(cloud.url, connect_retries=1, connect_retry_delay=0.001, authenticated=False)
        assert [each.method for each in cloud.seen] == ["GET", "GET", "POST"]


def test_a_dead_cloud_costs_its_timeout_once() -> None:
    through = session(gate(read_timeout=0.2, patience=Patience(patience=0.1)))
    with upstream(silent) as cloud:
        with pytest.raises(requests.ReadTimeout):
            through.get(cloud.url)
        with pytest.raises(errors.LeftAloneError) as caught:
            through.get(cloud.url)
        assert len(cloud.seen) == 1
        assert caught.value.retry_after is not None
        assert "timed out" in str(caught.value)


def test_a_cloud_that_is_not_there_is_left_alone_and_another_port_of_it_is_not() -> None:
    with upstream(lambda *_: reply(200)) as cloud:
        through = session(gate())
        url = f"http://127.0.0.1:{free_port()}"
        with pytest.raises(requests.ConnectionError):
            through.get(url)
        with pytest.raises(errors.LeftAloneError):
            through.get(url)
        assert through.get(cloud.url).status_code == 200


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 429, 500])
def test_what_is_wrong_with_one_caller_closes_nothing_to_others(code: int) -> None:
    with upstream(lambda *_: reply(code)) as cloud:
        through = session(gate(patience=Patience(failures=1, bad_answers=1)))
        for _ in range(10):
            assert through.get(cloud.url).status_code == code


def test_short_deadlines_and_cancelled_calls_close_nothing_to_others() -> None:
    def handler(seen: Seen, sock: socket.socket) -> bytes | None:
        if seen.target == "/well":
            return reply(200, b"well")
        wait_for_end(seen, sock)
        return None

    with upstream(handler) as cloud:
        through = session(gate())
        for _ in range(20):
            with pytest.raises(errors.CallDeadlineError):
                run(soon(0.01), through.get, f"{cloud.url}/slow")
        assert through.get(f"{cloud.url}/well").text == "well"


def test_deadlines_that_are_all_too_short_for_a_dead_cloud_close_it_together() -> None:
    with upstream(silent) as cloud:
        through = session(gate(patience=Patience(patience=0.3)))
        raised: list[type[BaseException]] = []
        while errors.LeftAloneError not in raised:
            try:
                run(soon(0.1), through.get, cloud.url)
            except errors.OaktreeError as error:
                raised.append(type(error))
            assert len(raised) < 100
        assert raised.count(errors.CallDeadlineError) >= 3


def test_a_slow_upload_is_not_the_clouds_fault() -> None:
    def body() -> Iterator[bytes]:
        yield b"x"
        time.sleep(0.4)  # the caller's own slowness
        yield b"y"

    with upstream(silent) as cloud:
        through = session(gate(patience=Patience(patience=0.1)))
        with pytest.raises((errors.CallDeadlineError, requests.RequestException)):
            run(soon(0.3), lambda: through.put(cloud.url, data=body()))
        breaker = through.get_adapter(cloud.url)._gate.breaker  # type: ignore[attr-defined]
        assert breaker.state().available


def test_sessions_of_a_cloud_region_share_connections_and_nothing_of_their_users() -> None:
    gates = Gates(lambda cloud, region: Gate(cloud, region, Breaker(cloud, region)))

    def handler(_: Seen, __: socket.socket) -> bytes:
        return reply(200, b"", {"Set-Cookie": "who=first"})

    with upstream(handler) as cloud, gates:
        first, second = (gates.session("one", "R", auth=noauth.NoAuth()) for _ in range(2))
        for each in (first, second, first):
            each.get(cloud.url, authenticated=False)
        assert {each.connection for each in cloud.seen} == {1}
        assert ["cookie" in each.headers for each in cloud.seen] == [False, False, True]
        assert gates.gate("one", "R") is gates.gate("one", "R")
        assert gates.gate("one", "R") is not gates.gate("one", "S")


def test_logins_of_a_netrc_file_go_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with upstream(lambda *_: reply(200)) as cloud:
        session(gate()).get(cloud.url)
        assert "authorization" not in cloud.seen[0].headers


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
