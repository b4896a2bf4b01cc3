"""Imports what commands need, and forks for each command that is ordered: see `__init__.py`. A program of its own.

    python server.py SOCKET NAME VARIABLE... -- IMPORTS...

SOCKET is a descriptor of a socket of whole messages. It gets one order a message, JSON, with the command's three streams; the
answer is the new process. NAME is the commands' own, which some libraries look at. VARIABLE... is how the variables begin that
commands have of their own. IMPORTS... are files and folders of ours: they are imported here, with what they import anywhere, if
they are in `src`; of others, only what they import from libraries. For `openstackclient` its plugins are.

The new process is no child of this one but its sibling, by clone(2)'s CLONE_PARENT: who asked for it waits for it, and gets its exit
code and its signals, as it would of a process that it had started itself.
"""

import atexit
import ctypes
import gc
import importlib
import importlib.metadata
import inspect
import io
import json
import os
import platform
import re
import runpy
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

_OURS: Final = frozenset({"openstackoid", "oaktree", "bench", "tests"})
# Programs of tests are imported by commands themselves: what is measured or broken on purpose has a fresh state.
_PROGRAMS: Final = frozenset({"bench", "tests"})
_SOURCES: Final = Path("src")
# A line that imports a module, also in a function; a parser would take a quarter of all the time here.
_IMPORT: Final = re.compile(
    r"^ *(?:import|from(?=.* import )) (?P<module>\w[\w.]*)(?: import (?P<names>\w[\w, ]*))?", re.MULTILINE
)
_CLONE_PARENT: Final = 0x8000
_CLONE: Final = {"x86_64": 56, "aarch64": 220}  # its number, of the kernel
# This one imports all plugins of the client that are installed, ours as well: here it finds none, and each command loads it once more.
_AGAIN: Final = "openstackclient.common.clientmanager"
_PLUGINS: Final = ("openstack.", "cliff.", "keystoneauth1.plugin")  # how their groups of entry points begin


def main(arguments: Sequence[str]) -> None:
    """Serve until the other side is gone; in a new process, be the command."""
    # Ctrl-C is for the tests, which end this one; what is sent to a command before it is one comes to it then.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    control = socket.socket(fileno=int(arguments[0]))
    sys.argv = [arguments[1]]
    end = arguments.index("--")
    preload(arguments[end + 1 :], tuple(arguments[2:end]))
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "an import has begun a thread, which a fork would lose"
    # What is here now is looked at by no collection of a command: its pages stay shared.
    gc.collect()
    gc.freeze()
    control.send(b"ready")
    if (order := serve(control)) is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        become(order)


def preload(imports: Sequence[str], variables: tuple[str, ...]) -> None:
    """Import, and make sure that nothing has read a variable that commands have of their own."""
    read: list[str] = []
    plain = os._Environ.__getitem__

    def noted(self: "os._Environ[str]", name: str) -> str:
        read.append(name)
        return plain(self, name)

    os._Environ.__getitem__ = noted  # type: ignore[method-assign,assignment]
    try:
        if "openstackclient" in imports:
            import_client()
        for module, names in (each for wanted in imports for each in modules(wanted)):
            # Optional ones are missing, and whatever else is wrong the command itself shall meet.
            try:
                __import__(module, fromlist=names)
            except Exception:
                continue
        if "stevedore" in sys.modules:
            # It keeps the entry points of all packages by the path: this is the one of installed programs.
            sys.path[0] = str(Path(sys.executable).parent)
            importlib.import_module("stevedore._cache").get_group_all("cliff.formatter.list")
        if "oslo_policy" in sys.modules:
            # The checks of rules that packages add: found by the entry points of all packages.
            importlib.import_module("oslo_policy._checks").get_extensions()
        if "sqlalchemy" in sys.modules:
            # Found by the name in a database's URL.
            importlib.import_module("sqlalchemy.dialects.sqlite")
    finally:
        os._Environ.__getitem__ = plain  # type: ignore[method-assign]
    early = sorted({name for name in read if name.startswith(variables)} - {"PYTHONDONTWRITEBYTECODE"})
    assert not early, f"read by an import, so commands need real starts: {', '.join(early)}"
    assert not _PROGRAMS & {name.partition(".")[0] for name in sys.modules}, "a program of tests has been imported"


def import_client() -> None:
    """Import what lists the client's plugins, without any; and have read what each command would read again."""
    stevedore: Any = importlib.import_module("stevedore")
    # Entry points are kept by the path: this is the client's.
    sys.path[0] = str(Path(sys.executable).parent)
    stevedore._cache.get_group_all("openstack.cli.extension")
    cliff: Any = importlib.import_module("cliff.command")
    listed = stevedore.ExtensionManager
    stevedore.ExtensionManager = _NoPlugins
    importlib.import_module(_AGAIN)
    stevedore.ExtensionManager = listed
    # Which package each module is of: from the metadata of all packages.
    cliff._get_distributions_by_modules()
    poll_each_second()


def poll_each_second() -> None:
    """Have `--wait` of servers ask each second: it asks each 5 s for a status and each 2 s for an end, and has no option for it."""
    utils: Any = importlib.import_module("osc_lib.utils")
    compute: Any = importlib.import_module("openstack.compute.v2._proxy")
    for function, interval in ((utils.wait_for_status, "sleep_time"), (compute.Proxy.wait_for_delete, "interval")):
        optional = [each for each in inspect.signature(function).parameters.values() if each.default is not each.empty]
        assert interval in {each.name for each in optional}, f"{function.__name__} has no {interval}"
        function.__defaults__ = tuple(1 if each.name == interval else each.default for each in optional)


class _NoPlugins(list[Any]):
    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()


def modules(wanted: str) -> Iterator[tuple[str, list[str]]]:
    """Modules, and what is imported from each, which may be modules in it: others', and ours of `src`, which read nothing of their surroundings
    while they are imported.
    """
    if wanted == "openstackclient":
        for distribution in importlib.metadata.distributions():
            points = (point for point in distribution.entry_points if point.group.startswith(_PLUGINS))
            yield from ((point.module, []) for point in points if point.module.partition(".")[0] not in _OURS)
        return
    path = Path(wanted)
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        # The client loads our plugins itself, and tells by it which command it runs.
        if file.is_relative_to(_SOURCES) and file.stem != "__main__" and "client" not in file.parts:
            parts = file.relative_to(_SOURCES).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), []
        for found in _IMPORT.finditer(file.read_text(encoding="utf-8")):
            if found["module"].partition(".")[0] not in _OURS:
                yield found["module"], re.findall(r"\w+", found["names"] or "")


def serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork for each order. Returns it in the new process; nothing when no order will come."""
    while True:
        message, streams, _, _ = socket.recv_fds(control, 1 << 20, 3)
        if not message:
            return None
        pid = fork()
        if pid == 0:
            control.close()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            break
        for stream in streams:
            os.close(stream)
        control.send(str(pid).encode())
    for stream in streams:
        os.close(stream)
    order: dict[str, Any] = json.loads(message)
    return order


def fork() -> int:
    """As `os.fork`, but for whose child the new process is."""
    python, library = ctypes.pythonapi, ctypes.PyDLL(None, use_errno=True)
    python.PyOS_BeforeFork()
    pid = library.syscall(_CLONE[platform.machine()], _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        python.PyOS_AfterFork_Child()
        return 0
    python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return int(pid)


def become(order: dict[str, Any]) -> None:
    """Be the command, up to its end."""
    if order["session"]:
        os.setsid()
    os.chdir(order["cwd"])
    for name in os.environ.keys() - order["env"].keys():
        del os.environ[name]
    os.environ.update(order["env"])
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        opened = stream(number)
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)
    if _AGAIN in sys.modules:
        importlib.reload(sys.modules[_AGAIN])
    words = order["args"]
    sys.orig_argv = list(words)
    try:
        if words[1:2] == ["-m"]:
            sys.argv = words[2:]
            sys.path[0] = order["cwd"]
            runpy.run_module(words[2], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            sys.path[0] = str(Path(words[0]).parent)
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code or 0
    else:
        code = 0
    leave(code)


def leave(code: int) -> None:
    """End as an interpreter does, but for the modules: to take them down would copy each page of them, which costs more than most commands."""
    threading._shutdown()  # type: ignore[attr-defined] # waits for threads, as Py_FinalizeEx does, in this order
    atexit._run_exitfuncs()
    # What the command has left open says so when it goes.
    gc.collect()
    for opened in (sys.stdout, sys.stderr):
        try:
            if opened is not None and not opened.closed:
                opened.flush()
        except Exception as error:
            code = 120
            if opened is sys.stdout:
                sys.stderr.write(f"Exception ignored in: {opened!r}\n{type(error).__name__}: {error}\n")
    os._exit(code & 0xFF)


def stream(number: int) -> io.TextIOWrapper:
    """A standard stream, as an interpreter opens it that starts (create_stdio in Python/pylifecycle.c)."""
    before = (sys.stdin, sys.stdout, sys.stderr)[number]
    assert isinstance(before, io.TextIOWrapper)
    mode = "w" if number else "r"
    buffer: Any = open(number, f"{mode}b", 0 if number and before.write_through else -1, closefd=False)  # noqa: SIM115 - no path; kept
    getattr(buffer, "raw", buffer).name = before.name
    opened = io.TextIOWrapper(
        buffer,
        before.encoding,
        before.errors,
        newline="\n",
        line_buffering=not before.write_through and (number == sys.stderr.fileno() or buffer.isatty()),
        write_through=before.write_through,
    )
    opened.mode = mode  # type: ignore[misc] # as create_stdio does
    return opened


if __name__ == "__main__":
    main(sys.argv[1:])
