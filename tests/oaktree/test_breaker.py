"""When a cloud is left alone, and when it is asked again."""

import threading
from collections import Counter

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from openstackoid.oaktree import errors, statuses
from openstackoid.oaktree.upstream.breaker import Breaker, Failure, Patience

A, B = "http://a:80", "http://b:80"
ERROR = requests.ConnectionError("no route")
EXACT = Patience(jitter=0)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(breaker: Breaker, failure: Failure = Failure.UNREACHABLE, address: str = A) -> None:
    with breaker.enter(address) as permit:
        permit.failed(failure, ERROR)


def answer(breaker: Breaker, code: int = 200, address: str = A) -> None:
    with breaker.enter(address) as permit:
        permit.answered(code)


def refused(breaker: Breaker, address: str = A) -> float | None:
    """Seconds for which it refuses."""
    try:
        breaker.check(address)
    except errors.LeftAloneError as error:
        return error.retry_after
    return None


def test_one_failure_opens_for_a_time_that_doubles_to_a_minute(clock: Clock) -> None:
    breaker = Breaker("one", "R", EXACT, clock=clock)
    for seconds in (5, 10, 20, 40, 60, 60):
        fail(breaker)
        assert refused(breaker) == seconds
        with pytest.raises(errors.LeftAloneError):
            breaker.enter(A)
        clock.now += seconds
        assert refused(breaker) is None
    answer(breaker)
    fail(breaker)
    assert refused(breaker) == 5


@given(st.integers(0, 8))
def test_jitter_only_shortens(times: int) -> None:
    clock = Clock()
    breaker = Breaker("one", "R", clock=clock)
    for _ in range(times + 1):
        clock.now += 60
        fail(breaker)
    seconds = refused(breaker)
    wanted = min(5 * 2**times, 60)
    assert seconds is not None
    assert 0.8 * wanted <= seconds <= wanted


def test_exactly_one_tries_whether_it_is_back() -> None:
    clock = Clock()
    breaker = Breaker("one", "R", EXACT, clock=clock)
    fail(breaker)
    clock.now += 5
    ready = threading.Barrier(16)
    done = threading.Event()
    count: Counter[str] = Counter()

    def ask() -> None:
        ready.wait(20)
        try:
            with breaker.enter(A):
                count["let through"] += 1
                done.wait(20)
        except errors.LeftAloneError as error:
            count["refused"] += error.retry_after == 1
            if count["refused"] == 15:
                done.set()

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert count == {"let through": 1, "refused": 15}


def test_who_tried_and_learned_nothing_leaves_it_to_the_next(clock: Clock) -> None:
    breaker = Breaker("one", "R", EXACT, clock=clock)
    fail(breaker)
    clock.now += 5
    with breaker.enter(A):
        assert refused(breaker) == 1
    with breaker.enter(A) as permit:
        clock.now += 0.1
        permit.failed(Failure.SILENT, ERROR)  # a deadline that was too short
    assert refused(breaker) is None


def test_bad_answers_open_after_several_in_a_row_and_broken_connections_count_with_them(clock: Clock) -> None:
    breaker = Breaker("one", "R", EXACT, clock=clock)
    for code in (502, 503, 504, 503):
        answer(breaker, code)
    answer(breaker, 404)
    for code in (502, 503, 504):
        answer(breaker, code)
    fail(breaker, Failure.BROKEN)
    assert refused(breaker) is None
    answer(breaker, 503)
    assert refused(breaker) == 5
    told = breaker.state().last_error
    assert told is not None
    assert "503" in told.message


def test_more_failures_may_be_needed(clock: Clock) -> None:
    breaker = Breaker("one", "R", Patience(failures=3, jitter=0), clock=clock)
    fail(breaker)
    fail(breaker)
    answer(breaker)
    fail(breaker)
    fail(breaker)
    assert refused(breaker) is None
    fail(breaker)
    assert refused(breaker) == 5


def test_waiting_counts_once_however_many_wait(clock: Clock) -> None:
    breaker = Breaker("one", "R", EXACT, clock=clock)
    permits = [breaker.enter(A) for _ in range(1000)]
    clock.now += 1
    for each in permits:
        each.failed(Failure.SILENT, ERROR)
    assert refused(breaker) is None
    for _ in range(3):
        with breaker.enter(A) as permit:
            clock.now += 1
            permit.failed(Failure.SILENT, ERROR)
    assert refused(breaker) is None
    clock.now += 100  # nobody waited
    with breaker.enter(A) as permit:
        clock.now += 1
        permit.failed(Failure.SILENT, ERROR)
    assert refused(breaker) == 5


def test_what_began_before_it_opened_does_not_lengthen_it(clock: Clock) -> None:
    breaker = Breaker("one", "R", EXACT, clock=clock)
    permits = [breaker.enter(A) for _ in range(10)]
    for each in permits:
        each.failed(Failure.UNREACHABLE, ERROR)
    assert refused(breaker) == 5


def test_any_answer_closes_it(clock: Clock) -> None:
    breaker = Breaker("one", "R", EXACT, clock=clock)
    late = breaker.enter(A)
    fail(breaker)
    late.answered(401)
    assert refused(breaker) is None
    assert breaker.state().available


def test_addresses_fail_alone_and_the_region_is_available_as_long_as_one_answers(clock: Clock) -> None:
    breaker = Breaker("one", "R", EXACT, clock=clock)
    answer(breaker, address=B)
    clock.now += 1
    fail(breaker)
    assert not breaker.state().available
    assert refused(breaker, B) is None
    clock.now += 1
    answer(breaker, address=B)
    state = breaker.state()
    assert state.available
    assert state.retry_at is not None
    assert state.last_error is not None
    assert statuses.reason(state.last_error) == "CLOUD_UNREACHABLE"


def test_a_region_that_is_well_has_nothing_to_tell() -> None:
    breaker = Breaker("one", "R")
    state = breaker.state()
    assert (state.available, state.last_error, state.retry_at) == (True, None, None)


def test_a_cloud_cannot_fill_the_memory_with_addresses(clock: Clock) -> None:
    breaker = Breaker("one", "R", EXACT, clock=clock)
    for number in range(1000):
        clock.now += 0.001
        fail(breaker, address=f"http://h{number}:80")
    assert sum(refused(breaker, f"http://h{number}:80") is not None for number in range(1000)) == 100


def test_the_refusal_says_what_is_wrong(clock: Clock) -> None:
    breaker = Breaker("one", "R", EXACT, clock=clock)
    fail(breaker)
    with pytest.raises(errors.LeftAloneError, match=r"one R .* 5\.0 s .* no route"):
        breaker.check(A)
