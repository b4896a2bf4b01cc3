"""A peer's gateway that sends a request of its own, without a user's token."""

from openstackoid.core import protocol
from openstackoid.core.errors import TokenError
from openstackoid.gateway.entry.calls import Arrival
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.federation.federation import Federation
from openstackoid.gateway.federation.local_catalog import LocalCatalog
from openstackoid.gateway.senders.legs import Legs
from openstackoid.gateway.senders.local_user import LocalUser


class PeerGateway(LocalUser):
    """The gateway of a cloud with an active agreement: it may look at version documents.

    Args:
        catalog: this cloud's.
        federation: agreements with the peers.
        legs: makes legs; shared by all senders.
    """

    begins_here: bool = False

    def __init__(self, catalog: LocalCatalog, federation: Federation, legs: Legs) -> None:
        super().__init__(catalog, federation.issuer, legs)
        self._agreements = federation.agreements

    def accept(self, arrival: Arrival) -> "PeerGateway | None":
        """Accept a request at the peering address without a federated token.

        Raises:
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
        return self
