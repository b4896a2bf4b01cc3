"""Watches of one user with several tokens: they share a poll, and one that does not count any more ends its own watches alone."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from tests.oaktree.failures import reason
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.people import Cloud, token
from tests.oaktree.upstream import until as eventually
from tests.oaktree.watched import Reader
from tests.oaktree.world import Oaktree

from oaktree.v1 import compute_pb2, compute_pb2_grpc
from oaktree.v1.common_pb2 import Condition

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
INTERVAL = 0.1


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    yield made
    made.close()


@pytest.fixture
def server(tmp_path: Path, cloud: Cloud) -> Iterator[Oaktree]:
    callers = {"tokens": {"remember": 3600}}
    made = Oaktree(tmp_path, clouds_yaml(tmp_path, {"One": cloud}), callers=callers, watch={"interval": INTERVAL})
    yield made
    assert made.stop() == 0
    assert "Traceback" not in made.log.read_text()


@contextlib.asynccontextmanager
async def watching(server: Oaktree, *tokens: str) -> AsyncIterator[list[Reader]]:
    """All servers, with each of the tokens, one after the other."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        compute: Any = compute_pb2_grpc.ComputeServiceStub(channel)
        readers = []
        for each in tokens:
            asked = compute_pb2.WatchServerRequest(until=Condition(query="name == 'never'"))
            readers.append(Reader(compute.WatchServer(asked, metadata=(token("One", each),))))
            assert (await readers[-1].word())[0] == "CURRENT"
        yield readers


def asking(cloud: Cloud) -> set[str]:
    """The tokens that were asked with."""
    return {each.headers["x-auth-token"] for each in cloud._upstream.seen if "/servers" in each.target}


async def goes_on(cloud: Cloud, server_id: str, *readers: Reader) -> None:
    """Each is told of what changes now."""
    name = f"changed-{time.monotonic_ns()}"
    cloud.change(server_id, name=name)
    for each in readers:
        while (await each.next()).server.name != name:
            pass


@pytest.mark.parametrize("revoked", [0, 1, 2], ids=["the first", "one between", "the newest"])
async def test_a_revoked_token_ends_its_own_watches_and_no_others(cloud: Cloud, server: Oaktree, revoked: int) -> None:
    ident = cloud.boot()
    tokens = [cloud.token() for _ in range(3)]
    async with watching(server, *tokens, tokens[revoked]) as readers:
        await goes_on(cloud, ident, *readers)
        lists = cloud.lists
        await asyncio.sleep(10 * INTERVAL)
        assert cloud.lists - lists <= 12  # one poll for all four
        assert asking(cloud) == set(tokens)  # with each in turn
        cloud.revoke(tokens[revoked])
        for each in (revoked, 3):
            error = await readers[each].end()
            assert (error.code(), reason(error)) == (StatusCode.UNAUTHENTICATED, "CLOUD_UNAUTHENTICATED")
        rest = [each for number, each in enumerate(readers) if number not in (revoked, 3)]
        await goes_on(cloud, ident, *rest)
        await goes_on(cloud, ident, *rest)


async def test_when_all_tokens_are_revoked_all_watches_end(cloud: Cloud, server: Oaktree) -> None:
    cloud.boot()
    tokens = [cloud.token() for _ in range(3)]
    async with watching(server, *tokens) as readers:
        for each in tokens:
            cloud.revoke(each)
        for reader in readers:
            assert (await reader.end()).code() is StatusCode.UNAUTHENTICATED
    lists = cloud.lists
    await asyncio.sleep(5 * INTERVAL)
    assert cloud.lists == lists  # nobody is polled for


async def test_the_token_of_one_who_has_gone_or_whose_token_has_ended_is_used_no_more(
    cloud: Cloud, server: Oaktree
) -> None:
    ident = cloud.boot()
    stays, goes, ends = cloud.token(), cloud.token(), cloud.token(life=8)
    async with watching(server, stays, goes, ends) as readers:
        await goes_on(cloud, ident, *readers)
        readers[1].call.cancel()
        error = await readers[2].end()
        assert (error.code(), reason(error)) == (StatusCode.UNAUTHENTICATED, "CALLER_UNAUTHENTICATED")
        await goes_on(cloud, ident, readers[0])
        seen = len(cloud._upstream.seen)
        await goes_on(cloud, ident, readers[0])
        await asyncio.sleep(5 * INTERVAL)
        later = {each.headers["x-auth-token"] for each in cloud._upstream.seen[seen:] if "/servers" in each.target}
        assert later == {stays}


async def test_who_comes_with_a_revoked_token_that_is_remembered_harms_no_poll(cloud: Cloud, server: Oaktree) -> None:
    """Keystone confirmed it a moment ago: the cloud's own service refuses it."""
    ident = cloud.boot()
    good, bad = cloud.token(), cloud.token()
    async with watching(server, bad) as [reader]:
        reader.call.cancel()
    cloud.revoke(bad)
    async with watching(server, good) as [reader], grpc.aio.insecure_channel(server.address) as channel:
        compute: Any = compute_pb2_grpc.ComputeServiceStub(channel)
        asked = compute_pb2.WatchServerRequest(id=ident, until=Condition(gone=True))
        late = Reader(compute.WatchServer(asked, metadata=(token("One", bad),)))
        assert (await late.end()).code() is StatusCode.UNAUTHENTICATED
        await goes_on(cloud, ident, reader)
        eventually(lambda: asking(cloud))
