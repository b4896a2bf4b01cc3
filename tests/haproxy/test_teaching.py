"""What one gateway tells one HAProxy: all of it, once, no more than fits, and nothing that was revoked meanwhile."""

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.fernet import Fernet
from tests.gateway.wire import UNASKED

from openstackoid.core import scope as scopes
from openstackoid.core.catalog import Cloud
from openstackoid.core.routing import CloudMap, Facts, Local, decide
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.fastpath import teacher as fastpath
from openstackoid.gateway.fastpath.present import Present
from openstackoid.gateway.fastpath.teacher import Teacher
from openstackoid.gateway.upstream.legs import CacheableToken
from openstackoid.haproxy import maps
from openstackoid.haproxy.admin import Admin, AdminError
from openstackoid.haproxy.maps import Entry
from openstackoid.haproxy.plan import ADMIN, HERE, LEASED, PEERS, TOKENS, WAYS

CLOUDS_KNOWN = CloudMap(
    Cloud("CloudOne", {"image": "http://a"}), {"CloudFar": Cloud("CloudFar", {"image": "http://b"})}
)


CLOUDS = ("CloudOne", "CloudFar", "CloudNear")


def present(generation: Callable[[str], object] = lambda _: 1) -> Present:
    return Present(lambda: CLOUDS, generation, lambda: 0.0)


class Maps:
    """A HAProxy that has nothing but the maps."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="osm"))
        looks = []
        for number, name in enumerate((HERE, WAYS, TOKENS, PEERS, LEASED)):
            (self.folder / name).touch()
            looks.append(f"  http-request set-var(txn.a{number}) path,map_str({self.folder / name})\n")
        (self.folder / "cfg").write_text(
            f"global\n  stats socket {self.folder / ADMIN} level admin\n"
            "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"
            f"frontend f\n  bind {self.folder}/http.sock\n{''.join(looks)}"
        )
        self.program = shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin:/usr/bin:/bin") or "haproxy"
        self.process = subprocess.Popen([self.program, "-db", "-f", str(self.folder / "cfg")])

    def tell(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.folder / ADMIN))
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def map(self, name: str) -> dict[str, str]:
        lines = [line.split(" ", 2) for line in self.tell(f"show map {self.folder / name}").splitlines() if line]
        assert len({key for _, key, _ in lines}) == len(lines)  # no key twice
        return {key: value for _, key, value in lines}

    def serves(self) -> bool:
        try:
            return "Pid" in self.tell("show info")
        except OSError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def haproxy() -> Iterator[Maps]:
    found = Maps()
    try:
        end = time.monotonic() + 60
        while not found.serves():
            assert time.monotonic() < end
            time.sleep(0.02)
        yield found
    finally:
        found.stop()


@pytest.fixture
async def fast(haproxy: Maps) -> AsyncIterator[Teacher]:
    path = Teacher(haproxy.folder, lambda: ({}, {}), present())
    path.start()
    await until(lambda: path._seen == dict.fromkeys(CLOUDS, 1))
    yield path
    await path.stop()


@pytest.mark.parametrize("others", [1, 40])
async def test_peers_that_change_leave_the_others_alone(haproxy: Maps, others: int) -> None:
    """Few one by one, many all at once; what went is gone, and the file for the next start says the same."""
    clouds = {f"Cloud{number}": f"http://127.0.0.1:{1000 + number}" for number in range(100)}
    found = dict(clouds)

    def peers() -> tuple[dict[str, Cloud], dict[str, str]]:
        return {name: Cloud(name, {"image": url, "compute": url}) for name, url in found.items()}, {}

    def expected() -> dict[str, str]:
        places = {name: url.partition("//")[2] for name, url in found.items()}
        return {
            f"{name}|{kind}": f"P|{place.replace(':', '|')}|{place}|"
            for name, place in places.items()
            for kind in ("image", "compute")
        }

    def ids() -> dict[str, str]:
        told = haproxy.tell(f"show map {haproxy.folder / PEERS}")
        return {line.split(" ")[1]: line.split(" ")[0] for line in told.splitlines() if line}

    generation = [1]
    path = Teacher(haproxy.folder, peers, present(lambda _: generation[0]))
    path.start()
    try:
        await until(lambda: haproxy.map(PEERS) == expected())
        before = ids()
        found |= {f"Cloud{number}": f"http://127.0.0.1:{5000 + number}" for number in range(others)}
        found["CloudNew"] = found.pop("Cloud99")
        generation[0] = 2
        await until(lambda: haproxy.map(PEERS) == expected())
        kept = before.items() & ids().items()
        assert bool(kept) == (others == 1)  # what is set keeps its id, what is replaced gets another
        await until(lambda: _lines(haproxy.folder / PEERS) == expected())
    finally:
        await path.stop()


def _lines(file: Path) -> dict[str, str]:
    return dict(cast("tuple[str, str]", line.split(" ")) for line in file.read_text().splitlines())


async def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def token() -> str:
    return Fernet(Fernet.generate_key()).encrypt(bytes(64)).decode()


def leave(fast: Teacher, text: str, user: str, seconds: float = 60, begun: dict[str, object] | None = None) -> None:
    """Have it learn that a scope leads to the other cloud, from a request that began when the clouds had these generations."""
    scope, taught = scopes.parse(text), CacheableToken("eyJ.x.y", time.time() + seconds, "u", "p", "a")
    remote = cast("Any", decide(Facts("image"), scope, CLOUDS_KNOWN))
    fast.learned(call(text, user), remote, taught, scope, CLOUDS_KNOWN, federated=True, begun=begun or {})


def stay(fast: Teacher, text: str, given: Any = None, method: str = "GET") -> None:
    scope = scopes.parse(text) if given is None else given
    fast.learned(call(text, token(), scope, method), Local("CloudOne", ""), None, scope, CLOUDS_KNOWN, federated=False)


def call(text: str, user: str, scope: Any = None, method: str = "GET") -> Call:
    route = SimpleNamespace(service="image")
    given = scopes.parse(text) if scope is None else scope
    return cast(
        "Call", SimpleNamespace(route=route, scope_text=text, method=method, scope=given, auth=user, contract=None)
    )


async def test_what_many_requests_say_at_once_is_taught_at_once(haproxy: Maps, fast: Teacher) -> None:
    users = [token() for _ in range(50)]
    for _ in range(20):
        for user in users:
            leave(fast, '{"image":"CloudFar"}', user)
        stay(fast, '{"image":"CloudOne"}')
    await until(lambda: len(haproxy.map(TOKENS)) == len(users))
    assert haproxy.map(WAYS) == {}
    assert haproxy.map(HERE) == {'GET|image|{"image":"CloudOne"}': "P|"}
    assert set(haproxy.map(TOKENS)) == {maps.user(user, '{"image":"CloudFar"}') for user in users}


async def test_memory_is_bounded(haproxy: Maps, fast: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastpath, "_MAX_ENTRIES", 5)
    seen = []
    for kind in UNASKED:
        leave(fast, f'{{"image":"CloudFar","{kind}":"CloudOne"}}', token(), seconds=2)
        stay(fast, f'{{"{kind}":"CloudOne"}}')
        await asyncio.sleep(0.02)
        seen.append(len(haproxy.map(HERE)) + len(haproxy.map(WAYS)))
    assert 0 < max(seen) <= 6
    await until(lambda: 0 < len(haproxy.map(TOKENS)) <= 5)
    await until(lambda: not haproxy.map(TOKENS))


async def test_a_cloud_that_changes_takes_its_own_lessons_alone(haproxy: Maps) -> None:
    """Here one that changes all the time; what was taught of others is not even taught again."""
    changes = {"CloudFar": 0}
    fast = Teacher(haproxy.folder, lambda: ({}, {}), present(lambda name: changes.get(name, 0)))
    fast.start()
    try:
        await until(lambda: fast._seen == dict.fromkeys(CLOUDS, 0))
        leave(fast, '{"image":"CloudFar"}', token())
        stay(fast, '{"image":"CloudOne"}')
        stay(fast, '{"compute":"CloudFar","image":"CloudOne"}')
        await until(lambda: len(haproxy.map(TOKENS)) == 1 and len(haproxy.map(HERE)) == 2)
        before = haproxy.tell(f"show map {haproxy.folder / HERE}")
        for number in range(5):
            changes["CloudFar"] += 1
            await until(lambda number=number: fast._seen["CloudFar"] == number + 1)  # type: ignore[misc]
            assert haproxy.map(TOKENS) == {}
            assert list(haproxy.map(HERE)) == ['GET|image|{"image":"CloudOne"}']
            assert haproxy.tell(f"show map {haproxy.folder / HERE}").strip() in before  # by its address
    finally:
        await fast.stop()


async def test_what_nobody_looks_at_is_not_renewed_nor_taught(haproxy: Maps) -> None:
    age = [0.0]
    fast = Teacher(haproxy.folder, lambda: ({}, {}), Present(lambda: CLOUDS, lambda _: 1, lambda: age[0]))
    fast.start()
    try:
        await until(lambda: float(haproxy.map(LEASED).get(maps.LEASE, 0)) > time.time() * 1000)
        age[0] = fastpath.LEASE + 1
        before = haproxy.map(LEASED)
        stay(fast, '{"image":"CloudOne"}')
        await until(lambda: fast._leased < time.time() + fastpath.LEASE - 2)
        assert haproxy.map(LEASED) == before
        assert haproxy.map(HERE) == {}
        age[0] = 0.0
        await until(lambda: haproxy.map(LEASED) != before)
        stay(fast, '{"image":"CloudOne"}')
        await until(lambda: len(haproxy.map(HERE)) == 1)
    finally:
        await fast.stop()


async def test_what_is_no_line_of_a_map_is_not_taught(haproxy: Maps, fast: Teacher) -> None:
    """Nor is an empty scope, nor what no OpenStack service is asked with."""
    stay(fast, "{}")
    stay(fast, '{"image": "CloudOne"}')
    stay(fast, '{"image":"CloudOne";}', scopes.parse('{"image":"CloudOne"}'))
    stay(fast, '{"image":"CloudOne"}', method="INVENTED")
    stay(fast, '{"compute":"CloudOne"}')  # the last one is
    await until(lambda: bool(haproxy.map(HERE)))
    assert list(haproxy.map(HERE)) == ['GET|image|{"compute":"CloudOne"}']


async def test_what_was_revoked_before_it_was_taught_is_not_taught(haproxy: Maps, fast: Teacher) -> None:
    mine, other = token(), token()
    leave(fast, '{"image":"CloudFar"}', mine)
    leave(fast, '{"image":"CloudFar"}', other)
    await fast.forget(mine)  # the lesson has had no turn yet
    await until(lambda: bool(haproxy.map(TOKENS)))
    assert list(haproxy.map(TOKENS)) == [maps.user(other, '{"image":"CloudFar"}')]


async def test_a_token_of_before_a_change_is_not_taught(haproxy: Maps, fast: Teacher) -> None:
    """Its agreement ended while Keystone was asked about the user; HAProxy has forgotten everything of before already."""
    mine, other = token(), token()
    leave(fast, '{"image":"CloudFar"}', mine, begun={"CloudFar": 0})
    leave(fast, '{"image":"CloudFar"}', other, begun={"CloudFar": 1})
    await until(lambda: bool(haproxy.map(TOKENS)))
    assert list(haproxy.map(TOKENS)) == [maps.user(other, '{"image":"CloudFar"}')]


async def test_some_entries_are_there_already(haproxy: Maps) -> None:
    """More than fit into one command, and each is there once."""
    admin = Admin(haproxy.folder / ADMIN)
    entries = [(haproxy.folder / (WAYS, HERE)[number % 2], Entry(f"k{number}", "x" * 90)) for number in range(600)]
    await admin.put(*entries[::3])
    await admin.put(*entries)
    found = haproxy.map(WAYS) | haproxy.map(HERE)
    assert found == {entry.key: entry.value for _, entry in entries}
    await admin.put((haproxy.folder / WAYS, Entry("k0", "new")))
    assert haproxy.map(WAYS)["k0"] == "new"
    with pytest.raises(AdminError, match="Unknown map"):
        await admin.put((haproxy.folder / "none.map", Entry("a", "b")))
