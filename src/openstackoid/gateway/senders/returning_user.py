"""Our own users' federated tokens when they come home: a service of another cloud asks ours on behalf of one of our users.

The federated token contains the user's own token, so its rights here are narrow: services that the signed scope gives to this
cloud, requests that the agreement's `home` rules name, never Keystone; and only the gateway of the cloud that the token was issued
for may send it.
"""

import time

from openstackoid.core import protocol
from openstackoid.core.errors import RuleError, TokenError
from openstackoid.core.ids import both_ways
from openstackoid.core.routing import Remote
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry import headers as hdrs
from openstackoid.gateway.entry.calls import Arrival, Call, overrides_method
from openstackoid.gateway.federation import home_requests
from openstackoid.gateway.federation.federation import Federation
from openstackoid.gateway.senders.foreign_tokens import ForeignToken
from openstackoid.gateway.senders.legs import UNCHANGED, Legs, keep_crossing
from openstackoid.gateway.telemetry.audit import Initiator
from openstackoid.gateway.upstream.legs import Border, Leg, Rewrite
from openstackoid.trust import tokens
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.claims import Claims
from openstackoid.trust.rules import Rule
from openstackoid.trust.sealing import unseal


class ReturningUsers:
    """Accepts federated tokens of this cloud's own users.

    Args:
        federation: agreements with the clouds that may send such tokens, and our users' Keystone.
        legs: makes legs; shared by all senders.
        at_peers_only: whether there is a peering address: such a token then counts at that address only.
    """

    def __init__(self, federation: Federation, legs: Legs, *, at_peers_only: bool) -> None:
        self.federation = federation
        self.legs = legs
        self._at_peers_only = at_peers_only

    def accept(self, arrival: Arrival) -> "ReturningUser | None":
        """A request with a federated token of this cloud.

        Raises:
            TrustError: the token is not accepted here.
        """
        if not arrival.federated or arrival.auth is None:
            return None
        token, _, _ = arrival.auth.partition(tokens.MARK)
        home, _ = tokens.issuer(token)
        if home != self.legs.cloud:
            return None
        if self._at_peers_only and not arrival.listener.peers:
            raise TokenError(f"The token is {home}'s for another cloud: here its user has one of {home}'s own.")
        return ReturningUser(self, *self.read(token, arrival.request.headers.get(protocol.ASSERTION)))

    def read(self, token: str, assertion: str | None) -> tuple[Claims, Agreement]:
        """The claims of a token, and the agreement with the cloud that sent it.

        Raises:
            TokenError: the token is invalid, or sent by another cloud than it was issued for.
            AgreementError: the agreement with the sending cloud is not in force.
        """
        agreements, trust = self.federation.agreements, self.federation.trust
        claims = tokens.verify(token, agreements.peer_keys.ring(self.legs.cloud))
        bringer = agreements.assertions.authenticate_peer(assertion)
        if bringer != claims.audience:
            raise TokenError(f"The token was made for {claims.audience}, and {bringer} brings it.")
        agreement = agreements.active_agreement(bringer)
        now = time.time()
        # An expired federated token is accepted: the user's token inside has its own expiry, which Keystone checks.
        if claims.early(now, trust.skew) or claims.expired(now, trust.skew + trust.allow_expired_window):
            raise TokenError("The token's time is over, or has not come.")
        return claims, agreement


class ReturningUser:
    """One of our users, for whom another cloud sends one request.

    Args:
        shared: the parts that all senders of this kind share.
        claims: of the token.
        agreement: with the cloud that sent it.
    """

    __slots__ = ("_agreement", "_claims", "_shared")
    begins_here = False
    image_token: ForeignToken | None = None

    def __init__(self, shared: ReturningUsers, claims: Claims, agreement: Agreement) -> None:
        self._shared = shared
        self._claims = claims
        self._agreement = agreement

    @property
    def scope(self) -> Scope:
        """Signed by this cloud."""
        return self._claims.scope

    @property
    def initiator(self) -> Initiator:
        """The user, as the token names it, perhaps by a pseudonym."""
        return self._initiator(None, self._claims.project.id)

    async def admit(self, call: Call) -> None:
        """Admit the request: `local` and `remote` check its rights."""

    async def local(self, call: Call) -> Leg:
        """A leg to our own backend, with the user's own token.

        Raises:
            RuleError: the signed scope, or the agreement, does not lead here.
            TokenError: the user's own token is not valid any more.
        """
        claims, service, legs = self._claims, call.route.service, self._shared.legs
        if not claims.scope.leads_to(legs.cloud, service):
            raise RuleError(f"The token's scope does not take {service} from {legs.cloud}.")
        if overrides_method(call):
            raise RuleError(
                f"{legs.cloud} takes no requests that change their method on the way (_method) from other clouds."
            )
        self._check_rules(call, call.path)
        federation = self._shared.federation
        own = unseal(claims.sealed, federation.agreements.keys)
        body = await federation.keystone.token(own)
        if body is None:
            raise TokenError(f"The user's token is not valid any more in {legs.cloud}, its own cloud.")
        user, project = str(body["user"]["id"]), str((body.get("project") or {}).get("id"))
        headers = legs.local_headers(call)
        keep_crossing(headers)
        headers[protocol.AUTH] = hdrs.with_scope(own, claims.scope)
        rewrite = UNCHANGED
        if (claims.user.id, claims.project.id) != (user, project):
            there, back = both_ways({claims.project.id: project}, claims.user.id, user)
            rewrite = Rewrite(request_ids=there, response_ids=back)
            self._check_rules(call, rewrite.path(service, call.route.path))
        return legs.local(call, headers, rewrite, Border.OUT, self._initiator(user, project))

    async def remote(self, call: Call, decision: Remote) -> Leg:  # noqa: ARG002 - the Protocol's
        """Refuse: such a request goes to no other cloud.

        Raises:
            RuleError: always.
        """
        raise RuleError(f"The token came home to {self._shared.legs.cloud}, and goes nowhere else.")

    def _initiator(self, user: str | None, project: str) -> Initiator:
        return Initiator(self._shared.legs.cloud, user, project, agreement=self._agreement.id)

    def _check_rules(self, call: Call, path: str) -> None:
        """Check a path against the `home` rules: as it arrived, before Keystone is asked, and again as it is sent.

        Raises:
            RuleError: no rule allows the path.
        """
        agreements, cloud = self._shared.federation.agreements, self._shared.legs.cloud
        statement = agreements.statements.get(self._agreement.peer)
        scope = self._claims.scope
        home_requests.check(cloud, self._agreement, statement, scope, Rule(call.route.service, call.method, path))
