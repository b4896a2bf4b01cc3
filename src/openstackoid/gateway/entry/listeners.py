"""Listeners: the frontends that users and services call, and the peering address that other clouds' gateways call."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from openstackoid.core.catalog import Cloud
from openstackoid.core.services import official_types
from openstackoid.gateway.entry.cors import Cors
from openstackoid.gateway.entry.frontends import Frontends
from openstackoid.gateway.settings.config import Config


@dataclass(frozen=True, slots=True)
class Listener:
    """A kind of address where requests come in.

    Attributes:
        cloud: this cloud, with the URLs that callers of this listener use.
        frontends: the services at each address.
        peers: whether only other clouds' gateways call here.
        https: whether the gateway itself terminates TLS here.
        kind: a name for caches: listeners of one kind have the same URLs.
        cors: answers browsers; None if the services do that themselves, and where no browser calls.
        inside: Host -> the listener whose URLs such callers use: services behind the proxy that ends TLS for users.
    """

    cloud: Cloud
    frontends: Frontends
    peers: bool
    https: bool
    kind: str
    cors: Cors | None = None
    inside: Mapping[str, "Listener"] = field(default_factory=dict)

    def called(self, host: str | None) -> "Listener":
        """The listener as the caller knows it.

        Args:
            host: the Host header.
        """
        return self.inside.get(host.lower().removesuffix(":80"), self) if self.inside and host else self


def listeners(config: Config) -> dict[str, Listener]:
    """The frontends, at as many addresses as they have; and where peers call."""
    behind = config.haproxy is not None
    services = {
        kind: (config.inner(address), config.here.services[kind]) for kind, address in _addresses(config).items()
    }
    front = Frontends(services)
    https = config.tls is not None and not behind
    cors = _cors(config)
    inside = _inside(config, services, cors)
    users = Listener(config.here, front, peers=False, https=https, kind="frontends", cors=cors, inside=inside)
    by_address = dict.fromkeys(front.addresses, users)
    if config.peering:
        below = {kind: f"{config.peering.url}/{kind}" for kind in services}
        cloud = Cloud(config.cloud, below, config.here.labels, config.here.services)
        inner, secure = config.inner(config.peering.address), config.peering.tls is not None and not behind
        # A resold region has services that this cloud may not have: the decision, not the path, says which are served.
        urls = {kind: f"{config.peering.url}/{kind}" for kind in (*sorted(official_types()), *below)}
        frontends = Frontends({kind: (inner, url) for kind, url in urls.items()})
        by_address[inner] = Listener(cloud, frontends, peers=True, https=secure, kind="peering")
    return by_address


def _cors(config: Config) -> Cors | None:
    given = config.cors
    if given is None:
        return None
    return Cors(
        given.allowed_origins,
        given.allow_headers,
        given.expose_headers,
        given.max_age,
        credentials=given.allow_credentials,
    )


def _inside(config: Config, services: Mapping[str, tuple[str, str]], cors: Cors | None) -> dict[str, Listener]:
    """Host -> the listener of services that call the gateway without TLS, where users call it through a proxy that ends TLS."""
    known = zip(config.endpoints, config.services.values(), strict=True)  # official type, and section
    urls = {kind: config.inside(service) or service.frontend for kind, service in known}
    hosts = {host for service in config.services.values() for host in config.inside_hosts(service)}
    cloud = Cloud(config.cloud, urls, config.here.labels)
    frontends = Frontends({kind: (address, urls[kind]) for kind, (address, _) in services.items()})
    return dict.fromkeys(hosts, Listener(cloud, frontends, peers=False, https=False, kind="inside", cors=cors))


def _addresses(config: Config) -> Mapping[str, str]:
    kinds = config.endpoints  # in the order of config.services, with official names
    return dict(zip(kinds, (service.address for service in config.services.values()), strict=True))
