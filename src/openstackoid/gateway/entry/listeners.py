"""Listeners: the frontends that users and services call, and the peering address that other clouds' gateways call."""

from collections.abc import Mapping
from dataclasses import dataclass

from openstackoid.core.catalog import Cloud
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
    """

    cloud: Cloud
    frontends: Frontends
    peers: bool
    https: bool


def listeners(config: Config) -> dict[str, Listener]:
    """The frontends, at as many addresses as they have; and where peers call."""
    behind = config.haproxy is not None
    services = {
        kind: (config.inner(address), config.here.services[kind]) for kind, address in _addresses(config).items()
    }
    front = Frontends(services)
    users = Listener(config.here, front, peers=False, https=config.tls is not None and not behind)
    found = dict.fromkeys(front.addresses, users)
    if config.peering:
        below = {kind: f"{config.peering.url}/{kind}" for kind in services}
        cloud = Cloud(config.cloud, below, config.here.labels, config.here.services)
        inner, secure = config.inner(config.peering.address), config.peering.tls is not None and not behind
        frontends = Frontends({kind: (inner, url) for kind, url in below.items()})
        found[inner] = Listener(cloud, frontends, peers=True, https=secure)
    return found


def _addresses(config: Config) -> Mapping[str, str]:
    kinds = config.endpoints  # in the order of config.services, with official names
    return dict(zip(kinds, (service.address for service in config.services.values()), strict=True))
