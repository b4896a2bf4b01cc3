"""Names, addresses, ports and files of a lab, as values. Nothing here touches the machine.

The N-th cloud has a network of its own, 127.0.N.0 by default: its services listen on ``.1`` (their *backends*), HAProxy
on ``.2`` (the *frontends*), and the gateway behind it on ``.3``, all on the services' usual ports; without HAProxy the
gateway has the frontends. Linux answers on all of 127.0.0.0/8 without any set-up. Frontends on an address of their own need no path prefix, so the services' absolute links, which they build from
the ``Host`` header, need no rewriting.
"""

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .service_types import KNOWN, SERVICES, VOLUMES

REGION = "RegionOne"
DEFAULT_CLOUDS = ("CloudOne", "CloudTwo")
DEFAULT_ADDRESS = "127.0.1.0"
GATEWAY = "gateway"
HAPROXY = "haproxy"
DASHBOARD = "dashboard"
REGIONS = "regions"
DEFAULT_AGGREGATOR = ("Aggregator", "ProviderOne", "ProviderTwo")
ADMIN_PORT = 8700
PEERING_PORT = 8443
DASHBOARD_PORT = 8080
REGIONS_PORT = 9700
REGIONS_PEERS_PORT = 9701
CA = "ca.crt"

# A cloud's name goes into scopes (core.scope), folder names and entries of clouds.yaml.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# A path that HAProxy's configuration can hold unquoted, also as an argument of a converter.
PLAIN = re.compile(r"[A-Za-z0-9/._+=@-]+")
# Bytes of a Unix socket's path, less what HAProxy appends to it while it begins to listen there (".PID.tmp").
LONGEST_SOCKET = 107 - len(".4194304.tmp")


@dataclass(frozen=True)
class Cloud:
    """Where one cloud of a lab is.

    ``directory`` holds all of it: ``etc/``, ``db/``, ``logs/``, ``run/``, ``images/``, ``haproxy/``. A ``federated`` cloud
    has an owner of its own: keys, a certificate, and a peering address. ``kinds`` are its services: an aggregator has
    identity alone. With ``with_regions`` it has a control plane of virtual regions.
    """

    name: str
    directory: Path
    backend_host: str
    frontend_host: str
    gateway_host: str
    with_gateway: bool = True
    with_haproxy: bool = True
    federated: bool = True
    with_dashboard: bool = False
    kinds: tuple[str, ...] = tuple(SERVICES)
    with_regions: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """What runs for this cloud: the service types, ``gateway``, ``haproxy``, ``regions`` and ``dashboard``."""
        front = ((HAPROXY,) if self.with_haproxy else ()) + ((GATEWAY,) if self.with_gateway else ())
        regions = (REGIONS,) if self.with_regions else ()
        return (*front, *regions, *self.kinds, *((DASHBOARD,) if self.with_dashboard else ()))

    def backend(self, kind: str) -> str:
        """URL where a service really listens."""
        return f"http://{self.backend_host}:{KNOWN[kind].port}"

    def frontend(self, kind: str) -> str:
        """URL where users and other services call it: HAProxy's or the gateway's (the backend's, in a lab without both)."""
        return f"http://{self.frontend_host}:{KNOWN[kind].port}" if self.with_gateway else self.backend(kind)

    def endpoint(self, kind: str) -> str:
        """URL of a service in the cloud's catalog."""
        return self.frontend(kind) + KNOWN[kind].path

    @property
    def auth_url(self) -> str:
        """The ``auth_url`` of a client."""
        return self.endpoint("identity")

    @property
    def gateway_admin(self) -> str:
        """URL of the gateway's health and metrics."""
        return f"http://{self.frontend_host}:{ADMIN_PORT}"

    @property
    def dashboard(self) -> str:
        """URL of the cloud's Horizon."""
        return f"http://{self.frontend_host}:{DASHBOARD_PORT}/"

    @property
    def dashboard_folder(self) -> Path:
        """Folder of Horizon's settings, its key and its users' sessions."""
        return self.directory / "dashboard"

    @property
    def regions(self) -> str:
        """URL where operators call the control plane of virtual regions."""
        return f"http://{self.frontend_host}:{REGIONS_PORT}"

    @property
    def regions_peers(self) -> str:
        """URL where the gateway passes on what other clouds' control planes send."""
        return f"http://{self.gateway_host}:{REGIONS_PEERS_PORT}"

    @property
    def regions_config(self) -> Path:
        """The control plane's configuration file."""
        return self.directory / "regions.yaml"

    @property
    def gateway_config(self) -> Path:
        """The gateway's configuration file."""
        return self.directory / "gateway.yaml"

    @property
    def haproxy(self) -> Path:
        """Folder of HAProxy's configuration, maps and sockets: in the cloud's own, unless sockets cannot have so long a path."""
        folder = self.directory / "haproxy"
        if len(str(folder / "master.sock")) <= LONGEST_SOCKET:
            return folder
        return Path("/tmp") / f"openstackoid-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"

    @property
    def haproxy_config(self) -> Path:
        """HAProxy's configuration file, which ``openstackoid haproxy render`` writes."""
        return self.haproxy / "haproxy.cfg"

    @property
    def haproxy_admin(self) -> Path:
        """HAProxy's admin socket, which its worker serves."""
        return self.haproxy / "admin.sock"

    @property
    def haproxy_master(self) -> Path:
        """The socket of HAProxy's master process, which reloads on command."""
        return self.haproxy / "master.sock"

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
        """Certificate of the peering address; signed by the lab's own authority."""
        return self.etc / "peering.crt"

    @property
    def certificate_name(self) -> str:
        """DNS name in the certificate: HAProxy compares no addresses. Not every cloud's name is a label of DNS."""
        name = self.name.lower()
        label = re.sub(r"[^a-z0-9-]", "-", name).strip("-")[:50]
        if label != name:
            label = f"{label}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        return f"{label}.openstackoid.test"

    @property
    def certificate_key(self) -> Path:
        """Private key of the certificate."""
        return self.etc / "peering.key"

    @property
    def operations_keys(self) -> Path:
        """Keys that encrypt requests on record, where the cloud has none for trust."""
        return self.etc / "operations-keys.json"

    @property
    def ca(self) -> Path:
        """Certificate of the lab's authority: a client that trusts it can call all peering addresses of the lab."""
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
        """Log of a service, of the gateway or of HAProxy."""
        return self.directory / "logs" / f"{part}.log"

    def pid_file(self, part: str) -> Path:
        """File with the process id of a service, the gateway or HAProxy."""
        return self.directory / "run" / f"{part}.json"

    def database(self, name: str) -> Path:
        """SQLite file of a database: keystone, glance, placement, neutron, nova_api, nova, nova_cell0, cinder, or the gateway's trust."""
        return self.directory / "db" / f"{name}.sqlite"

    def databases(self, kind: str) -> Mapping[str, Path]:
        """Databases of a service, by name."""
        return {name: self.database(name) for name in KNOWN[kind].databases}

    @property
    def images(self) -> Path:
        """Folder where glance keeps the images' data."""
        return self.directory / "images"

    def listens(self, part: str) -> tuple[tuple[str, int], ...]:
        """Give addresses and ports that a part takes, the most significant one first."""
        if part == DASHBOARD:
            return ((self.frontend_host, DASHBOARD_PORT),)
        if part == REGIONS:
            return ((self.frontend_host, REGIONS_PORT), (self.gateway_host, REGIONS_PEERS_PORT))
        if part not in {GATEWAY, HAPROXY}:
            return ((self.backend_host, KNOWN[part].port),)
        ports = [*(KNOWN[kind].port for kind in self.kinds), *([PEERING_PORT] if self.federated else [])]
        if part == HAPROXY:
            return tuple((self.frontend_host, port) for port in ports)
        return (*((self.gateway_host, port) for port in ports), (self.frontend_host, ADMIN_PORT))

    def health(self, part: str) -> str:
        """URL that answers if a service, the gateway or Horizon is healthy, without depending on another service; HAProxy has none."""
        if part == GATEWAY:
            return f"{self.gateway_admin}/readyz"
        if part == DASHBOARD:
            return f"{self.dashboard}auth/login/"
        if part == REGIONS:
            return f"{self.regions}/"
        return f"{self.backend(part)}/"


def plan(
    directory: Path,
    names: Sequence[str],
    address: str,
    *,
    with_gateway: bool = True,
    with_haproxy: bool = True,
    federated: bool = True,
    with_dashboard: bool = False,
    aggregator: bool = False,
    aggregator_dashboard: bool = False,
    with_volumes: bool = False,
    buyer: str = "",
) -> dict[str, Cloud]:
    """Place the clouds; the order of the names determines their addresses. With ``aggregator`` the first one and the buyer have identity alone.

    Raises:
        LabError: a name, the address or, with HAProxy, the folder cannot be used.
    """
    check_names(names)
    fast = with_gateway and with_haproxy
    kinds = (*SERVICES, VOLUMES.kind) if with_volumes else tuple(SERVICES)
    clouds = {
        name: Cloud(
            name,
            directory / name,
            backend,
            frontend,
            behind if fast else frontend,
            with_gateway,
            fast,
            with_gateway and federated,
            with_dashboard or (aggregator_dashboard and aggregator and name == names[0]),
            ("identity",) if aggregator and name in {names[0], buyer} else kinds,
            aggregator,
        )
        for name, (backend, frontend, behind) in zip(names, hosts(address, len(names)), strict=True)
    }
    for cloud in clouds.values():
        if cloud.with_haproxy:
            check_folder(cloud)
    return clouds


def check_folder(cloud: Cloud) -> None:
    """Refuse a folder that HAProxy's configuration could not name."""
    if not PLAIN.fullmatch(str(cloud.directory)):
        raise LabError(
            f"{cloud.directory} cannot stand in HAProxy's configuration: expected letters, digits and /._+=@- in the lab's folder; "
            "take another --dir, or --gateway-only"
        )


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


def hosts(address: str, count: int) -> Iterable[tuple[str, str, str]]:
    """Give each cloud's address for backends, frontends and the gateway behind HAProxy: ``.1``, ``.2`` and ``.3`` of a network of 256."""
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
    return [(str(first + 256 * n + 1), str(first + 256 * n + 2), str(first + 256 * n + 3)) for n in range(count)]
