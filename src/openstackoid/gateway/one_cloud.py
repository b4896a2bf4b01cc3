"""A request to one cloud: decide which, send it there, and relay the answer.

    decide -> Local:  a leg to the backend
           -> Remote: a leg to the peer's frontend
           -> Reject: an error in OpenStack's JSON form

A leg describes the request to one cloud; the request's sender makes the leg (`senders`). `upstream` sends the leg, and relays the answer.
"""

import time
from dataclasses import replace
from typing import Final

from aiohttp import web

from openstackoid.core import errors
from openstackoid.core.partial import CLOUD
from openstackoid.core.routing import CloudMap, Facts, Local, Reject, Remote, decide
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.entry.scoping import NO_SCOPE
from openstackoid.gateway.parts import Parts
from openstackoid.gateway.senders.sender import Sender
from openstackoid.gateway.telemetry.audit import Record
from openstackoid.gateway.upstream.answers import Answer
from openstackoid.gateway.upstream.relaying import hold, relay
from openstackoid.gateway.upstream.sending import send

_FAILED: Final = 400
_UNAUTHORIZED: Final = 401
_REFUSED: Final = frozenset({_UNAUTHORIZED, 403})


class OneCloud:
    """Sends requests whose scope means one cloud.

    Args:
        parts: the parts of the gateway.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def pass_on(self, call: Call, who: Sender, record: Record) -> web.StreamResponse:
        """Send a request to the one cloud of its scope, and relay the answer to the client.

        Raises:
            OpenStackoidError: the request is refused, or could not be served; no answer was begun.
            CutError: the upstream broke off in the middle of its answer.
        """
        answer = await self.answer(call, who, record)
        response = await relay(call, answer, self._parts.pool.rewriting)
        if response.status < _FAILED:
            # The answer to a revocation has no body, so it has not been sent yet: the token is forgotten before the user sees the answer.
            await self._parts.revocation.passed(call, who)
        return response

    async def ask(self, call: Call, who: Sender, record: Record) -> web.Response:
        """The same, but read the whole answer. Raises as `pass_on`."""
        return await hold(call, await self.answer(call, who, record), self._parts.pool.rewriting)

    async def version_document(self, call: Call, who: Sender, record: Record) -> web.StreamResponse:
        """A version document of another cloud, or our own service's if the other cloud gives none.

        keystoneauth1 hides an error that it got for a version document (discover.py, `get_version_data`) and reports missing versions to its
        user instead. So our own service answers the version request, and the request after it gets the error. Without such a service here,
        the error is the answer.
        """
        if call.route.service not in self._parts.here.services:
            return await self.pass_on(call, who, record)
        try:
            response = await self.pass_on(call, who, record)
        except (errors.RoutingError, errors.PeerError, errors.TrustError):
            pass
        else:
            # The peer itself may refuse: its agreement has ended and we do not know it yet, or only its HAProxy still runs.
            refused = record.decision == "remote" and response.status >= _FAILED
            if response.prepared or not refused:
                return response
        record.legs.clear()
        return await self.pass_on(replace(call, scope=NO_SCOPE, caller_scope=NO_SCOPE), who, record)

    async def answer(self, call: Call, who: Sender, record: Record) -> Answer:
        """Send a request to the one cloud of its scope; the returned answer's body is not read yet. Raises as `pass_on`.

        Requests of regions are counted for the regions' health.
        """
        region = call.contract
        if region is None:
            return await self._answer(call, who, record)
        started = time.perf_counter()
        try:
            answer = await self._answer(call, who, record)
        except errors.PeerError as error:
            self._parts.regions.note(region, (time.perf_counter() - started) * 1000, None, error.code)
            raise errors.in_region(error, region.region, region.peer) from None
        self._parts.regions.note(region, (time.perf_counter() - started) * 1000, answer.status)
        return answer

    async def _answer(self, call: Call, who: Sender, record: Record) -> Answer:
        lessons, peers = self._parts.lessons if call.teaches else None, self._parts.peers
        begun = lessons.begin(call, who) if lessons else None
        try:
            await who.admit(call)
        finally:
            record.note(who.initiator)  # it may be known only now; also of a request that is refused
        if call.scope:
            await self._know(call.scope, call.route.service, record)
        facts = Facts(call.route.service, call.method, call.path, call.hops)
        decision = decide(facts, call.scope, CloudMap(self._parts.here, peers.clouds))
        record.decision, record.peer = type(decision).__name__.lower(), decision.cloud
        if isinstance(decision, Reject):
            if call.contract is not None:  # a service of the contract that its provider may publish by now
                peers.refresh_soon(call.contract.peer)
            raise decision.error
        leg = await (who.local(call) if isinstance(decision, Local) else who.remote(call, decision))
        record.note(leg.initiator)
        if isinstance(decision, Remote) and self._parts.rates.limits(decision.cloud):
            await self._parts.rates.turn(decision.cloud, call.deadline)
        elif lessons and begun is not None:
            lessons.learn(call, who, decision, leg, begun)
        answer = await send(call, leg, self._parts.pool, record)
        if answer.status == _UNAUTHORIZED and leg.recheck is not None:
            try:
                await leg.recheck()
            except BaseException:
                answer.close()
                raise
        if call.names_cloud and answer.status < _FAILED:
            answer.headers[CLOUD] = decision.cloud
        if isinstance(decision, Remote) and answer.status in _REFUSED and peers.federated(decision.cloud):
            peers.refresh_soon(decision.cloud)
        return answer

    async def _know(self, scope: Scope, service: str, record: Record) -> None:
        """Fetch the catalog of the peer that the request is for, if that peer never answered."""
        cloud = scope.only(service)
        if cloud is not None and cloud in self._parts.peers.clouds:
            record.decision, record.peer = "reject", cloud  # until it answers
            await self._parts.peers.ensure(cloud)
