"""A leg: the request as it is sent to one cloud. One request may have legs to several clouds."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeAlias

from multidict import CIMultiDict

from openstackoid.core.errors import RegionQuotaError
from openstackoid.core.ids import Ids
from openstackoid.core.links import Links
from openstackoid.core.region_resources import Resources
from openstackoid.gateway.telemetry.audit import Initiator
from openstackoid.gateway.upstream.pool import Upstream

# Changes status and JSON of an answer; None leaves the answer unchanged, to the byte.
RewriteBody: TypeAlias = Callable[[int, Any], tuple[int, Any] | None]
# Raises the reason for which a request's token may have become invalid since the request was admitted.
Recheck: TypeAlias = Callable[[], Awaitable[None]]


class Border(Enum):
    """Whether an answer crosses the border between two owners."""

    NONE = "it stays with its owner"
    OUT = "from a service of this cloud to another owner's users"
    IN = "from another owner's cloud"


@dataclass(frozen=True, slots=True)
class CacheableToken:
    """A federated token that stands for a user's in every request with the same scope.

    Attributes:
        token: for one peer.
        until: when it has to be requested again (Unix seconds).
        user, project, agreement: ids, for the audit.
    """

    token: str
    until: float
    user: str
    project: str
    agreement: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The changes to a request, and to its answer.

    Attributes:
        rewrite_body: changes the answer's JSON.
        request_ids, response_ids: ids that are replaced in the request, and in the answer.
        resources: what is in the virtual region that the request is for; None for any other request.
        cacheable: a token with which HAProxy may send such requests itself; None if it may not.
    """

    rewrite_body: RewriteBody | None = None
    request_ids: Ids | None = None
    response_ids: Ids | None = None
    cacheable: CacheableToken | None = None
    resources: Resources | None = None

    def target(self, service: str, path: str) -> str:
        """Path and query inside a service as they are sent."""
        return self.request_ids.target(service, path) if self.request_ids and self.request_ids.changes else path

    def path(self, service: str, path: str) -> str:
        """The path as it is sent, without a query: rules are matched against it."""
        return self.target(service, path).partition("?")[0]


class Hold(Protocol):
    """What a request takes of a quota while it is under way.

    Attributes:
        refusal: why its body was broken off; None if it was not.
    """

    refusal: RegionQuotaError | None

    async def sent(self, status: int | None, *, received: bool = True) -> None:
        """The head of its answer came, with a status; or none came, and perhaps the request was certainly not received."""

    def meter(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces of its body, as long as there is room for them."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The request as it is sent to one cloud.

    Attributes:
        cloud: its name.
        upstream: the destination.
        service: official service type.
        target: path and query inside the service, encoded, as they are sent.
        headers: as they are sent, except those that frame the body.
        rewrite: the changes to the request's body, and to the answer.
        border: the border that the answer crosses.
        links: the replacement of URLs in the answer.
        initiator: the user behind the request, for the audit; None if this cloud's services identify the user by the token.
        by_service: whether a service may have sent the request, perhaps with more than a user's token.
        body: the request's body, if its sender has read it.
        hold: what it takes of a quota; None for nothing.
        recheck: called if the service answers 401; None if only the service knows why.
    """

    cloud: str
    upstream: Upstream
    service: str
    target: str
    headers: CIMultiDict[str]
    rewrite: Rewrite
    border: Border
    links: Links
    initiator: Initiator | None = None
    by_service: bool = False
    body: bytes | None = None
    hold: Hold | None = None
    recheck: Recheck | None = None
