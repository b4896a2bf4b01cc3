"""One API for many clouds in one go: every server of two real clouds in one call, an image into both, a server that is watched.

make demo-oaktree
make demo-oaktree LAB=--gateway-only    # without HAProxy
"""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from shell import CLOUDS, run, say, two_clouds

from openstackoid.lab import Lab
from openstackoid.lab.state import write_private

CALL = "openstackoid oaktree call"
PATIENCE = 60.0  # seconds for the oaktree to listen


class Demo:
    """An oaktree of the lab's clouds, and a shell that calls it."""

    def __init__(self, lab: Lab, runtime: str) -> None:
        """Prepare.

        Args:
            lab: up.
            runtime: a folder for the socket, instead of the user's own, where another oaktree may listen.
        """
        self._folder = lab.directory / "oaktree"
        self._socket = Path(runtime) / "oaktree.sock"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.clouds_yaml = self._folder / "clouds.yaml"
        entries = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]
        # Alice in both clouds. The lab's file has administrators, too, who would see everything once more.
        alice = {"clouds": {name: entries[name] for name in CLOUDS}}
        write_private(self.clouds_yaml, yaml.safe_dump(alice))
        # Nothing of the caller's own OpenStack settings may steer a demo, and its records are not the user's.
        self._env = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OAKTREE_"))}
        self._env["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        self._env |= {"XDG_STATE_HOME": str(self._folder), "XDG_RUNTIME_DIR": runtime}

    def show(self, command: str) -> None:
        """Print a command, and run it as it stands there.

        Raises:
            SystemExit: it failed.
        """
        print(f"\n\033[1m$ {command}\033[0m" if sys.stdout.isatty() else f"\n$ {command}", flush=True)
        code = self._run(command).returncode
        if code:
            raise SystemExit(f"expected the command to work, and it ended with {code}")

    def tidy(self) -> None:
        """Delete what a demo before left behind."""
        for cloud in CLOUDS:
            self._run(f"{CALL} delete server oaktree-vm --allow-missing --location {cloud}", quiet=True)
            self._run(f"{CALL} delete image oaktree-demo --allow-missing --location {cloud}", quiet=True)

    def serve(self) -> "subprocess.Popen[bytes]":
        """Start the oaktree, and wait until it listens."""
        command = f"openstackoid oaktree serve --clouds {shlex.quote(str(self.clouds_yaml))}"
        print(f"\n$ {command} &", flush=True)
        server = subprocess.Popen(shlex.split(command), env=self._env)
        began = time.monotonic()
        while not self._socket.is_socket():
            if server.poll() is not None or time.monotonic() - began > PATIENCE:
                server.kill()
                raise SystemExit("the oaktree does not listen")
            time.sleep(0.05)
        return server

    def _run(self, command: str, *, quiet: bool = False) -> "subprocess.CompletedProcess[bytes]":
        sink = subprocess.DEVNULL if quiet else None
        return subprocess.run(["sh", "-c", command], env=self._env, stdout=sink, stderr=sink, check=False, timeout=300)


def story(demo: Demo) -> None:
    """What is shown."""
    say("One endpoint; the clouds behind it are those of a clouds.yaml:")
    demo.show(f"{CALL} clouds")

    say("An image into both clouds at once. Nothing is said about where, so it means everywhere:")
    image = demo.clouds_yaml.with_name("disk.img")
    image.write_bytes(os.urandom(1024 * 1024))
    demo.show(f"{CALL} upload {shlex.quote(str(image))} --name oaktree-demo --disk-format raw")
    demo.show(f"{CALL} list images --sort name")

    say("A server in each cloud. Ids are each cloud's own:")
    for cloud in CLOUDS:
        wait = " --wait" if cloud == CLOUDS[0] else ""
        demo.show(
            f"{CALL} create server --location {cloud} --set name=oaktree-vm \\\n"
            f"    --set image=oaktree-demo --set flavor=m1.tiny --set network=private{wait}"
        )

    say("The second one is watched until it can be used; however many watch it, the cloud is asked once:")
    demo.show(f"{CALL} watch server oaktree-vm --location {CLOUDS[1]} --until status=ACTIVE")

    say("Every server of both clouds in one call, in one table, or for programs:")
    demo.show(f"{CALL} list servers")
    demo.show(f"{CALL} list servers --query \"contains(name, 'oaktree')\" -c name -c status -c location.cloud -f jsonl")

    say("What was made goes again:")
    for cloud in CLOUDS:
        demo.show(f"{CALL} delete server oaktree-vm --location {cloud}")
        demo.show(f"{CALL} watch server oaktree-vm --location {cloud} --until gone")
        demo.show(f"{CALL} delete image oaktree-demo --location {cloud}")


def main() -> int:
    """Start the clouds and the oaktree, tell the story, say how to go on."""
    lab = two_clouds(main.__doc__)
    began = time.monotonic()
    say("Two OpenStack clouds, each with a Keystone, a Glance, a Nova, a Neutron, a Placement of its own")
    lab.up(progress=lambda line: print(line, flush=True))
    with tempfile.TemporaryDirectory(prefix="oaktree-") as runtime:
        demo = Demo(lab, runtime)
        say("An oaktree, for one user, on a Unix socket that nobody else can reach:")
        server = demo.serve()
        try:
            demo.tidy()
            story(demo)
        except (SystemExit, KeyboardInterrupt):
            demo.tidy()
            raise
        finally:
            server.terminate()
            server.wait(timeout=30)
    say(f"Done in {time.monotonic() - began:.0f} s. To go on playing:")
    print(f"""
  . .venv/bin/activate
  openstackoid oaktree serve --clouds {shlex.quote(str(demo.clouds_yaml))} &
  {CALL} --help
  {CALL} list servers
  {CALL} kinds
  python examples/oaktree/list_servers.py unix:... # the address that 'serve' told

The clouds go on running; 'openstackoid lab down' stops them (their data stay), 'openstackoid lab reset' deletes them.
""")
    return 0


if __name__ == "__main__":
    run(main)
