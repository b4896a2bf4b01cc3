"""The kinds of senders, in the order in which they are tried."""

from collections.abc import Sequence

from openstackoid.core.errors import OpenStackoidError
from openstackoid.gateway.entry.calls import Arrival
from openstackoid.gateway.federation.federation import Federation
from openstackoid.gateway.federation.local_catalog import LocalCatalog
from openstackoid.gateway.quotas.requests import Quotas
from openstackoid.gateway.senders.foreign_tokens import ForeignTokens
from openstackoid.gateway.senders.legs import Legs
from openstackoid.gateway.senders.local_user import LocalUser, PassThroughUser
from openstackoid.gateway.senders.passed_token import PassedTokens
from openstackoid.gateway.senders.peer_gateway import PeerGateway
from openstackoid.gateway.senders.region_images import RegionImages
from openstackoid.gateway.senders.region_networks import RegionNetworks
from openstackoid.gateway.senders.resold_user import ResoldUsers
from openstackoid.gateway.senders.returning_user import ReturningUsers
from openstackoid.gateway.senders.sender import Sender, SenderKind
from openstackoid.gateway.upstream.rates import Rates


def of_one_owner(catalog: LocalCatalog, legs: Legs) -> list[SenderKind]:
    """The kinds in a cloud without federated peers."""
    return [PassThroughUser(catalog, None, legs), LocalUser(catalog, None, legs)]


def of_several_owners(
    catalog: LocalCatalog,
    federation: Federation,
    known: ForeignTokens,
    returning: ReturningUsers,
    legs: Legs,
    images: RegionImages,
    networks: RegionNetworks,
    rates: Rates,
    quotas: Quotas,
) -> list[SenderKind]:
    """The kinds in a cloud with federated peers."""
    foreign = ResoldUsers(known, federation, legs, images, networks, rates, quotas)
    return [
        returning,
        foreign,
        PassedTokens(foreign, federation),
        PeerGateway(catalog, federation, legs),
        PassThroughUser(catalog, federation.issuer, legs),
        LocalUser(catalog, federation.issuer, legs),
    ]


def sender(kinds: Sequence[SenderKind], arrival: Arrival) -> Sender:
    """Who sends a request.

    Args:
        kinds: the first that accepts the request gives its sender; the last kind accepts all requests.
        arrival: the request.

    Raises:
        TrustError: the token is not accepted here; or a request at the peering address has no federated token.
    """
    for kind in kinds:
        accepted = kind.accept(arrival)
        if accepted is not None:
            return accepted
    raise OpenStackoidError("No kind of sender accepts the request.")
