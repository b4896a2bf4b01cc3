"""Where everything of a lab is: names, addresses, ports and files, as values. Nothing here touches the machine.

The N-th cloud has a network of its own, 127.0.N.0 by default: its services listen on ``.1`` (their *backends*) and its
gateway on ``.2`` (the *frontends*), both on the services' usual ports. Linux answers on all of 127.0.0.0/8 without any
set-up. Frontends on an address of their own need no path prefix, so the services' absolute links, which they build from
the ``Host`` header, need no rewriting.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .errors import LabError

REGION = "RegionOne"
DEFAULT_CLOUDS = ("CloudOne", "CloudTwo")
DEFAULT_ADDRESS = "127.0.1.0"
GATEWAY = "gateway"
ADMIN_PORT = 8700
PEERING_PORT = 8443
CA = "ca.crt"

# A cloud's name goes into scopes (core.scope), folder names and entries of clouds.yaml.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Service:
    """One of OpenStack's services: its type in the catalog, its name, where it usually is."""

    kind: str
    name: str
    port: int
    path: str = ""
    databases: tuple[str, ...] = ()


SERVICES: Mapping[str, Service] = MappingProxyType(
    {
        service.kind: service
        for service in (
            Service("identity", "keystone", 5000, "/v3", ("keystone",)),
            Service("image", "glance", 9292, "", ("glance",)),
            Service("placement", "placement", 8778, "", ("placement",)),
            Service("compute", "nova", 8774, "/v2.1", ("nova_api", "nova")),
            Service("network", "neutron", 9696, "", ("neutron",)),
        )
    }
)


@dataclass(frozen=True)
class Cloud:
    """Where one cloud of a lab is.

    ``directory`` holds all of it: ``etc/``, ``db/``, ``logs/``, ``run/``, ``images/``. A ``federated`` cloud has an owner
    of its own: keys, a certificate, and a door for other clouds.
    """

    name: str
    directory: Path
    backend_host: str
    frontend_host: str
    with_gateway: bool = True
    federated: bool = True

    @property
    def parts(self) -> tuple[str, ...]:
        """What runs for this cloud: the service types, and ``gateway``."""
        return (GATEWAY, *SERVICES) if self.with_gateway else tuple(SERVICES)

    def backend(self, kind: str) -> str:
        """URL where a service really listens."""
        return f"http://{self.backend_host}:{SERVICES[kind].port}"

    def frontend(self, kind: str) -> str:
        """URL where users and other services call it: the gateway's (the backend's, in a lab without gateways)."""
        return f"http://{self.frontend_host}:{SERVICES[kind].port}" if self.with_gateway else self.backend(kind)

    def endpoint(self, kind: str) -> str:
        """URL of a service in the cloud's catalog."""
        return self.frontend(kind) + SERVICES[kind].path

    @property
    def auth_url(self) -> str:
        """What a client logs in to."""
        return self.endpoint("identity")

    @property
    def gateway_admin(self) -> str:
        """URL of the gateway's health and metrics."""
        return f"http://{self.frontend_host}:{ADMIN_PORT}"

    @property
    def gateway_config(self) -> Path:
        """The gateway's configuration file."""
        return self.directory / "gateway.yaml"

    @property
    def peering(self) -> str:
        """URL where other clouds' gateways call, if the cloud is federated."""
        return f"https://{self.frontend_host}:{PEERING_PORT}"

    @property
    def keys(self) -> Path:
        """The keys that this cloud's federated tokens are signed and sealed with."""
        return self.directory / "keys.json"

    @property
    def certificate(self) -> Path:
        """What the peering door shows; signed by the lab's own authority."""
        return self.etc / "peering.crt"

    @property
    def certificate_key(self) -> Path:
        """Private key of the certificate."""
        return self.etc / "peering.key"

    @property
    def ca(self) -> Path:
        """Certificate of the lab's authority: who trusts it can call all peering doors of the lab."""
        return self.directory.parent / CA

    @property
    def trust_password(self) -> Path:
        """Password of the account with which the gateway makes projects for users of other clouds."""
        return self.etc / "trust-password"

    @property
    def audit(self) -> Path:
        """The gateway's audit trail, one JSON object a line."""
        return self.directory / "logs" / "audit.jsonl"

    @property
    def etc(self) -> Path:
        """Folder of the services' configuration."""
        return self.directory / "etc"

    def log(self, part: str) -> Path:
        """Log of a service or of the gateway."""
        return self.directory / "logs" / f"{part}.log"

    def pid_file(self, part: str) -> Path:
        """File that says which process a service or the gateway is."""
        return self.directory / "run" / f"{part}.json"

    def database(self, name: str) -> Path:
        """SQLite file of a database: keystone, glance, placement, neutron, nova_api, nova, nova_cell0, or the gateway's trust."""
        return self.directory / "db" / f"{name}.sqlite"

    def databases(self, kind: str) -> Mapping[str, Path]:
        """Databases of a service, by name."""
        return {name: self.database(name) for name in SERVICES[kind].databases}

    @property
    def images(self) -> Path:
        """Folder where glance keeps the images' data."""
        return self.directory / "images"

    def listens(self, part: str) -> tuple[tuple[str, int], ...]:
        """Give addresses and ports that a service or the gateway takes."""
        if part == GATEWAY:
            ports = [ADMIN_PORT, *(service.port for service in SERVICES.values())]
            return tuple((self.frontend_host, port) for port in [*ports, *([PEERING_PORT] if self.federated else [])])
        return ((self.backend_host, SERVICES[part].port),)

    def health(self, part: str) -> str:
        """URL that answers when a service or the gateway is well, and asks nobody else for that."""
        if part == GATEWAY:
            return f"{self.gateway_admin}/healthz"
        return f"{self.backend(part)}/"


def plan(
    directory: Path, names: Sequence[str], address: str, *, with_gateway: bool = True, federated: bool = True
) -> dict[str, Cloud]:
    """Say where each cloud goes; the order of the names matters, since it gives the addresses.

    Raises:
        LabError: a name or the address cannot be used.
    """
    check_names(names)
    networks = hosts(address, len(names))
    return {
        name: Cloud(name, directory / name, backend, frontend, with_gateway, with_gateway and federated)
        for name, (backend, frontend) in zip(names, networks, strict=True)
    }


def check_names(names: Sequence[str]) -> None:
    """Refuse names that could not be in a scope, and names that differ in case only."""
    if not names:
        raise LabError("a lab needs at least one cloud: --cloud NAME")
    for name in names:
        if not NAME.fullmatch(name):
            raise LabError(
                f"{name!r} cannot be a cloud's name: expected letters, digits, '.', '_' and '-', the first of them a letter or digit, 64 at most"
            )
    doubled = {name for name in names if sum(name.lower() == other.lower() for other in names) > 1}
    if doubled:
        raise LabError(f"clouds need different names, upper and lower case not counted: {', '.join(sorted(doubled))}")


def hosts(address: str, count: int) -> Iterable[tuple[str, str]]:
    """Give backend and frontend address of each cloud: ``.1`` and ``.2`` of one network of 256 after the other."""
    try:
        first = ipaddress.IPv4Address(address)
    except ValueError as error:
        raise LabError(
            f"{address!r} is no IPv4 address: expected the first cloud's network, as {DEFAULT_ADDRESS}"
        ) from error
    if int(first) % 256:
        raise LabError(f"{address} is not the start of a network of 256 addresses: expected {first - int(first) % 256}")
    if not first.is_loopback or not (first + 256 * count).is_loopback:
        raise LabError(
            f"{address}, and {count} networks from there on, are not all in 127.0.0.0/8: a lab has weak passwords' hashes and belongs on this machine only"
        )
    return [(str(first + 256 * n + 1), str(first + 256 * n + 2)) for n in range(count)]
