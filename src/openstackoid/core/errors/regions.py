"""What the contract of a virtual region does not allow."""

from openstackoid.core.errors.trust import AgreementError, TrustError


class ContractSuspendedError(AgreementError):
    """The contract of a virtual region is suspended by its provider."""

    code = "contract.suspended"


class NotInRegionError(TrustError):
    """Something of a provider that is not in the virtual region: to its users it does not exist."""

    status = 404
    code = "region.missing"


class OutsideRegionError(TrustError):
    """A request that would use something of a provider that is not in the virtual region."""

    status = 400
    code = "region.outside"
