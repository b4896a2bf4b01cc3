"""What HAProxy was taught at the door of other clouds ends: with the token, the agreement, the gateway, or HAProxy itself."""

import http.client
import signal
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from tests.gateway.wire import until
from tests.haproxy.doorway import FILE, IMAGES, Door, closed, fresh, never, opened, request_id, rule
from tests.haproxy.world import Proxy

from openstackoid.gateway.fastpath import image_tokens as guests
from openstackoid.gateway.fastpath.image_tokens import ImageTokens
from openstackoid.haproxy import image_downloads
from openstackoid.haproxy.maps import Entry
from openstackoid.haproxy.patterns import is_image
from openstackoid.haproxy.plan import VISITORS
from openstackoid.trust.grants import Grant


def test_it_ends_with_the_token_and_never_after_the_agreements_are_stale(at: Door) -> None:
    now = int(time.time())
    short, long = at.learn(at.token(expires=now + 12)), at.learn()
    for token, end in ((short, now + 12), (long, time.time() + 61)):
        assert int(at.map[image_downloads.key(token, "CloudOne")].partition(":")[0]) <= end * 1000
    at.straight(short)
    until(lambda: not at.known(short))
    # HAProxy itself looks at the time, whatever stands in the map.
    key = image_downloads.key(long, "CloudOne")
    value = at.map[key]
    at.two.proxy.tell(f"set map {at.two.short / VISITORS} {key} {int(time.time() * 1000) - 1:013}{value[13:]}")
    assert at.passes(long).status == 200
    past = at.token(issued=now - 700, expires=now - 400)
    assert at.passes(past).status == 401
    assert not at.known(past)


def test_in_its_leeway_a_token_is_the_gateways(at: Door) -> None:
    now = int(time.time())
    never(at, at.token(issued=now - 300, expires=now - 5), {200})


def test_an_agreement_that_is_suspended_or_changed_ends_it(at: Door) -> None:
    token = at.learn()
    at.store.change("CloudOne", "suspend", "operator")
    try:
        until(lambda: at.get(token, fresh()).status == 403)
        assert not at.map
        path = fresh()
        answer = at.passes(token, path)
        assert (answer.status, answer.code) == (403, "agreement.missing")
        assert not at.two["image"].all(path)
    finally:
        at.store.change("CloudOne", "allow", "operator", IMAGES)
    until(lambda: at.get(token, fresh()).status == 200)
    at.learn(token)
    try:
        at.store.change("CloudOne", "allow", "operator", Grant(**rule("/v2/images")))
        until(lambda: at.get(token, fresh()).status == 403)
        assert not at.map
    finally:
        at.agree(IMAGES)


def test_a_worker_that_is_being_replaced_does_not_use_it(at: Door) -> None:
    token = at.learn()
    parts = urlsplit(at.two.peering)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)

    def on_the_same(path: str) -> http.client.HTTPResponse:
        headers = {"X-Auth-Token": token, "X-Openstackoid-Hops": "CloudOne", "X-Openstack-Request-Id": request_id()}
        connection.putrequest("GET", f"/image{path}", skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        return answer

    first, second = fresh(), fresh()
    assert on_the_same(first).status == 200
    assert not at.two.passed(first)
    before = at.two.proxy.pid()
    reloaded(at.two.proxy)
    until(lambda: at.two.proxy.serves() and at.two.proxy.pid() != before)
    answer = on_the_same(second)
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert at.two.passed(second)
    connection.close()
    at.learn(token)


def reloaded(proxy: Proxy) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(proxy.folder / "master.sock"))
        connection.sendall(b"reload\n")
        connection.recv(65536)


def test_a_configuration_that_is_read_again_begins_anew(at: Door) -> None:
    token = at.learn()
    at.two.gateway.process.send_signal(signal.SIGHUP)
    until(lambda: not at.map)
    at.learn(token)
    at.straight(token)


def test_without_a_gateway_it_lasts_no_longer_and_a_new_one_forgets(at: Door) -> None:
    token, short = at.learn(), at.learn(at.token(expires=int(time.time()) + 15))
    at.two.gateway.process.kill()
    at.two.gateway.process.wait()
    for each in (token, short):
        path = fresh()
        assert at.get(each, path).status == 200
        assert len(at.two["image"].all(path)) == 1
    assert at.get(token, "/v2/images/x").status == 502
    until(lambda: at.get(short, fresh()).status == 502)
    at.two.again()
    until(lambda: not at.map)
    at.two.ready()
    at.learn(token)
    at.straight(token)


# Several gateways, and configurations.


def test_several_workers_forget_alike(tmp_path: Path) -> None:
    made = opened(tmp_path, workers=3)
    try:
        found = [made.learn() for _ in range(4)]
        for token in found:
            path = fresh()
            assert made.get(token, path).status == 200
            assert len(made.two["image"].all(path)) == 1
        made.store.change("CloudOne", "suspend", "operator")
        # One that has not heard yet may teach it once more, and then hears.
        until(lambda: {made.get(token, fresh()).status for token in found * 5} == {403})
        until(lambda: not made.map)
        assert {made.get(token, fresh()).status for token in found * 5} == {403}
        assert not made.map
    finally:
        closed(made)


def test_it_ends_where_the_gateway_would_ask_whether_the_project_is_frozen(tmp_path: Path) -> None:
    made = opened(tmp_path, recheck=30)
    try:
        key = image_downloads.key(made.learn(), "CloudOne")
        assert int(made.map[key].partition(":")[0]) <= (time.time() + 30) * 1000
    finally:
        closed(made)


class Told:
    """In the place of HAProxy's admin socket."""

    def __init__(self, *, there: bool = True) -> None:
        self.there = there
        self.map: dict[str, str] = {}

    async def cleared(self, _: Path) -> bool:
        self.map.clear()
        return self.there

    async def put(self, *entries: tuple[Path, Entry]) -> None:
        self.map |= {entry.key: entry.value for _, entry in entries}

    async def drop(self, _: Path, keys: Iterable[str]) -> None:
        for key in keys:
            self.map.pop(key, None)


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "_MAX_ENTRIES", 5)
    told = Told()
    known = ImageTokens(cast("Any", told), Path("/nowhere"))
    now, of = time.time(), frozenset({"CloudOne"})
    for number in range(40):
        await known.teach(Entry(f"key{number}", "first"), now + 100, of)
    await known.teach(Entry("late", "value"), now - 1, of)
    await known.teach(Entry("key39", "second"), now + 101, of)
    await known.expire()
    assert told.map == {f"key{number}": "first" for number in range(36, 40)}
    await known.teach(Entry("key39", "later"), now + 200, of)
    assert told.map["key39"] == "later"
    await known.teach(Entry("other", "value"), now + 100, frozenset({"CloudTwo"}))
    await known.forget({"CloudOne"})
    assert told.map == {"other": "value"}
    await known.clear()
    assert told.map == {}


def test_what_cannot_stand_in_the_map_is_not_written() -> None:
    assert (
        image_downloads.value(1.5, ("u", "p", "a", "l", "q"), "t~m")
        == "0000000001500:u:p:a:l:q:".ljust(352, ":") + "t~m"
    )
    assert (image_downloads.value(1.5, ("u" * 64,) * 5, "t") or "")[image_downloads.PREFIX_WIDTH :] == "t"
    for wrong in ("u" * 65, "", "u\n", 'a"b', "a:b", "a b", "a;b"):
        assert image_downloads.value(1.5, (wrong, "p", "a", "l", "q"), "t") is None
    assert image_downloads.value(1.5, ("u", "p", "a", "l", "q"), "t;clear map x") is None
    assert [is_image(FILE.rpartition("/")[2]), is_image(FILE.rpartition("/")[2].upper())] == [True, False]
