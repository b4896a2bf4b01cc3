"""A request whose scope has operators, from its plan to the parts that serve it: reads by `fanout`, changes by `replicas`.

HAProxy is not taught the decision: the operators may mean other clouds the next time.
"""

from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core.plans import One
from openstackoid.core.protocol import REQUEST_ID
from openstackoid.gateway.entry.bodies import made
from openstackoid.gateway.entry.calls import Arrival, Call
from openstackoid.gateway.entry.frontends import Route, is_version_document
from openstackoid.gateway.entry.scoping import NO_SCOPE
from openstackoid.gateway.fanout.heads import Relay, as_get
from openstackoid.gateway.fanout.serving import to_target
from openstackoid.gateway.one_cloud import OneCloud
from openstackoid.gateway.parts import Parts
from openstackoid.gateway.replicas.asking import Asker
from openstackoid.gateway.replicas.sealed import Request
from openstackoid.gateway.senders.selection import sender
from openstackoid.gateway.senders.sender import Sender
from openstackoid.gateway.telemetry.audit import Record
from openstackoid.gateway.upstream.answers import Answer


class SeveralClouds:
    """Serves requests whose scope has operators.

    Args:
        parts: the parts of the gateway.
        one: sends requests to one cloud.
    """

    def __init__(self, parts: Parts, one: OneCloud) -> None:
        self._parts = parts
        self._one = one

    async def serve(self, call: Call, who: Sender, record: Record) -> web.StreamResponse:
        """Serve a request.

        Args:
            call: the request.
            who: its sender, whose request begins here.
            record: of the audit.

        Raises:
            OpenStackoidError: the request is refused, or could not be served; no answer was begun.
            CutError: an upstream broke off in the middle of its answer.
        """
        several = self._parts.several
        record.decision = "reject"
        plan = several.plan(call)
        if isinstance(plan, One):
            one = to_target(call, plan.target)
            if call.method == "GET" and is_version_document(call.route.path):
                return await self._one.version_document(one, who, record)
            return await self._one.pass_on(one, who, record)

        async def ask(leg: Call) -> web.Response:
            return await self._one.ask(leg, who, record)

        async def pass_on(one: Call) -> web.StreamResponse:
            return await self._one.pass_on(one, who, record)

        writes = self._parts.writes
        relay: Relay = pass_on
        if call.method == "HEAD":
            call, relay = as_get(call, ask, pass_on)
        try:
            if call.method == "GET":
                served = await writes.read(call, plan, ask, relay)
                served = served or await several.read(call, plan, ask, relay, writes.fold(call, plan, ask))
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

        def record() -> Record:
            return Record(self._parts.here.name, None, request.method, request.collection, request_id)

        async def ask(leg: Call) -> web.Response:
            return await self._one.ask(leg, who, record())

        async def begin(leg: Call) -> Answer:
            return await self._one.answer(leg, who, record())

        return Asker(call, ask, begin)
