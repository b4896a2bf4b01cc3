"""A peer's gateway that sends a request of its own, without a user's token."""

import copy

from openstackoid.core import protocol
from openstackoid.core.errors import TokenError
from openstackoid.core.routing import Remote
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Arrival, Call
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.federation.federation import Federation
from openstackoid.gateway.federation.local_catalog import LocalCatalog
from openstackoid.gateway.senders.legs import Legs
from openstackoid.gateway.senders.local_user import LocalUser
from openstackoid.gateway.upstream.legs import Leg


class PeerGateway(LocalUser):
    """The gateway of a cloud with an active agreement: it may look at version documents.

    Those of services that this cloud has for regions that it resells to the peer alone are the documents of a region's provider.

    Args:
        catalog: this cloud's.
        federation: agreements with the peers.
        legs: makes legs; shared by all senders.
    """

    begins_here: bool = False

    def __init__(self, catalog: LocalCatalog, federation: Federation, legs: Legs) -> None:
        super().__init__(catalog, federation.issuer, legs)
        self._agreements = federation.agreements
        self._resale = federation.resale

    def accept(self, arrival: Arrival) -> "PeerGateway | None":
        """Accept a request at the peering address without a federated token.

        Raises:
            ResoldError: this cloud has unbound the region that it resells.
            AgreementError: the contract about that region is suspended, with the peer or with the provider.
            TrustError: the caller is not a peer's gateway, or requests something else than a version document.
        """
        if not arrival.listener.peers:
            return None
        cloud = self._legs.cloud
        if arrival.auth is not None:
            raise TokenError(f"Expected a federated token: other clouds call {cloud} here, and no users.")
        peer = self._agreements.assertions.authenticate_peer(arrival.request.headers.get(protocol.ASSERTION))
        self._agreements.active_agreement(peer)
        if arrival.request.method not in {"GET", "HEAD"} or not is_version_document(arrival.route.path):
            raise TokenError("The request you have made requires authentication.")
        if arrival.route.service in arrival.listener.cloud.services:
            return self
        region = self._agreements.sold_region(peer, arrival.route.service)
        if not region:
            return self
        bought = self._resale.contract(region)
        bought.agreement(self._agreements.active_agreement(bought.peer))
        seller = copy.copy(self)
        seller.scope = Scope.of_region(bought.peer, cloud)
        return seller

    async def remote(self, call: Call, decision: Remote) -> Leg:
        """A leg to another cloud: for a region that is resold, without the names of the clouds before this one, but as many hops."""
        leg = await super().remote(call, decision)
        if self.scope is not None:
            leg.headers[protocol.HOPS] = ",".join([self._legs.cloud] * (len(call.hops) + 1))
        return leg
