"""One request in the gateway, as immutable values: as it arrived, and with the scope that decides its route."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core import protocol
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry import headers as hdrs
from openstackoid.gateway.entry.frontends import Route
from openstackoid.gateway.entry.listeners import Listener
from openstackoid.trust import tokens
from openstackoid.trust.contracts import ContractGrant

_OVERRIDE: Final = re.compile(r"x[-_](?:http[-_])?method(?:[-_]override)?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request whose sender is not known yet: its service, its tokens, and the scopes that came with it.

    Attributes:
        headers: those that may be passed on, without tokens and scope. Copy before changing.
        auth, subject: the tokens, without the scopes that are appended to them.
        scope_header: text of X-Scope, not parsed yet.
        auth_scope_text: text of the scope on X-Auth-Token.
        auth_scope, subject_scope: the scopes on the two tokens.
        federated: whether X-Auth-Token claims to be a federated token.
    """

    request: web.BaseRequest
    listener: Listener
    route: Route
    hops: tuple[str, ...]
    headers: CIMultiDict[str]
    auth: str | None
    subject: str | None
    scope_header: str | None
    auth_scope_text: str | None
    auth_scope: Scope | None
    subject_scope: Scope | None
    federated: bool

    @property
    def path(self) -> str:
        """The path inside the service, encoded as it came, without a query."""
        return self.route.path.partition("?")[0]

    @property
    def validates_federated(self) -> bool:
        """Whether the request asks this cloud's Keystone to validate a federated token."""
        return self.route.service == "identity" and self.subject is not None and tokens.is_federated(self.subject)


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose sender is known, with the scope that decides where it goes.

    Attributes:
        headers: those that may be passed on, without tokens and scope. Copy before changing.
        auth, subject: the tokens, without the scopes that are appended to them.
        scope: decides where the request goes.
        caller_scope: the scope of the caller's own token; differs from `scope` when a service validates another user's token.
        scope_text: the text of `scope` as it came in a header or on a token; None if it came otherwise.
        teaches: whether the decision may hold for later requests with the same scope.
        contract: of the region that the path names, if the scope is that of a region; None for any other scope.
        deadline: until when the request waits for its turn at a peer with a rate, in the event loop's time; None: as configured.
        names_cloud: whether a successful answer names the cloud that gave it (X-Scope-Cloud), since the scope means several.
    """

    request: web.BaseRequest
    listener: Listener
    route: Route
    hops: tuple[str, ...]
    headers: CIMultiDict[str]
    auth: str | None
    subject: str | None
    scope: Scope
    caller_scope: Scope
    scope_text: str | None
    teaches: bool = True
    contract: ContractGrant | None = None
    deadline: float | None = None
    names_cloud: bool = False

    @property
    def service(self) -> str:
        """Official service type."""
        return self.route.service

    @property
    def method(self) -> str:
        """HTTP method."""
        return self.request.method

    @property
    def path(self) -> str:
        """The path inside the service, encoded as it came, without a query."""
        return self.route.path.partition("?")[0]


def read(
    request: web.BaseRequest, listener: Listener, route: Route, request_id: str, host: str | None = None
) -> Arrival:
    """Read the headers of a request.

    Args:
        request: as it arrived.
        listener: where it arrived.
        route: the service that its path leads to.
        request_id: the global request id, which is passed on.
        host: that the request is for, if its target names it: it counts instead of the Host header (RFC 9112, 3.2.2).

    Raises:
        BadRequestError: headers that two readers could read differently.
        ScopeError: the text appended to a token is not a scope.
    """
    headers = hdrs.incoming(request.headers)
    hops = hdrs.hops(request.headers)
    carried = headers.pop(protocol.AUTH, None)
    auth, auth_scope = hdrs.split_token(carried)
    subject, subject_scope = hdrs.split_token(headers.pop(protocol.SUBJECT, None))
    text = carried.partition(protocol.MARK)[2] or None if carried is not None and auth_scope is not None else None
    scope_header = headers.pop(protocol.SCOPE, None)
    headers[protocol.REQUEST_ID] = request_id
    if listener.cors is not None and listener.cors.knows(request):
        headers.popall("Origin")  # answered here (`entry.cors`)
    if host is not None and host != headers.get("Host"):
        headers["Host"] = host
    federated = auth is not None and tokens.is_federated(auth)
    return Arrival(
        request,
        listener,
        route,
        hops,
        headers,
        auth,
        subject,
        scope_header,
        text,
        auth_scope,
        subject_scope,
        federated,
    )


def overrides_method(call: Call) -> bool:
    """Whether a backend might read the request as another one than the rules were compared with.

    The Routes library, in front of glance and nova, takes the method from a query: `GET /v2/images/ID?_method=DELETE` deletes
    (routes/middleware.py, `use_method_override`); and from a form, which `upstream.bodies` refuses. Other libraries take it from a header.
    """
    query = call.route.path.partition("?")[2]
    return "_method" in unquote_plus(query) or any(_OVERRIDE.match(name) for name in call.request.headers)
