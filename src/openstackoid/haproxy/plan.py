"""HAProxy's plan: the values that its configuration is rendered from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

ADMIN: Final = "admin.sock"
CONFIGURATION: Final = "haproxy.cfg"
HERE: Final = "here.map"
WAYS: Final = "ways.map"
TOKENS: Final = "tokens.map"
PEERS: Final = "peers.map"
VISITORS: Final = "visitors.map"
LEASED: Final = "leased.map"


class Pair(Protocol):
    """PEM files of a certificate and its key."""

    @property
    def certificate(self) -> Path: ...  # noqa: D102
    @property
    def key(self) -> Path: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Service:
    """One service behind a front.

    Attributes:
        kind: official service type.
        prefix: path below which users call it, without a slash at its end; empty if it has an address of its own.
        backend: HOST:PORT of the service itself.
        tls: whether the service itself speaks TLS.
        https: whether its users call it by https.
        direct: whether HAProxy may send requests to it without the gateway: the links in its answers need no change.
        inside: the Host headers of those that call it by http all the same, behind the proxy that ends TLS for users.
    """

    kind: str
    prefix: str
    backend: str
    tls: bool
    https: bool
    direct: bool
    inside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Images:
    """The image service for other clouds' users: `image_downloads`.

    Attributes:
        prefix: path below which they call the image service.
        base: path below which the service itself is.
        backend: HOST:PORT of the service itself.
        tls: whether the service itself speaks TLS.
        https: whether other clouds call by https.
        checked: whether the service has a backend of its own, whose health counts here as well.
    """

    prefix: str
    base: str
    backend: str
    tls: bool
    https: bool
    checked: bool


@dataclass(frozen=True, slots=True)
class Front:
    """One address where HAProxy listens.

    Attributes:
        address: ADDRESS:PORT.
        certificate: PEM file with certificate and key, or None for plain HTTP.
        services: the services that users call there; none at the peering address, whose requests go to the gateway.
        images: the image downloads at the peering address that bypass the gateway; None if none do.
    """

    address: str
    certificate: Path | None
    services: tuple[Service, ...]
    images: Images | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a cloud's fast path.

    Attributes:
        cloud: its name.
        fronts: addresses.
        gateway: host where the gateway listens, at the fronts' ports.
        directory: where configuration, maps and errors are.
        ca: PEM file of the authorities for peers and TLS backends; None for the system's.
        connect, idle: seconds, as the gateway's timeouts.
        threads: of HAProxy; None for one a core.
        log: where requests that bypass the gateway are logged, as in HAProxy's `log`; None for nowhere.
        pems: file that HAProxy reads -> certificate and key that it is made of.
        metrics: ADDRESS:PORT of the exporter for Prometheus; None for no exporter.
        cors: whether the gateway answers browsers: it gets every request of a page.
    """

    cloud: str
    fronts: tuple[Front, ...]
    gateway: str
    directory: Path
    ca: Path | None
    connect: float
    idle: float
    threads: int | None = None
    log: str | None = "stdout"
    pems: tuple[tuple[Path, Pair], ...] = ()
    metrics: str | None = None
    cors: bool = False

    @property
    def socket(self) -> Path:
        """HAProxy's admin socket."""
        return self.directory / ADMIN

    def file(self, name: str) -> Path:
        """A file of the fast path: also the name of a map at the admin socket."""
        return self.directory / name
