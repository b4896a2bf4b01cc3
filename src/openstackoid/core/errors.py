"""The tree of errors: everything that OpenStackoid refuses, with a code that never changes.

    OpenStackoidError
    |-- ScopeError               400 scope.malformed       the scope's text is wrong; shows the place
    |-- BadRequestError          400 request.*             a malformed header or path
    |-- ConfigError              -   config.invalid        file, key and value
    |-- LabError                 -   lab.failed            the lab cannot do it (lab/errors.py)
    |-- RoutingError             -   see below             the request cannot be routed by its scope
    |   |-- UnknownCloudError    400 cloud.unknown
    |   |-- UnknownServiceError  400 service.unknown
    |   |-- UnknownScopeError    404 scope.unknown
    |   |-- SplitServerError     400 scope.split
    |   |-- NoSuchServiceError   404 service.missing
    |   |-- UpgradeError         501 request.upgrade       a WebSocket
    |   |-- NotBuiltError        501 scope.operators
    |   |-- EmptyScopeError      400 scope.empty           an expression that means no cloud
    |   |-- WideScopeError       400 scope.wide            more clouds than one request may ask
    |   |-- AroundError          400 scope.around          round trips that are not known
    |   |-- MarkerError          400 marker.invalid        an unknown marker of several clouds' list
    |   |-- AmbiguousError       409 scope.ambiguous       an id or a name that exists in several clouds
    |   |-- IncompleteError      502 scope.incomplete      fewer clouds answered than the request needs
    |   |-- NotReplicableError   400 replica.request       a document that cannot be created in several clouds
    |   |-- UnknownReferenceError 409 replica.reference     it names something that is not in each cloud
    |   |-- KeyReusedError       422 replica.key           an idempotency key of another request
    |   |-- ReplicaBusyError     409 replica.busy          the same request is under way
    |   |-- ReplicaRefusedError  409 replica.refused       a cloud refused: it is in none
    |   |-- ReplicaFailedError   502 replica.failed        a cloud failed: it is in none, or will be
    |   `-- LoopError            508 request.loop
    |-- TrustError               -   clouds of different owners
    |   |-- TokenError           401 token.invalid         forged, expired, for somebody else
    |   |-- TokenScopeError      403 token.scope           a token that cannot be used in another cloud
    |   |-- TokenUncheckedError  403 token.unchecked       this cloud's Keystone does not say whether a token is valid
    |   |-- TokenLongError       400 token.long            a federated token that no service would read
    |   |-- ExchangeError        403 token.exchange        home gives no token for a third cloud
    |   |-- HomeError            403 token.home            a request that only the user's own cloud serves
    |   |-- AgreementError       403 agreement.missing     no agreement, or one side has not allowed it
    |   |-- RuleError            403 agreement.rule        the agreement allows something else
    |   |-- RoleError            403 agreement.role        no role of the user counts there
    |   |-- ShareError           403 agreement.share       sharing with what is no project of the user's cloud
    |   |-- RateError            429 agreement.rate        more requests than agreed
    |   |-- BodyError            413 request.large         a document too large to map its ids
    |   |-- FrozenProjectError   403 agreement.frozen      the user's project here is disabled, or deleted
    |   `-- ProjectError         503 agreement.project     no project could be had for the user
    |-- BusyError                503 document.busy         too many large documents are being rewritten
    `-- PeerError                -   the other side failed
        |-- PeerUnreachableError 502 peer.unreachable
        |-- PeerTimeoutError     504 peer.timeout
        |-- PeerAnswerError      502 peer.answer           the answer cannot be passed on
        |-- PeerLeadsAwayError   502 peer.leads-away       the answer would send a client to another host
        |-- BackendUnreachableError 502 backend.unreachable
        |-- AccountError         502 backend.account       this cloud's Keystone refuses the gateway's account
        `-- BackendTimeoutError  504 backend.timeout

The JSON form is Keystone's (`{"error": {"code", "title", "message"}}`, keystone/server/flask/common.py), which
keystoneauth1 (`exceptions/http.py`, from_response) and every OpenStack client know how to show; our permanent code
stands beside it as `openstackoid_code`.
"""

from http import HTTPStatus
from typing import Any, ClassVar


class OpenStackoidError(Exception):
    """Something that OpenStackoid refuses or cannot do; `str()` is what a user reads."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    received: bool = True  # whether the other side may have got the request: false only if that is certain

    def body(self) -> dict[str, Any]:
        """The error as OpenStack's clients read it: `{"error": {code, title, message, openstackoid_code}}`."""
        return {
            "error": {
                "code": self.status,
                "title": HTTPStatus(self.status).phrase,
                "message": str(self),
                "openstackoid_code": self.code,
            }
        }


class ScopeError(OpenStackoidError):
    """The text of a scope is wrong.

    Attributes:
        text: the whole text.
        position: index into `text`, in characters, of the error.
        reason: the expected and the actual text, in a sentence.
    """

    status = 400
    code = "scope.malformed"
    _around: ClassVar[int] = 24

    def __init__(self, reason: str, text: str, position: int) -> None:
        """Keep the reason and its position."""
        self.reason = reason
        self.text = text
        self.position = max(0, min(position, len(text)))
        super().__init__(reason, text, position)

    def __str__(self) -> str:
        """One line: the reason and the position, with the text around it."""
        start = max(0, self.position - self._around)
        before = ("..." if start else "") + self.text[start : self.position]
        end = self.position + self._around
        after = self.text[self.position : end] + ("..." if end < len(self.text) else "")
        seen = f"{before} >>>{after}".encode("ascii", "backslashreplace").decode()
        return f"Malformed scope: {self.reason} at character {self.position}: {seen}".replace("\n", " ").replace(
            "\r", " "
        )


class BadRequestError(OpenStackoidError):
    """A malformed request: duplicate token headers, or a path outside of the service."""

    status = 400
    code = "request.malformed"


class ConfigError(OpenStackoidError):
    """A configuration that cannot be served; the message names file, key and value."""

    code = "config.invalid"


class RoutingError(OpenStackoidError):
    """A request that cannot be routed by its scope."""


class UnknownCloudError(RoutingError):
    """A scope names a cloud that is neither this one nor a peer of it."""

    status = 400
    code = "cloud.unknown"


class UnknownServiceError(RoutingError):
    """A scope names a service type that neither the service-types authority nor a known cloud has."""

    status = 400
    code = "service.unknown"


class UnknownScopeError(RoutingError):
    """A path names a saved scope that this gateway does not have."""

    status = 404
    code = "scope.unknown"


class SplitServerError(RoutingError):
    """The scope spreads services over several clouds that must be of one cloud for this request."""

    status = 400
    code = "scope.split"


class UpgradeError(RoutingError):
    """A request for another protocol than HTTP."""

    status = 501
    code = "request.upgrade"


class NoSuchServiceError(RoutingError):
    """The cloud has no such service."""

    status = 404
    code = "service.missing"


class NotBuiltError(RoutingError):
    """Several clouds in one request: parsed, and not served yet."""

    status = 501
    code = "scope.operators"


class EmptyScopeError(RoutingError):
    """An expression of a scope means no cloud now."""

    status = 400
    code = "scope.empty"


class WideScopeError(RoutingError):
    """An expression of a scope means more clouds than one request may ask."""

    status = 400
    code = "scope.wide"


class AroundError(RoutingError):
    """A scope has `around()` of a cloud whose round-trip times are not known here."""

    status = 400
    code = "scope.around"


class MarkerError(RoutingError):
    """A request for a page of several clouds' list whose marker is not known."""

    status = 400
    code = "marker.invalid"


class AmbiguousError(RoutingError):
    """The request names one resource, and several clouds have a resource of that id or name."""

    status = 409
    code = "scope.ambiguous"


class IncompleteError(RoutingError):
    """Fewer clouds answered than the request needs."""

    status = 502
    code = "scope.incomplete"


class NotReplicableError(RoutingError):
    """A request for several clouds whose document is not of one resource that each of them can have."""

    status = 400
    code = "replica.request"


class UnknownReferenceError(RoutingError):
    """A request for several clouds names a resource that is not in each of them."""

    status = 409
    code = "replica.reference"


class KeyReusedError(RoutingError):
    """An idempotency key was used for a different request before."""

    status = 422
    code = "replica.key"


class ReplicaBusyError(RoutingError):
    """An operation on the same resources, or with the same idempotency key, is under way."""

    status = 409
    code = "replica.busy"


class ReplicaRefusedError(RoutingError):
    """A cloud refused its part of a change in several clouds, so that none keeps it."""

    status = 409
    code = "replica.refused"


class ReplicaFailedError(RoutingError):
    """A cloud failed in a change in several clouds; the message says where the change is, and what happens next."""

    status = 502
    code = "replica.failed"


class LoopError(RoutingError):
    """The request passed through this gateway before."""

    status = 508
    code = "request.loop"


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


class BusyError(OpenStackoidError):
    """Too many large documents are being rewritten."""

    status = 503
    code = "document.busy"


class PeerError(OpenStackoidError):
    """The other side of a request failed."""

    status = 502
    code = "peer.failed"


class PeerUnreachableError(PeerError):
    """No connection to the peer's gateway."""

    code = "peer.unreachable"


class PeerTimeoutError(PeerError):
    """The peer's gateway did not answer in time."""

    status = 504
    code = "peer.timeout"


class PeerAnswerError(PeerError):
    """The peer answered with something that cannot be passed on."""

    code = "peer.answer"


class PeerLeadsAwayError(PeerError):
    """A peer of another owner answered with a redirect or a link that leads away from this cloud's frontends: the client's token would follow it."""

    code = "peer.leads-away"


class BackendUnreachableError(PeerError):
    """No connection to a service of this cloud."""

    code = "backend.unreachable"


class AccountError(PeerError):
    """This cloud's Keystone refuses the gateway's account, or the gateway has none."""

    code = "backend.account"


class BackendTimeoutError(PeerError):
    """A service of this cloud did not answer in time."""

    status = 504
    code = "backend.timeout"
