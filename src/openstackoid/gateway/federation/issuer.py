"""Issues federated tokens that replace our users' own tokens in other clouds, from our Keystone's validation of those, and caches them.

Keystone validates the user's token before each federated token is issued, so that no token is issued for a revoked one. An issued token is reused
until half of its life is over, as long as Keystone, asked every `trust.recheck` seconds, still accepts the user's token.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from openstackoid.core import scope as scopes
from openstackoid.core.catalog import Json
from openstackoid.core.errors import (
    RoleError,
    RuleError,
    TokenError,
    TokenScopeError,
)
from openstackoid.core.scope import Scope
from openstackoid.gateway.federation import access_rules
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.gateway.federation.memory import MIB, Memory, digest
from openstackoid.gateway.settings.peering import Trust
from openstackoid.gateway.telemetry import metrics
from openstackoid.trust import tokens
from openstackoid.trust.claims import Claims, Named
from openstackoid.trust.contracts import ContractGrant
from openstackoid.trust.rules import Rule
from openstackoid.trust.sealing import seal, unseal

_MAX_BYTES: Final = 16 * MIB  # bytes of cached tokens, of each kind
_NAMED: Final = 16  # of a peer's roles in a message


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A federated token and its user.

    Attributes:
        token: for one peer.
        user, project: ids in this cloud.
        pseudonym, project_pseudonym: the ids by which the peer knows the user and the project; the same ids without pseudonyms.
        party: as in `Agreement.party`; pseudonyms differ by it.
        agreement: id of the peer's grant, or of a contract about a virtual region.
        renew: when to issue the next token, expires: when this token expires (Unix seconds).
        limits: the access rules of an application credential, which bound the requests that the token may be used for; None without.
    """

    token: str
    user: str
    project: str
    pseudonym: str
    project_pseudonym: str
    party: str
    agreement: str
    renew: float
    expires: float
    limits: tuple[Rule, ...] | None = None


class TokenIssuer:
    """Issues and caches federated tokens of one cloud's users.

    Args:
        cloud: this cloud's name.
        agreements: with the peers.
        keystone: validates our users' tokens.
        trust: lifetimes.
    """

    def __init__(self, cloud: str, agreements: Agreements, keystone: Keystone, trust: Trust) -> None:
        self._cloud = cloud
        self._agreements = agreements
        self._keystone = keystone
        self._trust = trust
        # (Digests of a user's token and of a scope, the peer) -> the issued token, and the generation of the agreement then.
        self._kept: Memory[tuple[bytes, bytes, str], tuple[object, IssuedToken]] = Memory(
            _MAX_BYTES, lambda kept: 2 * len(kept[1].token)
        )

    async def for_peer(
        self,
        token: str,
        peer: str,
        scope: Scope,
        asked: Rule | None = None,
        contract: ContractGrant | None = None,
        *,
        fresh: bool = False,
    ) -> IssuedToken:
        """A federated token for a peer, which replaces one of our users' tokens.

        Args:
            token: of this cloud, plain.
            peer: the cloud that the token is for.
            scope: explicit; it is signed.
            asked: the request that the token is for; None when the caller gets the token itself, for any request.
            contract: of the region that the request is for; None for a request under the agreement with the peer.
            fresh: whether Keystone is asked now, however young its last answer is.

        Raises:
            TokenError: our Keystone does not accept the token.
            TokenScopeError: the token has no project, or its application credential does not allow the request.
            AgreementError, RoleError: the agreement does not allow it.
        """
        terms = self._terms(peer, contract)
        generation = self._agreements.generations.of(peer)  # another agreement: other keys, or other terms
        key = (digest(token), digest(scopes.format(scope)), terms.party)
        known, now = self._kept.get(key), time.time()
        kept = known[1] if known and known[0] == generation else None
        young = kept is not None and kept.agreement == terms.id and now < kept.renew
        body = await self._keystone.token(token, fresh=fresh or not young)
        if body is None:
            raise TokenError(f"The token is not valid in {self._cloud}, its own cloud.")
        access_rules.check(access_rules.of(body), asked)
        if kept is not None and young:
            metrics.MINTED.labels("kept").inc()
            return kept
        metrics.MINTED.labels("signed").inc()
        issued = self._issue(token, body, terms, scope)
        self._kept.keep(key, (generation, issued))
        return issued

    def trusted_until(self, token: str) -> float:
        """Until when Keystone need not be asked again about one of our users' tokens (Unix seconds)."""
        return self._keystone.trusted_until(token)

    def forget(self, token: str) -> None:
        """Drop the federated tokens issued for a revoked token."""
        self._keystone.forget(token)
        token_digest = digest(token)
        for key in [key for key in self._kept if key[0] == token_digest]:
            del self._kept[key]

    async def reissue(self, claims: Claims, third: str, actor: str) -> IssuedToken:
        """A token for a third cloud, for a peer that presents a token that we issued.

        Args:
            claims: of the token that the peer presents, verified.
            third: the cloud that the new token is for.
            actor: the peer.

        Raises:
            RuleError: the signed scope does not lead to the third cloud.
            TokenError: the user's own token is not valid any more.
            TokenScopeError: the user's token is limited by an application credential's access rules, which the third cloud does not know.
            AgreementError, RoleError: our agreement with the third cloud does not allow it.
        """
        if not claims.scope.leads_to(third):
            raise RuleError(f"The token's scope does not lead to {third}, so {actor} gets no token for it.")
        own = unseal(claims.sealed, self._agreements.keys)
        body = await self._keystone.token(own, fresh=True)
        if body is None:
            raise TokenError(f"The user's token is not valid any more in {self._cloud}, its own cloud.")
        access_rules.check(access_rules.of(body), None)
        return self._issue(own, body, self._terms(third, None), claims.scope, actor)

    def _terms(self, peer: str, contract: ContractGrant | None) -> "_Terms":
        """What a token for a peer is made under.

        Raises:
            AgreementError: the agreement, or the contract, is not in force.
        """
        statement, agreement = self._agreements.peer_statement(peer), self._agreements.active_agreement(peer)
        if contract is None:
            grant = agreement.grant
            return _Terms(peer, statement.id or "", peer, statement.roles, grant.pseudonyms, grant.project_pseudonyms)
        agreed = contract.agreement(agreement)
        hidden = agreed.grant.pseudonyms  # operators compare no ids under a contract
        return _Terms(peer, agreed.id, agreed.party, tuple(agreed.grant.roles), hidden, hidden)

    def _issue(self, token: str, body: Json, terms: "_Terms", scope: Scope, actor: str | None = None) -> IssuedToken:
        peer, keys, now = terms.peer, self._agreements.keys, int(time.time())
        user, project = _of(body["user"]), body.get("project")
        if not project:
            raise TokenScopeError(
                f"The token is for no project of {self._cloud}; in {peer} it needs one. Log in with a project."
            )
        roles = tuple(role["name"] for role in body.get("roles", []))
        if not {role.lower() for role in roles} & set(terms.roles):
            counting = ", ".join(terms.roles[:_NAMED]) or "none"
            raise RoleError(f"None of the user's roles ({', '.join(roles)}) counts in {peer}; these do: {counting}.")
        expires = min(now + self._trust.lifetime, int(datetime.fromisoformat(body["expires_at"]).timestamp()))
        if expires <= now:
            raise TokenError("The token has expired.")
        shown, seen, ours = user, _of(project), str(project["id"])
        if terms.pseudonyms:
            roles = tuple(role for role in roles if role.lower() in terms.roles)  # names of others may say who has them
            other = tokens.pseudonym(user.id, terms.party, keys)
            shown = Named(other, other, self._cloud, self._cloud)
            seen = Named(ours, ours, self._cloud, self._cloud)
        if terms.project_pseudonyms:
            other = tokens.project_pseudonym(ours, terms.party, keys)
            seen = Named(other, other, self._cloud, self._cloud)
        sealed = seal(token, keys, now) if self._leads_on(peer, scope) else None
        claims = Claims(
            self._cloud, peer, tokens.new_id(), now, expires, terms.id, shown, seen, roles, scope, sealed, actor
        )
        renew = now + (expires - now) / 2
        if wrong := claims.wrong_id():
            raise TokenScopeError(
                f"Keystone's {wrong}: an id of another form could be taken for a word of a path in {peer}. Operators can have {peer} "
                f"see pseudonyms (openstackoid peer allow {peer} --pseudonyms), or Keystone give other ids "
                "([identity_mapping] backward_compatible_ids)."
            )
        return IssuedToken(
            tokens.sign(claims, keys),
            user.id,
            ours,
            shown.id,
            seen.id,
            terms.party,
            terms.id,
            renew,
            expires,
            access_rules.of(body),
        )

    def project_pseudonym(self, project: str, party: str) -> str:
        """The id by which a peer that gets pseudonyms of projects knows another project of this cloud."""
        return tokens.project_pseudonym(project, party, self._agreements.keys)

    def _leads_on(self, peer: str, scope: Scope) -> bool:
        """Whether a peer may need the user's own token here: for requests back to this cloud, or to exchange it for a third cloud's token."""
        if scope.clouds() - {self._cloud, peer}:
            return True
        return any(
            scope.leads_to(self._cloud, rule.service) for rule in self._agreements.active_agreement(peer).grant.home
        )


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a token is made under.

    Attributes:
        peer: the cloud that it is for.
        id: of the peer's grant, or of a contract.
        party: as in `Agreement.party`; pseudonyms differ by it.
        roles: names of our roles that count there, in lower case.
        pseudonyms, project_pseudonyms: whether the peer gets pseudonyms of users, and of projects.
    """

    peer: str
    id: str
    party: str
    roles: tuple[str, ...]
    pseudonyms: bool
    project_pseudonyms: bool


def _of(entity: Json) -> Named:
    domain = entity["domain"]
    return Named(entity["id"], entity["name"], domain["id"], domain["name"])
