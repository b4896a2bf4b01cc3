"""Says what a process finds when it starts: for `test_commands.py`."""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any


def stream(opened: Any) -> list[object]:
    """How a standard stream was opened."""
    names = ("encoding", "errors", "line_buffering", "write_through", "mode", "name")
    raw = getattr(opened.buffer, "raw", opened.buffer)
    return [
        *(getattr(opened, name) for name in names),
        opened.seekable(),
        type(opened.buffer).__name__,
        raw.name,
        raw.mode,
    ]


def variables() -> str:
    """As another program finds them. It has ended then, and left no descriptor, which `os.popen` does not promise."""
    return subprocess.run(["/bin/sh", "-c", "env | sort"], capture_output=True, text=True, check=True).stdout


def found() -> dict[str, object]:
    """Everything that a command could depend on, and that is the same for each start."""
    signals = {each.name: str(signal.getsignal(each)) for each in signal.Signals}
    return {
        "arguments": sys.argv[1:],
        "called": os.path.relpath(sys.argv[0]),
        "original": sys.orig_argv,
        "module": __name__,
        "main": sys.modules["__main__"].__dict__["__spec__"].name,
        "environment": {name: os.environ[name] for name in sorted(os.environ)},
        "of the system": variables().replace(f"\n_={os.environ.get('_')}", ""),
        "folder": str(Path.cwd()),
        "path": sys.path,
        "streams": [os.fstat(number).st_ino for number in range(3)],
        "terminals": [sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty()],
        "files": [stream(each) for each in (sys.stdin, sys.stdout, sys.stderr)],
        "input": sys.stdin.read(),
        "descriptors": sorted(number for number in range(64) if Path(f"/proc/self/fd/{number}").exists()),
        "signals": signals,
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "parent": os.getppid(),
        "group": os.getpgrp() == os.getpid() or os.getpgrp(),
        "session": os.getsid(0) == os.getpid() or os.getsid(0),
        "threads": [thread.name for thread in threading.enumerate()],
        "main thread": threading.current_thread() is threading.main_thread(),
        "flags": str(sys.flags),
        "bytecode": sys.dont_write_bytecode,
        "umask": os.umask(0),
    }


class Open:
    """What says that it goes; only a collection finds it."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        print("let go")


def leave_things_open() -> None:
    """What an end has to wait for and to call, in the order in which an interpreter does it."""
    atexit.register(print, "at the end")
    threading.Timer(0.1, print, ["in a thread"]).start()
    Open()


if __name__ == "__main__":
    if sys.argv[2:] == ["open"]:
        leave_things_open()
    print(json.dumps(found()))
    print("to the other", file=sys.stderr)
    sys.exit(int(sys.argv[1]) if sys.argv[1:] else 0)
