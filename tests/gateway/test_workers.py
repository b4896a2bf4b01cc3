"""Several workers and their parent, where an operator's environment is odd (`openstackoid.workers`)."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.gateway.test_notify import Systemd
from tests.gateway.wire import until

PROGRAM: Final = """
import signal, sys
from openstackoid import logs, notify, workers

def serve():
    workers.tell(notify.READY)
    signal.pause()

logs.configure()
sys.exit(workers.run(serve, 2))
"""


class Parent:
    """A parent with two workers that do nothing."""

    def __init__(self, folder: Path, command: str = 'exec "$@"') -> None:
        self.systemd = Systemd(str(folder / "notify"))
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", command, "sh", sys.executable, "-c", PROGRAM],
                env=os.environ | self.systemd.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self._output.read_text()

    @property
    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextlib.contextmanager
def running(parent: Parent) -> Iterator[Parent]:
    workers: list[int] = []
    try:
        until(lambda: len(parent.workers) == 2)
        workers += parent.workers
        assert parent.systemd.told(parent.process) == {"READY": "1"}
        yield parent
    finally:
        parent.process.kill()
        parent.process.wait()
        parent.systemd.close()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def lives(pid: int) -> bool:
    """Whether a process runs; one that ended may wait for its new parent."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def test_workers_of_a_parent_without_standard_input_serve_and_end_with_it(tmp_path: Path) -> None:
    with running(Parent(tmp_path, 'exec "$@" <&-')) as parent:
        workers = parent.workers
        assert len(workers) == 2
        assert all(map(lives, workers))
        parent.process.kill()
        until(lambda: not any(map(lives, workers)))
        assert "Traceback" not in parent.said


def test_a_worker_that_cannot_be_started_now_is_started_later(tmp_path: Path) -> None:
    with running(Parent(tmp_path)) as parent:
        before = parent.workers
        pid = parent.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        os.kill(before[0], signal.SIGKILL)
        until(lambda: "cannot start another worker: Too many open files" in parent.said or not lives(pid))
        assert parent.workers == before[1:]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        until(lambda: len(parent.workers) == 2)
        parent.process.send_signal(signal.SIGTERM)
        assert parent.process.wait(60) == 0
        assert "Traceback" not in parent.said
