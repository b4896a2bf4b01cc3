"""One request on its way: what is known of it, and what is decided of how it goes on."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_plus

from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core.ids import Ids
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.frontends import Place
from openstackoid.gateway.entry.listeners import Door
from openstackoid.gateway.telemetry.audit import Record

NO_SCOPE: Final = Scope()
_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_OVERRIDE: Final = re.compile(r"x[-_](?:http[-_])?method(?:[-_]override)?\Z", re.IGNORECASE)
# Changes status and JSON of an answer; None leaves it as it came, to the byte.
Edit: TypeAlias = Callable[[int, Any], tuple[int, Any] | None]


class Border(Enum):
    """Whether an answer crosses the border between two owners."""

    NONE = "it stays with its owner"
    OUT = "from a service of this cloud to another owner's users"
    IN = "from another owner's cloud"


@dataclass(slots=True)
class Call:
    """A request that was read and is to be sent on.

    Attributes:
        headers: what may be passed on; tokens and scope are taken out.
        auth, subject: the tokens, without scopes.
        scope: what the request's way follows.
        sender: the scope of who sends it, which differs when a service validates another's token.
        text: the scope as it came on a header or a token, None if it came otherwise.
        border: what the answer crosses.
        by_service: whether a service sent it, of this cloud or another one, with more than a user's token perhaps.
    """

    request: web.BaseRequest
    record: Record
    door: Door
    place: Place
    hops: tuple[str, ...]
    headers: CIMultiDict[str]
    auth: str | None = None
    subject: str | None = None
    scope: Scope = NO_SCOPE
    sender: Scope = NO_SCOPE
    text: str | None = None
    border: Border = Border.NONE
    by_service: bool = False

    @property
    def path(self) -> str:
        """The path inside the service, encoded as it came, without a query."""
        return self.place.path.partition("?")[0]


def overrides(call: Call) -> bool:
    """Whether a request might become another one behind the rules that it was compared with.

    Routes, in front of glance and nova, takes another method from a query or a form: `GET /v2/images/ID?_method=DELETE` deletes
    (routes/middleware.py, `use_method_override`). Others take it from a header.
    """
    query = call.place.path.partition("?")[2]
    return (
        "_method" in unquote_plus(query)
        or call.request.content_type in _FORMS
        or any(_OVERRIDE.match(name) for name in call.request.headers)
    )


@dataclass(frozen=True, slots=True)
class Taught:
    """A federated token that stands for a user's in every request.

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
class Way:
    """How a request goes on.

    Attributes:
        edit: what becomes of the answer's JSON.
        there, back: ids in the request, and in the answer.
        taught: what the fast path may do the same way; None if it may not.
    """

    edit: Edit | None = None
    there: Ids | None = None
    back: Ids | None = None
    taught: Taught | None = None

    def target(self, call: Call) -> str:
        """Path and query inside the service as they are sent."""
        path = call.place.path
        return self.there.target(call.place.service, path) if self.there and self.there.changes else path

    def path(self, call: Call) -> str:
        """The path as it is sent, without the query: what rules are compared with."""
        return self.target(call).partition("?")[0]
