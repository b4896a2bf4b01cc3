"""A server that is killed in the middle of a create everywhere: its caller learns what became of it, and nothing is created twice."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oaktree.creator import CANCELLED, CREATED, FAILED, SENT, UNKNOWN
from tests.oaktree.making import Cloud, clouds
from tests.oaktree.process import SLOW, Server, drain, retried, serving
from tests.oaktree.upstream import Seen, until


@pytest.fixture
def ours() -> Iterator[dict[str, Cloud]]:
    with clouds("One", "Two") as made:
        yield made


class Hold:
    """Stops a cloud at a request, until the server is dead."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._go = threading.Event()

    def __call__(self, _: Seen) -> None:
        self.reached.set()
        assert self._go.wait(SLOW)

    def end(self) -> None:
        self._go.set()


def settled(server: Server, key: str) -> dict[str, int]:
    """What is told once the dead worker's time is over."""
    found: dict[str, int] = {}

    def is_over() -> bool:
        found.update(server.stages(key))
        return server.is_done

    until(is_over, SLOW)
    return found


def kill(server: Server, hold: "Hold") -> None:
    """When it waits for Two, and knows of One."""
    assert hold.reached.wait(SLOW)
    until(lambda: server.stages("key")["One"] == CREATED, SLOW)
    server.kill()


def test_before_the_request_nothing_was_created_and_a_retry_creates_it(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    hold = Hold()
    # It waits for Two's Keystone: nothing of Two's part has been sent.
    answered = ours["Two"]._upstream.handler

    def held(seen: Seen, sock: socket.socket) -> bytes | None:
        hold(seen)
        return answered(seen, sock)

    ours["Two"]._upstream.handler = held
    with serving(tmp_path, ours) as server:
        call = server.create("key")
        next(call)
        kill(server, hold)
        hold.end()
        drain(call)
        server.start()
        assert settled(server, "key") == {"One": CREATED, "Two": CANCELLED}
        assert retried(server.create("key")) == {"One": CREATED, "Two": CREATED}
    assert [len(each.creates) for each in ours.values()] == [1, 1]


@pytest.mark.parametrize("ask", [False, True], ids=["retried at once", "asked for first"])
def test_after_the_request_and_before_the_record_it_is_found(tmp_path: Path, ours: dict[str, Cloud], ask: bool) -> None:
    hold = Hold()
    ours["Two"].after = hold
    with serving(tmp_path, ours) as server:
        call = server.create("key")
        next(call)
        assert hold.reached.wait(SLOW)
        assert server.stages("key")["Two"] == SENT
        kill(server, hold)
        ours["Two"].after = lambda _: None
        hold.end()
        drain(call)
        server.start()
        if ask:
            assert settled(server, "key") == {"One": CREATED, "Two": CREATED}
        assert retried(server.create("key")) == {"One": CREATED, "Two": CREATED}
    assert [len(each.creates) for each in ours.values()] == [1, 1]


def test_a_request_that_its_cloud_never_took_is_sent_again_by_a_retry(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    hold = Hold()

    def lost(seen: Seen) -> bytes:
        hold(seen)
        return b""

    ours["Two"].before = lost
    with serving(tmp_path, ours) as server:
        call = server.create("key")
        next(call)
        kill(server, hold)
        ours["Two"].before = lambda _: None
        hold.end()
        drain(call)
        server.start()
        assert settled(server, "key") == {"One": CREATED, "Two": FAILED}
        assert retried(server.create("key")) == {"One": CREATED, "Two": CREATED}
    assert [len(each.creates) for each in ours.values()] == [1, 1]


def test_a_request_that_its_cloud_is_still_at_is_waited_for(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    """The server is dead, its request is not: a retry that looked at once and created another would be wrong."""
    hold = Hold()
    ours["Two"].before = hold
    with serving(tmp_path, ours, settle=8) as server:
        call = server.create("key")
        next(call)
        kill(server, hold)
        ours["Two"].before = lambda _: None
        server.start()
        again = server.create("key")
        # It has looked, found nothing, and goes on looking.
        until(lambda: any("servers/detail" in each.target for each in ours["Two"].seen), SLOW)
        hold.end()
        assert retried(again) == {"One": CREATED, "Two": CREATED}
        drain(call)
    assert [len(each.creates) for each in ours.values()] == [1, 1]


def test_after_the_record_a_retry_reads_it_again(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    with serving(tmp_path, ours) as server:
        first = retried(server.create("key"))
        server.kill()
        server.start()
        assert server.stages("key") == first == {"One": CREATED, "Two": CREATED}
        told = list(server.create("key"))
        assert {each.server.id for each in told if each.HasField("server")} == {
            name for cloud in ours.values() for name in cloud.servers
        }
    assert [len(each.creates) for each in ours.values()] == [1, 1]


def test_a_kind_without_a_mark_is_found_by_what_is_new(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    for each in ours.values():
        each.made["networks"]["old"] = {"id": "old", "name": "net", "status": "ACTIVE"}
    hold = Hold()
    ours["Two"].after = hold
    with serving(tmp_path, ours) as server:
        call = server.create_network("key")
        next(call)
        kill(server, hold)
        ours["Two"].after = lambda _: None
        hold.end()
        drain(call)
        server.start()
        assert retried(server.create_network("key")) == {"One": CREATED, "Two": CREATED}
    assert [len(each.creates) for each in ours.values()] == [1, 1]


def test_what_nobody_can_tell_is_not_created_again(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    hold = Hold()
    ours["Two"].after = hold
    with serving(tmp_path, ours) as server:
        call = server.create_network("key")
        next(call)
        kill(server, hold)
        # Somebody else made one of the same name meanwhile.
        ours["Two"].made["networks"]["theirs"] = {"id": "theirs", "name": "net", "status": "ACTIVE"}
        hold.end()
        drain(call)
        server.start()
        assert settled(server, "key") == {"One": CREATED, "Two": UNKNOWN}
        assert retried(server.create_network("key")) == {"One": CREATED, "Two": UNKNOWN}
        # They took theirs away, as the message says: now there is one.
        del ours["Two"].made["networks"]["theirs"]
        assert retried(server.create_network("key")) == {"One": CREATED, "Two": CREATED}
    assert [len(each.creates) for each in ours.values()] == [1, 1]
