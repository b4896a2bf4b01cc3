"""Where a server listens, and where it refuses to."""

import os
import re
import socket
import stat
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from tests.haproxy.world import Authority

from openstackoid.core.errors import ConfigError
from openstackoid.oaktree.access.addresses import parse
from openstackoid.oaktree.access.listeners import Listeners
from openstackoid.oaktree.config import Config, load

CERTIFICATES = {"certificates": [{"name": "ops", "san": "ops.example", "policy": "all"}]}
POLICIES = {"all": {"verbs": ["list"]}}


def config(folder: Path, **settings: Any) -> Config:
    path = folder / "oaktree.yaml"
    path.write_text(yaml.safe_dump(settings))
    return load(path)


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    return Authority(tmp_path).pair("localhost", "127.0.0.1")


@pytest.mark.parametrize(
    "address", ["0.0.0.0:50051", "[::]:50051", "192.0.2.1:50051", "[::ffff:127.0.0.1]:1", "127.0.0.1.nip.invalid:1"]
)
def test_nothing_public_without_tls(tmp_path: Path, address: str) -> None:
    for callers in ({}, {"local": True}, {"tokens": True}):
        with pytest.raises(ConfigError, match=r"tls|resolves"):
            Listeners(config(tmp_path, listen=["127.0.0.1:0", address], callers=callers))


def test_nothing_public_where_nobody_is_known(tmp_path: Path, tls: dict[str, str]) -> None:
    public = {"listen": ["0.0.0.0:0"], "policies": POLICIES}
    for callers in ({}, {"local": True}, CERTIFICATES):  # certificates that nobody checks
        with pytest.raises(ConfigError, match=r"callers\.tokens|client_ca"):
            Listeners(config(tmp_path, tls=tls, callers=callers, **public))
    Listeners(config(tmp_path, tls=tls, callers={"tokens": True}, **public))
    checked = {**tls, "client_ca": str(tmp_path / "ca.crt")}
    Listeners(config(tmp_path, tls=checked, callers=CERTIFICATES, **public))
    with pytest.raises(ConfigError, match=r"callers\.certificates"):
        Listeners(config(tmp_path, tls=checked, callers={"tokens": True}, **public))


def test_no_address_where_nobody_is_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"callers\.local: true"):
        Listeners(config(tmp_path, listen=[f"unix:{tmp_path}/s"], callers={"local": False}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "here",
        ":50051",
        "127.0.0.1",
        "127.0.0.1:x",
        "127.0.0.1:65536",
        "::1:50051",
        "127.0.0.1:-1",
        "unix:" + "/x" * 60,
    ],
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="listen"):
        parse(text)


def test_loopback_is_private() -> None:
    assert all(parse(each).private for each in ("127.0.0.1:1", "[::1]:1", "localhost:1", "127.9.9.9:1", "unix:/x"))


class Servers:
    """Servers of grpc without services."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run" / "oaktree.sock"
        self.config = config(folder, listen=[f"unix:{self.path}"])

    async def start(self) -> tuple[grpc.aio.Server, Listeners]:
        server, listeners = grpc.aio.server(), Listeners(self.config)
        listeners.open(server)
        await server.start()
        return server, listeners


async def test_a_socket_is_its_users_own(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    before = os.umask(0)
    try:
        server, listeners = await servers.start()
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(servers.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(servers.path.parent.stat().st_mode) == 0o700
    await server.stop(0)
    listeners.close()
    assert not servers.path.exists()


async def test_a_socket_of_a_server_that_runs_is_left_to_it(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    server, listeners = await servers.start()
    with pytest.raises(ConfigError, match="another server"):
        await servers.start()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(servers.path))
    await server.stop(0)
    listeners.close()


async def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    servers.path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(servers.path))
    server, listeners = await servers.start()
    await server.stop(0)
    listeners.close()


async def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    servers.path.parent.mkdir(mode=0o700)
    servers.path.write_text("dear diary")
    with pytest.raises(ConfigError, match="no socket"):
        await servers.start()
    assert servers.path.read_text() == "dear diary"


async def test_a_folder_where_others_may_write_is_refused(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    servers.path.parent.mkdir()
    servers.path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="chmod 700"):
        await servers.start()


async def test_a_certificate_that_cannot_be_used(tmp_path: Path, tls: dict[str, str]) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other").pair("localhost")
    for wrong in ({**tls, "key": other["key"]}, {**tls, "certificate": str(tmp_path / "nowhere")}):
        listeners = Listeners(config(tmp_path, listen=["127.0.0.1:0"], tls=wrong, callers={"tokens": True}))
        with pytest.raises(ConfigError, match="tls"):
            listeners.open(grpc.aio.server())


def test_local_callers_by_tcp_are_told_of(tmp_path: Path) -> None:
    told = Listeners(config(tmp_path, listen=["127.0.0.1:0", f"unix:{tmp_path}/s"])).notes()
    assert [re.match("127.0.0.1:0: every user of this machine", each) is not None for each in told] == [True]
    assert Listeners(config(tmp_path, listen=["127.0.0.1:0"], callers={"tokens": True})).notes() == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"listen": []}, "listen"),
        ({"callers": {"certificates": [{"name": "x", "san": "y", "policy": "nowhere"}]}}, "nowhere"),
        ({"callers": {"certificates": [{"name": "x", "policy": "all"}]}, "policies": POLICIES}, "san or common_name"),
        ({"callers": {**CERTIFICATES}, "policies": {"all": {"verbs": ["list", "rest"]}}}, "rest gives a token"),
        ({"policies": {"x": {"verbs": ["everything"]}}}, "policies.x.verbs"),
        ({"oaktrees": [{"name": "S", "target": "x:1"}] * 2}, "different names"),
        ({"oaktrees": [{"name": "S/T", "target": "x:1"}]}, "oaktrees.0.name"),
        ({"oaktrees": [{"name": "S", "target": "x:1", "key": "k"}]}, "both certificate and key"),
        (
            {"oaktrees": [{"name": "S", "target": "x:1"}], "policies": {"x": {"locations": [{"cloud": "S/C*"}]}}},
            "named in full",
        ),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_configurations_that_cannot_be_meant(tmp_path: Path, settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)):
        config(tmp_path, **settings)


def test_files_are_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    found = config(tmp_path, clouds="clouds.yaml", tls={"certificate": "a.crt", "key": "/b.key"})
    assert (found.clouds, found.tls and found.tls.certificate) == (tmp_path / "clouds.yaml", tmp_path / "a.crt")
    assert found.tls
    assert found.tls.key == Path("/b.key")


def test_the_id_is_the_same_after_a_restart_and_another_elsewhere(tmp_path: Path) -> None:
    first, again, other = (config(tmp_path, listen=[each]) for each in ("unix:/a", "unix:/a", "unix:/b"))
    assert first.id == again.id != other.id
