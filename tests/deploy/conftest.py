"""A machine to deploy to: this one, over ssh, below a folder of its own."""

import contextlib
import getpass
import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ports import free_ports

from openstackoid.lab import installing

HERE = Path(__file__).parents[2]
DEPLOY = HERE / "deploy"
ROLE = DEPLOY / "ansible" / "roles" / "openstackoid"
USER = "openstackoid-test"
# Bytecode of the packages of an environment, from ours, which are the same files: pip alone takes two seconds to compile.
BYTECODE = """
import shutil, sys
from pathlib import Path
ours, (theirs,) = Path(sys.argv[1]), Path(sys.argv[2]).glob("lib/python*/site-packages")
for package in theirs.iterdir():
    for cache in (ours / package.name).rglob("__pycache__"):
        if (place := theirs / cache.relative_to(ours)).parent.is_dir():
            shutil.copytree(cache, place, dirs_exist_ok=True)
"""
# With the folder of an environment.
GIVE_BYTECODE = (sys.executable, "-c", BYTECODE, sysconfig.get_path("purelib"))


@dataclass(frozen=True)
class Run:
    """What a play said and did."""

    code: int
    text: str

    @property
    def changed(self) -> int:
        return self._count("changed")

    @property
    def tasks(self) -> list[str]:
        """The tasks and handlers that changed something."""
        found, name = [], ""
        for line in self.text.splitlines():
            if header := re.match(r"(?:TASK|RUNNING HANDLER) \[openstackoid : (.*?)\]", line):
                name = header[1]
            elif line.startswith("changed:") and name not in found:
                found.append(name)
        return found

    def ended_well(self) -> "Run":
        assert self.code == 0, self.text
        assert self._count("failed") == self._count("unreachable") == 0
        return self

    def _count(self, what: str) -> int:
        return sum(int(number) for number in re.findall(rf"\b{what}=(\d+)", self.text))


@dataclass
class Machine:
    """An sshd of our own on the loopback, and what was started from what the role wrote."""

    folder: Path
    port: int
    user: str
    variables: dict[str, Any] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def play(self, *options: str, hosts: dict[str, dict[str, Any]] | None = None, **changed: Any) -> Run:
        """Run the playbook with these variables beside those of the machine."""
        inventory = self.folder / "control" / "inventory.yml"
        places = hosts or {"machine": {}}
        group = {"hosts": places, "vars": self._connection() | self.variables | changed}
        inventory.write_text(yaml.safe_dump({"openstackoid": group}))
        done = subprocess.run(
            [
                sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), *options,
                str(DEPLOY / "ansible" / "playbook.yml"),
            ],
            capture_output=True, text=True, check=False, timeout=600, env=self._environment(),
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Run(done.returncode, done.stdout + done.stderr)

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """What a unit would run, as the user whom the role made."""
        output = (self.folder / "control" / f"{name}.log").open("wb")
        process = subprocess.Popen(
            [*self.as_user, *command], stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd="/"
        )
        self.processes.append(process)
        return process

    def said(self, name: str) -> str:
        return (self.folder / "control" / f"{name}.log").read_text()

    @property
    def as_user(self) -> list[str]:
        # setpriv becomes the program: a signal to it is one to the program.
        if self.user != USER:
            return []
        return ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups"]

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    def _environment(self) -> dict[str, str]:
        control = self.folder / "control"
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "LANG": "C.UTF-8",
            "ANSIBLE_CONFIG": str(control / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
        } | ansible_settings(control / "home")

    def _connection(self) -> dict[str, Any]:
        control = self.folder / "control"
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": getpass.getuser(),
            "ansible_become": False,
            "ansible_ssh_private_key_file": str(control / "user"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={control}/known -o StrictHostKeyChecking=yes -F none",
            "ansible_python_interpreter": sys.executable,
            "ansible_remote_tmp": str(self.folder / "remote"),
        }


def ansible_settings(folder: Path) -> dict[str, str]:
    """Variables for Ansible, which keeps its files in a folder, facts among them: one play after the other need not gather them.

    Modules run in one process of the machine, by Mitogen: most of what a task takes is a Python that starts. By `make test-full` each
    has its own, as Ansible has it by default.
    """
    settings = {
        "ANSIBLE_HOME": str(folder),
        "ANSIBLE_ROLES_PATH": str(ROLE.parent),
        "ANSIBLE_FORKS": "2",
        "ANSIBLE_TIMEOUT": "120",
        "ANSIBLE_GATHERING": "smart",
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "facts"),
    }
    if os.environ.get("OPENSTACKOID_FULL") == "1":
        return settings
    mitogen = importlib.util.find_spec("ansible_mitogen")
    assert mitogen
    assert mitogen.origin
    plugins = Path(mitogen.origin).parent / "plugins" / "strategy"
    return settings | {"ANSIBLE_STRATEGY_PLUGINS": str(plugins), "ANSIBLE_STRATEGY": "mitogen_linear"}


def port() -> int:
    """Where nobody listens, at the addresses of the loopback that are used here."""
    return free_ports(1, "127.0.0.1", "127.0.0.3")[0]


def until(what: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This package."""
    folder = tmp_path_factory.mktemp("wheel")
    return build(HERE, "wheel", folder)


def build(tree: Path, kind: str, folder: Path) -> Path:
    """A wheel or an sdist of a tree, which is left as it is."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder], cwd=tree, check=True, timeout=120
    )
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="session")
def machine(wheel: Path) -> Iterator[Machine]:
    """Everything of a machine that is ours ends with the tests."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert sshd, "expected sshd: apt-get install openssh-server"
    root = os.geteuid() == 0
    # Other users must be able to go through it, which pytest's own folders do not let them.
    folder = Path(tempfile.mkdtemp(prefix="openstackoid-deploy-"))
    folder.chmod(0o755)
    control = folder / "control"
    control.mkdir(mode=0o700)
    (control / "ansible.cfg").write_text(
        "[ssh_connection]\npipelining = true\nssh_args = -o ControlMaster=auto -o ControlPersist=60s\n"
    )
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", control / name], check=True)
    python = _python() if root else sys.executable
    # A user of its own needs a Python that not only root can reach.
    found = Machine(folder, port(), USER if root and python != sys.executable else getpass.getuser())
    (control / "known").write_text(f"[127.0.0.1]:{found.port} {(control / 'host.pub').read_text()}")
    (control / "sshd_config").write_text(
        f"Port {found.port}\nListenAddress 127.0.0.1\nHostKey {control}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {control}/user.pub\nStrictModes no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
    )
    if root:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    daemon = subprocess.Popen(
        [sshd, "-D", "-e", "-f", control / "sshd_config"],
        stderr=(control / "sshd.log").open("wb"), stdin=subprocess.DEVNULL,
    )  # fmt: skip
    found.variables = {
        "openstackoid_user": found.user,
        "openstackoid_group": found.user if found.user == USER else _group(),
        "openstackoid_venv": str(folder / "opt"),
        "openstackoid_config_dir": str(folder / "etc"),
        "openstackoid_data_dir": str(folder / "data"),
        "openstackoid_log_dir": str(folder / "log"),
        "openstackoid_link": str(folder / "openstackoid"),
        "openstackoid_manage_services": False,
        "openstackoid_wheel": str(wheel),
        "openstackoid_constraints": str(HERE / "constraints.txt"),
        "openstackoid_pip_args": "--quiet",
        "openstackoid_python": str(_fast(control, python)),
        "openstackoid_workers": 2,
    }
    try:
        until(lambda: "listening" in (control / "sshd.log").read_text())
        yield found
    finally:
        found.close()
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(10)
        if found.user == USER:
            subprocess.run(["userdel", USER], check=False, capture_output=True)
            subprocess.run(["groupdel", USER], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def _python() -> str:
    """A Python 3.11 or later that every user of this machine can run; ours if there is none."""
    for each in (str(Path(sys.executable).resolve()), "/usr/bin/python3"):
        fits = [each, "-c", "import sys; sys.exit(sys.version_info[:2] != " + str(tuple(sys.version_info[:2])) + ")"]
        nobody = ["runuser", "-u", "nobody", "--"]
        with contextlib.suppress(OSError):
            if subprocess.run([*nobody, *fits], check=False, capture_output=True).returncode == 0:
                return each
    return sys.executable


def _fast(folder: Path, python: str) -> Path:
    """A Python whose new environments have our requirements at once, from uv's cache: pip takes a minute for that."""
    uv = Path(sys.executable).with_name("uv")
    script = folder / "python"
    # Where packages come from here: ssh passes no environment on.
    known = {
        name: value
        for name, value in installing.environment(os.environ).items()
        if re.match(r"(?i)(UV|PIP|SSL|REQUESTS)_|.*_PROXY$", name)
    }
    told = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in known.items())
    script.write_text(
        f"""#!/bin/sh
{told}case "$*" in
  *ensurepip*) exit 0 ;;
  "-m venv "*)
    {uv} venv -q --allow-existing --seed -p {python} "$3" || exit 1
    {uv} pip install -q -p "$3/bin/python" -c {HERE}/constraints.txt -r {HERE}/pyproject.toml \
      --extra gateway --extra trust || exit 1
    exec {shlex.join(GIVE_BYTECODE)} "$3" ;;
  *) exec {python} "$@" ;;
esac
"""
    )
    script.chmod(0o700)
    return script


def _group() -> str:
    import grp  # noqa: PLC0415 - where there is no root

    return grp.getgrgid(os.getegid()).gr_name
