"""Users of other clouds, with federated tokens: who they are here, and what the agreement with their home lets them do.

A request crosses the border once: there the agreement's rules, roles and rate hold, and ids are mapped. Towards our own
services the token gets the inner mark; what they ask of each other with it is work that has been let in, as with service tokens in
keystonemiddleware (auth_token/__init__.py, `validate_allowed_request`), and needs no rule of its own.
"""

from typing import Final

from openstackoid.core import protocol
from openstackoid.core.errors import HomeError, RateError, RoleError, RuleError, TokenScopeError
from openstackoid.core.ids import Ids
from openstackoid.core.routing import Remote
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Arrival, Call, overrides_method
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.federation.federation import Federation
from openstackoid.gateway.senders.foreign_tokens import ForeignToken, ForeignTokens
from openstackoid.gateway.senders.legs import UNCHANGED, Legs, keep_crossing
from openstackoid.gateway.senders.rates import Rates
from openstackoid.gateway.telemetry.audit import Initiator
from openstackoid.gateway.upstream.legs import Border, Leg, Rewrite
from openstackoid.trust import tokens
from openstackoid.trust.rules import allowed

_NO_PROJECT: Final = "0" * 32


class ForeignUsers:
    """Accepts federated tokens of other clouds.

    Args:
        known: verifies them.
        federation: agreements, projects, and tokens for third clouds.
        legs: what all senders' legs have in common.
    """

    def __init__(self, known: ForeignTokens, federation: Federation, legs: Legs) -> None:
        self.tokens = known
        self.federation = federation
        self.legs = legs
        self.rates = Rates()

    def accept(self, arrival: Arrival) -> "ForeignUser | None":
        """A request with a federated token.

        Where peers call, no mark counts: our own services call where users do.

        Raises:
            TrustError: the token does not count here.
        """
        if not arrival.federated or arrival.auth is None:
            return None
        text = arrival.auth.partition(tokens.MARK)[0] if arrival.listener.peers else arrival.auth
        return ForeignUser(self, self.tokens.read(text), at_peers=arrival.listener.peers)


class ForeignUser:
    """A user of another cloud who sends one request.

    Args:
        shared: what all of them need.
        token: verified.
        at_peers: whether the request came in where peers call.
    """

    __slots__ = ("_at_peers", "_shared", "_token")
    begins_here = False

    def __init__(self, shared: ForeignUsers, token: ForeignToken, *, at_peers: bool) -> None:
        self._shared = shared
        self._token = token
        self._at_peers = at_peers

    @property
    def scope(self) -> Scope:
        """Signed by the user's home."""
        return self._token.claims.scope

    @property
    def initiator(self) -> Initiator:
        """The user, as far as the token names it."""
        return self._token.initiator()

    @property
    def image_token(self) -> ForeignToken | None:
        """The token, where the user's home brings it."""
        return self._token if self._at_peers else None

    async def admit(self, call: Call) -> None:
        """Let a request in, or not.

        Raises:
            TokenError: the token's time is not now.
            RuleError, RoleError, RateError: the agreement does not allow the request.
        """
        token, cloud = self._token, self._shared.legs.cloud
        await self._shared.tokens.check_time(token, call.headers.get(protocol.SERVICE))
        grant, claims = token.agreement.grant, token.claims
        if token.inner:
            return
        if overrides_method(call):
            raise RuleError(
                f"{cloud} takes no requests that change their method on the way (_method) from other clouds."
            )
        # No project is made for what is refused: until there is one, an id that nobody chose stands for it.
        project = await self._shared.federation.projects.known(token.agreement, claims.project.id) or _NO_PROJECT
        self._check_rules(call, self._mapping(project).path(call.route.service, call.route.path))
        if not token.roles():
            raise RoleError(
                f"None of the user's roles ({', '.join(claims.roles)}) counts in {cloud}; these do: "
                f"{', '.join(sorted(grant.roles))}."
            )
        if grant.rate is not None and not self._shared.rates.take(token.agreement.id, grant.rate):
            raise RateError(
                f"{cloud} takes {grant.rate:g} requests a second from users of {claims.issuer}. Try again in a second."
            )

    async def local(self, call: Call) -> Leg:
        """To our own backend.

        Raises:
            HomeError: it is for Keystone.
            ProjectError: no project could be had.
            RuleError: no rule allows the path with its ids of this cloud.
        """
        token, legs, federation = self._token, self._shared.legs, self._shared.federation
        if call.route.service == "identity" and not is_version_document(call.route.path):
            raise HomeError(
                f"{token.claims.issuer}'s users are unknown to {legs.cloud}'s identity service: ask their own."
            )
        headers = legs.local_headers(call)
        if not token.inner:
            keep_crossing(headers)
        headers[protocol.AUTH] = tokens.marked(token.token, federation.agreements.keys)
        project = await federation.projects.local(token.agreement, token.claims.project.id)
        initiator = token.initiator(project)
        if token.inner:
            return legs.local(call, headers, initiator=initiator)
        rewrite = self._mapping(project)
        self._check_rules(call, rewrite.path(call.route.service, call.route.path))
        # What a service of ours asks for the user stays here; this answer goes to another owner's cloud.
        return legs.local(call, headers, rewrite, Border.OUT, initiator)

    async def remote(self, call: Call, decision: Remote) -> Leg:
        """To another cloud that the signed scope names: home, with the token that it made; a third, with one for it.

        Raises:
            HomeError: it is for a Keystone.
            RuleError: no rule allows it.
            TokenScopeError: it would go back to the cloud that sent it.
            OpenStackoidError: home gives no token for the third cloud.
        """
        token, legs, federation = self._token, self._shared.legs, self._shared.federation
        headers = legs.remote_headers(call, decision)
        keep_crossing(headers)
        service, claims = call.route.service, token.claims
        if service == "identity":
            raise HomeError(
                f"{decision.cloud}'s identity service is asked by its own users, in {decision.cloud} itself."
            )
        if not token.inner:
            self._check_rules(call, call.path)
            if decision.cloud in call.hops:
                raise TokenScopeError(
                    f"The token's scope leaves {service} at {decision.cloud}, which sent the request to {legs.cloud}. "
                    f"Ask {decision.cloud} for it, or name {legs.cloud} for {service} in the scope."
                )
        third = decision.cloud != claims.issuer
        headers[protocol.AUTH] = (
            await federation.exchange.token_for(decision.cloud, token.token, claims) if third else token.token
        )
        rewrite = UNCHANGED
        if token.inner:
            # Between clouds ids are those of the user's home.
            mapping = self._mapping(await federation.projects.local(token.agreement, claims.project.id))
            rewrite = Rewrite(request_ids=mapping.response_ids, response_ids=mapping.request_ids)
        return legs.remote(call, decision, headers, rewrite, Border.IN, token.initiator(), by_service=token.inner)

    def _check_rules(self, call: Call, path: str) -> None:
        """Compare the agreement's rules with a path as it is sent: home chooses its users' ids, and they are replaced on the way.

        Raises:
            RuleError: no rule allows it.
        """
        grant, method, service = self._token.agreement.grant, call.method, call.route.service
        looks = method in {"GET", "HEAD"} and is_version_document(path) and service in grant.offered
        if not looks and not allowed(grant.allows, service, method, path):
            raise RuleError(
                f"{self._shared.legs.cloud}'s agreement with {self._token.claims.issuer} has no rule that allows {method} {service} "
                f"{call.path}. It allows something of: {', '.join(grant.offered) or 'nothing'}."
            )

    def _mapping(self, project: str) -> Rewrite:
        """What becomes of ids at the border: home's on the way in, ours on the way out."""
        claims, user = self._token.claims, self._token.user
        return Rewrite(
            request_ids=Ids({claims.project.id: project}, {claims.user.id: user}),
            response_ids=Ids({project: claims.project.id}, {user: claims.user.id}),
        )
