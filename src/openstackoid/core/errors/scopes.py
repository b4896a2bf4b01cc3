"""Requests that cannot be routed by their scope."""

from typing import ClassVar

from openstackoid.core.errors.base import OpenStackoidError


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


class LoopError(RoutingError):
    """The request passed through this gateway before."""

    status = 508
    code = "request.loop"
