"""What is sent to one cloud for a request: a leg. One request may have several, to several clouds."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from multidict import CIMultiDict

from openstackoid.core.ids import Ids
from openstackoid.core.links import Links
from openstackoid.gateway.telemetry.audit import Initiator
from openstackoid.gateway.upstream.pool import Upstream

# Changes status and JSON of an answer; None leaves it as it came, to the byte.
RewriteBody: TypeAlias = Callable[[int, Any], tuple[int, Any] | None]


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
        until: when it has to be asked for again (Unix seconds).
        user, project, agreement: ids, for the audit.
    """

    token: str
    until: float
    user: str
    project: str
    agreement: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What is changed in a request, and in its answer.

    Attributes:
        rewrite_body: changes the answer's JSON.
        request_ids, response_ids: ids that are replaced in the request, and in the answer.
        cacheable: a token with which HAProxy may send such requests itself; None if it may not.
    """

    rewrite_body: RewriteBody | None = None
    request_ids: Ids | None = None
    response_ids: Ids | None = None
    cacheable: CacheableToken | None = None

    def target(self, service: str, path: str) -> str:
        """Path and query inside a service as they are sent."""
        return self.request_ids.target(service, path) if self.request_ids and self.request_ids.changes else path

    def path(self, service: str, path: str) -> str:
        """The path as it is sent, without a query: what rules are compared with."""
        return self.target(service, path).partition("?")[0]


@dataclass(frozen=True, slots=True)
class Leg:
    """What is sent to one cloud.

    Attributes:
        cloud: its name.
        upstream: where it is sent.
        service: official service type.
        target: path and query inside the service, encoded, as they are sent.
        headers: as they are sent, but for those that frame the body.
        rewrite: what is changed in the request's body, and in the answer.
        border: what the answer crosses.
        links: what becomes of URLs in the answer.
        initiator: who is behind the request, for the audit; None for a user whom this cloud's services know by the token.
        by_service: whether a service may have sent the request, with more than a user's token perhaps.
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
