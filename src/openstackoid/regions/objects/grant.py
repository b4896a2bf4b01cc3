"""What a contract lets gateways do: the row that both sides' gateways read (`trust.contracts`). Pure."""

from datetime import UTC, datetime
from typing import Final

from openstackoid.core.region_quota import QUOTAS
from openstackoid.core.region_resources import Resources
from openstackoid.regions.objects.chain import resold
from openstackoid.regions.objects.states import ContractState
from openstackoid.regions.objects.terms import Terms, TokenMode
from openstackoid.regions.objects.virtual_region import VirtualRegion
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState
from openstackoid.trust.grants import Grant, Projects
from openstackoid.trust.rules import Rule

# A contract in one of these states is in use.
IN_USE: Final = {
    ContractState.ACTIVE: GrantState.ACTIVE,
    ContractState.SUSPENDED: GrantState.SUSPENDED,
    ContractState.ENDING: GrantState.ENDING,
}
# In the grace time what is there can be read, exported and deleted.
_ENDING_METHODS: Final = ("GET", "HEAD", "DELETE")


def provider(
    identity: str, peer: str, state: ContractState, terms: Terms, region: VirtualRegion, now: datetime
) -> ContractGrant | None:
    """What the provider's gateways admit.

    Args:
        identity: the contract's id.
        peer: the consumer.
        state: of the contract.
        terms: agreed.
        region: whose domain holds the projects, and whose resources are seen.
        now: UTC.

    Returns:
        None if nothing is admitted: the contract is not in use, or its time has not come.
    """
    if state not in IN_USE or now < terms.begins:
        return None
    services, rules = _offered(terms, region)
    if state is ContractState.ENDING:
        rules = (
            *(Rule(service, method, "/**") for service in services for method in _ENDING_METHODS),
            *(rule for rule in rules if rule.method in _ENDING_METHODS),
        )
        services = ()
    grant = Grant(
        services=services, rules=rules, projects=Projects("each", region.domain_id), pseudonyms=terms.anonymous
    )
    resources = Resources.from_json(region.resources)
    quota = _quota(terms, region)
    return ContractGrant(
        identity,
        peer,
        ContractSide.PROVIDER,
        IN_USE[state],
        grant,
        resold(region.resources),
        resources,
        quota,
        passes(terms),
    )


def _offered(terms: Terms, region: VirtualRegion) -> tuple[tuple[str, ...], tuple[Rule, ...]]:
    """Services and rules of the terms, as far as the region has them: terms that were accepted unread give no more than it.

    Of a service that the terms name as a whole, and the region by rules, those rules count.
    """
    services = tuple(service for service in terms.services if service in region.services)
    rules = [rule for rule in terms.rules if rule.service in region.services or rule in region.rules]
    rules += [rule for rule in region.rules if rule.service in terms.services and rule.service not in services]
    return services, tuple(dict.fromkeys(rules))


def _quota(terms: Terms, region: VirtualRegion) -> dict[str, int]:
    """The quota of the terms, and of the region where they name none or more."""
    names = [name for name in QUOTAS if name in terms.quota or name in region.quota]
    return {name: min(quota[name] for quota in (terms.quota, region.quota) if name in quota) for name in names}


def consumer(identity: str, peer: str, state: ContractState, terms: Terms, region: str) -> ContractGrant | None:
    """What the consumer's gateways send to the provider; None if the contract is not in use.

    Args:
        identity: the contract's id.
        peer: the provider.
        state: of the contract.
        terms: agreed.
        region: the region's name in the consumer's catalog.
    """
    if state not in IN_USE:
        return None
    grant = Grant(services=terms.services, rules=terms.rules, pseudonyms=terms.anonymous)
    return ContractGrant(
        identity, peer, ContractSide.CONSUMER, IN_USE[state], grant, region, pass_through=passes(terms)
    )


def passes(terms: Terms) -> bool:
    """Whether users' own tokens cross to the provider."""
    return terms.token is TokenMode.PASS_THROUGH


def served(terms: Terms) -> tuple[str, ...]:
    """The service types that terms give anything of, sorted."""
    return tuple(sorted({*terms.services, *(rule.service for rule in terms.rules)}))


def utc(seconds: int) -> datetime:
    """Unix seconds as a time."""
    return datetime.fromtimestamp(seconds, UTC)
