"""The parts that serve requests, as `wiring` makes them of one configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openstackoid.core.catalog import Cloud
from openstackoid.gateway.api.endpoints import Endpoints
from openstackoid.gateway.entry.listeners import Listener
from openstackoid.gateway.entry.scoping import Scoping
from openstackoid.gateway.fanout.serving import Several
from openstackoid.gateway.fastpath.lessons import Lessons
from openstackoid.gateway.federation.peers import Peers
from openstackoid.gateway.replicas.writes import Writes
from openstackoid.gateway.senders.revocation import Revocation
from openstackoid.gateway.senders.sender import SenderKind
from openstackoid.gateway.senders.token_validation import TokenValidation
from openstackoid.gateway.telemetry.region_health import RegionWatch
from openstackoid.gateway.upstream.pool import Pool
from openstackoid.gateway.upstream.rates import Rates


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a gateway.

    Attributes:
        here: this cloud.
        listeners: ADDRESS:PORT -> what is served there.
        kinds: of senders, as `senders.selection` has them.
        validation: validates federated tokens; None in a cloud without federated peers.
        lessons: teaches decisions to HAProxy; None without HAProxy.
        several: serves reads whose scope means several clouds.
        writes: serves changes whose scope means several clouds.
        rates: of requests to peers.
        regions: counts requests of this cloud's regions.
    """

    here: Cloud
    listeners: Mapping[str, Listener]
    endpoints: Endpoints
    scoping: Scoping
    kinds: Sequence[SenderKind]
    validation: TokenValidation | None
    revocation: Revocation
    lessons: Lessons | None
    several: Several
    writes: Writes
    peers: Peers
    rates: Rates
    pool: Pool
    regions: RegionWatch
