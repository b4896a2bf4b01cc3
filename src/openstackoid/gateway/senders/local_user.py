"""Users with plain tokens, or without one, and with a scope that they chose: of this cloud, or of one that passes tokens through."""

from functools import partial
from typing import Final

from openstackoid.core import id_forms, protocol
from openstackoid.core import scope as scopes
from openstackoid.core.errors import HomeError, TokenScopeError
from openstackoid.core.ids import both_ways
from openstackoid.core.routing import Remote
from openstackoid.core.scope import Scope
from openstackoid.core.shares import share
from openstackoid.gateway.entry import headers as hdrs
from openstackoid.gateway.entry.calls import Arrival, Call, overrides_method
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.entry.scoping import explicit
from openstackoid.gateway.federation import access_rules
from openstackoid.gateway.federation.issuer import IssuedToken, TokenIssuer
from openstackoid.gateway.federation.local_catalog import LocalCatalog, holds_catalog
from openstackoid.gateway.senders.foreign_tokens import ForeignToken
from openstackoid.gateway.senders.legs import UNCHANGED, Legs, keep_crossing
from openstackoid.gateway.senders.sharing import named_in_body
from openstackoid.gateway.telemetry.audit import Initiator
from openstackoid.gateway.upstream.legs import Border, CacheableToken, Leg, Rewrite, RewriteBody
from openstackoid.trust.contracts import ContractGrant, ContractSide
from openstackoid.trust.rules import Rule

_IDENTITY: Final = "identity"


class LocalUser:
    """A user of this cloud. It holds no state of a request, so all such users share one object.

    Args:
        catalog: this cloud's.
        issuer: makes federated tokens; None in a cloud without federated peers.
        legs: makes legs; shared by all senders.
    """

    scope: Scope | None = None
    initiator: Initiator | None = None
    image_token: ForeignToken | None = None
    begins_here: bool = True

    def __init__(self, catalog: LocalCatalog, issuer: TokenIssuer | None, legs: Legs) -> None:
        self._catalog = catalog
        self._issuer = issuer
        self._legs = legs

    def accept(self, _arrival: Arrival) -> "LocalUser | None":
        """Accept every request that no other kind of sender accepts."""
        return self

    async def admit(self, call: Call) -> None:
        """Admit everybody: Keystone and the services check plain tokens."""

    async def local(self, call: Call) -> Leg:
        """A leg to our own backend: the scope is appended to the token, so that it follows the workflow.

        Keystone reads plain tokens only. And a scope that leads to no other cloud means the same as a plain token: requests stay in this cloud.
        """
        headers, identity = self._legs.local_headers(call), call.route.service == _IDENTITY
        if call.subject is not None:
            headers[protocol.SUBJECT] = call.subject
        if call.auth is not None:
            headers[protocol.AUTH] = call.auth
            if call.scope and not identity:
                whole = explicit(call.scope, self._legs.cloud)
                if not whole.only_names(self._legs.cloud):
                    headers[protocol.AUTH] = hdrs.with_scope(call.auth, whole)
        if identity and call.route.saved_scope and holds_catalog(call.route.path):
            return self._legs.local(call, headers, Rewrite(self._in_scope(call, None)))
        return self._legs.local(call, headers)

    async def remote(self, call: Call, decision: Remote) -> Leg:
        """A leg to a peer: of the same owner with the user's own token, of another owner with a token that is valid at that peer alone.

        Raises:
            HomeError: the request is for the Keystone of another owner.
            OpenStackoidError: no token could be issued.
        """
        whole = explicit(call.scope, self._legs.cloud)
        if self._legs.peers.federated(decision.cloud):
            return await self._federated(call, decision, whole)
        if call.route.service == _IDENTITY and holds_catalog(call.route.path):
            await self._catalog.refresh(call.auth)
        return self._passed(call, decision, whole)

    def _passed(self, call: Call, decision: Remote, whole: Scope) -> Leg:
        """A leg to a peer of the same owner."""
        headers, identity = self._legs.remote_headers(call, decision), call.route.service == _IDENTITY
        headers[protocol.SCOPE] = scopes.format(whole)
        edit = None
        if identity and holds_catalog(call.route.path):
            validates = call.subject is not None and call.method in {"GET", "HEAD"}
            edit = self._in_scope(call, self._catalog.validated if validates else self._catalog.replace)
        if identity and call.subject is not None:
            headers[protocol.SUBJECT] = call.subject
            if call.method in {"GET", "HEAD"}:
                # The token validates itself: the caller's own token means nothing in the other cloud.
                headers[protocol.AUTH] = call.subject
                return self._legs.remote(call, decision, headers, Rewrite(edit))
            if not call.caller_scope.leads_to(decision.cloud, _IDENTITY):
                # The revoking token must be of that cloud as well: a token of another cloud is not sent there.
                return self._legs.remote(call, decision, headers, Rewrite(edit))
        if call.auth is not None:
            headers[protocol.AUTH] = call.auth
        return self._legs.remote(call, decision, headers, Rewrite(edit) if edit else UNCHANGED)

    def _in_scope(self, call: Call, edit: RewriteBody | None) -> RewriteBody | None:
        """A change to an answer with a catalog, and what a saved scope adds to it."""
        return edit if call.route.saved_scope is None else partial(self._catalog.scoped, edit)

    async def _federated(self, call: Call, decision: Remote, whole: Scope) -> Leg:
        """A leg to a peer of another owner: only the federated token identifies the user."""
        headers, service = self._legs.remote_headers(call, decision), call.route.service
        keep_crossing(headers)
        open_to_all = call.auth is None and is_version_document(call.route.path)
        if service == _IDENTITY and not open_to_all:
            raise HomeError(
                f"{decision.cloud}'s identity service is asked in {decision.cloud} itself: no password and no token crosses to "
                f"another owner's cloud. Log in there, or name {self._legs.cloud} for identity in the scope."
            )
        if call.auth is None or self._issuer is None:
            return self._legs.remote(call, decision, headers, border=Border.IN)
        if call.contract is not None and call.contract.pass_through:
            return self._under_contract(call, call.contract, decision)
        if overrides_method(call):
            raise TokenScopeError(
                "A request that changes its method on the way (_method) goes to no other owner's cloud."
            )
        asked = Rule(service, call.method, call.path)
        issued = await self._issuer.for_peer(call.auth, decision.cloud, whole, asked, call.contract)
        headers[protocol.AUTH] = issued.token
        initiator = Initiator(self._legs.cloud, issued.user, issued.project, agreement=issued.agreement)
        body = None
        cacheable = None
        if issued.limits is None:
            # Keystone validates the user's token every `recheck` seconds: the federated token may replace it for no longer than that.
            until = min(issued.renew, self._issuer.trusted_until(call.auth))
            cacheable = CacheableToken(issued.token, until, issued.user, issued.project, issued.agreement)
        if (issued.pseudonym, issued.project_pseudonym) == (issued.user, issued.project):
            rewrite = Rewrite(cacheable=cacheable)
        else:
            projects, body = await self._pseudonyms(call, issued)
            there, back = both_ways(projects, issued.user, issued.pseudonym)
            rewrite = Rewrite(cacheable=cacheable, request_ids=there, response_ids=back)
            access_rules.check(issued.limits, Rule(service, call.method, rewrite.path(service, call.route.path)))
        return self._legs.remote(call, decision, headers, rewrite, Border.IN, initiator, body=body)

    def _under_contract(self, call: Call, contract: ContractGrant, decision: Remote) -> Leg:
        """A leg to a provider of the same owner, which takes the user's own token: it asks this cloud what that means under the contract, and admits or refuses the request."""
        headers = self._legs.remote_headers(call, decision)
        keep_crossing(headers)
        if self._legs.agreements is not None:
            self._legs.agreements.passing(contract.peer, contract.id, ContractSide.CONSUMER)
        headers[protocol.AUTH] = call.auth or ""
        headers[protocol.CONTRACT] = contract.id
        initiator = Initiator(self._legs.cloud, agreement=contract.id)
        return self._legs.remote(call, decision, headers, border=Border.IN, initiator=initiator)

    async def _pseudonyms(self, call: Call, issued: IssuedToken) -> tuple[dict[str, str], bytes | None]:
        """Our projects in a request -> their pseudonyms at a peer, and the request's body if it had to be read: it may name another project."""
        shared = share(call.route.service, call.route.path)
        if self._issuer is None or shared is None or issued.project_pseudonym == issued.project:
            return {issued.project: issued.project_pseudonym}, None
        body, named = await named_in_body(call, shared)
        others = {other for other in named | shared.named if id_forms.is_project(other)}
        known = {other: self._issuer.project_pseudonym(other, issued.party) for other in others}
        return known | {issued.project: issued.project_pseudonym}, body


class PassThroughUser(LocalUser):
    """A user whose plain token another cloud of the same owner passed on."""

    begins_here: bool = False

    def accept(self, arrival: Arrival) -> "PassThroughUser | None":
        """Accept a request that passed through another cloud before this one."""
        return self if arrival.hops else None
