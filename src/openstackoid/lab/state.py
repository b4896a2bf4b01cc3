"""The state of a lab in its folder: its clouds, their kind of trust, and each cloud's passwords.

Everything here may hold passwords, so files are made for their owner only, from the first byte on.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from .config import Secrets
from .errors import LabError
from .layout import DEFAULT_AGGREGATOR

FILE = "lab.json"
ACCOUNTS = ("nova", "glance", "neutron", "placement", "cinder")


Trust = Literal["federated", "pass-through"]
Projects = Literal["each", "same"]

# The settings that cannot be changed on an existing lab: each value, as text for messages.
SAID: Mapping[str, Mapping[object, str]] = MappingProxyType(
    {
        "with_gateway": {True: "has gateways", False: "has no gateways"},
        "with_haproxy": {True: "has HAProxy before its gateways", False: "has no HAProxy"},
        "trust": {"federated": "has clouds of different owners", "pass-through": "passes tokens through"},
        "projects": {
            "each": "has a project for each project of another cloud",
            "same": "has the same projects everywhere",
        },
        "pseudonyms": {True: "gives its users pseudonyms", False: "gives its users no pseudonyms"},
        "aggregator": {True: "has an aggregator of virtual regions", False: "has no aggregator"},
        "with_volumes": {True: "has block storage", False: "has no block storage"},
    }
)

# The settings that can be added to an existing lab.
ADDED = ("with_dashboard", "aggregator_dashboard")


@dataclass(frozen=True)
class State:
    """The clouds of a lab, in the order that gave them their addresses, and their kind of trust.

    Attributes:
        clouds: their names.
        address: the first one's network.
        with_gateway: whether a gateway stands before each.
        with_haproxy: whether HAProxy stands before each gateway.
        trust: `federated`, for clouds of different owners, or `pass-through`, for clouds of one owner.
        projects: `each` project of another cloud has one of its own here, or the `same` id stands for both.
        pseudonyms: whether the clouds hide their users' identities from each other.
        with_dashboard: whether each cloud has a Horizon; this and the next can be added to an existing lab.
        aggregator_dashboard: whether the aggregator has one.
        aggregator: whether the first cloud has no service but identity, and all have control planes of virtual regions: contracts say what
            the clouds allow each other.
        with_volumes: whether each cloud but an aggregator has block storage.
        buyer: a cloud that is an aggregator, too, and knows the first one alone, whose regions it may buy; empty if there is none. Like the
            Horizons, it can be added to an existing lab.
    """

    clouds: tuple[str, ...]
    address: str
    with_gateway: bool
    with_haproxy: bool = True
    trust: Trust = "federated"
    projects: Projects = "each"
    pseudonyms: bool = False
    with_dashboard: bool = False
    aggregator: bool = False
    aggregator_dashboard: bool = False
    with_volumes: bool = False
    buyer: str = ""

    @property
    def federated(self) -> bool:
        """Whether the clouds meet as those of different owners; without gateways they do not meet at all."""
        return self.with_gateway and self.trust == "federated"

    @property
    def meeting(self) -> str:
        """Say how the clouds meet."""
        if not self.federated:
            return SAID["trust"]["pass-through"] if self.with_gateway else SAID["with_gateway"][False]
        if self.aggregator:
            return f"{SAID['trust']['federated']}, {SAID['aggregator'][True]}: {self.clouds[0]}"
        told = (SAID["trust"]["federated"], SAID["projects"][self.projects], SAID["pseudonyms"][self.pseudonyms])
        return ", ".join(told)


def default_directory() -> Path:
    """Give the folder of the user's own data."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "openstackoid" / "lab"


def write_private(path: Path, content: str) -> bool:
    """Write a file that only its owner can read, atomically; returns whether it changed."""
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
    """Read the state of the lab in a folder; None if there is none."""
    path = directory / FILE
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{path} is damaged ({error!r}); delete it, or the whole folder, to begin anew") from error


def parse(document: Mapping[str, Any]) -> State:
    """Read the text that `save` wrote. In texts of older versions, without these settings, tokens pass through and there is no HAProxy.

    Raises:
        KeyError, TypeError, ValueError: the text is not of this form.
    """
    modes = {name: document[name] for name in (*SAID, *ADDED) if name in document}
    old: dict[str, Any] = {"trust": "pass-through", "with_haproxy": False}
    state = State(tuple(document["clouds"]), document["address"], buyer=document.get("buyer", ""), **(old | modes))
    if state.buyer and state.buyer not in state.clouds[1:]:
        raise ValueError(f"buyer: {state.buyer!r}")
    for name in ADDED:
        if not isinstance(getattr(state, name), bool):
            raise TypeError(f"{name}: {getattr(state, name)!r}")
    for name, values in SAID.items():
        if getattr(state, name) not in values:
            raise ValueError(f"{name}: {getattr(state, name)!r}")
    return state


def save(directory: Path, state: State) -> None:
    """Write the state of a lab."""
    write_private(directory / FILE, json.dumps(asdict(state), indent=2) + "\n")


def merge(saved: State | None, clouds: Sequence[str], address: str | None, *, defaults: State, **wanted: Any) -> State:
    """The state of a lab after ``clouds`` are requested: the existing clouds, then the new ones.

    A cloud keeps its address for as long as it lives: it is in its catalog, and in its users' files.

    Args:
        saved: the existing lab, or None.
        clouds: requested names.
        address: the requested network, or None for any.
        defaults: the values of a new lab for settings that are not requested.
        wanted: other requested fields of a State, or None for any.

    Raises:
        LabError: the lab exists with another network or other settings.
    """
    wanted = {name: value for name, value in wanted.items() if value is not None}
    buyer = str(wanted.pop("buyer", ""))
    if saved is None:
        made = replace(defaults, clouds=tuple(clouds) or defaults.clouds, address=address or defaults.address, **wanted)
        if not made.federated and wanted.keys() & {"projects", "pseudonyms"}:
            raise LabError(f"projects and pseudonyms are of clouds of different owners; this lab {made.meeting}")
        if made.aggregator and (not made.federated or wanted.keys() & {"projects", "pseudonyms"}):
            raise LabError(
                "an aggregator has contracts with clouds of other owners, which say all of that; leave the other options out"
            )
        if made.aggregator and not clouds:
            made = replace(made, clouds=DEFAULT_AGGREGATOR)
        if not made.with_gateway and wanted.get("with_haproxy"):
            raise LabError("HAProxy stands before gateways, and this lab is to have none")
        return _with_buyer(replace(made, with_haproxy=made.with_gateway and made.with_haproxy), buyer)
    if address is not None and address != saved.address:
        raise LabError(
            f"this lab is at {saved.address}, not at {address}: 'openstackoid lab reset' first, or take another --dir"
        )
    added = {name: wanted.pop(name, False) or getattr(saved, name) for name in ADDED}
    for name, value in wanted.items():
        has = getattr(saved, name)
        if value != has:
            raise LabError(f"this lab {SAID[name][has]}: 'openstackoid lab reset' first, or take another --dir")
    made = replace(saved, **added, clouds=(*saved.clouds, *(name for name in clouds if name not in saved.clouds)))
    return _with_buyer(made, buyer)


def _with_buyer(state: State, buyer: str) -> State:
    if not buyer or buyer == state.buyer:
        return state
    if not state.aggregator:
        raise LabError(f"a buyer buys from an aggregator, and this lab {SAID['aggregator'][False]}")
    if state.buyer or buyer in state.clouds:
        raise LabError(
            f"{state.buyer or buyer} is another cloud of this lab already: expected one buyer, with a name of its own"
        )
    return replace(state, buyer=buyer, clouds=(*state.clouds, buyer))


def secrets_of(directory: Path, random: Callable[[], str] = lambda: secrets.token_urlsafe(18)) -> Secrets:
    """Read a cloud's passwords, or make them the first time."""
    path = directory / "secrets.json"
    if not path.exists():
        made = Secrets(random(), random(), {name: random() for name in ACCOUNTS}, random())
        write_private(path, json.dumps(asdict(made), indent=2) + "\n")
    document: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Secrets(document["admin"], document["member"], document["services"], document["metadata"])
