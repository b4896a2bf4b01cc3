"""The virtual environment that OpenStack's services run in, apart from the one that runs the lab.

Services and the lab want different versions of the same libraries, and a lab must not change what its user has
installed. So the services get an environment of their own, in the user's cache, named after all of its inputs:
another list of packages, or another Python, is another environment, and the old one stays as it was.
"""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from . import installing
from .errors import LabError

PACKAGES = (
    "cheroot",
    "cinder",
    "glance",
    "keystone",
    "neutron",
    "nova",
    "openstack-placement",
    "python-openstackclient",
)

# neutron finds ML2 mechanism drivers by entry points only (neutron/plugins/ml2/managers.py, MechanismManager).
ENTRY_POINTS = """\
[neutron.ml2.mechanism_drivers]
openstackoid_lab = openstackoid.lab.services.ml2:BindAll
"""

METADATA = "Metadata-Version: 2.1\nName: openstackoid-lab\nVersion: 1\n"


@dataclass(frozen=True)
class Environment:
    """A virtual environment with OpenStack's services in it."""

    path: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"

    @property
    def site(self) -> Path:
        """Folder of its installed packages."""
        return next((self.path / "lib").glob("python*/site-packages"))

    @property
    def templates(self) -> Path:
        """Folder of the services' empty databases, which depend only on the installed packages."""
        return self.path / "templates"

    @property
    def complete(self) -> Path:
        """The file that exists if the environment is complete."""
        return self.path / "complete"


def default_cache() -> Path:
    """Give the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "openstackoid"


def constraints(file: str = "constraints.txt") -> str:
    """Give the versions that the lab was tested with."""
    return resources.files(__package__).joinpath(file).read_text(encoding="utf-8")


def key(versions: str) -> str:
    """Name an environment by its inputs."""
    made_of = "\n".join([sys.version, *PACKAGES, versions, ENTRY_POINTS])
    return hashlib.sha256(made_of.encode()).hexdigest()[:12]


def ensure(cache: Path, progress: Callable[[str], None]) -> Environment:
    """Find the environment, or make it.

    Raises:
        LabError: the environment cannot be made; the message has uv's output.
    """
    versions = constraints()

    def make(environment: Environment) -> None:
        progress("installing OpenStack's services into an environment of their own")
        install(environment, versions, PACKAGES)
        add_lab_package(environment)
        environment.templates.mkdir()

    return made_once(cache / f"services-{key(versions)}", make)


def made_once(path: Path, make: Callable[[Environment], None]) -> Environment:
    """Find the environment in a folder, or make it, after deleting the remains of an interrupted attempt."""
    environment = Environment(path)
    if environment.complete.exists():
        return environment
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_suffix(".lock")):
        if not environment.complete.exists():
            shutil.rmtree(path, ignore_errors=True)
            make(environment)
            environment.complete.touch()
    return environment


def install(environment: Environment, versions: str, packages: Sequence[str]) -> None:
    """Make a virtual environment with these packages.

    Args:
        environment: where.
        versions: the text of pip's constraints.
        packages: requirements, or folders of packages.

    Raises:
        LabError: uv fails; the message has its output.
    """
    uv("venv", "--quiet", "--python", sys.executable, str(environment.path))
    wanted = environment.path / "constraints.txt"
    wanted.write_text(versions, encoding="utf-8")
    # Compiled now, once: uncompiled, every start and every command of the client would take twice as long.
    uv(
        "pip", "install", "--quiet", "--compile-bytecode", "--python", str(environment.python),
        "--constraint", str(wanted), *packages,
    )  # fmt: skip


def add_lab_package(environment: Environment) -> None:
    """Add the metadata by which neutron finds the lab's mechanism driver."""
    about = environment.site / "openstackoid_lab-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(METADATA, encoding="utf-8")
    (about / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")


def uv(*arguments: str) -> None:
    """Run uv, which is installed where the lab is."""
    quiet = {"PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}
    variables = {name: value for name, value in os.environ.items() if name not in quiet}
    done = installing.run(*arguments, given=variables)
    if done.returncode:
        raise LabError(f"uv {' '.join(arguments[:2])} failed:\n{done.stderr.strip()}")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A lock between processes; it ends with the process, however the process ends."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
