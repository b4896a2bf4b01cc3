"""Where users type `openstackoid oaktree`: over a real server, whose clouds stand at the wire.

A command runs in the process of the tests, whose streams and environment are the command's meanwhile; `start` starts a program, for tests of streams that
are closed, of signals, and of the end.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

from tests.oaktree.world import Oaktree, Simulated

from openstackoid.cli import main

PROGRAM = (sys.executable, "-m", "openstackoid", "oaktree")
_LONGEST = 60  # seconds


@dataclass
class Shell:
    """Where one types."""

    clouds: Simulated
    target: str

    def env(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OAKTREE_"))}
        return kept | {"OAKTREE_TARGET": self.target} | more

    def words(self, *words: str) -> list[str]:
        return [*PROGRAM, "call", *words, *(() if self.target.startswith("unix:") else ("--plaintext",))]

    def call(self, *words: str, typed: str = "", **env: str) -> "subprocess.CompletedProcess[str]":
        return called(self.words(*words)[len(PROGRAM) - 1 :], self.env(**env), typed)

    def ok(self, *words: str, typed: str = "") -> str:
        done = self.call(*words, typed=typed)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.ok(*words, "-f", "json"))

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.words(*words),
            env=self.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What starts the tests may have told its children to ignore Ctrl-C, as shells do for what is in the background.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - before any thread
        )


def called(words: list[str], env: dict[str, str], typed: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a command of `openstackoid` in this process."""
    typing, out, err = (io.TextIOWrapper(io.BytesIO(text), encoding="utf-8") for text in (typed.encode(), b"", b""))
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(_LONGEST)
    try:
        with (
            mock.patch.dict(os.environ, env, clear=True),
            mock.patch("sys.stdin", typing),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main(words)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return subprocess.CompletedProcess(words, code, *map(_text, (out, err)))


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError


@contextlib.contextmanager
def shell(folder: Path, *names: str, **settings: Any) -> Iterator[Shell]:
    clouds = Simulated(folder)
    try:
        oaktree = Oaktree(
            folder, clouds.clouds_yaml(folder / "clouds.yaml", names), **{"watch": {"interval": 0.1}, **settings}
        )
        try:
            yield Shell(clouds, oaktree.address)
        finally:
            oaktree.stop()
    finally:
        clouds.stop()
