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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from . import installing
from .errors import LabError

PACKAGES = (
    "cheroot",
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


def constraints() -> str:
    """Give the versions that the lab was tested with."""
    return resources.files(__package__).joinpath("constraints.txt").read_text(encoding="utf-8")


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
    environment = Environment(cache / f"services-{key(versions)}")
    if environment.complete.exists():
        return environment
    cache.mkdir(parents=True, exist_ok=True)
    with locked(environment.path.with_suffix(".lock")):
        if not environment.complete.exists():
            make(environment, versions, progress)
    return environment


def make(environment: Environment, versions: str, progress: Callable[[str], None]) -> None:
    """Make the environment anew, after deleting the remains of an interrupted attempt."""
    shutil.rmtree(environment.path, ignore_errors=True)
    progress("installing OpenStack's services into an environment of their own")
    uv("venv", "--quiet", "--python", sys.executable, str(environment.path))
    wanted = environment.path / "constraints.txt"
    wanted.write_text(versions, encoding="utf-8")
    # Compiled now, once: uncompiled, every start and every command of the client would take twice as long.
    uv(
        "pip", "install", "--quiet", "--compile-bytecode", "--python", str(environment.python),
        "--constraint", str(wanted), *PACKAGES,
    )  # fmt: skip
    site = next((environment.path / "lib").glob("python*/site-packages"))
    about = site / "openstackoid_lab-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(METADATA, encoding="utf-8")
    (about / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    environment.templates.mkdir()
    environment.complete.touch()


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
