"""Our own users' federated tokens when they come home: a service of another cloud asks ours on behalf of one of our users.

What is inside is the user's own token, so what it may do here is narrow: services that the signed scope gives to this
cloud, requests that the agreement's `home` rules name, never Keystone; and only the gateway of the cloud that the token was made
for may bring it.
"""

import time
from dataclasses import dataclass

from openstackoid.core.errors import RuleError, TokenError
from openstackoid.core.ids import Ids
from openstackoid.gateway.entry import headers as heads
from openstackoid.gateway.entry.calls import Call, Way, overrides
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.gateway.senders.local_user import clean
from openstackoid.gateway.settings.peering import Trust
from openstackoid.trust import tokens
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.claims import Claims
from openstackoid.trust.rules import allowed
from openstackoid.trust.sealing import unseal


@dataclass(frozen=True, slots=True)
class Returning:
    """One of our users, on behalf of whom another cloud asks."""

    claims: Claims


class Homecoming:
    """What is done with such requests.

    Args:
        cloud: this cloud's name.
        agreements: with those who may bring tokens.
        keystone: who knows our users.
        trust: times.
    """

    def __init__(self, cloud: str, agreements: Agreements, keystone: Keystone, trust: Trust) -> None:
        self._cloud = cloud
        self._agreements = agreements
        self._keystone = keystone
        self._trust = trust

    def read(self, token: str, assertion: str | None) -> Returning:
        """Whose token it is.

        Raises:
            TokenError: it is not good, or brought by somebody else.
            AgreementError: the agreement with who brings it is not in force.
        """
        claims = tokens.verify(token, self._agreements.ring(self._cloud))
        bringer = self._agreements.speaker(assertion)
        if bringer != claims.audience:
            raise TokenError(f"The token was made for {claims.audience}, and {bringer} brings it.")
        self._agreements.ours(bringer)
        now = time.time()
        # It may be late: what is inside has a time of its own, and Keystone looks at it.
        if claims.early(now, self._trust.skew) or claims.expired(
            now, self._trust.skew + self._trust.allow_expired_window
        ):
            raise TokenError("The token's time is over, or has not come.")
        return Returning(claims)

    async def local(self, returning: Returning, call: Call) -> Way:
        """To our own backend, as the user.

        Raises:
            RuleError: the signed scope, or the agreement, does not lead here.
            TokenError: the user's own token is not valid any more.
        """
        claims, service = returning.claims, call.place.service
        record = call.record
        record.home, record.project = self._cloud, claims.project.id
        agreement = self._agreements.ours(claims.audience)
        record.agreement = agreement.id
        if not claims.scope.leads_to(self._cloud, service):
            raise RuleError(f"The token's scope does not take {service} from {self._cloud}.")
        if overrides(call):
            raise RuleError(
                f"{self._cloud} takes no requests that change their method on the way (_method) from other clouds."
            )
        self._allow(agreement, call, call.path)
        own = unseal(claims.sealed, self._agreements.keys)
        body = await self._keystone.token(own)
        if body is None:
            raise TokenError(f"The user's token is not valid any more in {self._cloud}, its own cloud.")
        record.user = user = str(body["user"]["id"])
        clean(call.headers)
        call.headers[heads.AUTH] = heads.with_scope(own, claims.scope)
        if claims.user.id == user:
            return Way()
        way = Way(there=Ids({}, {claims.user.id: user}), back=Ids({}, {user: claims.user.id}))
        self._allow(agreement, call, way.path(call))
        return way

    def _allow(self, agreement: Agreement, call: Call, path: str) -> None:
        """Compare the `home` rules with a path: as it came, before Keystone is asked, and as it is sent.

        Raises:
            RuleError: no rule allows it.
        """
        method, service = call.request.method, call.place.service
        if not allowed(agreement.grant.home, service, method, path):
            raise RuleError(
                f"{self._cloud}'s agreement with {agreement.peer} has no home rule that allows "
                f"{method} {service} {call.path} on behalf of {self._cloud}'s users."
            )
