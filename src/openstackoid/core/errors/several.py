"""Requests for several clouds that cannot be served by them together."""

from openstackoid.core.errors.scopes import RoutingError


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


class FanOutsError(RoutingError):
    """As many requests to several clouds are under way as the user, or all users together, may have here."""

    status = 429
    code = "scope.busy"
    retry_after = 1.0


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


class ReplicaDiffersError(RoutingError):
    """Resources that should become one replica are not alike."""

    status = 409
    code = "replica.differs"


class ReplicaFailedError(RoutingError):
    """A cloud failed in a change in several clouds; the message says where the change is, and what happens next."""

    status = 502
    code = "replica.failed"
