"""All that a gateway needs for clouds of other owners, put together; and whose a federated token is."""

from openstackoid.core.errors import ConfigError, TokenError
from openstackoid.gateway.entry import headers as heads
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.issuer import Mint
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.gateway.federation.local_catalog import LocalCatalog
from openstackoid.gateway.federation.projects import Projects
from openstackoid.gateway.senders.foreign_user import Visitor, Visitors
from openstackoid.gateway.senders.returning_user import Homecoming, Returning
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.upstream.pool import Pool
from openstackoid.trust import tokens


class Treaty:
    """Trust, at work.

    Args:
        config: with a `trust` section.
        agreements: with whom.
        identity: base URL of this cloud's Keystone.
        pool: connections.
        catalog: this cloud's.
    """

    def __init__(
        self, config: Config, agreements: Agreements, identity: str | None, pool: Pool, catalog: LocalCatalog
    ) -> None:
        if config.trust is None or identity is None:
            raise ConfigError("services.identity: expected this cloud's Keystone, whom a trust section needs")
        self._cloud = config.cloud
        self._apart = config.peering is not None
        self.agreements = agreements
        self.keystone = Keystone(identity, pool.shared, config.trust)
        self.mint = Mint(config.cloud, agreements, self.keystone, pool.peers, config.trust)
        projects = Projects(config.cloud, agreements.store.projects, self.keystone)
        self.visitors = Visitors(config.cloud, agreements, self.keystone, projects, catalog, self.mint, config.trust)
        self.homecoming = Homecoming(config.cloud, agreements, self.keystone, config.trust)

    def sender(self, token: str, call: Call) -> Visitor | Returning:
        """Whose federated token it is.

        Where peers call, no mark counts: our own services call at the users' door. And there alone tokens come home.

        Raises:
            TrustError: it does not count here.
        """
        plain, _, _ = token.partition(tokens.MARK)
        home, _ = tokens.issuer(plain)
        if home != self._cloud:
            return self.visitors.read(plain if call.door.peers else token)
        if self._apart and not call.door.peers:
            raise TokenError(
                f"The token is {self._cloud}'s for another cloud: here its user has one of {self._cloud}'s own."
            )
        return self.homecoming.read(plain, call.request.headers.get(heads.ASSERTION))

    def stranger(self, call: Call) -> None:
        """Let a peer's gateway look at version documents; nobody else gets in without a federated token.

        Raises:
            TrustError: it is somebody else, or something else.
        """
        if call.auth is not None:
            raise TokenError(f"Expected a federated token: other clouds call {self._cloud} here, and no users.")
        self.agreements.ours(self.agreements.speaker(call.request.headers.get(heads.ASSERTION)))
        if call.request.method not in {"GET", "HEAD"} or not is_version_document(call.place.path):
            raise TokenError("The request you have made requires authentication.")
