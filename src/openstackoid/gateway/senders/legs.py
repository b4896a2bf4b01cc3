"""The common parts of all senders' legs: destinations, and the headers that every gateway sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from multidict import CIMultiDict

from openstackoid.core import protocol
from openstackoid.core.border import request_passes
from openstackoid.core.catalog import Cloud
from openstackoid.core.errors import PeerTimeoutError, PeerUnreachableError
from openstackoid.core.routing import Remote
from openstackoid.core.user_data import OBJECTS
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.peers import Peers
from openstackoid.gateway.telemetry.audit import Initiator
from openstackoid.gateway.upstream.legs import Border, Hold, Leg, Recheck, Rewrite
from openstackoid.gateway.upstream.linking import Linking
from openstackoid.gateway.upstream.packing import acceptable
from openstackoid.gateway.upstream.pool import Upstream

UNCHANGED: Final = Rewrite()


@dataclass(frozen=True, slots=True)
class Legs:
    """Makes legs.

    Attributes:
        cloud: this cloud's name.
        backends: official service type -> where this cloud's service listens.
        peers: the clouds where a request may go.
        linking: tables of the URLs to replace in answers.
        agreements: with peers of other owners; None if there are none.
    """

    cloud: str
    backends: Mapping[str, Upstream]
    peers: Peers
    linking: Linking
    agreements: Agreements | None

    def local_headers(self, call: Call) -> CIMultiDict[str]:
        """Headers for a backend of this cloud; the sender changes them further."""
        headers = call.headers.copy()
        if call.hops:
            headers.pop(protocol.SERVICE, None)
        return headers

    def local(
        self,
        call: Call,
        headers: CIMultiDict[str],
        rewrite: Rewrite = UNCHANGED,
        border: Border = Border.NONE,
        initiator: Initiator | None = None,
        body: bytes | None = None,
        hold: Hold | None = None,
        recheck: Recheck | None = None,
    ) -> Leg:
        """A leg to this cloud's own backend, with the request's body if it was read, what it holds of a quota, and what to check if its token counts no more."""
        service = call.route.service
        frontend = call.listener.cloud.services[service]
        if call.listener.https or frontend.startswith("https://"):
            headers["X-Forwarded-Proto"] = urlsplit(frontend).scheme
        links = self.linking.here(
            call.listener,
            call.route,
            self._via(call),
            host=call.headers.get("Host"),
            foreign=border is Border.OUT,
        )
        _ask_readable(headers, service, rewrite, border)
        target = rewrite.target(service, call.route.path)
        upstream = self.backends[service]
        return Leg(
            self.cloud,
            upstream,
            service,
            target,
            headers,
            rewrite,
            border,
            links,
            initiator,
            body=body,
            hold=hold,
            recheck=recheck,
        )

    def remote_headers(self, call: Call, decision: Remote) -> CIMultiDict[str]:
        """Headers for a peer, without the service token, which belongs to the cloud that issued it; the sender changes them further."""
        headers = call.headers.copy()
        headers.pop(protocol.SERVICE, None)
        headers["Host"] = urlsplit(decision.url).netloc
        return headers

    def remote(
        self,
        call: Call,
        decision: Remote,
        headers: CIMultiDict[str],
        rewrite: Rewrite = UNCHANGED,
        border: Border = Border.NONE,
        initiator: Initiator | None = None,
        *,
        by_service: bool = False,
        body: bytes | None = None,
    ) -> Leg:
        """A leg to a peer.

        Args:
            call: the request.
            decision: where the request goes.
            headers: the result of `remote_headers`, changed by the sender.
            rewrite: changes to the request and its answer.
            border: the border that the answer crosses.
            initiator: the user behind the request.
            by_service: whether the sender knows that a service sent the request.
            body: the request's body, if the sender has read it.

        Raises:
            PeerUnreachableError: the peer was removed meanwhile.
            ContractPassThroughError: the peer gets users' tokens, and a contract with it is in use.
        """
        name, service = decision.cloud, call.route.service
        peer = self.peers.clouds.get(name)
        if peer is None:
            raise PeerUnreachableError(f"{name} is a peer of {self.cloud} no more.")
        if self.agreements is not None:
            if self.peers.federated(name):
                headers[protocol.ASSERTION] = self.agreements.assertions.assertion_for(name)
            else:
                self.agreements.check_pass_through(name)
        headers[protocol.HOPS] = ",".join((*call.hops, self.cloud))
        _ask_readable(headers, service, rewrite, border)
        links = self.linking.there(peer, call.listener, call.route, foreign=border is Border.IN)
        upstream = Upstream(name, decision.url, PeerUnreachableError, PeerTimeoutError, far=True)
        target = rewrite.target(service, call.route.path)
        by_service = by_service or _may_be_by_service(call)
        return Leg(name, upstream, service, target, headers, rewrite, border, links, initiator, by_service, body)

    def _via(self, call: Call) -> Cloud | None:
        """The cloud that forwarded the request, if it is a peer."""
        return self.peers.clouds.get(call.hops[-1]) if call.hops else None


def keep_crossing(headers: CIMultiDict[str]) -> None:
    """Remove every request header that may not cross to or from another owner's cloud."""
    for name in [name for name in headers if not request_passes(name)]:
        headers.popall(name, None)


def _ask_readable(headers: CIMultiDict[str], service: str, rewrite: Rewrite, border: Border) -> None:
    """Ask for an uncompressed answer, if the answer is certainly read; else for one that can be unpacked, if there is something to change in it."""
    ids = rewrite.response_ids
    if (
        rewrite.resources is not None
        or (ids is not None and ids.changes)
        or (border is not Border.NONE and service != OBJECTS)
    ):
        headers["Accept-Encoding"] = "identity"
    elif service != OBJECTS and "Accept-Encoding" in headers:
        headers["Accept-Encoding"] = acceptable(headers["Accept-Encoding"])


def _may_be_by_service(call: Call) -> bool:
    """Whether a service may have sent a request: the request has a service token, a scope on its token, or came from another cloud."""
    given = call.request.headers
    return protocol.SERVICE in given or protocol.MARK in given.get(protocol.AUTH, "") or bool(call.hops)
