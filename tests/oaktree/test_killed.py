"""A server that is killed in the middle of a create everywhere: its caller learns what became of it, and nothing is created twice."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.oaktree.creator import CANCELLED, CREATED, FAILED, SENT, UNKNOWN
from tests.oaktree.making import Cloud
from tests.oaktree.process import SLOW, Server, drain, retried, serving
from tests.oaktree.upstream import Seen, until


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


def kill(server: Server, call: Any, hold: Hold) -> dict[str, int]:
    """When it waits for Two, and knows of One; returns what it told last."""
    next(call)
    assert hold.reached.wait(SLOW)
    until(lambda: server.stages("key")["One"] == CREATED, SLOW)
    told = server.stages("key")
    server.kill()
    return told


@contextlib.contextmanager
def killed(server: Server, call: Any, hold: Hold) -> Iterator[dict[str, int]]:
    """While it is dead and Two still at its request; then Two goes on, and it is started again."""
    yield kill(server, call, hold)
    hold.end()
    drain(call)
    server.start()


def test_before_the_request_nothing_was_created_and_a_retry_creates_it(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    hold = Hold()
    # It waits for Two's Keystone: nothing of Two's part has been sent.
    answered = ours["Two"]._upstream.handler

    def held(seen: Seen, sock: socket.socket) -> bytes | None:
        hold(seen)
        return answered(seen, sock)

    ours["Two"]._upstream.handler = held
    with serving(tmp_path, ours) as server:
        with killed(server, server.create("key"), hold):
            pass
        assert settled(server, "key") == {"One": CREATED, "Two": CANCELLED}
        assert retried(server.create("key")) == {"One": CREATED, "Two": CREATED}
    assert [len(each.creates) for each in ours.values()] == [1, 1]


@pytest.mark.parametrize("ask", [False, True], ids=["retried at once", "asked for first"])
def test_after_the_request_and_before_the_record_it_is_found(tmp_path: Path, ours: dict[str, Cloud], ask: bool) -> None:
    hold = Hold()
    ours["Two"].after = hold
    with serving(tmp_path, ours) as server:
        with killed(server, server.create("key"), hold) as told:
            assert told["Two"] == SENT
            ours["Two"].after = lambda _: None
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
        with killed(server, server.create("key"), hold):
            ours["Two"].before = lambda _: None
        assert settled(server, "key") == {"One": CREATED, "Two": FAILED}
        assert retried(server.create("key")) == {"One": CREATED, "Two": CREATED}
    assert [len(each.creates) for each in ours.values()] == [1, 1]


def test_a_request_that_its_cloud_is_still_at_is_waited_for(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    """The server is dead, its request is not: a retry that looked at once and created another would be wrong."""
    hold = Hold()
    ours["Two"].before = hold
    with serving(tmp_path, ours, settle=120) as server:
        call = server.create("key")
        kill(server, call, hold)
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
        with killed(server, server.create_network("key"), hold):
            ours["Two"].after = lambda _: None
        assert retried(server.create_network("key")) == {"One": CREATED, "Two": CREATED}
    assert [len(each.creates) for each in ours.values()] == [1, 1]


def test_what_nobody_can_tell_is_not_created_again(tmp_path: Path, ours: dict[str, Cloud]) -> None:
    hold = Hold()
    ours["Two"].after = hold
    with serving(tmp_path, ours) as server:
        with killed(server, server.create_network("key"), hold):
            # Somebody else made one of the same name meanwhile.
            ours["Two"].made["networks"]["theirs"] = {"id": "theirs", "name": "net", "status": "ACTIVE"}
        assert settled(server, "key") == {"One": CREATED, "Two": UNKNOWN}
        assert retried(server.create_network("key")) == {"One": CREATED, "Two": UNKNOWN}
        # They took theirs away, as the message says: now there is one.
        del ours["Two"].made["networks"]["theirs"]
        assert retried(server.create_network("key")) == {"One": CREATED, "Two": CREATED}
    assert [len(each.creates) for each in ours.values()] == [1, 1]
