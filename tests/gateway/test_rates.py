"""Rates of requests to a peer, over two gateways of two workers that share a Redis; and how many reads of several clouds run at a time."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from tests.gateway.wire import Answer, Cloud, Gateway, Seen, Upstream, ask, reply, scope, until
from tests.oaktree.counting import too_early
from tests.redis_server import redis_server

from openstackoid.core.errors import ConfigError
from openstackoid.gateway.settings.loading import load
from openstackoid.gateway.settings.sections import Rates as Settings
from openstackoid.gateway.upstream.rates import Rates

RATE: Final = 20
BOTH: Final = {"X-Scope": '{"image": "CloudOne & Small"}'}


@dataclass
class Small:
    """A small cloud, which counts what arrives, and holds what it is told to hold."""

    upstream: Upstream
    times: list[float] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    waiting: int = 0

    def answer(self, seen: Seen, _: socket.socket) -> bytes:
        self.times.append(time.monotonic())
        if "held" in seen.target:
            self.waiting += 1
            self.held.wait(60)
        return reply(200, {"images": [{"id": f"{len(self.times)}", "created_at": "2030"}]})


@dataclass
class World:
    cloud: Cloud
    small: Small
    gateways: list[Gateway]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("rates")
    cloud, other, small = Cloud("CloudOne", paths=True), Cloud("CloudOne", paths=True), Small(Upstream(_nothing))
    small.upstream.on("/", small.answer)
    for one in (cloud, other):
        one["image"].on("/v2/images", reply(200, {"images": [{"id": "mine", "created_at": "2031"}]}))
    peers: dict[str, Any] = {"Small": {"url": small.upstream.url, "services": {"image": small.upstream.url}}}
    with redis_server() as redis:
        rates = {"peers": {"*": 1000, "Small": RATE}, "redis_env": "OPENSTACKOID_RATES", "gateways": 2, "wait": 0.6}
        fanout = {"running": 4, "running_per_user": 2}
        gateways = [
            Gateway(
                folder / str(number),
                one.config(peers=peers, rates=rates, fanout=fanout),
                "--workers",
                str(2 - number),
                environment={"OPENSTACKOID_RATES": redis.url},
            )
            for number, one in enumerate((cloud, other))
        ]
        try:
            for gateway in gateways:
                gateway.ready()
            yield World(cloud, small, gateways)
        finally:
            small.held.set()
            for gateway in gateways:
                gateway.end()
            codes = [gateway.stop() for gateway in gateways]
            for upstream in (cloud, other, small.upstream):
                upstream.close()
    assert codes == [0, 0]
    assert not any("Traceback" in gateway.said for gateway in gateways)


def _nothing(_: Seen, __: socket.socket) -> bytes:
    return reply(404, {})


def test_no_more_arrives_at_a_peer_than_its_rate_over_all_gateways_and_workers(world: World) -> None:
    began = time.monotonic()
    answers: list[tuple[bool, Answer]] = []

    def seen_enough() -> bool:
        late = any(several and answer.get("X-Scope-Missing") == "Small;code=peer.rate" for several, answer in answers)
        return late and any(answer.status == 429 for _, answer in answers) and time.monotonic() > began + 3

    def many(number: int) -> None:
        several = number < 6
        base = world.gateways[number % 3 % 2].url("image")
        given = BOTH | {"X-Scope-Timeout": "0.4"} if several else scope(image="Small")
        while time.monotonic() < began + 60 and not seen_enough():
            answers.append((several, ask(base, "/v2/images", given, token=f"gAAAAAmarker-{number}")))
            # All together still send ten times what is allowed.
            time.sleep(0.1)

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(many, range(30)))
    assert too_early(world.small.times, began, RATE, RATE) == []
    assert len(world.small.times) > RATE  # more than the first burst
    missing = {answer.get("X-Scope-Missing") for several, answer in answers if several and answer.status == 200}
    assert "Small;code=peer.rate" in missing  # no room before the deadline
    assert missing <= {None, "Small;code=peer.rate", "Small;code=peer.timeout"}
    plain = [answer for several, answer in answers if not several]
    refused = [answer for answer in plain if answer.status == 429]
    assert refused
    for answer in refused:
        assert answer.code == "peer.rate"
        assert "20 requests a second" in answer.error
        assert int(answer.get("Retry-After") or 0) >= 1
    assert {answer.status for answer in plain} <= {200, 429}


def test_a_read_waits_for_its_turn_within_its_deadline(world: World) -> None:
    """More than there is room for now, and all of them get in."""
    base = world.gateways[0].url("image")
    with ThreadPoolExecutor(30) as pool:
        answers = list(
            pool.map(lambda number: ask(base, "/v2/images", BOTH, token=f"gAAAAAmarker-wait-{number}"), range(30))
        )
    assert [(answer.status, answer.get("X-Scope-Missing")) for answer in answers] == [(200, None)] * 30


def test_what_all_clouds_refuse_for_their_rates_says_when_to_try_again(world: World) -> None:
    base = world.gateways[1].url("image")

    def over() -> Answer | None:
        with ThreadPoolExecutor(40) as pool:
            given = scope(image="Small") | {"X-Scope-Require": "all"} | {"X-Scope-Timeout": "0.05"}
            two = given | {"X-Scope": '{"image": "Small & CloudOne"}'}
            answers = list(pool.map(lambda n: ask(base, "/v2/images", two, token=f"gAAAAAmarker-{n % 20}"), range(40)))
        return next((one for one in answers if one.status == 502 and missing(one) == ["peer.rate"]), None)

    def missing(answer: Answer) -> list[str]:
        """Of the clouds that are missing; on a slow machine one may also be late."""
        return [leg["code"] for leg in answer.json["error"]["scope_answers"] if leg["code"]]

    answer = until(over)
    assert answer
    assert answer.code == "scope.incomplete"
    assert "requests a second" in answer.error
    assert int(answer.get("Retry-After") or 0) >= 1


def test_one_user_s_reads_leave_room_for_others(world: World) -> None:
    """One worker: two at a time of one user, four in all, and nobody has more than are free beside."""
    base, given = world.gateways[1].url("image"), BOTH | {"X-Scope-Timeout": "60"}
    small = world.small
    time.sleep(1)  # the rate has room
    with ThreadPoolExecutor(9) as pool:
        greedy = [pool.submit(ask, base, "/v2/images?name=held", given, token="gAAAAAmarker-greedy") for _ in range(4)]
        until(lambda: small.waiting == 2)
        over = ask(base, "/v2/images", BOTH | {"X-Scope-Timeout": "0.2"}, token="gAAAAAmarker-greedy")
        assert (over.status, over.code) == (429, "scope.busy")
        assert over.get("Retry-After") == "1"
        assert "this user" in over.error
        modest = ask(base, "/v2/images", BOTH, token="gAAAAAmarker-modest")
        assert (modest.status, len(modest.json["images"])) == (200, 2)
        second = [pool.submit(ask, base, "/v2/images?name=held", given, token="gAAAAAmarker-second") for _ in range(2)]
        until(lambda: small.waiting == 3)
        last = pool.submit(ask, base, "/v2/images?name=held", given, token="gAAAAAmarker-last")
        until(lambda: small.waiting == 4)
        full = ask(base, "/v2/images", BOTH | {"X-Scope-Timeout": "0.2"}, token="gAAAAAmarker-third")
        assert (full.status, full.code) == (429, "scope.busy")
        assert "all users" in full.error
        assert ask(base, "/v2/images", token="gAAAAAmarker-third").status == 200  # no fan-out
        small.held.set()
        assert {future.result().status for future in (*greedy, *second, last)} == {200}


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"peers": {"Cloud Two": 5}}, "names of peers"),
        ({"peers": {"CloudTwo": 0}}, "greater than 0"),
        ({"redis": "http://redis"}, "redis"),
        ({"redis_env": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE"),
        ({"redis": "redis://a", "redis_env": "HOME"}, "one of"),
    ],
)
def test_wrong_rates_are_refused(tmp_path: Path, rates: dict[str, Any], message: str) -> None:
    image = {"frontend": "http://127.0.0.1:1", "backend": "http://127.0.0.1:2"}
    file = tmp_path / "gateway.yaml"
    file.write_text(json.dumps({"cloud": "CloudOne", "services": {"image": image}, "rates": rates}))
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert "rates" in str(caught.value)
    assert message in str(caught.value)


def test_a_redis_that_never_answers_holds_up_no_database() -> None:
    """Whoever waits for it has threads of their own: those of the event loop are the databases'."""

    async def scenario() -> None:
        settings = Settings(peers={"*": 1000.0}, redis=f"redis://127.0.0.1:{silent.getsockname()[1]}")
        rates = Rates("CloudOne", settings)
        turns = [asyncio.create_task(rates.turn("Small", None)) for _ in range(100)]
        await asyncio.sleep(0)
        database = asyncio.create_task(asyncio.to_thread(int))
        finished, _ = await asyncio.wait({database, *turns}, return_when=asyncio.FIRST_COMPLETED)
        assert finished == {database}
        await asyncio.gather(*turns)  # each has its part of the rate while Redis is away

    with socket.create_server(("127.0.0.1", 0), backlog=200) as silent:
        asyncio.run(scenario())
