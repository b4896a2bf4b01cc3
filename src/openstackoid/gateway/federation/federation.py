"""The parts that a gateway needs for clouds of other owners."""

from dataclasses import dataclass

import aiohttp

from openstackoid.core.errors import ConfigError
from openstackoid.gateway.federation.absent_projects import AbsentProjects
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.home_projects import HomeProjects
from openstackoid.gateway.federation.issuer import TokenIssuer
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.gateway.federation.keystone_api import KeystoneApi
from openstackoid.gateway.federation.keystone_projects import KeystoneProjects
from openstackoid.gateway.federation.project_states import ProjectStates
from openstackoid.gateway.federation.projects import Projects
from openstackoid.gateway.federation.resale import Resale
from openstackoid.gateway.federation.token_exchange import TokenExchange
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.peering import Trust


@dataclass(frozen=True, slots=True)
class Federation:
    """The parts that serve trust between clouds of different owners.

    Attributes:
        trust: the section of the configuration.
        agreements: with the peers.
        keystone: client of this cloud's own Keystone.
        issuer: of tokens for other clouds.
        resale: of tokens for users of regions that this cloud resells.
        exchange: requests tokens for third clouds from foreign users' home clouds.
        projects: maps foreign projects to projects of this cloud.
        project_states: whether those may be used.
        home_projects: which of this cloud's own are gone, for peers.
        absent_projects: follows peers whose projects are gone.
    """

    trust: Trust
    agreements: Agreements
    keystone: Keystone
    issuer: TokenIssuer
    resale: Resale
    exchange: TokenExchange
    projects: Projects
    project_states: ProjectStates
    home_projects: HomeProjects
    absent_projects: AbsentProjects

    @classmethod
    def of(
        cls,
        config: Config,
        agreements: Agreements,
        api: KeystoneApi,
        keystone: Keystone,
        peers: aiohttp.ClientSession,
    ) -> "Federation":
        """Make the parts.

        Args:
            config: with a `trust` section.
            agreements: with the peers.
            api: requests to this cloud's Keystone.
            keystone: validates tokens there.
            peers: connections to other clouds.

        Raises:
            ConfigError: the configuration lacks the section.
        """
        if config.trust is None:
            raise ConfigError("expected a trust section")
        issuer = TokenIssuer(config.cloud, agreements, keystone, config.trust)
        keystone_projects = KeystoneProjects(api)
        projects = Projects(config.cloud, agreements.store.projects, keystone_projects)
        states = ProjectStates(api, config.trust.recheck)
        return cls(
            config.trust,
            agreements,
            keystone,
            issuer,
            Resale(config.cloud, agreements, config.trust.lifetime),
            TokenExchange(agreements, peers, config.trust.recheck),
            projects,
            states,
            HomeProjects(api, agreements, config.trust.recheck),
            AbsentProjects(agreements, keystone_projects, peers, config.trust.check_projects),
        )
