"""Whose request it is, and what it may take along for that: to a backend of this cloud, or to a peer."""

from typing import TypeAlias
from urllib.parse import urlsplit

from openstackoid.core.errors import RuleError
from openstackoid.core.routing import Remote
from openstackoid.gateway.entry import headers as heads
from openstackoid.gateway.entry.calls import Border, Call, Way
from openstackoid.gateway.entry.scoping import explicit
from openstackoid.gateway.federation.local_catalog import LocalCatalog
from openstackoid.gateway.federation.peers import Peers
from openstackoid.gateway.senders.foreign_user import Visitor
from openstackoid.gateway.senders.local_user import Residents, host
from openstackoid.gateway.senders.returning_user import Returning
from openstackoid.gateway.senders.treaty import Treaty
from openstackoid.trust import tokens

# None: a user with a token of this cloud, or without one.
Sender: TypeAlias = Visitor | Returning | None


class Senders:
    """All who may send a request here.

    Args:
        cloud: this cloud's name.
        catalog: its catalog.
        treaty: what is agreed with clouds of other owners; None if there are none.
        peers: the clouds where a request may go.
    """

    def __init__(self, cloud: str, catalog: LocalCatalog, treaty: Treaty | None, peers: Peers) -> None:
        self._cloud = cloud
        self._treaty = treaty
        self._peers = peers
        self._residents = Residents(cloud, catalog, treaty.mint if treaty else None)

    def of(self, call: Call) -> Sender:
        """Whose request it is.

        Raises:
            TrustError: a federated token that does not count; or, where peers call, no federated token.
        """
        if self._treaty is None:
            return None
        if call.auth is not None and tokens.is_federated(call.auth):
            return self._treaty.sender(call.auth, call)
        if call.door.peers:
            self._treaty.stranger(call)
        return None

    async def local(self, call: Call, sender: Sender) -> Way:
        """To our backend, with what it may get."""
        call.border = Border.OUT if isinstance(sender, Returning) or _is_guest(sender) else Border.NONE
        if isinstance(sender, Visitor) and self._treaty:
            way = await self._treaty.visitors.local(sender, call)
        elif isinstance(sender, Returning) and self._treaty:
            way = await self._treaty.homecoming.local(sender, call)
        else:
            way = self._residents.local(call, explicit(call.scope, self._cloud))
        frontend = call.door.cloud.services[call.place.service]
        if call.door.https or frontend.startswith("https://"):
            call.headers["X-Forwarded-Proto"] = urlsplit(frontend).scheme
        return way

    async def remote(self, call: Call, sender: Sender, decision: Remote) -> Way:
        """To a peer, with what may leave this cloud."""
        call.by_service = _is_by_service(call, sender)
        call.headers.pop(heads.SERVICE, None)
        call.headers["Host"] = host(decision.url)
        whole = explicit(call.scope, self._cloud)
        federated = self._peers.federated(decision.cloud)
        call.border = Border.IN if federated or sender is not None else Border.NONE
        if isinstance(sender, Returning):
            raise RuleError(f"The token came home to {self._cloud}, and goes nowhere else.")
        if isinstance(sender, Visitor) and self._treaty:
            way = await self._treaty.visitors.remote(sender, call, decision)
        elif federated:
            way = await self._residents.federated(call, decision, whole)
        else:
            way = self._residents.passed(call, decision, whole)
        if federated and self._treaty:
            call.headers[heads.ASSERTION] = self._treaty.agreements.spoken(decision.cloud)
        call.headers[heads.HOPS] = ",".join((*call.hops, self._cloud))
        return way


def _is_guest(sender: Sender) -> bool:
    """Whether the answer goes to another owner's cloud: what our own services ask for a visitor stays here."""
    return isinstance(sender, Visitor) and not sender.inner


def _is_by_service(call: Call, sender: Sender) -> bool:
    """Whether a service may have sent the request: it came with a service's token, with a scope on the token, or from another cloud."""
    return (
        heads.SERVICE in call.request.headers
        or heads.MARK in call.request.headers.get(heads.AUTH, "")
        or bool(call.hops)
        or (isinstance(sender, Visitor) and sender.inner)
    )
