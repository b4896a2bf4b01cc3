"""The way of one request through the gateway: one request in, one decision, one answer out.

route (which service) -> sender (whose token) -> scope (which clouds) -> decide -> Local:  a leg to the backend
                                                                                -> Remote: a leg to the peer's frontend
                                                                                -> Reject: an error in OpenStack's JSON form

A leg describes the request to one cloud; the request's sender makes the leg (`senders`). `upstream` sends the leg, and relays the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core import errors
from openstackoid.core.catalog import Cloud
from openstackoid.core.plans import One
from openstackoid.core.protocol import REQUEST_ID
from openstackoid.core.routing import CloudMap, Facts, Local, Reject, Remote, decide
from openstackoid.core.scope import Scope
from openstackoid.gateway.api.endpoints import Endpoints, is_own
from openstackoid.gateway.entry.bodies import made
from openstackoid.gateway.entry.calls import Arrival, Call, read
from openstackoid.gateway.entry.frontends import Route, is_version_document
from openstackoid.gateway.entry.listeners import Listener
from openstackoid.gateway.entry.scoping import NO_SCOPE, Scoping
from openstackoid.gateway.entry.targets import split_target
from openstackoid.gateway.fanout.serving import Several, to_target
from openstackoid.gateway.fastpath.lessons import Lessons
from openstackoid.gateway.federation.peers import Peers
from openstackoid.gateway.replicas.asking import Asker
from openstackoid.gateway.replicas.sealed import Request
from openstackoid.gateway.replicas.writes import Writes
from openstackoid.gateway.senders.revocation import Revocation
from openstackoid.gateway.senders.selection import sender
from openstackoid.gateway.senders.sender import Sender, SenderKind
from openstackoid.gateway.senders.token_body import token_not_found
from openstackoid.gateway.senders.token_validation import TokenValidation
from openstackoid.gateway.telemetry.audit import Record
from openstackoid.gateway.upstream.answers import Answer
from openstackoid.gateway.upstream.pool import Pool
from openstackoid.gateway.upstream.rates import Rates
from openstackoid.gateway.upstream.relaying import hold, relay
from openstackoid.gateway.upstream.sending import send

_FAILED: Final = 400
_REFUSED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that serve a request (`wiring` makes them).

    Attributes:
        here: this cloud.
        listeners: ADDRESS:PORT -> what is served there.
        kinds: of senders, as `senders.selection` has them.
        validation: validates federated tokens; None in a cloud without federated peers.
        lessons: teaches decisions to HAProxy; None without HAProxy.
        several: serves reads whose scope means several clouds.
        writes: serves changes whose scope means several clouds.
        rates: of requests to peers.
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
    writes: Writes
    peers: Peers
    rates: Rates
    pool: Pool


class App:
    """Serves requests.

    Args:
        parts: the parts that serve them.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def serve(self, address: str, request: web.BaseRequest, record: Record) -> web.StreamResponse:
        """Serve one request.

        Args:
            address: ADDRESS:PORT where it arrived.
            request: as it arrived.
            record: of the audit, filled in as the facts become known.

        Raises:
            OpenStackoidError: the request is refused, or could not be served; no answer was begun.
            CutError: an upstream broke off in the middle of its answer.
        """
        listener = self._parts.listeners[address]
        target, host = split_target(request.raw_path)
        if is_own(target):
            return await self._parts.endpoints.answer(listener, request)
        if _is_websocket(request):
            raise errors.UpgradeError(
                "Expected a request of HTTP, got one for a WebSocket, which no gateway passes on. Ask the service itself."
            )
        host = host or request.headers.get("Host")
        listener = listener.called(host)
        route = listener.frontends.route(address, target)
        record.service, record.saved_scope = route.service, route.saved_scope
        arrival = read(request, listener, route, record.global_request_id, host)
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
        """Serve a request whose scope has operators. HAProxy is not taught the decision: the operators may mean other clouds the next time."""
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

        async def pass_on(one: Call) -> web.StreamResponse:
            return await self._pass_on(one, who, record)

        writes = self._parts.writes
        try:
            if call.method == "GET":
                served = await writes.read(call, plan, pass_on)
                served = served or await several.read(call, plan, ask, pass_on, writes.fold(call))
            else:
                served = await writes.write(call, plan, ask, pass_on)
        finally:
            record.decision, record.peer = "several", None
        return served

    def restore(self, request: Request) -> Asker:
        """What asks clouds on behalf of the user of an operation that another gateway began."""
        listener = next(one for one in self._parts.listeners.values() if not one.peers)
        headers = CIMultiDict(request.headers)
        route = Route(request.service, request.collection)
        came = made(request.method, headers, None)
        arrival = Arrival(
            came, listener, route, (), headers, request.token, None, None, None, None, None, federated=False
        )
        who = sender(self._parts.kinds, arrival)
        call = Call(came, listener, route, (), headers, request.token, None, NO_SCOPE, NO_SCOPE, None, teaches=False)
        request_id = headers.get(REQUEST_ID, "")

        async def ask(leg: Call) -> web.Response:
            record = Record(self._parts.here.name, None, request.method, request.collection, request_id)
            return await hold(leg, await self._answer(leg, who, record), self._parts.pool.rewriting)

        async def begin(leg: Call) -> Answer:
            record = Record(self._parts.here.name, None, request.method, request.collection, request_id)
            return await self._answer(leg, who, record)

        return Asker(call, ask, begin)

    async def _validate(self, arrival: Arrival, record: Record) -> web.StreamResponse:
        record.decision, record.peer = "local", self._parts.here.name
        if self._parts.validation is None or arrival.listener.peers:
            return token_not_found("federated tokens are not known here")
        return await self._parts.validation.answer(arrival, record)

    async def _version_document(self, call: Call, who: Sender, record: Record) -> web.StreamResponse:
        """A version document of another cloud, or our own service's if the other cloud gives none.

        keystoneauth1 hides an error that it got for a version document (discover.py, `get_version_data`) and reports missing versions to its
        user instead. So our own service answers the version request, and the request after it gets the error. Without such a service here,
        the error is the answer.
        """
        if call.route.service not in self._parts.here.services:
            return await self._pass_on(call, who, record)
        try:
            response = await self._pass_on(call, who, record)
        except (errors.RoutingError, errors.PeerError, errors.TrustError):
            pass
        else:
            # The peer itself may refuse: its agreement has ended and we do not know it yet, or only its HAProxy still runs.
            refused = record.decision == "remote" and response.status >= _FAILED
            if response.prepared or not refused:
                return response
        record.legs.clear()
        return await self._pass_on(replace(call, scope=NO_SCOPE, caller_scope=NO_SCOPE), who, record)

    async def _pass_on(self, call: Call, who: Sender, record: Record) -> web.StreamResponse:
        answer = await self._answer(call, who, record)
        response = await relay(call, answer, self._parts.pool.rewriting)
        if response.status < _FAILED:
            # The answer to a revocation has no body, so it has not been sent yet: the token is forgotten before the user sees the answer.
            await self._parts.revocation.passed(call, who)
        return response

    async def _answer(self, call: Call, who: Sender, record: Record) -> Answer:
        """Send the request to one cloud; the returned answer's body is not read yet."""
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
        if isinstance(decision, Remote) and self._parts.rates.limits(decision.cloud):
            await self._parts.rates.turn(decision.cloud, call.deadline)
        elif lessons and begun is not None:
            lessons.learn(call, who, decision, leg, begun)
        answer = await send(call, leg, self._parts.pool, record)
        if isinstance(decision, Remote) and answer.status in _REFUSED and peers.federated(decision.cloud):
            peers.refresh_soon(decision.cloud)
        return answer

    async def _know(self, scope: Scope, service: str, record: Record) -> None:
        """Fetch the catalog of the peer that the request is for, if that peer never answered."""
        cloud = scope.only(service)
        if cloud is not None and cloud in self._parts.peers.clouds:
            record.decision, record.peer = "reject", cloud  # until it answers
            await self._parts.peers.ensure(cloud)


def _is_websocket(request: web.BaseRequest) -> bool:
    """Whether a request asks for a WebSocket (RFC 6455, 4.1); other upgrades, as `h2c`, may be ignored."""
    return "Upgrade" in request.headers and "websocket" in request.headers["Upgrade"].lower()
