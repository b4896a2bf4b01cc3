"""What workers share in a Redis, what others put there, and its absence."""

import json
import os
import pickle
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from tests.oaktree.cached_lists import LONG, STALE, Cloud, together
from tests.oaktree.upstream import until
from tests.redis_server import RedisServer, redis_server

from openstackoid.oaktree.cache.answers import Cache, Lifetimes
from openstackoid.oaktree.cache.keys import Key, identity
from openstackoid.rates.shared import Shared


def test_workers_share_what_is_in_redis(redis: RedisServer, key: Key) -> None:
    one, two = (Cache(LONG, Shared.at(redis.url)) for _ in range(2))
    cloud = Cloud()
    assert one.get(key, cloud) == two.get(key, cloud)
    assert cloud.asked == 1
    two.forget(key.identity, key.kind)
    assert one.get(key, cloud).value == b"2"


def test_many_workers_who_want_the_same_make_one_question(redis: RedisServer, key: Key) -> None:
    caches = [Cache(LONG, Shared.at(redis.url, timeout=5)) for _ in range(4)]
    cloud = Cloud()
    with cloud.held():
        futures = [future for cache in caches for future in together(5, lambda cache=cache: cache.get(key, cloud))]  # type: ignore[misc]
        until(lambda: cloud.asked)
        time.sleep(0.2)
    assert {each.result(30).value for each in futures} == {b"1"}
    assert cloud.asked == 1


def test_workers_renew_once_together(redis: RedisServer, key: Key) -> None:
    caches = [Cache(STALE, Shared.at(redis.url, timeout=5)) for _ in range(4)]
    cloud = Cloud()
    caches[0].get(key, cloud)
    time.sleep(0.1)
    with cloud.held():
        for _ in range(5):
            for each in caches:
                assert each.get(key, cloud).value == b"1"
        until(lambda: cloud.asked == 2)
        time.sleep(0.2)
        assert cloud.asked == 2
    for each in caches:
        each.close()


def test_redis_forgets_by_itself(redis: RedisServer, key: Key) -> None:
    cache = Cache(Lifetimes(fresh=10, stale=20), Shared.at(redis.url))
    cache.get(key, lambda: b"x")
    left = Redis.from_url(redis.url).ttl(key.digest)
    assert isinstance(left, int)
    assert 0 < left <= 31


def test_nothing_readable_of_a_key_is_in_redis(redis: RedisServer) -> None:
    cache = Cache(LONG, Shared.at(redis.url))
    cache.get(Key(identity(user_id="marker-user"), "compute.marker", b"marker-filter"), lambda: b"x")
    cache.forget(identity(user_id="marker-user"), "compute.marker")
    keys: Any = Redis.from_url(redis.url).keys("*")
    assert len(keys) >= 2
    assert not any(b"marker" in each for each in keys)
    cache.close()


def test_a_lost_generation_revives_nothing(redis: RedisServer, key: Key) -> None:
    client = Redis.from_url(redis.url)
    cache = Cache(LONG, Shared.at(redis.url))
    cloud = Cloud()
    cache.get(key, cloud)
    client.delete(f"oaktree:generation:{key.generation}")
    assert cache.get(key, cloud).value == b"2"


# Rubbish.

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
def test_what_somebody_else_put_into_redis_counts_as_nothing(redis: RedisServer, key: Key, rubbish: bytes) -> None:
    Redis.from_url(redis.url).set(key.digest, rubbish)
    cloud = Cloud()
    cache = Cache(LONG, Shared.at(redis.url))
    assert cache.get(key, cloud).value == b"1"
    assert cache.get(key, cloud).value == b"1"
    assert not Path(UNPICKLED).exists()
    cache.close()


# Away, or gone.


def test_without_redis_the_clouds_are_asked_and_it_is_used_again_when_it_is_back(key: Key) -> None:
    with redis_server() as own:
        cache, cloud = Cache(LONG, Shared.at(own.url, pause=0.05)), Cloud()
        cache.get(key, cloud)
        own.stop()
        assert [cache.get(key, cloud).value for _ in range(3)] == [b"2", b"3", b"4"]
        with cloud.held():
            futures = together(20, lambda: cache.get(key, cloud))
            until(lambda: cloud.asked == 5)
            time.sleep(0.1)
        assert {each.result(30).value for each in futures} == {b"5"}
        own.start()
        until(lambda: cache.get(key, cloud) == cache.get(key, cloud))
        cache.close()


def test_a_write_while_redis_is_away_is_told_to_it_later(redis: RedisServer, key: Key) -> None:
    with redis_server() as own:
        folder = own._folder
        client = Redis.from_url(own.url)
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


def test_a_worker_that_died_while_it_asked_holds_nobody_up_for_long(redis: RedisServer, key: Key) -> None:
    cloud = Cloud()
    cache = Cache(Lifetimes(lease=0.3), Shared.at(redis.url))
    Redis.from_url(redis.url).set(f"oaktree:l:{key.digest}", "of a worker that is gone", px=500)
    assert cache.get(key, cloud).value == b"1"
    cache.close()
