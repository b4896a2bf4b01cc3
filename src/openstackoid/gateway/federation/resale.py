"""Tokens for users of a region that this cloud resells: this cloud's own, so that the provider knows nobody before it.

    user's home  --- token of the home, contract 2 --->  this cloud  --- token of this cloud, contract 1 --->  provider
                     user and project of the home                        pseudonyms, made here of what stands here for both

The user's token is verified, and admitted under contract 2, before this. Nothing of the home is in the new token: no name, no id, no sealed token.
It counts how often the region was resold, so that no request goes round for ever if somebody has hidden a loop from everybody.
"""

import time
from typing import Final

from openstackoid.core.errors import ResoldError, ResoldTooOftenError, RoleError
from openstackoid.core.scope import Scope
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.issuer import IssuedToken
from openstackoid.gateway.federation.memory import MIB, Memory, digest
from openstackoid.trust import tokens
from openstackoid.trust.claims import MOST_RESOLD, Claims, Named
from openstackoid.trust.contracts import ContractGrant

_MAX_BYTES: Final = 16 * MIB  # of tokens that are kept
_NAMED: Final = 16  # of a provider's roles in a message


class Resale:
    """Issues and keeps such tokens.

    Args:
        cloud: this cloud's name.
        agreements: with the providers, and with the users' homes.
        lifetime: of a token, in seconds.
    """

    def __init__(self, cloud: str, agreements: Agreements, lifetime: int) -> None:
        self._cloud = cloud
        self._agreements = agreements
        self._lifetime = lifetime
        # (Digest of a user's token, contract with the provider) -> generations of both clouds, and the issued token.
        self._kept: Memory[tuple[bytes, str], tuple[object, IssuedToken]] = Memory(
            _MAX_BYTES, lambda kept: 2 * len(kept[1].token)
        )

    def contract(self, region: str) -> ContractGrant:
        """The contract with the provider of a region that this cloud resells.

        Raises:
            ResoldError: the region is not bound to one.
        """
        found = self._agreements.regions.get(region)
        if found is None:
            raise ResoldError(f"{self._cloud} has no such region any more: its operators have unbound it.")
        return found

    def token(self, text: str, claims: Claims, user: str, project: str, roles: list[str], region: str) -> IssuedToken:
        """A token of this cloud for the provider of a region.

        Args:
            text: the user's token.
            claims: of it.
            user: id that stands for the user here.
            project: id of the project that stands for the user's.
            roles: of this cloud that the user has here.
            region: the name of this cloud's own region.

        Raises:
            ResoldError, ResoldTooOftenError: the region is not bound any more, or resold too often.
            RoleError: none of the roles counts at the provider.
            AgreementError: the contract with the provider is not in force.
        """
        contract, generations = self.contract(region), self._agreements.generations
        generation = (generations.of(claims.issuer), generations.of(contract.peer))
        key, now = (digest(text), contract.id), int(time.time())
        known = self._kept.get(key)
        if known is not None and known[0] == generation and now < known[1].renew:
            return known[1]
        issued = self._issue(contract, claims, user, project, roles, now)
        self._kept.keep(key, (generation, issued))
        return issued

    def project(self, project: str, region: str) -> str:
        """The id by which the provider of a region knows another project that stands here for a foreign one."""
        contract = self.contract(region)
        hidden, party = contract.grant.pseudonyms, f"contract:{contract.id}"
        return tokens.project_pseudonym(project, party, self._agreements.keys) if hidden else project

    def _issue(
        self, contract: ContractGrant, claims: Claims, user: str, project: str, roles: list[str], now: int
    ) -> IssuedToken:
        if claims.resold >= MOST_RESOLD:
            raise ResoldTooOftenError(
                f"The region was resold by {MOST_RESOLD} clouds before {self._cloud}, or goes round."
            )
        keys, peer = self._agreements.keys, contract.peer
        agreed = contract.agreement(self._agreements.active_agreement(peer))
        counting = [role for role in roles if role.lower() in agreed.grant.roles]
        if not counting:
            named = ", ".join(list(agreed.grant.roles)[:_NAMED]) or "none"
            raise RoleError(f"None of the user's roles ({', '.join(roles)}) counts there; these do: {named}.")
        # The pseudonym has a key of this cloud: what stands here for a user could be computed from ids that somebody guesses.
        shown, seen = tokens.pseudonym(user, agreed.party, keys), self.project(project, contract.region)
        expires = min(now + self._lifetime, claims.expires)
        issued = Claims(
            self._cloud,
            peer,
            tokens.new_id(),
            now,
            expires,
            contract.id,
            Named(shown, shown, self._cloud, self._cloud),
            Named(seen, seen, self._cloud, self._cloud),
            tuple(counting),
            Scope.of_region(peer, self._cloud),
            None,
            None,
            claims.resold + 1,
        )
        renew = now + (expires - now) / 2
        text = tokens.sign(issued, keys)
        return IssuedToken(text, user, project, shown, seen, agreed.party, contract.id, renew, expires)
