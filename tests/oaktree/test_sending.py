"""Questions that are asked on the event loop: they pass what all requests pass, and fail as requests of openstacksdk's do."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.oaktree.hanging import HANGING, certificate, gate, soon
from tests.oaktree.upstream import TOKEN, Handler, Seen, reply, until, upstream
from tests.ports import free_port

from openstackoid.oaktree import errors
from openstackoid.oaktree.upstream.ahead import Question
from openstackoid.oaktree.upstream.breaker import Patience
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.upstream.sending import Sender
from openstackoid.rates.limiters import LocalLimiter


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    made = Sender()
    yield made
    await made.close()


def asked(url: str, **more: Any) -> Question:
    return Question(url, {"X-Auth-Token": TOKEN, "Accept": "application/json", "User-Agent": "openstacksdk"}, **more)


async def test_it_sends_what_it_was_told_and_nothing_of_its_own(sender: Sender) -> None:
    with upstream(lambda *_: reply(200, {"a": 1}, {"x-openstack-request-id": "req-1"})) as cloud:
        call = Call()
        answer = await sender.get(asked(f"{cloud.url}/v2/%7Ea?b=%2Fc"), gate(), call)
        assert (answer.status, answer.body, call.requests, list(call.request_ids)) == (200, b'{"a": 1}', 1, ["req-1"])
        seen = cloud.seen[0]
        assert (seen.method, seen.target) == ("GET", "/v2/%7Ea?b=%2Fc")
        host = cloud.url.removeprefix("http://")
        assert seen.headers == {
            "host": host,
            "x-auth-token": TOKEN,
            "accept": "application/json",
            "user-agent": "openstacksdk",
            "accept-encoding": "gzip, deflate",
        }


@pytest.mark.parametrize("handler", HANGING)
async def test_a_cancelled_call_ends_its_connection(sender: Sender, handler: Handler) -> None:
    with upstream(handler) as cloud:
        task = asyncio.create_task(sender.get(asked(cloud.url), gate(), Call()))
        await asyncio.to_thread(until, lambda: cloud.seen)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(until, lambda: cloud.closed)


@pytest.mark.parametrize("handler", HANGING)
async def test_a_deadline_ends_its_connection(sender: Sender, handler: Handler) -> None:
    with upstream(handler) as cloud:
        with pytest.raises(errors.CallDeadlineError):
            await sender.get(asked(cloud.url), gate(), soon(0.3))
        await asyncio.to_thread(until, lambda: cloud.closed)


async def test_a_configured_timeout_is_the_clouds_failure_and_costs_it_once(sender: Sender) -> None:
    with upstream(HANGING[0]) as cloud:
        here = gate(read_timeout=0.2, patience=Patience(patience=0.1))
        with pytest.raises(requests.ReadTimeout):
            await sender.get(asked(cloud.url), here, Call())
        with pytest.raises(errors.LeftAloneError):
            await sender.get(asked(cloud.url), here, Call())
        assert len(cloud.seen) == 1


async def test_deadlines_of_callers_close_nothing_to_others(sender: Sender) -> None:
    with upstream(HANGING[0]) as cloud:
        here = gate()
        with pytest.raises(errors.CallDeadlineError):
            await sender.get(asked(cloud.url), here, soon(0.05))
        assert here.breaker.state().available


async def test_who_is_not_there_is_left_alone(sender: Sender) -> None:
    here = gate()
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(requests.ConnectionError):
        await sender.get(asked(url), here, Call())
    with pytest.raises(errors.LeftAloneError):
        await sender.get(asked(url), here, Call())


async def test_a_connection_that_ends_without_an_answer_is_told_as_such(sender: Sender) -> None:
    def end(_: Seen, sock: socket.socket) -> None:
        sock.shutdown(socket.SHUT_RDWR)

    with upstream(end) as cloud, pytest.raises(requests.ConnectionError):
        await sender.get(asked(cloud.url), gate(), Call())


async def test_what_is_no_http_is_told_as_such(sender: Sender) -> None:
    with upstream(lambda *_: b"220 mail.example ESMTP\r\n\r\n") as cloud, pytest.raises(requests.ConnectionError):
        await sender.get(asked(cloud.url), gate(), Call())


async def test_a_connection_that_the_cloud_has_closed_meanwhile_costs_nothing(sender: Sender) -> None:
    def once(seen: Seen, sock: socket.socket) -> None:
        # Says nothing of it: the next request finds the connection closed.
        sock.sendall(reply(200, b"well"))

    with upstream(once) as cloud:
        for _ in range(5):
            assert (await sender.get(asked(cloud.url), gate(), Call())).body == b"well"


def large(_: Seen, sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    with contextlib.suppress(OSError):
        while True:
            sock.sendall(b"x" * 10_000)


def packed(*_: object) -> bytes:
    return reply(200, gzip.compress(b"x" * 1_000_000), {"Content-Encoding": "gzip"})


@pytest.mark.parametrize("handler", [large, packed])
async def test_an_answer_that_is_too_large_is_not_read(sender: Sender, handler: Handler) -> None:
    with upstream(handler) as cloud, pytest.raises(errors.AnswerTooLargeError):
        await sender.get(asked(cloud.url), gate(largest_answer=100_000), Call())


async def test_what_is_packed_is_unpacked(sender: Sender) -> None:
    with upstream(packed) as cloud:
        answer = await sender.get(asked(cloud.url), gate(), Call())
        assert answer.body == b"x" * 1_000_000
        assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_no_token_follows_a_redirect_to_another_host(sender: Sender, code: int) -> None:
    with (
        upstream(lambda *_: reply(200)) as other,
        upstream(lambda *_: reply(code, b"", {"Location": other.url})) as cloud,
    ):
        with pytest.raises(errors.RedirectError):
            await sender.get(asked(cloud.url), gate(), Call())
        assert not other.seen


async def test_a_redirect_within_the_host_is_openstacksdks_to_follow(sender: Sender) -> None:
    with upstream(lambda *_: reply(302, b"", {"Location": "/elsewhere"})) as cloud:
        assert (await sender.get(asked(cloud.url), gate(), Call())).status == 302
        assert len(cloud.seen) == 1


async def test_questions_wait_for_their_rate_and_never_past_the_deadline(sender: Sender) -> None:
    with upstream(lambda *_: reply(200)) as cloud:
        here = gate(limiter=LocalLimiter(rate=5, burst=1))
        await sender.get(asked(cloud.url), here, Call())
        await sender.get(asked(cloud.url), here, Call())
        # Slots are 0.2 s apart; what the cloud sees may be later, by no more than the machine is slow.
        assert cloud.seen[1].at - cloud.seen[0].at > 0.1
        with pytest.raises(errors.RateError):
            await sender.get(asked(cloud.url), here, soon(0.05))
        assert len(cloud.seen) == 2


async def test_certificates_are_checked_as_configured(sender: Sender, tmp_path: Path) -> None:
    pem, context = certificate(tmp_path)

    def wrap(sock: socket.socket) -> socket.socket:
        return context.wrap_socket(sock, server_side=True)

    with upstream(lambda *_: reply(200, b"well"), wrap=wrap) as cloud:
        here = gate()
        with pytest.raises(requests.exceptions.SSLError):
            await sender.get(asked(cloud.url), here, Call())
        # One that does not count is the caller's own: nothing of it closes the cloud to others.
        assert (await sender.get(asked(cloud.url, verify=str(pem)), here, Call())).body == b"well"
        assert (await sender.get(asked(cloud.url, verify=False), here, Call())).body == b"well"
        only = next(each for (verify, *_), each in sender._contexts.items() if verify == str(pem))
        assert only.cert_store_stats()["x509"] == 1  # nobody but whom the configuration names
        with pytest.raises(requests.exceptions.SSLError):
            await sender.get(asked(cloud.url), here, Call())
        with pytest.raises(requests.exceptions.SSLError, match="No such file"):
            await sender.get(asked(cloud.url, verify=str(tmp_path / "none.pem")), here, Call())
