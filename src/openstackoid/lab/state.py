"""What a lab remembers in its folder: which clouds it has, and each cloud's passwords.

Everything here may hold passwords, so files are made for their owner only, from the first byte on.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .config import Secrets
from .errors import LabError

FILE = "lab.json"
ACCOUNTS = ("nova", "glance", "neutron", "placement")


@dataclass(frozen=True)
class State:
    """Which clouds a lab has, in the order that gave them their addresses."""

    clouds: tuple[str, ...]
    address: str
    with_gateway: bool


def default_directory() -> Path:
    """Give the folder of the user's own data."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "openstackoid" / "lab"


def write_private(path: Path, content: str) -> bool:
    """Write a file that only its owner can read, whole or not at all; tell whether it changed."""
    if path.exists() and path.read_text(encoding="utf-8") == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    fresh.replace(path)
    return True


def load(directory: Path) -> State | None:
    """Read what lab is in a folder, if one is."""
    path = directory / FILE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return State(tuple(found["clouds"]), found["address"], found["with_gateway"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{path} is damaged ({error!r}); delete it, or the whole folder, to begin anew") from error


def save(directory: Path, state: State) -> None:
    """Write which clouds a lab has."""
    write_private(directory / FILE, json.dumps(asdict(state), indent=2) + "\n")


def merge(
    found: State | None, clouds: Sequence[str], address: str | None, *, with_gateway: bool | None, defaults: State
) -> State:
    """Say which clouds a lab has after it was asked for ``clouds``: those that it had, then new ones.

    A cloud keeps its address for as long as it lives: it is in its catalog, and in its users' files.

    Raises:
        LabError: the lab exists and is elsewhere, or has gateways where none are wanted.
    """
    if found is None:
        return State(
            tuple(clouds) or defaults.clouds,
            address or defaults.address,
            defaults.with_gateway if with_gateway is None else with_gateway,
        )
    if address is not None and address != found.address:
        raise LabError(
            f"this lab is at {found.address}, not at {address}: 'openstackoid lab reset' first, or take another --dir"
        )
    if with_gateway is not None and with_gateway != found.with_gateway:
        has = "has gateways" if found.with_gateway else "has no gateways"
        raise LabError(f"this lab {has}: 'openstackoid lab reset' first, or take another --dir")
    new = [name for name in clouds if name not in found.clouds]
    return State((*found.clouds, *new), found.address, found.with_gateway)


def secrets_of(directory: Path, random: Callable[[], str] = lambda: secrets.token_urlsafe(18)) -> Secrets:
    """Read a cloud's passwords, or make them the first time."""
    path = directory / "secrets.json"
    if not path.exists():
        made = Secrets(random(), random(), {name: random() for name in ACCOUNTS}, random())
        write_private(path, json.dumps(asdict(made), indent=2) + "\n")
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Secrets(found["admin"], found["member"], found["services"], found["metadata"])
