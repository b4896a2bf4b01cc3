"""Where users type `openstackoid oaktree`: programs of their own, over a real server, whose clouds stand at the wire."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import commands
from tests.oaktree.world import Oaktree, Simulated

PROGRAM = (sys.executable, "-m", "openstackoid", "oaktree")


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
        return commands.run(
            self.words(*words),
            env=self.env(**env),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

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
