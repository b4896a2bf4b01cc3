"""Federated tokens of other clouds' users: verification, and validity in time."""

import time
from dataclasses import dataclass
from typing import Final

import orjson

from openstackoid.core.errors import TokenError
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.gateway.federation.memory import MIB, Memory, digest
from openstackoid.gateway.settings.peering import Trust
from openstackoid.gateway.telemetry import metrics
from openstackoid.gateway.telemetry.audit import Initiator
from openstackoid.trust import tokens
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.claims import Claims

_MAX_BYTES: Final = 16 * MIB  # of cached claims


@dataclass(frozen=True, slots=True)
class ForeignToken:
    """A token that a user's home signed for this cloud.

    Attributes:
        token: without the inner mark.
        claims: verified.
        agreement: with the user's home, in force; perhaps a contract about a virtual region.
        inner: whether the token has this cloud's inner mark: a service of this cloud passes it on.
    """

    token: str
    claims: Claims
    agreement: Agreement
    inner: bool

    @property
    def user(self) -> str:
        """The user's id here: derived from the home cloud's name or the contract, and the id there, so no cloud can forge an id of our users or of another cloud's."""
        return tokens.local_user(self.agreement.party, self.claims.user.id)

    def roles(self) -> list[str]:
        """The roles of this cloud that the user has here."""
        mapping = self.agreement.grant.roles
        return sorted({mapping[role.lower()] for role in self.claims.roles if role.lower() in mapping})

    def initiator(self, local_project: str | None = None) -> Initiator:
        """The user, for the audit."""
        claims = self.claims
        return Initiator(claims.issuer, claims.user.id, claims.project.id, self.user, local_project, self.agreement.id)


class ForeignTokens:
    """Reads and verifies such tokens.

    Args:
        cloud: this cloud's name.
        agreements: with the clouds that sign the tokens.
        keystone: recognises the services of this cloud.
        trust: time limits.
    """

    def __init__(self, cloud: str, agreements: Agreements, keystone: Keystone, trust: Trust) -> None:
        self._cloud = cloud
        self._agreements = agreements
        self._keystone = keystone
        self._trust = trust
        # Digest of a token -> its claims, the generation of the agreement, and the bytes of the claims.
        self._verified: Memory[bytes, tuple[Claims, object, int]] = Memory(_MAX_BYTES, lambda known: 4 * known[2])

    def read(self, text: str) -> ForeignToken:
        """Verify a token, except its validity in time: see `check_time`.

        Raises:
            TokenError: the token is invalid, or not for this cloud.
            AgreementError: the agreement under which it was issued is not in force.
        """
        token, inner = tokens.unmarked(text, self._agreements.keys)
        claims = self._claims(token)
        return ForeignToken(token, claims, self._agreements.named(claims.issuer, claims.agreement), inner)

    async def check_time(self, token: ForeignToken, service_token: str | None) -> None:
        """Check that a token is valid now.

        Args:
            token: of the request.
            service_token: of the service of this cloud that sent the request.

        Raises:
            TokenError: the token is not valid yet; or it has expired, and no service token of this cloud shows that the request belongs to work
                begun before.
        """
        now, claims = time.time(), token.claims
        if claims.early(now, self._trust.skew):
            raise TokenError(f"The token is from the future: compare the clocks of {self._cloud} and {claims.issuer}.")
        if not claims.expired(now, self._trust.skew):
            return
        # As keystonemiddleware: an expired token still serves work that began before, if a service of this cloud sends its service token.
        service = service_token if token.inner else None
        if service is None or not await self.counts(token, service, allow_expired=True):
            raise TokenError(
                f"The token has expired. {claims.issuer}, its own cloud, makes a new one for each request."
            )

    async def counts(self, token: ForeignToken, asker: str | None, *, allow_expired: bool) -> bool:
        """Whether a token is valid now, or expired so recently that it still counts for a service.

        Args:
            token: the token to validate.
            asker: the caller's own token.
            allow_expired: whether the caller accepts expired tokens.
        """
        now, claims = time.time(), token.claims
        if claims.early(now, self._trust.skew):
            return False
        if not claims.expired(now, self._trust.skew):
            return True
        late = claims.expired(now, self._trust.skew + self._trust.allow_expired_window)
        return allow_expired and not late and await self._keystone.is_service(asker)

    def _claims(self, token: str) -> Claims:
        key = digest(token)
        known = self._verified.get(key)
        if known is not None and known[1] == self._agreements.generations.of(known[0].issuer):
            metrics.VERIFIED.labels("known").inc()
            return known[0]
        metrics.VERIFIED.labels("verified").inc()
        home, audience = tokens.issuer(token)
        if audience != self._cloud or home == self._cloud:
            raise TokenError(f"The token is {home}'s for {audience}, not for {self._cloud}.")
        generation = self._agreements.generations.of(home)
        claims = tokens.verify(token, self._agreements.peer_keys.ring(home))
        self._verified.keep(key, (claims, generation, len(orjson.dumps(claims.to_json()))))
        return claims
