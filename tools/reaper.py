"""Run a command, and count what all of it has used: with the processes that it left to go on by themselves, as servers do.

    python reaper.py COMMAND...

Those become children of this process instead of the system's first one (prctl(2), PR_SET_CHILD_SUBREAPER), so whoever waits for this
process is told their CPU time too (wait4(2)). What still runs when the command has ended is killed, and named on standard error.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
# Seconds that processes which are about to end are given.
_GRACE: Final = 5.0


def main(command: Sequence[str]) -> int:
    """Run it; returns its exit code, or 128 and the number of the signal that ended it, as shells do."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    process = subprocess.Popen(command)  # noqa: S603 - the caller's
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: process.send_signal(number))
    code = None
    while code is None:
        pid, status = os.wait()
        if pid == process.pid:
            code = process.returncode = os.waitstatus_to_exitcode(status)
    _end_what_is_left()
    return code if code >= 0 else 128 - code


def _end_what_is_left() -> None:
    deadline = time.monotonic() + _GRACE
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.02)
        # The children of one that is killed come here in their turn.
        while True:
            for pid in _children():
                _kill(pid)
            os.wait()


def _kill(pid: int) -> None:
    with contextlib.suppress(OSError):  # it has ended by itself
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        os.kill(pid, signal.SIGKILL)
        print(f"still running, killed: {pid} {words[:200]}", file=sys.stderr, flush=True)


def _children() -> Iterator[int]:
    """Processes whose parent this one is, and that have not ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                yield int(path.parent.name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
