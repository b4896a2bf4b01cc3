"""Users of other clouds, with federated tokens: their identity here, and the rights that the agreement with their home grants.

A request crosses the border once: there the agreement's rules, roles and rate are enforced, and ids are mapped. For our own
services the token gets the inner mark; requests that they send to each other with it belong to admitted work and need no rule of their own,
as with service tokens in keystonemiddleware (auth_token/__init__.py, `validate_allowed_request`).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

from multidict import CIMultiDict

from openstackoid.core import protocol
from openstackoid.core.errors import FrozenProjectError, HomeError, RateError, RoleError, RuleError, TokenScopeError
from openstackoid.core.ids import both_ways
from openstackoid.core.routing import Remote
from openstackoid.core.scope import Scope
from openstackoid.core.shares import share
from openstackoid.gateway.entry.calls import Arrival, Call, overrides_method
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.federation.federation import Federation
from openstackoid.gateway.quotas.requests import Quotas
from openstackoid.gateway.senders.foreign_tokens import ForeignToken, ForeignTokens
from openstackoid.gateway.senders.legs import UNCHANGED, Legs, keep_crossing
from openstackoid.gateway.senders.region_images import RegionImages
from openstackoid.gateway.senders.region_networks import RegionNetworks
from openstackoid.gateway.senders.sharing import Sharing
from openstackoid.gateway.telemetry.audit import Initiator
from openstackoid.gateway.upstream.legs import Border, Leg, Rewrite
from openstackoid.gateway.upstream.rates import Rates
from openstackoid.trust import tokens
from openstackoid.trust.rules import allowed, is_canonical

_NO_PROJECT: Final = "0" * 32


class ForeignUsers:
    """Accepts federated tokens of other clouds.

    Args:
        known: verifies the tokens.
        federation: agreements, projects, and tokens for third clouds.
        legs: makes legs; shared by all senders.
        images, networks: say which images and networks are in a virtual region.
        rates: of the agreements.
        quotas: of virtual regions.
    """

    def __init__(
        self,
        known: ForeignTokens,
        federation: Federation,
        legs: Legs,
        images: RegionImages,
        networks: RegionNetworks,
        rates: Rates,
        quotas: Quotas,
    ) -> None:
        self.images = images
        self.networks = networks
        self.quotas = quotas
        self.tokens = known
        self.federation = federation
        self.legs = legs
        self.rates = rates
        self.sharing = Sharing(legs.cloud, federation.projects)

    def accept(self, arrival: Arrival) -> "ForeignUser | None":
        """A request with a federated token.

        At the peering address no inner mark counts: our own services call the frontends.

        Raises:
            TrustError: the token is not accepted here.
        """
        if not arrival.federated or arrival.auth is None:
            return None
        text = arrival.auth.partition(tokens.MARK)[0] if arrival.listener.peers else arrival.auth
        return self.sender(self.tokens.read(text), at_peers=arrival.listener.peers)

    def sender(self, token: ForeignToken, *, at_peers: bool) -> "ForeignUser":
        """The sender of a request with a token."""
        return ForeignUser(self, token, at_peers=at_peers)


class ForeignUser:
    """A user of another cloud who sends one request.

    Args:
        shared: the parts that all senders of this kind share.
        token: verified.
        at_peers: whether the request arrived at the peering address.
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
        """The user, as the token names it."""
        return self._token.initiator()

    @property
    def image_token(self) -> ForeignToken | None:
        """The token, if the user's home cloud sent the request."""
        return self._token if self._at_peers else None

    async def admit(self, call: Call) -> None:
        """Admit or refuse a request.

        Raises:
            TokenError: the token is not valid now.
            RuleError, RoleError, RateError: the agreement does not allow the request.
            FrozenProjectError: the project that stands for the user's is disabled or deleted.
        """
        token, cloud = self._token, self._shared.legs.cloud
        await self._shared.tokens.check_time(token, call.headers.get(protocol.SERVICE))
        grant, claims = token.agreement.grant, token.claims
        federation = self._shared.federation
        # No project is created for a refused request: while there is none, `_NO_PROJECT` stands for it in the check.
        project = await federation.projects.known(token.agreement, claims.project.id)
        if token.inner:
            await self._check_state(project)
            return
        if overrides_method(call):
            raise RuleError(
                f"{cloud} takes no requests that change their method on the way (_method) from other clouds."
            )
        self._check_rules(call, self._mapping(project or _NO_PROJECT).path(call.route.service, call.route.path))
        if not token.roles():
            raise RoleError(
                f"None of the user's roles ({', '.join(claims.roles)}) counts in {cloud}; these do: "
                f"{', '.join(sorted(grant.roles))}."
            )
        if grant.rate is not None and not await self._shared.rates.admits(token.agreement.id, grant.rate):
            raise RateError(
                f"{cloud} takes {grant.rate:g} requests a second from users of {claims.issuer}. Try again in a second."
            )
        await self._check_state(project)

    async def local(self, call: Call) -> Leg:
        """A leg to our own backend.

        Raises:
            HomeError: the request is for Keystone.
            ProjectError: no project could be had.
            FrozenProjectError: the project is disabled or deleted.
            ShareError: the request shares with what is no project.
            RuleError: no rule allows the path with the ids of this cloud.
            NotInRegionError, OutsideRegionError: the request names what is not in the virtual region.
            RegionQuotaError: the virtual region has not enough left for it.
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
        await self._check_state(project)
        initiator = token.initiator(project)
        named, service = token.agreement.resources, call.route.service
        resources = named.of(project) if named.concerns(service) else None
        if token.inner:
            # What nova asks of glance and neutron for its users is what they may use, too.
            return await self._counted(call, headers, Rewrite(resources=resources), project, initiator)
        others: Mapping[str, str] = {}
        body, shared = None, share(call.route.service, call.route.path)
        if shared is not None:
            others, body = await self._shared.sharing.others(call, shared, token.agreement)
        rewrite = replace(self._mapping(project, others), resources=resources)
        path = rewrite.path(call.route.service, call.route.path)
        self._check_rules(call, path)
        if resources is not None:
            resources.path(service, path)
            await self._shared.images.check(resources, service, path, headers[protocol.AUTH])
            if resources.networks_to_check(service, call.method, path):
                body = await self._shared.networks.check(
                    resources, call.request, {protocol.AUTH: headers[protocol.AUTH]}
                )
        return await self._counted(call, headers, rewrite, project, initiator, body)

    async def _counted(
        self,
        call: Call,
        headers: CIMultiDict[str],
        rewrite: Rewrite,
        project: str,
        initiator: Initiator,
        body: bytes | None = None,
    ) -> Leg:
        """The leg of a request, after what it takes of a region's quota was admitted."""
        token, quotas = self._token, self._shared.quotas
        path, hold = rewrite.path(call.service, call.route.path), None
        if token.agreement.quota:
            allowance = await quotas.allowance(token.agreement, project, call, path)
            if allowance is not None:
                rewrite = replace(rewrite, rewrite_body=allowance.rewrite)
            if body is None or call.service == "network":
                hold, body = await quotas.admit(token.agreement, project, call, path, headers[protocol.AUTH], body)
        # Only the answer to the user goes to another owner's cloud: answers to our own services' requests stay here.
        border = Border.NONE if token.inner else Border.OUT
        recheck = partial(self._recheck, project, call.headers.get(protocol.SERVICE))
        return self._shared.legs.local(call, headers, rewrite, border, initiator, body, hold, recheck)

    async def remote(self, call: Call, decision: Remote) -> Leg:
        """A leg to another cloud that the signed scope names: to the home cloud with the token that it issued, to a third cloud with a token for that cloud.

        Raises:
            HomeError: the request is for a Keystone.
            RuleError: no rule allows the request.
            TokenScopeError: the request would go back to the cloud that sent it.
            OpenStackoidError: the home cloud gives no token for the third cloud.
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
            # Requests between clouds carry the ids of the user's home.
            mapping = self._mapping(await federation.projects.local(token.agreement, claims.project.id))
            rewrite = Rewrite(request_ids=mapping.response_ids, response_ids=mapping.request_ids)
        return legs.remote(call, decision, headers, rewrite, Border.IN, token.initiator(), by_service=token.inner)

    async def _recheck(self, project: str, service_token: str | None) -> None:
        """Check again what may have ended since the request was admitted: its service knows no other reason than that the token is not valid.

        Raises:
            TokenError, AgreementError, ContractSuspendedError, FrozenProjectError: what ended.
        """
        known, federation = self._shared.tokens, self._shared.federation
        await federation.agreements.refresh()
        known.read(self._token.token)
        await known.check_time(self._token, service_token)
        await self._check_state(project, fresh=True)

    async def _check_state(self, project: str | None, *, fresh: bool = False) -> None:
        """Check that this cloud's Keystone still lets the project be used; the project is made for the first request only."""
        token, federation = self._token, self._shared.federation
        if project is None:
            return
        try:
            await federation.project_states.check(token.agreement, project, fresh=fresh)
        except FrozenProjectError:
            federation.projects.forget(token.agreement, token.claims.project.id)
            raise

    def _check_rules(self, call: Call, path: str) -> None:
        """Check a path as it is sent, with replaced ids, against the agreement's rules: the home cloud chooses its users' ids.

        Raises:
            RuleError: no rule allows the path.
        """
        grant, method, service = self._token.agreement.grant, call.method, call.route.service
        looks = method in {"GET", "HEAD"} and is_version_document(path) and service in grant.offered
        if not looks and not allowed(grant.allows, service, method, path):
            raise RuleError(
                f"{self._shared.legs.cloud}'s agreement with {self._token.claims.issuer} has no rule that allows {method} {service} "
                f"{call.path}. It allows something of: {', '.join(grant.offered) or 'nothing'}."
            )
        if not looks and not is_canonical(service, path):
            raise RuleError(
                f"{self._shared.legs.cloud} takes image requests from other clouds at /v2/ alone, not at {call.path}."
            )

    def _mapping(self, project: str, others: Mapping[str, str] = MappingProxyType({})) -> Rewrite:
        """The mapping of ids at the border: home's ids in requests become ours, and ours in answers become home's.

        Args:
            project: stands here for the user's own project.
            others: other projects of the user's home -> those that stand for them here.
        """
        claims, user = self._token.claims, self._token.user
        own = claims.project.id
        there, back = both_ways({**others, own: project}, claims.user.id, user)
        return Rewrite(request_ids=there, response_ids=back)
