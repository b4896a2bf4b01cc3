"""Zygotes that stay for the next starts: they do what they are asked, as long as whoever wants them is there."""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from openstackoid.lab.services import keeping


@pytest.fixture
def folder() -> Iterator[Path]:
    # Its path must fit into the address of a socket.
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


# Of its own, as a lab's are: it holds none of this process' sockets.
ZYGOTE: Final = """
import os, sys
from pathlib import Path
from openstackoid.lab.services import keeping

def begin(path):
    path.with_suffix(".done").write_text(f"{os.getpid()} {os.getppid()}")
    print(f"for {path.name}", flush=True)
    if path.name == "bad":
        raise SystemExit("it is bad")

keeping.stay(Path(sys.argv[1]), "image", begin)
"""


def started(folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", ZYGOTE, folder])


def asked(folder: Path, service: str, path: Path) -> socket.socket:
    deadline = time.monotonic() + 60
    while not (connection := keeping.ask(folder, service, path)):
        assert time.monotonic() < deadline, "no zygote came to be there"
        time.sleep(0.01)
    return connection


def test_a_zygote_starts_what_it_is_asked_for_and_ends_with_who_wants_it(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert keeping.ask(folder, "image", folder / "orders") is None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as alive:
        alive.bind(str(folder / "alive"))
        alive.listen()
        zygote = started(folder)
        for name, well in (("one", True), ("bad", False), ("two", True)):
            assert keeping.finished(asked(folder, "image", folder / name)) is well
        assert keeping.ask(folder, "identity", folder / "orders") is None
    assert zygote.wait(60) == 0
    done = [(folder / f"{name}.done").read_text().split() for name in ("one", "bad", "two")]
    assert len({child for child, _ in done}) == len(done)
    assert {parent for _, parent in done} == {str(zygote.pid)}
    # What it writes is in the log of who asked.
    assert capfd.readouterr().err.splitlines() == ["for one", "for bad", "it is bad", "for two"]


def test_without_anybody_who_wants_it_none_stays(folder: Path) -> None:
    assert started(folder).wait(60) != 0
    assert keeping.ask(folder, "image", folder / "orders") is None
