"""What systemd is told of a gateway that it started with `Type=notify`, at a real datagram socket."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.wire import PROJECT, Cloud, Gateway, Seen, ask, reply, until

WORKERS = pytest.mark.parametrize("workers", [1, 2])


class Systemd:
    """Who started the gateway: what it is told, each with the process that said it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"\0{name[1:]}" if name.startswith("@") else name)

    @property
    def environment(self) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.name}

    def told(self, process: subprocess.Popen[bytes], seconds: float = 60) -> Mapping[str, str]:
        """The next state, of the process that systemd listens to."""
        self._socket.settimeout(seconds)
        data, rights, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(12))
        assert int.from_bytes(rights[0][2][:4], "little") == process.pid
        return dict(line.split("=", 1) for line in data.decode().splitlines())

    def silent(self) -> bool:
        """Whether nothing has been said that was not read."""
        self._socket.settimeout(0)
        try:
            self._socket.recv(4096, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    name = f"@openstackoid-test-{os.urandom(8).hex()}" if request.param == "abstract" else str(tmp_path / "notify")
    made = Systemd(name)
    yield made
    made.close()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud("CloudOne", paths=False)
    yield made
    made.close()


def ended(gateway: Gateway) -> int:
    gateway.end()
    return gateway.process.wait(60)


@pytest.mark.parametrize(("systemd", "workers"), [("path", 2), ("abstract", 1)], indirect=["systemd"])
def test_it_is_told_all_that_systemd_waits_for(systemd: Systemd, cloud: Cloud, tmp_path: Path, workers: int) -> None:
    gateway = Gateway(tmp_path / "gateway", cloud.config(), "--workers", str(workers), environment=systemd.environment)
    try:
        assert systemd.told(gateway.process) == {"READY": "1"}
        for url in (*cloud.frontends.values(), gateway.admin):
            assert ask(url, "/healthz").status == 200
        assert gateway.said.count("serving at") == workers
        for word, config in (("read the", gateway.config), ("kept the old", gateway.config | {"cloud": "a b"})):
            gateway.write(config)
            gateway.process.send_signal(signal.SIGHUP)
            reloading = systemd.told(gateway.process)
            assert reloading.keys() == {"RELOADING", "MONOTONIC_USEC"}
            assert reloading["MONOTONIC_USEC"].isdigit()
            assert systemd.told(gateway.process) == {"READY": "1"}
            assert gateway.said.count(f"{word} configuration") == workers
        assert systemd.silent()
    finally:
        code = ended(gateway)
    assert code == 0
    assert systemd.told(gateway.process) == {"STOPPING": "1"}
    assert systemd.silent()


class Slow:
    """A Keystone that a gateway asks for its backends at the start, and that answers when it may."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._cloud = cloud
        self.go, self.asked = threading.Event(), threading.Event()
        (folder / "password").write_text("marker-password")
        cloud["identity"].on("/v3/auth/tokens", self._token)

    def config(self) -> dict[str, Any]:
        found = self._cloud.config()
        image = {"frontend": found["services"]["image"]["frontend"]}
        login = {"auth_url": f"{self._cloud['identity'].url}/v3", "username": "gateway", "password_file": "../password"}
        catalog = login | {"project_name": "service", "interface": "public"}
        return found | {
            "services": found["services"] | {"image": image},
            "catalog": catalog,
            "timeouts": {"connect": 5, "idle": 60},
        }

    def _token(self, _seen: Seen, _connection: socket.socket) -> bytes:
        self.asked.set()
        assert self.go.wait(30)
        point = {"interface": "public", "region_id": "R", "url": f"{self._cloud['image'].url}/v2"}
        token = {"project": {"id": PROJECT}, "catalog": [{"type": "image", "endpoints": [point]}]}
        return reply(201, {"token": token})


@WORKERS
def test_sighup_before_it_serves_does_not_end_it_and_is_not_lost(cloud: Cloud, tmp_path: Path, workers: int) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    slow = Slow(cloud, tmp_path)
    gateway = Gateway(tmp_path / "gateway", slow.config(), "--workers", str(workers), environment=systemd.environment)
    try:
        assert slow.asked.wait(20)
        gateway.write(gateway.config | {"scopes": {"new": {"image": "CloudOne"}}})
        gateway.process.send_signal(signal.SIGHUP)
        assert systemd.silent()
        slow.go.set()
        assert "READY" in systemd.told(gateway.process)
        # A worker that had read nothing yet when it was told needs no second reading.
        until(lambda: all(ask(gateway.url("image"), "/scope/new/v2/images").status == 200 for _ in range(20)))
    finally:
        code = ended(gateway)
        systemd.close()
    assert code == 0
    assert "starting another" not in gateway.said


def test_workers_survive_sighup_from_their_first_moment(cloud: Cloud, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway", cloud.config(), "--workers", "2")
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children")
    try:
        until(children.read_text)
        while gateway.said.count("serving at") < 2:
            gateway.process.send_signal(signal.SIGHUP)
            assert gateway.process.poll() is None
            time.sleep(0.01)
        assert ask(gateway.url("image"), "/v2/images").status == 200
    finally:
        code = ended(gateway)
    assert code == 0
    assert "starting another" not in gateway.said


def test_nobody_hears_it_and_it_serves(cloud: Cloud, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nobody")
    gateway = Gateway(tmp_path / "gateway", cloud.config(), environment={"NOTIFY_SOCKET": nowhere})
    try:
        gateway.ready()
        assert ask(gateway.url("image"), "/v2/images").status == 200
        until(lambda: f"systemd cannot be told READY=1 at {nowhere}: " in gateway.said)
    finally:
        assert ended(gateway) == 0
