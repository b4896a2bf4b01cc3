"""The gateway's own paths: one table, and who may call what.

GET /.well-known/openstackoid                     for peers and clients; with the keys that sign our federated tokens
GET /openstackoid/v1/agreement                    for a peer's gateway: our side of the agreement
POST /openstackoid/v1/projects                    for a peer's gateway: which of our projects are gone
GET /openstackoid/v1/regions/offers               for a peer's control plane of virtual regions: see `control_plane`
POST /openstackoid/v1/regions/messages            the same
POST /openstackoid/v1/regions/usage               the same
POST /openstackoid/v1/token                       token exchange (RFC 8693): see `token_exchange`
GET /openstackoid/v1/peers                        the peers and their state
GET /openstackoid/v1/scopes                       the saved scopes
GET, POST, DELETE /openstackoid/v1/replicas       a project's replicas: see `replicas.listing`
GET, POST /openstackoid/v1/copies                 copies of images to other clouds: see `replicas.copies`
GET /openstackoid/v1/explain?service=image        with a scope in any of its forms; method= and path= as wanted
GET /healthz, /livez, /readyz, /metrics           at the operators' address alone: see `operators`
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from aiohttp import web

from openstackoid.core import errors
from openstackoid.core.protocol import EXPLAIN_PATH, OWN_PREFIX, PEERS_PATH, SCOPED_PREFIX, WELL_KNOWN_PATH
from openstackoid.gateway.api.answers import answered
from openstackoid.gateway.entry.listeners import Listener

READS: Final = frozenset({"GET", "HEAD"})
WRITES: Final = frozenset({"POST"})


class NoSuchPathError(errors.OpenStackoidError):
    """A path below the gateway's own prefix at which nothing is served."""

    status = 404
    code = "path.missing"


class Audience(Enum):
    """Who may call a path."""

    ALL = "users, services and other clouds' gateways"
    USERS = "users and services"
    PEERS = "other clouds"


@dataclass(frozen=True, slots=True)
class Question:
    """A request for a path of ours. `saved_scope`: the name of the saved scope whose prefix stands before the path."""

    request: web.BaseRequest
    listener: Listener
    saved_scope: str | None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of the gateway's own paths, and its handler, which returns JSON or a whole response."""

    path: str
    methods: frozenset[str]
    audience: Audience
    answer: Callable[[Question], Awaitable[dict[str, Any] | web.Response]]


def is_own(target: str) -> bool:
    """Whether a target is a path of the gateway itself, also behind a saved scope's prefix."""
    if target.startswith(SCOPED_PREFIX):
        target = "/" + target.removeprefix(SCOPED_PREFIX).partition("/")[2]
    return target.startswith(OWN_PREFIX) or target.partition("?")[0] == WELL_KNOWN_PATH


class Endpoints:
    """Answers at the paths of a table.

    Args:
        table: the paths.
    """

    def __init__(self, table: Sequence[Endpoint]) -> None:
        self._table = {endpoint.path: endpoint for endpoint in table}

    async def answer(self, listener: Listener, request: web.BaseRequest) -> web.Response:
        """Answer a request for one of the gateway's own paths.

        Raises:
            OpenStackoidError: no such path, or a malformed question.
        """
        path, saved = request.path, None
        if path.startswith(SCOPED_PREFIX):
            saved, _, rest = path.removeprefix(SCOPED_PREFIX).partition("/")
            path = f"/{rest}"
        endpoint = self._table.get(path)
        if endpoint is not None and request.method not in endpoint.methods:
            expected = " or ".join(sorted(endpoint.methods))
            raise errors.BadRequestError(f"Expected {expected}, got {request.method}.")
        elsewhere = Audience.USERS if listener.peers else Audience.PEERS
        if endpoint is None or endpoint.audience is elsewhere:
            raise NoSuchPathError(f"Nothing at {path}. Here are: {WELL_KNOWN_PATH}, {PEERS_PATH}, {EXPLAIN_PATH}.")
        response = await endpoint.answer(Question(request, listener, saved))
        return response if isinstance(response, web.Response) else answered(response)
