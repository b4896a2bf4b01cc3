"""A contract is suspended and resumed: in every worker of a gateway, on connections that stay open, and through what HAProxy has learned."""

import contextlib
import dataclasses
import http.client
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.gateway.test_regions import CONSUMER, contract, put
from tests.gateway.wire import ask, until
from tests.haproxy.test_traps import image_data
from tests.haproxy.world import Authority, Fronted, Secure, wrote_no_secret

from openstackoid.haproxy import maps
from openstackoid.trust.contracts import ContractGrant, GrantState

CONNECTIONS = 12  # the kernel spreads them over the workers
AGAIN = 2  # requests on each connection


@dataclass
class Served:
    """CloudOne has two workers behind HAProxy; its region is a part of CloudBare."""

    one: Fronted
    bare: Secure
    token: str

    def workers(self) -> set[int]:
        pid = self.one.gateway.process.pid
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def workers_of(self, opened: list[http.client.HTTPConnection]) -> set[int]:
        """The processes that hold the other ends of connections."""
        ports = {connection.sock.getsockname()[1] for connection in opened}
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        sockets = {f"socket:[{row[9]}]" for row in rows if int(row[2].rpartition(":")[2], 16) in ports}
        return {pid for pid in self.workers() if sockets & _files(pid)}


def _files(pid: int) -> set[str]:
    """What the descriptors of a process are."""
    names: set[str] = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            names.add(str(descriptor.readlink()))
    return names


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("suspended")
    signer = Authority(folder)
    one, bare = Fronted("CloudOne", folder / "one", signer=signer), Secure("CloudBare", signer)
    try:
        one.start({"CloudBare": bare.entry({"services": ["image"]})}, workers=2, recheck=300)
        one.ready()
        until(lambda: one.agreed("CloudBare") and "CloudBare|image" in one.proxy.peers)
        yield Served(one, bare, one.keystone.issue("alice", "member"))
    finally:
        one.stop()
        bare.close()
    wrote_no_secret(one)


@pytest.fixture
def connections(served: Served) -> Iterator[list[http.client.HTTPConnection]]:
    """Connections to the gateway behind HAProxy that stay open, at least one to each worker."""
    at = urlsplit(served.one.alone("identity")).netloc
    opened: list[http.client.HTTPConnection] = []

    def spread() -> bool:
        """Open one more; whether there are enough, and at each worker: one may serve a moment later than the other."""
        connection = http.client.HTTPConnection(at, timeout=60)
        connection.connect()
        opened.append(connection)
        answered(served, connection, "/openstackoid/v1/none")  # accepted, so that a worker holds it
        return len(opened) >= CONNECTIONS and served.workers_of(opened) == served.workers()

    try:
        until(spread)
        assert len(served.workers()) == 2
        yield opened
    finally:
        for connection in opened:
            connection.close()


def answered(served: Served, connection: http.client.HTTPConnection, path: str) -> int:
    """The status of an answer on a connection that stays the same."""
    mine = connection.sock
    connection.request("GET", path, headers={"X-Auth-Token": served.token})
    with connection.getresponse() as answer:
        answer.read()
    assert connection.sock is mine
    return answer.status


def through(region: str) -> str:
    """A path to image data that nobody has asked for yet."""
    return f"/scope/{region}/image{image_data()}"


def has_read(served: Served, connection: http.client.HTTPConnection, region: str) -> None:
    """Ask on a connection until its worker knows a region."""
    until(lambda: answered(served, connection, through(region)) == 200)


def arrived(served: Served, path: str) -> bool:
    """Whether a request came to the provider."""
    return bool(served.bare.all("/image/v2" + path.partition("/v2")[2]))


def learned(served: Served, region: str) -> None:
    """Ask until HAProxy answers by itself."""
    key = maps.user(served.token, region, maps.REGION)

    def straight() -> bool:
        path, number = through(region), f"req-{secrets.token_hex(4)}-0000-4000-8000-{secrets.token_hex(6)}"
        answer = ask(served.one.url("identity"), path, {"X-Openstack-Request-Id": number}, token=served.token)
        assert answer.status in {200, 403, 404}, answer
        return answer.status == 200 and key in served.one.proxy.tokens and number in served.one.proxy.said

    until(straight)


def test_a_suspension_holds_in_every_worker_and_in_haproxy_and_ends(
    served: Served, connections: list[http.client.HTTPConnection]
) -> None:
    one = served.one
    bound = contract("CloudBare", CONSUMER, f"V{secrets.token_hex(4)}", pseudonyms=True)
    suspended = dataclasses.replace(bound, state=GrantState.SUSPENDED)
    key = maps.user(served.token, bound.region, maps.REGION)

    def read(*contracts: ContractGrant) -> str:
        """Write contracts, and one more whose region tells when a worker has read them."""
        mark = contract("CloudBare", CONSUMER, f"M{secrets.token_hex(4)}", pseudonyms=True)
        put(one, *contracts, mark)
        return mark.region

    try:
        for _ in range(2):
            mark = read(bound)
            for connection in connections:
                has_read(served, connection, mark)
                assert answered(served, connection, through(bound.region)) == 200
            learned(served, bound.region)

            mark = read(suspended)
            refused = []
            for connection in connections:
                # A worker that has read the change lets nothing more pass.
                has_read(served, connection, mark)
                for _ in range(AGAIN):
                    refused.append(through(bound.region))
                    assert answered(served, connection, refused[-1]) == 403
            # All workers have: nor does HAProxy, from the moment when it has forgotten, and nobody teaches it anew.
            until(lambda: key not in one.proxy.tokens)
            for _ in range(CONNECTIONS):
                refused.append(through(bound.region))
                answer = ask(one.url("identity"), refused[-1], token=served.token)
                assert (answer.status, answer.code) == (403, "contract.suspended")
            assert key not in one.proxy.tokens
            assert [path for path in refused if arrived(served, path)] == []
    finally:
        put(one)
