"""The way of one request through the gateway: one request in, one decision, one answer out.

route (which service) -> sender (whose token) -> scope (which clouds) -> decide -> Local:  a leg to the backend
                                                                                -> Remote: a leg to the peer's frontend
                                                                                -> Reject: an error in OpenStack's JSON form

A leg says what is sent to one cloud; who sends the request makes it (`senders`). `upstream` sends it, and relays the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

from openstackoid.core import errors
from openstackoid.core.catalog import Cloud
from openstackoid.core.plans import One
from openstackoid.core.routing import CloudMap, Facts, Local, Reject, Remote, decide
from openstackoid.core.scope import Scope
from openstackoid.gateway.api.endpoints import Endpoints, is_own
from openstackoid.gateway.entry.calls import Arrival, Call, read
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.entry.listeners import Listener
from openstackoid.gateway.entry.scoping import NO_SCOPE, Scoping
from openstackoid.gateway.fanout.serving import Several, to_target
from openstackoid.gateway.fastpath.lessons import Lessons
from openstackoid.gateway.federation.peers import Peers
from openstackoid.gateway.senders.revocation import Revocation
from openstackoid.gateway.senders.selection import sender
from openstackoid.gateway.senders.sender import Sender, SenderKind
from openstackoid.gateway.senders.token_body import token_not_found
from openstackoid.gateway.senders.token_validation import TokenValidation
from openstackoid.gateway.telemetry.audit import Record
from openstackoid.gateway.upstream.answers import Answer
from openstackoid.gateway.upstream.pool import Pool
from openstackoid.gateway.upstream.relaying import hold, relay
from openstackoid.gateway.upstream.sending import send

_FAILED: Final = 400
_REFUSED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Parts:
    """What a request meets on its way (`wiring` makes it).

    Attributes:
        here: this cloud.
        listeners: ADDRESS:PORT -> what is served there.
        kinds: of senders, as `senders.selection` has them.
        validation: of federated tokens; None in a cloud without federated peers.
        lessons: what HAProxy is taught; None without one.
        several: serves what the scope means several clouds for.
    """

    here: Cloud
    listeners: Mapping[str, Listener]
    endpoints: Endpoints
    scoping: Scoping
    kinds: Sequence[SenderKind]
    validation: TokenValidation | None
    revocation: Revocation
    lessons: Lessons | None
    several: Several
    peers: Peers
    pool: Pool


class App:
    """Serves requests.

    Args:
        parts: what they meet.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def serve(self, address: str, request: web.BaseRequest, record: Record) -> web.StreamResponse:
        """Serve one request.

        Args:
            address: ADDRESS:PORT where it arrived.
            request: as it came.
            record: of the audit, filled as things become known.

        Raises:
            OpenStackoidError: it is refused, or could not be served; nothing was answered.
            CutError: an upstream broke off in the middle of its answer.
        """
        listener = self._parts.listeners[address]
        if is_own(request.raw_path):
            return await self._parts.endpoints.answer(listener, request)
        route = listener.frontends.route(address, request.raw_path)
        record.service, record.saved_scope = route.service, route.saved_scope
        arrival = read(request, listener, route, record.global_request_id)
        if listener.peers:
            record.path = arrival.path  # as in the line of the cloud that it came from
        if arrival.validates_federated:
            return await self._validate(arrival, record)
        who = sender(self._parts.kinds, arrival)
        record.note(who.initiator)
        call = self._parts.scoping.follow(arrival, who.scope)
        record.scope = call.scope or None
        if who.begins_here and call.scope.has_operators:
            return await self._several(call, who, record)
        if who.begins_here and call.scope and request.method == "GET" and is_version_document(route.path):
            return await self._version_document(call, who, record)
        return await self._pass_on(call, who, record)

    async def _several(self, call: Call, who: Sender, record: Record) -> web.StreamResponse:
        """A request whose scope has operators. Nothing of it is taught: what they mean may be another thing the next time."""
        several = self._parts.several
        record.decision = "reject"
        plan = several.plan(call)
        if isinstance(plan, One):
            one = to_target(call, plan.target)
            if call.method == "GET" and is_version_document(call.route.path):
                return await self._version_document(one, who, record)
            return await self._pass_on(one, who, record)

        async def ask(leg: Call) -> web.Response:
            return await hold(leg, await self._answer(leg, who, record), self._parts.pool.rewriting)

        try:
            served = await several.read(call, plan, ask, lambda one: self._pass_on(one, who, record))
        finally:
            record.decision, record.peer = "several", None
        return served

    async def _validate(self, arrival: Arrival, record: Record) -> web.StreamResponse:
        record.decision, record.peer = "local", self._parts.here.name
        if self._parts.validation is None or arrival.listener.peers:
            return token_not_found("federated tokens are not known here")
        return await self._parts.validation.answer(arrival, record)

    async def _version_document(self, call: Call, who: Sender, record: Record) -> web.StreamResponse:
        """A version document of another cloud, or our own service's if there is none.

        keystoneauth1 hides what went wrong with a version document (discover.py, `get_version_data`) and tells its user of missing
        versions instead. So our own service answers, and the request behind it gets the error.
        """
        try:
            response = await self._pass_on(call, who, record)
        except (errors.RoutingError, errors.PeerError, errors.TrustError):
            pass
        else:
            # A peer may refuse as well, before we know that it does not agree any more; or only its HAProxy is left.
            refused = record.decision == "remote" and response.status >= _FAILED
            if response.prepared or not refused:
                return response
        record.legs.clear()
        return await self._pass_on(replace(call, scope=NO_SCOPE, caller_scope=NO_SCOPE), who, record)

    async def _pass_on(self, call: Call, who: Sender, record: Record) -> web.StreamResponse:
        answer = await self._answer(call, who, record)
        response = await relay(call, answer, self._parts.pool.rewriting)
        if response.status < _FAILED:
            # A revocation's answer has no body, so it has not gone out yet: forgotten before the user knows it.
            await self._parts.revocation.passed(call, who)
        return response

    async def _answer(self, call: Call, who: Sender, record: Record) -> Answer:
        """One cloud's answer, whose body is still to come."""
        lessons, peers = self._parts.lessons if call.teaches else None, self._parts.peers
        begun = lessons.begin(call, who) if lessons else None
        await who.admit(call)
        if call.scope:
            await self._know(call.scope, call.route.service, record)
        facts = Facts(call.route.service, call.method, call.path, call.hops)
        decision = decide(facts, call.scope, CloudMap(self._parts.here, peers.clouds))
        record.decision, record.peer = type(decision).__name__.lower(), decision.cloud
        if isinstance(decision, Reject):
            raise decision.error
        leg = await (who.local(call) if isinstance(decision, Local) else who.remote(call, decision))
        record.note(leg.initiator)
        if lessons and begun is not None:
            lessons.learn(call, who, decision, leg, begun)
        answer = await send(call, leg, self._parts.pool, record)
        if isinstance(decision, Remote) and answer.status in _REFUSED and peers.federated(decision.cloud):
            peers.refresh_soon(decision.cloud)
        return answer

    async def _know(self, scope: Scope, service: str, record: Record) -> None:
        """Ask a peer that never answered what it serves, when the request is for it."""
        cloud = scope.only(service)
        if cloud is not None and cloud in self._parts.peers.clouds:
            record.decision, record.peer = "reject", cloud  # until it answers
            await self._parts.peers.ensure(cloud)
