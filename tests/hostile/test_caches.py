"""What strangers send is not remembered beyond bytes that are counted."""

import http.client
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.gateway.wire import reply
from tests.haproxy.world import Authority
from tests.hostile.honest import Honest, alone
from tests.hostile.programs import Peer

from openstackoid.core.border import answer_passes, request_passes
from openstackoid.core.remembered import SHORT, remembered
from openstackoid.core.services import service_type
from openstackoid.gateway.federation.memory import Memory, digest

LONG = 20_000


def memory(honest: Honest) -> int:
    """The most that the gateway's process ever had, in bytes."""
    status = Path(f"/proc/{honest.gateway.process.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) << 10


@pytest.fixture(scope="module")
def gateway_alone_module(hostile_folder: Path, peer_program: Peer, signer: Authority) -> Iterator[Honest]:
    """One whose memory no other module has filled."""
    with alone(hostile_folder / "caches", peer_program, signer) as made:
        yield made


def requests(honest: Honest, path: str, several: Iterator[Mapping[str, str]]) -> list[int]:
    """One after the other on one connection."""
    connection = http.client.HTTPConnection(urlsplit(honest.url()).netloc, timeout=20)
    statuses = []
    for headers in several:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    return statuses


def test_long_tokens_are_not_remembered(gateway_alone: Honest) -> None:
    count, scope = 1500, {"X-Scope": '{"image":"Mallory"}'}
    several = (scope | {"X-Auth-Token": f"gAAAAA{secrets.token_hex(LONG // 2)}"} for _ in range(count))
    warm = (scope | {"X-Auth-Token": f"gAAAAA{secrets.token_hex(LONG // 2)}"} for _ in range(50))
    assert set(requests(gateway_alone, "/v2/images", warm)) == {401}
    before = memory(gateway_alone)
    assert set(requests(gateway_alone, "/v2/images", several)) == {401}
    assert memory(gateway_alone) - before < count * LONG / 2


def test_long_names_of_headers_are_not_remembered(gateway_alone: Honest, mallory: Peer) -> None:
    """Of requests, and of a peer's answers."""
    count = 1000
    mallory.answers("/image/v2/names", reply(200, {}, {f"X-{secrets.token_hex(LONG // 2)}": "x"}))
    token = {"X-Auth-Token": gateway_alone.user, "X-Scope": '{"image":"Mallory"}'}
    several = (token | {f"X-{secrets.token_hex(LONG // 2)}": "x"} for _ in range(count))
    warm = (token | {f"X-{secrets.token_hex(LONG // 2)}": "x"} for _ in range(50))
    assert set(requests(gateway_alone, "/v2/names", warm)) == {200}
    before = memory(gateway_alone)
    assert set(requests(gateway_alone, "/v2/names", several)) == {200}
    assert memory(gateway_alone) - before < count * LONG / 2


def test_what_is_remembered_of_names_is_short() -> None:
    asked: list[str] = []

    @remembered
    def look(name: str) -> int:
        asked.append(name)
        return len(name)

    for name in ("x" * SHORT, "x" * (SHORT + 1)):
        assert [look(name), look(name)] == [len(name)] * 2
    assert [len(each) for each in asked] == [SHORT, SHORT + 1, SHORT + 1]
    assert not request_passes("x" * 10_000)
    assert not answer_passes("x" * 10_000)
    assert service_type("x" * 65) is None


def test_what_is_remembered_is_counted_in_bytes() -> None:
    known: Memory[bytes, str] = Memory(10_000, len)
    for number in range(100):
        known.keep(digest(str(number)), "x" * 1000)
    assert 5 <= len(known) < 10
    assert digest("99") in known
    known.keep(b"all", "x" * 20_000)
    assert b"all" not in known
    assert digest("99") in known
    for number in range(1000):
        known.keep(digest(f"short {number}"), "")
    assert len(known) < 50
    assert digest("\udc80") != digest("\udc81")
