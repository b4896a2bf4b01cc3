"""The way of one request through the gateway: one request in, one decision, one answer out.

route (which service) -> sender (whose token) -> scope (which clouds) -> one cloud:      `one_cloud`
                                                                      -> several clouds: `several_clouds`
"""

from aiohttp import web

from openstackoid.core import errors
from openstackoid.gateway.api.endpoints import is_own
from openstackoid.gateway.entry.calls import Arrival, read
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.entry.targets import split_target
from openstackoid.gateway.one_cloud import OneCloud
from openstackoid.gateway.parts import Parts
from openstackoid.gateway.replicas.asking import Asker
from openstackoid.gateway.replicas.sealed import Request
from openstackoid.gateway.senders.selection import sender
from openstackoid.gateway.senders.token_body import token_not_found
from openstackoid.gateway.several_clouds import SeveralClouds
from openstackoid.gateway.telemetry.audit import Record


class App:
    """Serves requests.

    Args:
        parts: the parts that serve them.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._one = OneCloud(parts)
        self._several = SeveralClouds(parts, self._one)

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
        try:
            return await self._route(read(request, listener, route, record.global_request_id, host), record)
        except errors.OpenStackoidError as error:
            error.of_versions = is_version_document(route.path)
            raise

    async def _route(self, arrival: Arrival, record: Record) -> web.StreamResponse:
        request, listener, route = arrival.request, arrival.listener, arrival.route
        if listener.peers:
            record.path = arrival.path  # as in the line of the cloud that it came from
        if arrival.validates_federated:
            return await self._validate(arrival, record)
        who = sender(self._parts.kinds, arrival)
        record.note(who.initiator)
        call = self._parts.scoping.follow(arrival, who.scope)
        record.scope = call.scope or None
        if who.begins_here and call.scope.has_operators:
            return await self._several.serve(call, who, record)
        if who.begins_here and call.scope and request.method == "GET" and is_version_document(route.path):
            return await self._one.version_document(call, who, record)
        return await self._one.pass_on(call, who, record)

    def restore(self, request: Request) -> Asker:
        """What asks clouds on behalf of the user of an operation that another gateway began."""
        return self._several.restore(request)

    async def _validate(self, arrival: Arrival, record: Record) -> web.StreamResponse:
        record.decision, record.peer = "local", self._parts.here.name
        if self._parts.validation is None or arrival.listener.peers:
            return token_not_found("federated tokens are not known here")
        return await self._parts.validation.answer(arrival, record)


def _is_websocket(request: web.BaseRequest) -> bool:
    """Whether a request asks for a WebSocket (RFC 6455, 4.1); other upgrades, as `h2c`, may be ignored."""
    return "Upgrade" in request.headers and "websocket" in request.headers["Upgrade"].lower()
