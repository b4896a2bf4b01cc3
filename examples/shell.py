"""What the examples share: a lab that runs, and commands that are shown with their answers."""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

from openstackoid.audit.lines import straight
from openstackoid.lab import Lab, LabError
from openstackoid.lab.state import default_directory

CLOUDS = ("CloudOne", "CloudTwo")


class Shell:
    """Runs the stock `openstack` client as a user of one of the lab's clouds.

    Args:
        lab: with its `clouds.yaml`.
        cloud: an entry there: a cloud's name for its member.
    """

    def __init__(self, lab: Lab, cloud: str) -> None:
        # Nothing of the caller's own OpenStack settings may steer an example.
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        self._env |= {"OS_CLIENT_CONFIG_FILE": str(lab.clouds_yaml), "OS_CLOUD": cloud}
        self.cloud = cloud

    def show(self, command: str, *, fails: bool = False) -> str:
        """Print a command and its answer.

        Raises:
            SystemExit: it failed, or it did not although it should.
        """
        self.announce(command)
        return self.tell(self.run(command), fails=fails)

    def ask(self, command: str) -> Any:
        """The JSON answer of a command, without showing it."""
        done = self.run(f"{command} -f json")
        if done.returncode:
            raise SystemExit(f"{command}: {done.stderr}")
        return json.loads(done.stdout)

    def quiet(self, command: str) -> None:
        """Run a command whose answer is of no interest, such as cleaning up."""
        self.run(command)

    def announce(self, command: str) -> None:
        """Print a command, before it runs."""
        line = f"{self.cloud}$ {command}"
        print(f"\n\033[1m{line}\033[0m" if sys.stdout.isatty() else f"\n{line}", flush=True)

    def tell(self, done: subprocess.CompletedProcess[str], *, fails: bool = False) -> str:
        """Print the answer of a command that has ended. Raises as `show`."""
        text = done.stdout + done.stderr
        print(text.rstrip(), flush=True)
        if (done.returncode != 0) is not fails:
            raise SystemExit(
                f"expected the command to {'fail' if fails else 'work'}, and it ended with {done.returncode}"
            )
        return text

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command without showing it."""
        program, *words = shlex.split(command)
        line = [str(Path(sys.executable).with_name(program)), *words]
        return subprocess.run(line, env=self._env, capture_output=True, text=True, check=False, timeout=180)


def side_by_side(commands: Sequence[tuple[Shell, str]]) -> None:
    """Run commands of several people at the same time, and print them with their answers in this order.

    Raises:
        SystemExit: one of them failed.
    """
    with ThreadPoolExecutor(max(1, len(commands))) as pool:
        running = [pool.submit(shell.run, command) for shell, command in commands]
        for (shell, command), done in zip(commands, running, strict=True):
            shell.announce(command)
            shell.tell(done.result())


def two_clouds(story: str | None) -> Lab:
    """The lab of two clouds that the command line asks for; not yet up.

    Args:
        story: what `--help` says.
    """
    parser = argparse.ArgumentParser(description=story)
    parser.add_argument("--gateway-only", action="store_true", help="without HAProxy before the gateways")
    parser.add_argument(
        "--dir", type=Path, default=default_directory(), help="folder of the lab (default: %(default)s)"
    )
    arguments = parser.parse_args()
    return Lab(arguments.dir, CLOUDS, with_haproxy=False if arguments.gateway_only else None)


def expect(shell: Shell, command: str, reason: str) -> None:
    """Show a command that fails, and why.

    Raises:
        SystemExit: it works, or does not say so.
    """
    if reason not in shell.show(command, fails=True):
        raise SystemExit(f"expected the error to say: {reason}")


def run(main: Callable[[], int]) -> NoReturn:
    """Run an example to its end, or until it is interrupted."""
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("\ninterrupted: the next one goes on from here", file=sys.stderr)
        sys.exit(130)  # as shells say it of SIGINT


def say(text: str) -> None:
    """A line of the story."""
    print(f"\n== {text}", flush=True)


def audit(lab: Lab, cloud: str, **wanted: object) -> list[dict[str, Any]]:
    """The lines of a cloud's audit trail that have these values: its gateway's, and those of its HAProxy for what goes straight."""
    trail = lab.clouds[cloud].audit
    found = (file.read_text().splitlines() for file in (trail, trail.with_name("haproxy.log")) if file.exists())
    lines = [json.loads(line) for each in found for line in each if line.startswith("{")]
    # HAProxy's, in the gateway's words, as `openstackoid audit` has them.
    lines = [straight(line) if line.get("by") == "haproxy" else line for line in lines]
    return [line for line in lines if all(line.get(key) == value for key, value in wanted.items())]
