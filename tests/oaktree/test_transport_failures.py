"""Redirects, retries and closed connections at the wire; what a failing cloud costs, and to whom it is closed."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import keystoneauth1.exceptions as keystone
import pytest
import requests
from keystoneauth1 import noauth
from tests.oaktree.hanging import gate, silent, soon
from tests.oaktree.upstream import TOKEN, Seen, reply, upstream, wait_for_end
from tests.ports import free_port

from openstackoid.oaktree import errors
from openstackoid.oaktree.upstream.breaker import Breaker, Patience
from openstackoid.oaktree.upstream.calls import run
from openstackoid.oaktree.upstream.sessions import Gates, Session
from openstackoid.oaktree.upstream.transport import Gate, session


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
