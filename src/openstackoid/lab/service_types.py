"""The services of a lab's clouds: what every cloud has, and what it can have beside them. Nothing here touches the machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Service:
    """One of OpenStack's services.

    Attributes:
        kind: its official type.
        name: of the program.
        port: the usual one.
        path: of the endpoint in the catalog.
        databases: names of its databases.
        listed: its type in the catalog, where that is not the official one: nova and Horizon look for `volumev3`.
    """

    kind: str
    name: str
    port: int
    path: str = ""
    databases: tuple[str, ...] = ()
    listed: str = ""


def _by_kind(*services: Service) -> Mapping[str, Service]:
    return MappingProxyType({service.kind: service for service in services})


SERVICES: Final = _by_kind(
    Service("identity", "keystone", 5000, "/v3", ("keystone",)),
    Service("image", "glance", 9292, "", ("glance",)),
    Service("placement", "placement", 8778, "", ("placement",)),
    Service("compute", "nova", 8774, "/v2.1", ("nova_api", "nova")),
    Service("network", "neutron", 9696, "", ("neutron",)),
)
"""What every cloud has that is no aggregator."""

VOLUMES: Final = Service("block-storage", "cinder", 8776, "/v3/%(project_id)s", ("cinder",), "volumev3")

KNOWN: Final = _by_kind(*SERVICES.values(), VOLUMES)
"""What a lab can start."""
