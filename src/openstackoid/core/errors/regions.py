"""What the contract of a virtual region does not allow."""

from typing import Final, TypeVar

from openstackoid.core.errors.base import OpenStackoidError
from openstackoid.core.errors.trust import AgreementError, TrustError

_RETRY_AFTER: Final = 10.0  # seconds
E = TypeVar("E", bound=OpenStackoidError)


def in_region(error: E, region: str, provider: str) -> E:
    """The same error for the user of a region, whose provider failed: which region, whose, why, and when to try again."""
    error.args = (f"The region {region} (of {provider}) cannot be used now, others can: {error}",)
    if error.retry_after is None:
        error.retry_after = _RETRY_AFTER
    return error


class ContractSuspendedError(AgreementError):
    """The contract of a virtual region is suspended by its provider."""

    code = "contract.suspended"


class ContractPassThroughError(AgreementError):
    """Users' own tokens would cross to another cloud under a contract that does not provide for it, or against this cloud's configuration."""

    code = "contract.pass_through"


class ResoldError(AgreementError):
    """A region that this cloud resells is not bound to a contract here any more."""

    status = 503
    code = "region.unbound"


class ResoldTooOftenError(AgreementError):
    """A region was resold by more clouds than a request may pass, or leads back to one of them."""

    status = 508
    code = "region.loop"


class NotInRegionError(TrustError):
    """Something of a provider that is not in the virtual region: to its users it does not exist."""

    status = 404
    code = "region.missing"


class RegionQuotaError(TrustError):
    """A request that would use more than the quota of the contract of a virtual region leaves."""

    code = "region.quota"


class UnmeasuredRequestError(TrustError):
    """A request in a virtual region of which nobody can say before how much of the quota it takes."""

    status = 400
    code = "region.unmeasured"


class QuotaUnavailableError(TrustError):
    """The quota of a virtual region cannot be counted or set at a service now."""

    status = 503
    code = "region.quota_unavailable"


class OutsideRegionError(TrustError):
    """A request that would use something of a provider that is not in the virtual region."""

    status = 400
    code = "region.outside"
