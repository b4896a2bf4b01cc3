"""What the control planes of virtual regions refuse, with codes that never change.

OpenStackoidError
`-- RegionsError             -
    |-- DocumentError        400 region.document       a document's value is wrong; says where
    |-- TermsError           400 contract.terms        terms that contradict themselves; says where
    |   `-- AnonymityError   400 contract.anonymity    anonymous users who would come with their own tokens
    |-- TransitionError      409 region.state          the state does not allow the event
    |-- PartyError           403 contract.party        the event is the other side's to cause
    |-- StaleTermsError      409 contract.stale        other terms are on the table by now
    |-- OwnersError          409 contract.owners       terms that do not name the clouds behind a resold region
    |-- CircleError          409 contract.loop         a resold region would come back to one of its owners
    |-- MessageError         400 message.malformed     a message that no honest peer sends
    `-- ForkError            409 message.fork          a peer signed two different messages under one number
"""

from openstackoid.core.errors import OpenStackoidError


class RegionsError(OpenStackoidError):
    """The control plane refuses something."""

    code = "region.failed"


class DocumentError(RegionsError):
    """A value of a document is wrong.

    Attributes:
        place: where, as in `$.quota.cores`.
        reason: what was expected there, and what came.
    """

    status = 400
    code = "region.document"

    def __init__(self, place: str, reason: str) -> None:
        """Keep what is wrong and where."""
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class TermsError(DocumentError):
    """Terms of a contract that contradict themselves, or give more than any contract may."""

    code = "contract.terms"


class AnonymityError(TermsError):
    """Terms that promise anonymity to users who come with their own tokens."""

    code = "contract.anonymity"


class RequirementError(RegionsError):
    """A requirement for offers that cannot be read.

    Attributes:
        position: index into the text, in characters, of what was not expected.
    """

    status = 400
    code = "requirement.malformed"

    def __init__(self, reason: str, text: str, position: int) -> None:
        """Keep what is wrong, and show where."""
        self.position = position
        before, after = text[max(0, position - 24) : position], text[position : position + 24]
        shown = f"{before} >>>{after}".encode("ascii", "backslashreplace").decode()
        super().__init__(f"Malformed requirement: {reason} at character {position}: {shown}")


class UnknownRegionError(RegionsError):
    """No such virtual region."""

    status = 404
    code = "region.unknown"


class RegionExistsError(RegionsError):
    """Another virtual region has the name."""

    status = 409
    code = "region.exists"


class RegionInUseError(RegionsError):
    """A virtual region with contracts that are not over."""

    status = 409
    code = "region.in-use"


class ChangedError(RegionsError):
    """A virtual region that somebody else has changed meanwhile."""

    status = 409
    code = "region.changed"


class UnknownContractError(RegionsError):
    """No such contract."""

    status = 404
    code = "contract.unknown"


class ManyContractsError(RegionsError):
    """A peer has requested more contracts than are looked at."""

    status = 429
    code = "contract.many"


class TransitionError(RegionsError):
    """The state of a virtual region or of a contract does not allow an event."""

    status = 409
    code = "region.state"


class PartyError(RegionsError):
    """An event of a contract that only the other side may cause."""

    status = 403
    code = "contract.party"


class StaleTermsError(RegionsError):
    """An answer to terms that are not on the table any more."""

    status = 409
    code = "contract.stale"


class UnknownBindingError(RegionsError):
    """No such region is bound to a contract."""

    status = 404
    code = "binding.unknown"


class UnknownPseudonymError(RegionsError):
    """A pseudonym of no user and no project that this cloud has now."""

    status = 404
    code = "pseudonym.unknown"


class BoundError(RegionsError):
    """A region or a contract that is bound already."""

    status = 409
    code = "binding.exists"


class RegionTakenError(RegionsError):
    """A region of the catalog that no contract made."""

    status = 409
    code = "binding.taken"


class NoAggregatorError(RegionsError):
    """This control plane has no account that writes the catalog."""

    status = 409
    code = "binding.no-catalog"


class NoProviderError(RegionsError):
    """This control plane has no account that sees a contract's projects."""

    status = 409
    code = "contract.no-account"


class CatalogError(RegionsError):
    """This cloud's Keystone does not let its catalog be changed."""

    status = 503
    code = "catalog.refused"


class AccountRefusedError(RegionsError):
    """Keystone's policies do not let one of the control plane's accounts do its work."""

    status = 503
    code = "account.refused"


class ServiceFailedError(RegionsError):
    """A service of this cloud does not answer the control plane as it should."""

    status = 503
    code = "service.failed"


class PeriodError(RegionsError):
    """Days that are no period of a statement: they are none, are not over, or are in another statement."""

    status = 400
    code = "usage.period"


class UnknownStatementError(RegionsError):
    """The contract has no such statement of use."""

    status = 404
    code = "usage.statement-missing"


class NotMeasuredError(RegionsError):
    """This control plane measures no use: it has no section provider."""

    status = 409
    code = "usage.not-measured"


class UnauthenticatedError(RegionsError):
    """No token, or one that this cloud's Keystone does not know."""

    status = 401
    code = "token.refused"


class PolicyError(RegionsError):
    """A policy does not allow the operator this."""

    status = 403
    code = "policy.refused"


class KeystoneError(RegionsError):
    """This cloud's Keystone does not answer: nobody can say whether a token is good."""

    status = 503
    code = "keystone.unreachable"


class VersionError(RegionsError):
    """A microversion that is not served."""

    status = 406
    code = "version.unsupported"


class NoSuchPathError(RegionsError):
    """Nothing at this path."""

    status = 404
    code = "path.missing"


class MethodError(RegionsError):
    """The path has other methods."""

    status = 405
    code = "method.unsupported"


class TooLargeError(RegionsError):
    """A body that is too large."""

    status = 413
    code = "request.large"


class OwnersError(RegionsError):
    """Terms about a resold region that do not name the clouds behind it."""

    status = 409
    code = "contract.owners"


class CircleError(RegionsError):
    """A resold region would come back to one of the clouds that it comes from."""

    status = 409
    code = "contract.loop"


class MessageError(RegionsError):
    """A message of a peer that does not follow from those before it."""

    status = 400
    code = "message.malformed"


class ForkError(RegionsError):
    """A peer signed two different messages under one number."""

    status = 409
    code = "message.fork"
