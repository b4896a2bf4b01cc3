"""What is remembered, for whom, for how long; in memory and in a real Redis."""

import json
import os
import pickle
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from tests.oaktree.upstream import RedisServer, redis_server, until

from openstackoid.oaktree import errors
from openstackoid.oaktree.memory.backends import MemoryBackend
from openstackoid.oaktree.memory.cache import Cache, Key, Lifetimes, Remembered, identity
from openstackoid.oaktree.upstream.calls import Call, run
from openstackoid.oaktree.upstream.shared import Shared

LONG = Lifetimes(fresh=1000, stale=1000)
STALE = Lifetimes(fresh=0.05, stale=1000)
Make = Callable[..., Cache]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as made:
        yield made


@pytest.fixture(params=["memory", "redis"])
def make(request: pytest.FixtureRequest, server: RedisServer) -> Iterator[Make]:
    """Makes caches: in memory always the same one, so that a second worker is only what Redis makes of it."""
    made: list[Cache] = []

    def one(lifetimes: Lifetimes = LONG) -> Cache:
        made.append(Cache(lifetimes, Shared.at(server.url, timeout=5) if request.param == "redis" else None))
        return made[-1]

    yield one
    for each in made:
        each.close()


@pytest.fixture
def key() -> Key:
    return Key(identity(cloud="one", user_id=os.urandom(8).hex()), "compute.server", b"all")


class Cloud:
    """Counts how often it is asked; answers with the count."""

    def __init__(self) -> None:
        self.asked = 0
        self.at_once = 0
        self._lock = threading.Lock()
        self.going = threading.Event()
        self.going.set()
        self.error: Exception | None = None

    def __call__(self) -> bytes:
        with self._lock:
            self.asked += 1
            number = self.asked
        assert self.going.wait(30)
        if self.error:
            raise self.error
        return str(number).encode()


def together(count: int, what: Callable[[], Remembered]) -> list[Future[Remembered]]:
    """Begins in as many threads; they end with the futures."""
    executor = ThreadPoolExecutor(count)
    futures = [executor.submit(what) for _ in range(count)]
    executor.shutdown(wait=False)
    return futures


def test_an_answer_is_remembered_for_its_key_alone(make: Make, key: Key) -> None:
    cache, cloud = make(), Cloud()
    before = time.time()
    first = cache.get(key, cloud)
    again = cache.get(key, cloud)
    assert first == again == Remembered(b"1", first.asked_at, fresh=True)
    assert before <= first.asked_at <= time.time()
    for other in (
        Key(identity(cloud="one", user_id="another"), key.kind, key.question),
        Key(key.identity, "compute.flavor", key.question),
        Key(key.identity, key.kind, b"some"),
    ):
        assert cache.get(other, lambda: b"other").value == b"other"
    assert cache.get(key, cloud).value == b"1"


PARTS = st.dictionaries(
    st.sampled_from(["cloud", "region", "auth_url", "user_id", "project_id", "domain_id", "system"]),
    st.one_of(st.none(), st.text(max_size=6)),
)
QUESTIONS = st.tuples(PARTS, st.text(max_size=6), st.binary(max_size=6))


@given(QUESTIONS, QUESTIONS)
def test_different_questions_have_different_keys(one: Any, two: Any) -> None:
    first, second = (Key(identity(**parts), kind, question) for parts, kind, question in (one, two))
    assert (first.digest == second.digest) == (one == two)
    assert (first.generation == second.generation) == (one[:2] == two[:2])


@given(st.text(max_size=8), st.text(max_size=8), st.binary(max_size=8), st.integers(0, 8))
def test_what_moves_from_one_part_to_the_next_makes_another_key(who: str, kind: str, question: bytes, at: int) -> None:
    moved = Key(who + kind[:at], kind[at:], question)
    assert (Key(who, kind, question).digest == moved.digest) == (not kind[:at])


def test_nothing_readable_of_a_key_is_in_redis(server: RedisServer) -> None:
    cache = Cache(LONG, Shared.at(server.url))
    cache.get(Key(identity(user_id="marker-user"), "compute.marker", b"marker-filter"), lambda: b"x")
    cache.forget(identity(user_id="marker-user"), "compute.marker")
    keys: Any = redis.Redis.from_url(server.url).keys("*")
    assert len(keys) >= 2
    assert not any(b"marker" in each for each in keys)
    cache.close()


def test_workers_share_what_is_in_redis(server: RedisServer, key: Key) -> None:
    one, two = (Cache(LONG, Shared.at(server.url)) for _ in range(2))
    cloud = Cloud()
    assert one.get(key, cloud) == two.get(key, cloud)
    assert cloud.asked == 1
    two.forget(key.identity, key.kind)
    assert one.get(key, cloud).value == b"2"


def test_redis_forgets_by_itself(server: RedisServer, key: Key) -> None:
    cache = Cache(Lifetimes(fresh=10, stale=20), Shared.at(server.url))
    cache.get(key, lambda: b"x")
    left = redis.Redis.from_url(server.url).ttl(key.digest)
    assert isinstance(left, int)
    assert 0 < left <= 31


def test_many_who_want_the_same_make_one_question(make: Make, key: Key) -> None:
    cache, cloud = make(), Cloud()
    cloud.going.clear()
    futures = together(50, lambda: cache.get(key, cloud))
    until(lambda: cloud.asked)
    time.sleep(0.1)
    cloud.going.set()
    assert {each.result(30).value for each in futures} == {b"1"}
    assert cloud.asked == 1


def test_many_workers_who_want_the_same_make_one_question(server: RedisServer, key: Key) -> None:
    caches = [Cache(LONG, Shared.at(server.url, timeout=5)) for _ in range(4)]
    cloud = Cloud()
    cloud.going.clear()
    futures = [future for cache in caches for future in together(5, lambda cache=cache: cache.get(key, cloud))]  # type: ignore[misc]
    until(lambda: cloud.asked)
    time.sleep(0.2)
    cloud.going.set()
    assert {each.result(30).value for each in futures} == {b"1"}
    assert cloud.asked == 1


def test_an_old_answer_is_given_at_once_and_renewed_once(make: Make, key: Key) -> None:
    cache, cloud = make(STALE), Cloud()
    cache.get(key, cloud)
    time.sleep(0.1)
    cloud.going.clear()
    answers = [each.result(30) for each in together(20, lambda: cache.get(key, cloud))]
    assert {(each.value, each.fresh) for each in answers} == {(b"1", False)}
    until(lambda: cloud.asked == 2)
    cloud.going.set()
    until(lambda: cache.get(key, cloud).value != b"1")


def test_workers_renew_once_together(server: RedisServer, key: Key) -> None:
    caches = [Cache(STALE, Shared.at(server.url, timeout=5)) for _ in range(4)]
    cloud = Cloud()
    caches[0].get(key, cloud)
    time.sleep(0.1)
    cloud.going.clear()
    for _ in range(5):
        for each in caches:
            assert each.get(key, cloud).value == b"1"
    until(lambda: cloud.asked == 2)
    time.sleep(0.2)
    assert cloud.asked == 2
    cloud.going.set()
    for each in caches:
        each.close()


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
    cloud.going.clear()
    slow = together(1, lambda: cache.get(key, cloud))
    until(lambda: cloud.asked)
    futures = together(20, lambda: cache.get(key, cloud, refresh=True))
    time.sleep(0.1)
    cloud.going.set()
    assert slow[0].result(30).value == b"1"
    assert {each.result(30).value for each in futures} == {b"2"}


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
    cloud.going.clear()
    slow = together(1, lambda: cache.get(key, cloud))
    until(lambda: cloud.asked)
    cache.forget(key.identity, key.kind)
    later = together(3, lambda: cache.get(key, cloud))  # they wait for the slow one, and may not have its answer
    time.sleep(0.1)
    cloud.going.set()
    assert slow[0].result(30).value == b"1"
    assert {each.result(30).value for each in later} == {b"2"}
    assert cache.get(key, cloud).value == b"2"


def test_a_renewal_that_began_before_a_write_is_not_remembered_after_it(make: Make, key: Key) -> None:
    cache, cloud = make(STALE), Cloud()
    cache.get(key, cloud)
    time.sleep(0.1)
    cloud.going.clear()
    cache.get(key, cloud)
    until(lambda: cloud.asked == 2)
    cache.forget(key.identity, key.kind)
    cloud.going.set()
    assert cache.get(key, cloud).value not in {b"1", b"2"}


def test_whoever_asks_after_a_write_sees_it(make: Make, key: Key) -> None:
    cache = make()
    stop = threading.Event()
    state = told = 0  # what the cloud has; what was written and forgotten before

    def lists() -> Remembered:
        answer = Remembered(b"0", 0)
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


def test_a_lost_generation_revives_nothing(server: RedisServer, key: Key) -> None:
    client = redis.Redis.from_url(server.url)
    cache = Cache(LONG, Shared.at(server.url))
    cloud = Cloud()
    cache.get(key, cloud)
    client.delete(f"oaktree:generation:{key.generation}")
    assert cache.get(key, cloud).value == b"2"


def test_an_answer_that_is_too_large_is_given_to_all_who_wait_and_not_remembered(make: Make, key: Key) -> None:
    cache, cloud = make(Lifetimes(fresh=1000, largest=0)), Cloud()
    cloud.going.clear()
    futures = together(10, lambda: cache.get(key, cloud))
    until(lambda: cloud.asked)
    time.sleep(0.1)
    cloud.going.set()
    assert {each.result(30).value for each in futures} == {b"1"}
    del futures
    assert cache.get(key, cloud).value == b"2"


UNPICKLED = f"{tempfile.gettempdir()}/oaktree-unpickled-{os.getpid()}"


class Evil:
    """Tells if somebody unpickles it."""

    def __reduce__(self) -> Any:
        return os.mkdir, (UNPICKLED,)


HEADER = json.dumps({"ct": time.time(), "v": 2}).encode() + b"|"
RUBBISH = [
    b"",
    b"\x00",
    b"not json|x",
    b"[]|x",
    b"null|" + b"oak1" + b"\x00" * 24,
    pickle.dumps(Evil()),
    HEADER + pickle.dumps(Evil()),
    HEADER + b"oak1",
    HEADER + b"oak0" + b"\x00" * 24 + b"x",
    HEADER + b"oak1" + b"\x7f\xf8" + b"\x00" * 22,  # not a number
    HEADER + b"oak1" + b"\x7f\xf0" + b"\x00" * 22,  # the end of time
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=range(len(RUBBISH)))
def test_what_somebody_else_put_into_redis_counts_as_nothing(server: RedisServer, key: Key, rubbish: bytes) -> None:
    redis.Redis.from_url(server.url).set(key.digest, rubbish)
    cloud = Cloud()
    cache = Cache(LONG, Shared.at(server.url))
    assert cache.get(key, cloud).value == b"1"
    assert cache.get(key, cloud).value == b"1"
    assert not Path(UNPICKLED).exists()
    cache.close()


def test_without_redis_the_clouds_are_asked_and_it_is_used_again_when_it_is_back(key: Key) -> None:
    with redis_server() as own:
        cache, cloud = Cache(LONG, Shared.at(own.url, pause=0.05)), Cloud()
        cache.get(key, cloud)
        own.stop()
        assert [cache.get(key, cloud).value for _ in range(3)] == [b"2", b"3", b"4"]
        cloud.going.clear()
        futures = together(20, lambda: cache.get(key, cloud))
        until(lambda: cloud.asked == 5)
        time.sleep(0.1)
        cloud.going.set()
        assert {each.result(30).value for each in futures} == {b"5"}
        own.start()
        until(lambda: cache.get(key, cloud) == cache.get(key, cloud))
        cache.close()


def test_a_write_while_redis_is_away_is_told_to_it_later(server: RedisServer, key: Key) -> None:
    with redis_server() as own:
        folder = own._folder
        client = redis.Redis.from_url(own.url)
        cache, cloud = Cache(LONG, Shared.at(own.url, pause=0.05)), Cloud()
        cache.get(key, cloud)
        # Away for this worker, with all that it knows kept: another Redis user renames the socket.
        (folder / "redis.sock").rename(folder / "away.sock")
        cache._shared.redis.connection_pool.disconnect()  # type: ignore[union-attr]
        cache.forget(key.identity, key.kind)
        (folder / "away.sock").rename(folder / "redis.sock")
        until(lambda: not cache._shared.away)  # type: ignore[union-attr]
        assert cache.get(key, cloud).value == b"2"
        assert client.exists(key.digest)
        cache.close()


def test_waiting_for_anothers_question_ends_with_the_call(make: Make, key: Key) -> None:
    cache, cloud = make(), Cloud()
    cloud.going.clear()
    slow = together(1, lambda: cache.get(key, cloud))
    until(lambda: cloud.asked)
    call = Call()
    waiting = together(1, lambda: run(call, cache.get, key, cloud))
    call.cancel()
    with pytest.raises(errors.CallCancelledError):
        waiting[0].result(30)
    with pytest.raises(errors.CallDeadlineError):
        run(Call(time.monotonic() + 0.05), cache.get, key, cloud)
    cloud.going.set()
    assert slow[0].result(30).value == b"1"
    assert cloud.asked == 1


def test_a_worker_that_died_while_it_asked_holds_nobody_up_for_long(server: RedisServer, key: Key) -> None:
    cloud = Cloud()
    cache = Cache(Lifetimes(lease=0.3), Shared.at(server.url))
    redis.Redis.from_url(server.url).set(f"oaktree:l:{key.digest}", "of a worker that is gone", px=500)
    assert cache.get(key, cloud).value == b"1"
    cache.close()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000)), max_size=60))
def test_memory_is_bounded_and_what_was_used_last_stays(sets: list[tuple[int, int]]) -> None:
    backend = MemoryBackend({"most_bytes": 5000})
    for number, size in sets:
        backend.set_serialized(str(number), b"x" * size)
        assert backend.size <= 5000
        assert backend.get_serialized(str(number)) == b"x" * size
    assert backend.size == sum(len(value) + 401 for value in backend._entries.values())
    backend.delete_multi([str(number) for number in range(10)])
    assert backend.size == 0


def test_a_value_larger_than_the_memory_is_not_kept() -> None:
    backend = MemoryBackend({"most_bytes": 1000})
    backend.set_serialized("a", b"x")
    backend.set_serialized("a", b"x" * 2000)
    assert not backend.get_serialized("a")
    assert backend.size == 0


def test_what_was_used_longest_ago_goes_first() -> None:
    backend = MemoryBackend({"most_bytes": 1300})
    for name in ("a", "b", "c"):
        backend.set_serialized(name, b"x")
    assert backend.get_serialized("a")
    backend.set_serialized("d", b"x")
    assert [bool(each) for each in backend.get_serialized_multi(["a", "b", "c", "d"])] == [True, False, True, True]
