"""Contracts about virtual regions, as gateways need them: the rights that one gives, whether it is in force, and the name of its region.

The control plane (`openstackoid regions serve`) negotiates contracts; it writes those in use into this table, and gateways read the table with the
agreements, twice a second. A contract is a second agreement with a peer, beside the one for whose keys and address both stand.

    side      state       a gateway
    provider  active      admits users of the peer under `grant`
    provider  ending      the same: the grant is one of reads and deletions then
    provider  suspended   refuses them
    consumer  active      sends requests for the region there
    consumer  ending      the same
    consumer  suspended   refuses them

A contract that is not in the table (`contract_grants`) is not in force. Values only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from openstackoid.core.errors import ContractSuspendedError
from openstackoid.core.region_resources import WHOLE, Resources
from openstackoid.trust.agreements import Agreement, State
from openstackoid.trust.grants import Grant


class ContractSide(StrEnum):
    """Our side of a contract."""

    PROVIDER = "provider"
    CONSUMER = "consumer"


class GrantState(StrEnum):
    """The state of a contract that is in use."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class ContractGrant:
    """One contract that is in use.

    Attributes:
        id: of the contract, the same on both sides: 32 hex digits.
        peer: the other cloud.
        side: ours.
        state: of the contract.
        grant: the rights of the consumer's users at the provider.
        region: at the consumer, the region's name. At the provider, the name of a region of its own that is part of a third cloud, if
            the virtual region is made of that: requests go there, in this cloud's name. Empty if it is a part of the provider's own cloud.
        resources: what of the provider's cloud is in the region; at the provider alone.
        quota: name of `core.region_quota.QUOTAS` -> how much all projects of the contract may use; at the provider alone.
        pass_through: whether the consumer's users come with their own tokens, which the provider's gateway exchanges at their home; between clouds
            of one owner alone.
    """

    id: str
    peer: str
    side: ContractSide
    state: GrantState
    grant: Grant
    region: str = ""
    resources: Resources = WHOLE
    quota: Mapping[str, int] = field(default_factory=dict)
    pass_through: bool = False

    def agreement(self, with_peer: Agreement) -> Agreement:
        """The contract as an agreement.

        Args:
            with_peer: the agreement with the same peer, whose address and keys count.

        Raises:
            ContractSuspendedError: the contract is suspended.
        """
        if self.state is GrantState.SUSPENDED:
            provider = "this cloud" if self.side is ContractSide.PROVIDER else self.peer
            region = f" of the region {self.region}" if self.region and self.side is ContractSide.CONSUMER else ""
            raise ContractSuspendedError(
                f"The contract {self.id}{region} is suspended by {provider}. Its operators can resume it: "
                f"openstack virtual region contract resume {self.id}."
            )
        url, fingerprint = with_peer.url, with_peer.fingerprint
        resold = self.region if self.side is ContractSide.PROVIDER else ""
        return Agreement(
            self.id,
            self.peer,
            url,
            fingerprint,
            State.ACTIVE,
            self.grant,
            by_contract=True,
            resources=self.resources,
            quota=self.quota,
            resold=resold,
        )
