"""Users of other clouds in a region that this cloud resells: admitted here under one contract, and sent on under another, in this cloud's name.

What stands here for the user and the project, as for any foreign user, is what the provider gets pseudonyms of. The provider's answer has those,
and goes back with the ids of the user's home.
"""

from typing import Final

from openstackoid.core import protocol
from openstackoid.core.errors import NotInRegionError
from openstackoid.core.ids import both_ways
from openstackoid.core.routing import Remote
from openstackoid.core.scope import Scope
from openstackoid.core.shares import share
from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.senders.foreign_tokens import ForeignToken
from openstackoid.gateway.senders.foreign_user import ForeignUser, ForeignUsers
from openstackoid.gateway.senders.legs import keep_crossing
from openstackoid.gateway.upstream.legs import Border, Leg, Rewrite

_IDENTITY: Final = "identity"


class ResoldUsers(ForeignUsers):
    """Accepts federated tokens of other clouds, for this cloud's services or for regions that it resells."""

    def sender(self, token: ForeignToken, *, at_peers: bool) -> ForeignUser:
        """The sender of a request with a token."""
        kind = ResoldUser if token.agreement.resold and not token.inner else ForeignUser
        return kind(self, token, at_peers=at_peers)


class ResoldUser(ForeignUser):
    """A user of another cloud who sends one request to a region that this cloud resells."""

    __slots__ = ()
    image_token: ForeignToken | None = None  # HAProxy learns no way through two contracts

    @property
    def scope(self) -> Scope:
        """That of the region: where the user's home says this cloud, its provider is meant."""
        token, cloud = self._token, self._shared.legs.cloud
        signed = token.claims.scope
        if not signed.leads_to(cloud):
            return signed
        return Scope.of_region(self._shared.federation.resale.contract(token.agreement.resold).peer, cloud)

    async def remote(self, call: Call, decision: Remote) -> Leg:
        """A leg to the provider.

        Raises:
            ProjectError, FrozenProjectError, ShareError: as `ForeignUser.local`.
            NotInRegionError, OutsideRegionError: the request names what is not in the virtual region.
            AgreementError, RoleError: the contract with the provider does not allow it.
        """
        token, shared = self._token, self._shared
        claims, region, legs, federation = token.claims, token.agreement.resold, shared.legs, shared.federation
        if not claims.scope.leads_to(legs.cloud, call.service):
            return await super().remote(call, decision)  # to a third cloud that the signed scope names
        project = await federation.projects.local(token.agreement, claims.project.id)
        await self._check_state(project)
        issued = federation.resale.token(token.token, claims, token.user, project, token.roles(), region)
        projects, body = {claims.project.id: issued.project_pseudonym}, None
        if (sharing := share(call.service, call.route.path)) is not None:
            others, body = await shared.sharing.others(call, sharing, token.agreement)
            known = {foreign: federation.resale.project(local, region) for foreign, local in others.items()}
            projects = known | projects
        named = token.agreement.resources
        resources = named.of(issued.project_pseudonym) if named.concerns(call.service) else None
        there, back = both_ways(projects, claims.user.id, issued.pseudonym)
        rewrite = Rewrite(request_ids=there, response_ids=back, resources=resources)
        path = rewrite.path(call.service, call.route.path)
        self._check_rules(call, path)
        if resources is not None:
            resources.path(call.service, path)
            if resources.image_to_check(call.service, path) is not None:
                raise NotInRegionError(f"{legs.cloud} cannot say which images of a region that it resells are in it.")
            if resources.networks_to_check(call.service, call.method, path):
                # The provider is asked as for the request itself, in this cloud's name.
                own = {protocol.AUTH: issued.token, protocol.HOPS: legs.cloud}
                own[protocol.ASSERTION] = federation.agreements.assertions.assertion_for(decision.cloud)
                body = await shared.networks.check(resources, call.request, own, decision)
        headers = legs.remote_headers(call, decision)
        keep_crossing(headers)
        headers[protocol.AUTH] = issued.token
        leg = legs.remote(call, decision, headers, rewrite, Border.IN, token.initiator(project), body=body)
        leg.headers[protocol.HOPS] = legs.cloud  # nothing tells of the clouds before this one
        return leg
