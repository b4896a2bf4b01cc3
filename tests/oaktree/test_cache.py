"""What is remembered, for whom, for how long; the same in memory and in a real Redis."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.oaktree.cached_lists import LONG, STALE, Cloud, together
from tests.oaktree.upstream import until
from tests.redis_server import RedisServer

from openstackoid.oaktree import errors
from openstackoid.oaktree.cache.answers import Cache, CachedAnswer, Lifetimes
from openstackoid.oaktree.cache.keys import Key, identity
from openstackoid.oaktree.upstream.calls import Call, run
from openstackoid.rates.shared import Shared

Make = Callable[..., Cache]


@pytest.fixture(params=["memory", "redis"])
def make(request: pytest.FixtureRequest, redis: RedisServer) -> Iterator[Make]:
    """Makes caches: in memory always the same one, so that a second worker is only what Redis makes of it."""
    made: list[Cache] = []

    def one(lifetimes: Lifetimes = LONG) -> Cache:
        made.append(Cache(lifetimes, Shared.at(redis.url, timeout=5) if request.param == "redis" else None))
        return made[-1]

    yield one
    for each in made:
        each.close()


def test_an_answer_is_remembered_for_its_key_alone(make: Make, key: Key) -> None:
    cache, cloud = make(), Cloud()
    before = time.time()
    first = cache.get(key, cloud)
    again = cache.get(key, cloud)
    assert first == again == CachedAnswer(b"1", first.asked_at, fresh=True)
    assert before <= first.asked_at <= time.time()
    for other in (
        Key(identity(cloud="one", user_id="another"), key.kind, key.question),
        Key(key.identity, "compute.flavor", key.question),
        Key(key.identity, key.kind, b"some"),
    ):
        assert cache.get(other, lambda: b"other").value == b"other"
    assert cache.get(key, cloud).value == b"1"


def test_many_who_want_the_same_make_one_question(make: Make, key: Key) -> None:
    cache, cloud = make(), Cloud()
    with cloud.held():
        futures = together(50, lambda: cache.get(key, cloud))
        until(lambda: cloud.asked)
        time.sleep(0.3)
    assert {each.result(30).value for each in futures} == {b"1"}
    assert cloud.asked == 1


def test_an_old_answer_is_given_at_once_and_renewed_once(make: Make, key: Key) -> None:
    cache, cloud = make(STALE), Cloud()
    cache.get(key, cloud)
    time.sleep(0.1)
    with cloud.held():
        answers = [each.result(30) for each in together(20, lambda: cache.get(key, cloud))]
        assert {(each.value, each.fresh) for each in answers} == {(b"1", False)}
        until(lambda: cloud.asked == 2)
    until(lambda: cache.get(key, cloud).value != b"1")


def test_a_renewal_that_fails_harms_nobody_and_is_tried_again(make: Make, key: Key) -> None:
    cache, cloud = make(STALE), Cloud()
    cache.get(key, cloud)
    cloud.error = RuntimeError("down")
    time.sleep(0.1)
    for number in (2, 3):
        assert cache.get(key, cloud).value == b"1"
        until(lambda number=number: cloud.asked >= number)  # type: ignore[misc]
        time.sleep(0.05)  # its lock is let go
    cloud.error = None
    until(lambda: int(cache.get(key, cloud).value) > 3)


def test_an_answer_that_is_too_old_is_asked_again(make: Make, key: Key) -> None:
    cache, cloud = make(Lifetimes(fresh=0.02, stale=0.02)), Cloud()
    cache.get(key, cloud)
    time.sleep(0.1)
    answer = cache.get(key, cloud)
    assert (answer.value, answer.fresh) == (b"2", True)


def test_a_caller_may_want_a_newer_answer(make: Make, key: Key) -> None:
    cache, cloud = make(), Cloud()
    cache.get(key, cloud)
    time.sleep(0.05)
    assert cache.get(key, cloud, max_age=1000).value == b"1"
    assert cache.get(key, cloud, max_age=0.02).value == b"2"
    assert cache.get(key, cloud, max_age=0).value == b"3"
    assert cache.get(key, cloud, refresh=True).value == b"4"
    assert cache.get(key, cloud).value == b"4"


def test_who_refreshes_never_gets_an_answer_that_was_asked_before(make: Make, key: Key) -> None:
    cache, cloud = make(), Cloud()
    with cloud.held():
        slow = together(1, lambda: cache.get(key, cloud))
        until(lambda: cloud.asked)
        futures = together(20, lambda: cache.get(key, cloud, refresh=True))
        time.sleep(0.3)
    assert slow[0].result(30).value == b"1"
    # One question for all, but for who comes when it has been answered.
    assert b"1" not in {each.result(30).value for each in futures}


def test_the_error_of_one_is_not_the_others(make: Make, key: Key) -> None:
    cache, cloud = make(), Cloud()
    cloud.error = RuntimeError("down")
    with pytest.raises(RuntimeError):
        cache.get(key, cloud)
    cloud.error = None
    assert cache.get(key, cloud).value == b"2"


def test_after_a_write_nothing_old_counts(make: Make, key: Key) -> None:
    cache, cloud = make(), Cloud()
    other = Key(key.identity, "compute.flavor")
    cache.get(key, cloud)
    cache.get(other, lambda: b"flavors")
    cache.forget(key.identity, key.kind)
    assert cache.get(key, cloud).value == b"2"
    assert cache.get(other, lambda: b"new flavors").value == b"flavors"


def test_a_slow_list_that_began_before_a_write_is_not_remembered_after_it(make: Make, key: Key) -> None:
    cache, cloud = make(), Cloud()
    with cloud.held():
        slow = together(1, lambda: cache.get(key, cloud))
        until(lambda: cloud.asked)
        cache.forget(key.identity, key.kind)
        later = together(3, lambda: cache.get(key, cloud))  # they wait for the slow one, and may not have its answer
        time.sleep(0.1)
    assert slow[0].result(30).value == b"1"
    assert {each.result(30).value for each in later} == {b"2"}
    assert cache.get(key, cloud).value == b"2"


def test_a_renewal_that_began_before_a_write_is_not_remembered_after_it(make: Make, key: Key) -> None:
    cache, cloud = make(STALE), Cloud()
    cache.get(key, cloud)
    time.sleep(0.1)
    with cloud.held():
        cache.get(key, cloud)
        until(lambda: cloud.asked == 2)
        cache.forget(key.identity, key.kind)
    assert cache.get(key, cloud).value not in {b"1", b"2"}


def test_whoever_asks_after_a_write_sees_it(make: Make, key: Key) -> None:
    cache = make()
    stop = threading.Event()
    state = told = 0  # what the cloud has; what was written and forgotten before

    def lists() -> CachedAnswer:
        answer = CachedAnswer(b"0", 0)
        while not stop.is_set():
            least = told
            answer = cache.get(key, lambda: str(state).encode())
            assert int(answer.value) >= least
        return answer

    futures = together(4, lists)
    for number in range(1, 150):
        state = number
        cache.forget(key.identity, key.kind)
        told = number
    stop.set()
    for each in futures:
        each.result(30)
    assert cache.get(key, lambda: str(state).encode()).value == b"149"


def test_an_answer_that_is_too_large_is_given_to_all_who_wait_and_not_remembered(make: Make, key: Key) -> None:
    cache, cloud = make(Lifetimes(fresh=1000, largest=0)), Cloud()
    with cloud.held():
        futures = together(10, lambda: cache.get(key, cloud))
        until(lambda: cloud.asked)
        time.sleep(0.3)
    assert {each.result(30).value for each in futures} == {b"1"}
    del futures
    assert cache.get(key, cloud).value == b"2"


def test_waiting_for_anothers_question_ends_with_the_call(make: Make, key: Key) -> None:
    cache, cloud = make(), Cloud()
    with cloud.held():
        slow = together(1, lambda: cache.get(key, cloud))
        until(lambda: cloud.asked)
        call = Call()
        waiting = together(1, lambda: run(call, cache.get, key, cloud))
        call.cancel()
        with pytest.raises(errors.CallCancelledError):
            waiting[0].result(30)
        with pytest.raises(errors.CallDeadlineError):
            run(Call(time.monotonic() + 0.05), cache.get, key, cloud)
    assert slow[0].result(30).value == b"1"
    assert cloud.asked == 1
