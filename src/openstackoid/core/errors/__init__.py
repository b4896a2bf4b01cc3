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
|   |-- FanOutsError         429 scope.busy            too many requests to several clouds at a time
|   |-- NotReplicableError   400 replica.request       a document that cannot be created in several clouds
|   |-- UnknownReferenceError 409 replica.reference     it names something that is not in each cloud
|   |-- KeyReusedError       422 replica.key           an idempotency key of another request
|   |-- ReplicaBusyError     409 replica.busy          the same request is under way
|   |-- ReplicaRefusedError  409 replica.refused       a cloud refused: it is in none
|   |-- ReplicaDiffersError  409 replica.differs       members of a replica to be are not alike
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
|   |   |-- ContractSuspendedError 403 contract.suspended  the provider suspends the contract of the virtual region
|   |   |-- ContractPassThroughError 403 contract.pass_through  users' own tokens would cross, and contract or configuration does not provide for it
|   |   |-- ResoldError      503 region.unbound        a region that this cloud resells is bound to nothing any more
|   |   `-- ResoldTooOftenError 508 region.loop        a region was resold too often, or in a circle
|   |-- NotInRegionError     404 region.missing        something of the provider that is not in the virtual region
|   |-- OutsideRegionError   400 region.outside        a request that would use it
|   |-- RegionQuotaError     403 region.quota          a request for more than the region's quota leaves
|   |-- UnmeasuredRequestError 400 region.unmeasured   a request of which nobody can say what it takes
|   |-- QuotaUnavailableError 503 region.quota_unavailable  a service does not count, or does not take a quota
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
|   `-- PeerSlowError    504 peer.slow
|-- PeerRateError        429 peer.rate             more requests to a peer than this cloud may send
|-- PeerAnswerError      502 peer.answer           the answer cannot be passed on
|-- PeerLeadsAwayError   502 peer.leads-away       the answer would send a client to another host
|-- BackendUnreachableError 502 backend.unreachable
|-- AccountError         502 backend.account       this cloud's Keystone refuses the gateway's account
`-- BackendTimeoutError  504 backend.timeout
"""

from openstackoid.core.errors.base import (
    BusyError,
    ConfigError,
    OpenStackoidError,
)
from openstackoid.core.errors.peers import (
    AccountError,
    BackendTimeoutError,
    BackendUnreachableError,
    PeerAnswerError,
    PeerError,
    PeerLeadsAwayError,
    PeerRateError,
    PeerSlowError,
    PeerTimeoutError,
    PeerUnreachableError,
)
from openstackoid.core.errors.regions import (
    ContractPassThroughError,
    ContractSuspendedError,
    NotInRegionError,
    OutsideRegionError,
    QuotaUnavailableError,
    RegionQuotaError,
    ResoldError,
    ResoldTooOftenError,
    UnmeasuredRequestError,
    in_region,
)
from openstackoid.core.errors.scopes import (
    BadRequestError,
    LoopError,
    NoSuchServiceError,
    NotBuiltError,
    RoutingError,
    ScopeError,
    SplitServerError,
    UnknownCloudError,
    UnknownScopeError,
    UnknownServiceError,
    UpgradeError,
)
from openstackoid.core.errors.several import (
    AmbiguousError,
    AroundError,
    EmptyScopeError,
    FanOutsError,
    IncompleteError,
    KeyReusedError,
    MarkerError,
    NotReplicableError,
    ReplicaBusyError,
    ReplicaDiffersError,
    ReplicaFailedError,
    ReplicaRefusedError,
    UnknownReferenceError,
    WideScopeError,
)
from openstackoid.core.errors.trust import (
    AgreementError,
    BodyError,
    ExchangeError,
    FrozenProjectError,
    HomeError,
    ProjectError,
    RateError,
    RoleError,
    RuleError,
    ShareError,
    TokenError,
    TokenLongError,
    TokenScopeError,
    TokenUncheckedError,
    TrustError,
)

__all__ = [
    "AccountError",
    "AgreementError",
    "AmbiguousError",
    "AroundError",
    "BackendTimeoutError",
    "BackendUnreachableError",
    "BadRequestError",
    "BodyError",
    "BusyError",
    "ConfigError",
    "ContractPassThroughError",
    "ContractSuspendedError",
    "EmptyScopeError",
    "ExchangeError",
    "FanOutsError",
    "FrozenProjectError",
    "HomeError",
    "IncompleteError",
    "KeyReusedError",
    "LoopError",
    "MarkerError",
    "NoSuchServiceError",
    "NotBuiltError",
    "NotInRegionError",
    "NotReplicableError",
    "OpenStackoidError",
    "OutsideRegionError",
    "PeerAnswerError",
    "PeerError",
    "PeerLeadsAwayError",
    "PeerRateError",
    "PeerSlowError",
    "PeerTimeoutError",
    "PeerUnreachableError",
    "ProjectError",
    "QuotaUnavailableError",
    "RateError",
    "RegionQuotaError",
    "ReplicaBusyError",
    "ReplicaDiffersError",
    "ReplicaFailedError",
    "ReplicaRefusedError",
    "ResoldError",
    "ResoldTooOftenError",
    "RoleError",
    "RoutingError",
    "RuleError",
    "ScopeError",
    "ShareError",
    "SplitServerError",
    "TokenError",
    "TokenLongError",
    "TokenScopeError",
    "TokenUncheckedError",
    "TrustError",
    "UnknownCloudError",
    "UnknownReferenceError",
    "UnknownScopeError",
    "UnknownServiceError",
    "UnmeasuredRequestError",
    "UpgradeError",
    "WideScopeError",
    "in_region",
]
