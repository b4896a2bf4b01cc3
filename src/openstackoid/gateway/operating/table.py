"""The paths of the operators' API, from the configuration."""

from functools import partial

from openstackoid.gateway.api.endpoints import Endpoint
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.gateway.operating.access import Access
from openstackoid.gateway.operating.agreements import AgreementsApi
from openstackoid.gateway.operating.auditing import Auditing
from openstackoid.gateway.operating.rules import RULES
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.sections import OperatorsApi
from openstackoid.policies import Policies


def endpoints(
    config: Config, section: OperatorsApi, keystone: Keystone, agreements: Agreements | None
) -> list[Endpoint]:
    """The rows of the gateway's table of paths.

    Args:
        config: of the gateway.
        section: `operators` of it.
        keystone: validates tokens.
        agreements: with clouds of other owners; None without a section `trust`.
    """
    access = Access(keystone, partial(Policies, RULES, section.policy))
    files = [*([config.audit] if config.audit else []), *section.audit]
    store = agreements.store if agreements else None
    return [
        *Auditing(config.cloud, files, access).endpoints(),
        *AgreementsApi(config, store, access).endpoints(),
    ]
