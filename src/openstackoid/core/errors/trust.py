"""What clouds of different owners do not allow each other."""

from openstackoid.core.errors.base import OpenStackoidError


class TrustError(OpenStackoidError):
    """Clouds of different owners do not allow it."""

    status = 403
    code = "trust.refused"


class TokenError(TrustError):
    """An invalid token: forged, altered, expired, not valid yet, or for another cloud."""

    status = 401
    code = "token.invalid"


class TokenScopeError(TrustError):
    """A token that is valid here and cannot be used in another cloud: it has no project, or is limited to requests here."""

    code = "token.scope"


class TokenUncheckedError(TrustError):
    """A token about which this cloud's Keystone gives no information, to the token itself or to the gateway."""

    code = "token.unchecked"


class TokenLongError(TrustError):
    """A federated token that would be too long for the services that must read it."""

    status = 400
    code = "token.long"


class ExchangeError(TrustError):
    """A user's home gives no token for a third cloud."""

    code = "token.exchange"


class HomeError(TrustError):
    """A request that only the user's own cloud serves: logging in, and other requests to its Keystone."""

    code = "token.home"


class AgreementError(TrustError):
    """There is no agreement between two clouds, or it is not in force."""

    code = "agreement.missing"


class RuleError(TrustError):
    """A request that the agreement does not allow."""

    code = "agreement.rule"


class RoleError(TrustError):
    """A user without any role that counts under the agreement."""

    code = "agreement.role"


class ShareError(TrustError):
    """A foreign user shares with what is no project of the user's own cloud."""

    code = "agreement.share"


class RateError(TrustError):
    """More requests than the agreement allows."""

    status = 429
    code = "agreement.rate"
    retry_after = 1.0


class BodyError(TrustError):
    """A document that is too large for the ids in it to be mapped."""

    status = 413
    code = "request.large"


class ProjectError(TrustError):
    """No project of this cloud could be had for a user of another."""

    status = 503
    code = "agreement.project"


class FrozenProjectError(TrustError):
    """This cloud's Keystone has disabled or deleted the project that stands for a foreign user's, or disabled its domain."""

    code = "agreement.frozen"
