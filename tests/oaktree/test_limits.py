"""Rates: of one process, and of several that share a Redis; counted by a cloud at the wire."""

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from tests import commands
from tests.oaktree.counting import too_early
from tests.oaktree.upstream import reply, until, upstream
from tests.redis_server import RedisServer, redis_server

from openstackoid.rates.limiters import LONGEST_WAIT, LocalLimiter, RedisLimiter, Unlimited
from openstackoid.rates.shared import AwayError, Shared

WORKERS = 4


class Clock:
    """Seconds that pass when a test says so."""

    now = 50.0

    def __call__(self) -> float:
        return self.now


def most_in_window(times: list[float], seconds: float) -> int:
    times = sorted(times)
    first = most = 0
    for last, at in enumerate(times):
        while at - times[first] > seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


@given(
    st.floats(0.1, 1000),
    st.integers(1, 20),
    st.lists(st.floats(0, 3), min_size=1, max_size=100),
    st.floats(0.001, 5),
)
def test_no_window_holds_more_than_its_rate_and_burst(
    rate: float, burst: int, pauses: list[float], window: float
) -> None:
    clock = Clock()
    limiter = LocalLimiter(rate, burst, late=0, clock=clock)
    sent = []
    for pause in pauses:
        clock.now += pause / rate
        wait = limiter.reserve("a")
        if wait <= LONGEST_WAIT:
            sent.append(clock.now + wait)
    assert most_in_window(sent, window) <= window * rate + burst + 1e-6


def test_a_burst_goes_at_once_and_then_one_each_interval() -> None:
    clock = Clock()
    limiter = LocalLimiter(2, 3, late=0, clock=clock)
    assert [limiter.reserve("a") for _ in range(5)] == [0, 0, 0, 0.5, 1]
    assert limiter.reserve("b") == 0
    clock.now += 100
    assert [limiter.reserve("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_what_may_be_late_is_kept_back_from_the_burst() -> None:
    limiter = LocalLimiter(10, 5, late=0.3, clock=Clock())
    assert [limiter.reserve("a") for _ in range(3)] == pytest.approx([0, 0, 0.1])
    assert [LocalLimiter(10, 1, late=0.3, clock=Clock()).reserve("a") for _ in range(2)] == [0, 0]


def test_who_cannot_wait_takes_no_slot() -> None:
    limiter = LocalLimiter(1, 1, late=0, clock=Clock())
    assert limiter.reserve("a") == 0
    for _ in range(100):
        assert limiter.reserve("a", 0.5) == 1
    assert limiter.reserve("a") == 1


def test_nobody_waits_more_than_a_minute() -> None:
    limiter = LocalLimiter(1, 1, late=0, clock=Clock())
    waits = [limiter.reserve("a") for _ in range(100)]
    assert [each for each in waits if each <= LONGEST_WAIT] == list(range(61))
    assert set(waits[61:]) == {61}


def test_keys_that_are_over_are_forgotten() -> None:
    clock = Clock()
    limiter = LocalLimiter(1, 1, late=0, clock=clock)
    for number in range(30_000):
        clock.now += 0.01
        limiter.reserve(str(number))
    assert len(limiter._next) <= 10_001


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0), (math.nan, 1)])
def test_limits_that_mean_nothing_are_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="expected a rate above 0"):
        LocalLimiter(rate, burst)


def test_no_limit_is_no_wait() -> None:
    assert Unlimited().reserve("a") == 0


def test_redis_keeps_one_count_for_all_with_an_end(redis: RedisServer) -> None:
    one, two = (RedisLimiter(Shared.at(redis.url), 0.5, 2, late=0) for _ in range(2))
    assert [one.reserve("x/R"), two.reserve("x/R")] == [0, 0]
    assert 1 < one.reserve("x/R", 0.5) <= 2  # not reserved
    assert 1 < two.reserve("x/R") <= 2
    assert 2 < one.reserve("x/R") <= 4
    assert one.reserve("y/R") == 0
    left = Redis.from_url(redis.url).pttl("oaktree:rate:x/R")
    assert isinstance(left, int)
    assert 0 < left < 20_000


def test_a_clock_of_redis_that_was_set_back_stops_nothing(redis: RedisServer) -> None:
    client = Redis.from_url(redis.url)
    client.set("oaktree:rate:back/R", "99999999999999999")
    assert RedisLimiter(Shared.at(redis.url), 10).reserve("back/R") == 0


def test_without_redis_each_worker_keeps_to_its_part_and_goes_back_when_it_is_there() -> None:
    with redis_server() as own:
        shared = Shared.at(own.url, pause=0.05)
        limiter = RedisLimiter(shared, 4, 8, late=0, workers=4)
        assert limiter.reserve("x/R") == 0
        own.stop()
        waits = [limiter.reserve("x/R") for _ in range(3)]
        assert waits[:2] == [0, 0]
        assert 0 < waits[2] <= 1
        with pytest.raises(AwayError):
            shared.ask(shared.redis.ping)
        own.start()
        until(lambda: not shared.away and limiter.reserve("z/R") == 0 and not shared.away)
        assert Redis.from_url(own.url).exists("oaktree:rate:z/R")


def test_after_a_failure_one_thread_tries_and_all_others_go_on_without() -> None:
    """A Redis that takes its time to fail must not hold every thread again and again."""
    now = [0.0]
    shared = Shared(Redis(), pause=2.0, clock=lambda: now[0])

    def fails() -> None:
        raise RedisConnectionError

    def ask(question: Callable[[], object]) -> object:
        try:
            return shared.ask(question)
        except AwayError:
            return "away"

    assert (ask(fails), shared.away, ask(int)) == ("away", True, "away")
    for answer in (fails, int):
        now[0] += 2.0
        begun, go_on, others = threading.Event(), threading.Event(), []

        def slow(answer: Callable[[], object] = answer, begun: Any = begun, go_on: Any = go_on) -> object:
            begun.set()
            assert go_on.wait(60)
            return answer()

        with ThreadPoolExecutor(1) as pool:
            trial = pool.submit(ask, slow)
            assert begun.wait(60)
            others += [ask(int) for _ in range(3)]
            go_on.set()
            assert (others, trial.result(60)) == (["away"] * 3, "away" if answer is fails else 0)
    assert [ask(int) for _ in range(2)] == [0, 0]
    assert not shared.away


def test_an_answer_to_an_older_request_does_not_say_that_redis_is_back() -> None:
    now = [0.0]
    shared = Shared(Redis(), pause=2.0, clock=lambda: now[0])

    def others_fail() -> int:
        with pytest.raises(AwayError):
            shared.ask(_refused)
        return 1

    assert shared.ask(others_fail) == 1
    assert shared.away


def _refused() -> None:
    raise RedisConnectionError


def test_a_redis_that_says_nonsense_is_as_one_that_is_away(redis: RedisServer) -> None:
    Redis.from_url(redis.url).lpush("oaktree:rate:list/R", "x")
    shared = Shared.at(redis.url)
    assert RedisLimiter(shared, 1).reserve("list/R") == 0
    assert shared.away


def test_the_rate_is_never_exceeded_over_four_workers(redis: RedisServer) -> None:
    rate, burst = 100, 20
    with upstream(lambda *_: reply(200)) as cloud:
        given = {"redis": redis.url, "url": cloud.url, "rate": rate, "burst": burst, "workers": WORKERS}
        command = [sys.executable, "-m", "tests.oaktree.counting"]
        workers = [
            commands.popen(
                [*command, json.dumps(given | {"seconds": 3, "threads": 6})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(WORKERS)
        ]
        for each in workers:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        began = time.monotonic()
        for each in workers:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        assert [each.wait(60) for each in workers] == [0] * WORKERS
        times = [each.at for each in cloud.seen]
    # A busy machine makes requests late, each by another time, so not every window can be checked: but none comes before its slot.
    assert too_early(times, began, rate, burst) == []
    # Without a limit 24 threads send far more; a limiter that lets nothing through would pass the line above.
    assert len(times) > 100
