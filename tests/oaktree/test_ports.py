"""One TCP port, one server: a second one is refused, whether it has one worker or several, and whenever it comes."""

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests import commands
from tests.oaktree.upstream import until
from tests.oaktree.world import Simulated
from tests.ports import free_port


class Server:
    """A program that serves, or says why it does not."""

    def __init__(self, folder: Path, clouds: Path, port: int, workers: int, *listen: str) -> None:
        number = len(list(folder.glob("*.log")))
        config = folder / f"{number}.yaml"
        settings = {
            "listen": [f"127.0.0.1:{port}", *listen],
            "clouds": str(clouds),
            "workers": workers,
            "operations": {"database": f"sqlite:///{folder / f'{number}.sqlite'}"},
            "uploads": {"folder": str(folder / "uploads")},
        }
        config.write_text(yaml.safe_dump(settings))
        self._log = folder / f"{number}.log"
        with self._log.open("ab") as file:
            command = (sys.executable, "-m", "openstackoid", "oaktree", "serve", "--config", str(config))
            self.process = commands.popen(command, stdout=file, stderr=file, stdin=subprocess.PIPE)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def listens(self, workers: int) -> bool:
        assert self.process.poll() is None, self.log
        return self.log.count("oaktree listens at") == workers

    def refused(self) -> bool:
        """It has ended, and said why."""
        if self.process.poll() is None:
            return False
        assert self.process.returncode not in (0, -signal.SIGKILL), self.log
        assert "cannot listen there" in self.log
        assert "Traceback" not in self.log
        return True

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@pytest.fixture
def file(clouds: Simulated, tmp_path: Path) -> Path:
    return clouds.clouds_yaml(tmp_path / "clouds.yaml", ("one",))


@contextlib.contextmanager
def ended(*servers: Server) -> Iterator[None]:
    try:
        yield
    finally:
        for each in servers:
            each.stop()


@pytest.mark.parametrize("first", [1, 2])
def test_a_second_server_is_refused(tmp_path: Path, file: Path, first: int) -> None:
    port = free_port()
    # Two names of the same address are one.
    before = Server(tmp_path, file, port, first, f"localhost:{port}")
    with ended(before):
        until(lambda: before.listens(first), 180)
        for second in (1, 2):
            after = Server(tmp_path, file, port, second)
            with ended(after):
                until(after.refused, 180)
        assert before.listens(first)


def test_of_two_that_start_at_once_one_serves(tmp_path: Path, file: Path) -> None:
    port = free_port()
    both = [Server(tmp_path, file, port, 2), Server(tmp_path, file, port, 2)]
    with ended(*both):
        until(lambda: any(each.process.poll() is not None for each in both), 180)
        [lost] = [each for each in both if each.process.poll() is not None]
        assert lost.refused()
        [other] = [each for each in both if each is not lost]
        until(lambda: other.listens(2), 180)


def test_a_port_that_another_program_shares_is_refused(tmp_path: Path, file: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = Server(tmp_path, file, other.getsockname()[1], 2)
        with ended(server):
            until(server.refused, 180)
