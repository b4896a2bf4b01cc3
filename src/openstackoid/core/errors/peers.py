"""Failures of the other side of a request: a peer, or a service of this cloud."""

from openstackoid.core.errors.base import OpenStackoidError


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


class PeerSlowError(PeerTimeoutError):
    """The peer sends or takes data more slowly than is allowed."""

    code = "peer.slow"


class PeerAnswerError(PeerError):
    """The peer answered with something that cannot be passed on."""

    code = "peer.answer"


class PeerLeadsAwayError(PeerError):
    """A peer of another owner answered with a redirect or a link that leads away from this cloud's frontends: the client's token would follow it."""

    code = "peer.leads-away"


class PeerRateError(PeerError):
    """As many requests were sent to the peer as this cloud may send it now; nothing was sent.

    Args:
        message: for people.
        retry_after: seconds until there is room.
    """

    status = 429
    code = "peer.rate"
    received = False

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


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
