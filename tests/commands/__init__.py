"""Commands that tests start: `popen` and `run` stand for those of `subprocess`, `spawn` for a lab's, and they cost a fork where they can.

Most of a command's start is Python that imports libraries, the same ones again and again. So for each kind of command there is
a process that has imported them (`server.py`), with our own modules: it forks for each command that is started. What is forked
is a process as any other: a child of the one that runs the tests, with arguments, an environment, a working directory and streams
of its own. One thing differs: `--wait` of the client asks each second.

In full is started: what is no command of those kinds, what needs more than that (`preexec_fn`, file descriptors), and what
finds other variables in its environment than those that no library reads while it is imported. With OPENSTACKOID_REAL_STARTS=1
everything is, to look whether a doubt is about this.
"""

import atexit
import inspect
import json
import os
import platform
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from openstackoid.lab import processes
from openstackoid.lab.processes import Process

_ROOT: Final = Path(__file__).parents[2]
_SRC: Final = "src/openstackoid"
_CLIENT: Final = str(Path(sys.executable).with_name("openstack"))
_PROGRAM: Final = str(Path(sys.executable).with_name("openstackoid"))
_SERVER: Final = Path(__file__).with_name("server.py")
# What a command is called by -> whose imports it needs.
_PROGRAM_IMPORTS: Final = f"{_SRC}/commands"
_POLICIES: Final = f"{_SRC}/policies.py"
_GATEWAY: Final = (
    *(_PROGRAM_IMPORTS, _POLICIES),
    *(f"{_SRC}/{part}" for part in ("gateway", "operators", "trust", "storage", "haproxy")),
)
_OAKTREE: Final = (_PROGRAM_IMPORTS, f"{_SRC}/oaktree", f"{_SRC}/trust", f"{_SRC}/storage", "src/oaktree")
_KINDS: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    (_CLIENT,): ("openstackclient", f"{_SRC}/client"),
    **{("openstackoid", command): _GATEWAY for command in ("gateway", "peer", "key", "audit", "haproxy")},
    ("openstackoid", "lab"): (_PROGRAM_IMPORTS, f"{_SRC}/lab"),
    ("openstackoid", "regions"): (_PROGRAM_IMPORTS, _POLICIES, f"{_SRC}/regions", f"{_SRC}/trust", f"{_SRC}/storage"),
    ("openstackoid", "oaktree", "serve"): _OAKTREE,
    ("tests.oaktree.counting",): _OAKTREE,
    ("openstackoid", "oaktree", "call"): (_PROGRAM_IMPORTS, f"{_SRC}/oaktree/call", "src/oaktree"),
    **{(f"tests.hostile.{program}",): _GATEWAY for program in ("peer", "thief", "visitor")},
    ("bench.simulated",): ("bench/simulated.py",),
    ("tests.trust.elsewhere",): (f"{_SRC}/trust", f"{_SRC}/storage"),
    ("tests.commands.probe",): ("tests/commands/probe.py",),
}
# What commands may find in their environment beside what the tests found in theirs: `server.py` sees to it that none of it is
# read by an import.
OF_COMMANDS: Final = (
    "OS_",
    "OAKTREE_",
    "OPENSTACKOID_",
    "COLUMNS",
    "LINES",
    "NOTIFY_SOCKET",
    "PYTEST_",
    "PYTHONDONTWRITEBYTECODE",
    "SSL_CERT_FILE",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
)
# For programs that need none of the system's authorities. OpenSSL reads the file with all of them for each context, longer than the rest of a
# start; in the folder with the same ones it looks for what it needs.
NO_AUTHORITIES: Final = {"SSL_CERT_FILE": os.devnull}
_ORDINARY: Final = frozenset(
    {
        *("self", "args", "executable", "close_fds", "cwd", "env", "start_new_session", "restore_signals"),
        *("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite"),
    }
)


def _shared(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(OF_COMMANDS)}


# What the tests found in theirs, before any of them changed it.
_FOUND: Final = _shared(os.environ)


def popen(command: Sequence[object], **options: Any) -> "subprocess.Popen[Any]":
    """As `subprocess.Popen`."""
    return _Popen([str(word) for word in command], **options)


def run(
    command: Sequence[object],
    *,
    input: str | bytes | None = None,  # noqa: A002 - the name is subprocess'
    timeout: float | None = None,
    check: bool = False,
    capture_output: bool = False,
    **options: Any,
) -> "subprocess.CompletedProcess[Any]":
    """As `subprocess.run`."""
    if input is not None:
        options["stdin"] = subprocess.PIPE
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with popen(command, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def spawn(command: Sequence[str], log: Path, environment: Mapping[str, str], note: Path | None = None) -> Process:
    """As `openstackoid.lab.processes.spawn`: for a lab, whose programs go on when the lab is no longer looked at."""
    server = _server(command, environment)
    if server is None:
        return processes.spawn(command, log, environment, note)
    output, empty = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), os.open(os.devnull, os.O_RDONLY)
    order = {"args": list(command), "cwd": str(Path.cwd()), "env": dict(environment), "session": True}
    try:
        return processes.noted(server.start(order, [empty, output, output]), note)
    finally:
        os.close(output)
        os.close(empty)


class _Popen(subprocess.Popen[Any]):
    """All of it is subprocess' own but the start: what is forked is a child of this process, as if it had been started here."""

    def _execute_child(self, *given: Any) -> None:
        start = super()._execute_child  # type: ignore[misc] # CPython's own step, which types do not know
        asked = inspect.signature(start).bind(*given).arguments
        environment = {str(name): str(value) for name, value in (asked["env"] or os.environ).items()}
        server = _server(asked["args"], environment) if _is_ordinary(asked) else None
        if server is None:
            start(*given)
            return
        streams = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        order = {
            "args": asked["args"],
            "cwd": str(asked["cwd"] or Path.cwd()),
            "env": environment,
            "session": asked["start_new_session"],
        }
        self.pid = server.start(order, [number if own == -1 else own for number, own in enumerate(streams)])
        self._child_created = True
        ends = [asked[name] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")]
        self._close_pipe_fds(*ends)  # type: ignore[attr-defined] # as its own start does with what is the child's


def _is_ordinary(asked: Mapping[str, Any]) -> bool:
    """Whether it asks for nothing that only a real start does."""
    ordinary = {"executable": asked["args"][0], "close_fds": True, "restore_signals": True}
    for name, value in asked.items():
        if name in ordinary and value not in {None, ordinary[name]}:
            return False
        if name not in _ORDINARY and value not in (None, 0, -1, False, ()):
            return False
    return True


def _server(words: Sequence[str], environment: Mapping[str, str]) -> "_Server | None":
    """Who forks for such a command."""
    if os.environ.get("OPENSTACKOID_REAL_STARTS") == "1" or platform.machine() not in {"x86_64", "aarch64"}:
        return None
    if _shared(environment) != _FOUND:
        return None
    called = tuple(words[2:]) if tuple(words[:2]) == (sys.executable, "-m") else tuple(words)
    called = ("openstackoid", *called[1:]) if called[0] == _PROGRAM else called
    for name, imports in _KINDS.items():
        if called[: len(name)] == name:
            with _lock:
                if imports not in _servers:
                    _servers[imports] = _Server(name[0], imports)
                return _servers[imports]
    return None


class _Server:
    """A process of `server.py`; it ends with this one."""

    def __init__(self, name: str, imports: Sequence[str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # An order is one message, with the whole environment.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._lock = threading.Lock()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, str(_SERVER), str(theirs.fileno()), name, *OF_COMMANDS, "--", *imports],
                pass_fds=[theirs.fileno()],
                cwd=_ROOT,
                # Streams that libraries have taken hold of must not be taken for files, in which one can seek.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_FOUND,
            )
        assert self._socket.recv(100) == b"ready", f"{_SERVER.name} ended with {self.process.wait()}"

    def start(self, order: Mapping[str, Any], streams: Sequence[int]) -> int:
        """Have it fork; returns the new process, a child of this one."""
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(order).encode()], streams)
            answer = self._socket.recv(100)
        assert answer, f"{_SERVER.name} ended with {self.process.wait()}"
        return int(answer)

    def close(self) -> None:
        self._socket.close()
        self.process.communicate(timeout=60)


_servers: dict[tuple[str, ...], _Server] = {}
_lock = threading.Lock()


@atexit.register
def _close() -> None:
    for server in _servers.values():
        server.close()
