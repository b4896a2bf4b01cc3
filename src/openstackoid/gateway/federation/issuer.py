"""On the way out: federated tokens instead of our users' own, minted from what our Keystone says, and kept while they are young.

What was revoked at home is minted no more at once: every minting asks Keystone. A token that was minted before is used again
while Keystone, asked every `trust.recheck` seconds, still knows its user's token, and until half of its life is over.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

import aiohttp

from openstackoid.core import limits
from openstackoid.core import scope as scopes
from openstackoid.core.catalog import Json
from openstackoid.core.errors import (
    ExchangeError,
    PeerAnswerError,
    PeerTimeoutError,
    PeerUnreachableError,
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
from openstackoid.gateway.federation.peers import reason
from openstackoid.gateway.settings.peering import Trust
from openstackoid.gateway.telemetry import metrics
from openstackoid.gateway.upstream.documents import parsed, whole
from openstackoid.trust import tokens
from openstackoid.trust.claims import Claims, Named
from openstackoid.trust.rules import Rule
from openstackoid.trust.sealing import seal, unseal

EXCHANGE: Final = "/openstackoid/v1/token"
GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
# The nearest name that there is: ours have a JWT's claims, compressed.
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"
_MOST: Final = 16 * MIB  # bytes of tokens that are kept, of each kind
_LIMIT: Final = aiohttp.ClientTimeout(total=15)
_OK: Final = 200
_NAMED: Final = 16  # of a peer's roles in a message


@dataclass(frozen=True, slots=True)
class Minted:
    """A federated token and whose it is.

    Attributes:
        token: for one peer.
        user, project: ids in this cloud.
        pseudonym: who the user is to the peer.
        agreement: id of the peer's grant.
        renew: when to mint the next one, expires: when it ends (Unix seconds).
        limits: the rules of an application credential, which say for which requests it may be used; None without.
    """

    token: str
    user: str
    project: str
    pseudonym: str
    agreement: str
    renew: float
    expires: float
    limits: tuple[Rule, ...] | None = None


class Mint:
    """Makes and keeps federated tokens of one cloud's users.

    Args:
        cloud: this cloud's name.
        agreements: with whom.
        keystone: who knows our users.
        session: connections to peers.
        trust: times.
    """

    def __init__(
        self, cloud: str, agreements: Agreements, keystone: Keystone, session: aiohttp.ClientSession, trust: Trust
    ) -> None:
        self._cloud = cloud
        self._agreements = agreements
        self._keystone = keystone
        self._session = session
        self._trust = trust
        # Digests of a user's token and of a scope, and the peer -> what was made, under which generation of the agreement.
        self._kept: Memory[tuple[bytes, bytes, str], tuple[object, Minted]] = Memory(
            _MOST, lambda kept: 2 * len(kept[1].token)
        )
        # Digest of a visitor's token, and the third cloud -> until when it is used, the token, and the generation.
        self._exchanged: Memory[tuple[bytes, str], tuple[float, str, object]] = Memory(
            _MOST, lambda known: len(known[1])
        )

    async def for_peer(self, token: str, peer: str, scope: Scope, asked: Rule | None = None) -> Minted:
        """A federated token for a peer, instead of one of our users' tokens.

        Args:
            token: of this cloud, plain.
            peer: the cloud that shall believe it.
            scope: explicit; it is signed.
            asked: the request that it is for; None when the caller gets the token itself, for whatever it likes.

        Raises:
            TokenError: our Keystone does not know the token.
            TokenScopeError: it is for no project, or an application credential does not allow the request.
            AgreementError, RoleError: the agreement does not allow it.
        """
        grant = self._agreements.theirs(peer).id or ""
        generation = self._agreements.generation(peer)  # another one: other keys, or other terms
        key = (digest(token), digest(scopes.format(scope)), peer)
        known, now = self._kept.get(key), time.time()
        kept = known[1] if known and known[0] == generation else None
        young = kept is not None and kept.agreement == grant and now < kept.renew
        body = await self._keystone.token(token, fresh=not young)
        if body is None:
            raise TokenError(f"The token is not valid in {self._cloud}, its own cloud.")
        access_rules.check(access_rules.of(body), asked)
        if kept is not None and young:
            metrics.MINTED.labels("kept").inc()
            return kept
        metrics.MINTED.labels("signed").inc()
        minted = self._minted(token, body, peer, scope)
        self._kept.keep(key, (generation, minted))
        return minted

    def believed(self, token: str) -> float:
        """Until when Keystone need not be asked again about one of our users' tokens (Unix seconds)."""
        return self._keystone.believed(token)

    def forget(self, token: str) -> None:
        """Use nothing any more that was minted for a token: it was revoked."""
        self._keystone.forget(token)
        found = digest(token)
        for key in [key for key in self._kept if key[0] == found]:
            del self._kept[key]

    async def again(self, claims: Claims, third: str, actor: str) -> Minted:
        """A token for a third cloud, for a peer that shows one of ours.

        Args:
            claims: of the token that the peer shows, verified.
            third: the cloud that shall believe the new one.
            actor: the peer.

        Raises:
            RuleError: the signed scope does not lead there.
            TokenError: the user's own token is not valid any more.
            TokenScopeError: it is an application credential's, limited to some requests: nobody there would know which.
            AgreementError, RoleError: our agreement with the third cloud does not allow it.
        """
        if not claims.scope.leads_to(third):
            raise RuleError(f"The token's scope does not lead to {third}, so {actor} gets no token for it.")
        own = unseal(claims.sealed, self._agreements.keys)
        body = await self._keystone.token(own, fresh=True)
        if body is None:
            raise TokenError(f"The user's token is not valid any more in {self._cloud}, its own cloud.")
        access_rules.check(access_rules.of(body), None)
        return self._minted(own, body, third, claims.scope, actor)

    async def exchange(self, token: str, claims: Claims, third: str) -> str:
        """Have a token for a third cloud from a visitor's home (RFC 8693).

        Raises:
            PeerError: home does not answer.
            ExchangeError: home refuses, with its reason.
        """
        key, now, generation = (digest(token), third), time.time(), self._agreements.generation(claims.issuer)
        renew, known, of = self._exchanged.get(key, (0.0, "", None))
        if now < renew and of == generation:
            return known
        url = self._agreements.ours(claims.issuer).url + EXCHANGE
        form = {
            "grant_type": GRANT,
            "subject_token": token,
            "subject_token_type": JWT,
            "audience": third,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self._agreements.spoken(claims.issuer),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            async with self._session.post(
                url, data=urlencode(form), headers=headers, timeout=_LIMIT, allow_redirects=False
            ) as answer:
                document = parsed(await whole(answer.content, limits.EXCHANGE), limits.EXCHANGE)
        except TimeoutError:
            raise PeerTimeoutError(
                f"{claims.issuer}, the user's own cloud, did not answer when asked for a token for {third}."
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise PeerUnreachableError(
                f"{claims.issuer}, the user's own cloud, cannot be asked for a token for {third}: {reason(error)}."
            ) from None
        except ValueError as error:
            raise PeerAnswerError(f"{claims.issuer} answered a token exchange in another form: {error}.") from None
        given = document if isinstance(document, dict) else {}
        if answer.status != _OK or not isinstance(given.get("access_token"), str):
            refused = given.get("error")
            told = str(refused.get("message"))[:500] if isinstance(refused, dict) else f"status {answer.status}"
            raise ExchangeError(f"{claims.issuer}, the user's own cloud, gives no token for {third}: {told}")
        life, made = given.get("expires_in"), str(given["access_token"])
        if len(made) > tokens.LONGEST or not made.isascii() or not made.isprintable():
            raise PeerAnswerError(
                f"{claims.issuer} answered a token exchange with what is no token of {tokens.LONGEST} characters at most."
            )
        used = min(life, tokens.LONGEST_LIFE) / 2 if isinstance(life, int) else 0
        self._exchanged.keep(key, (now + used, made, generation))
        return made

    def _minted(self, token: str, body: Json, peer: str, scope: Scope, actor: str | None = None) -> Minted:
        statement, keys, now = self._agreements.theirs(peer), self._agreements.keys, int(time.time())
        user, project = _of(body["user"]), body.get("project")
        if not project:
            raise TokenScopeError(
                f"The token is for no project of {self._cloud}; in {peer} it needs one. Log in with a project."
            )
        roles = tuple(role["name"] for role in body.get("roles", []))
        if not {role.lower() for role in roles} & set(statement.roles):
            counting = ", ".join(statement.roles[:_NAMED]) or "none"
            raise RoleError(f"None of the user's roles ({', '.join(roles)}) counts in {peer}; these do: {counting}.")
        expires = min(now + self._trust.lifetime, int(datetime.fromisoformat(body["expires_at"]).timestamp()))
        if expires <= now:
            raise TokenError("The token has expired.")
        shown, seen = user, _of(project)
        if self._agreements.ours(peer).grant.pseudonyms:
            other = tokens.pseudonym(user.id, peer, keys)
            shown = Named(other, other, self._cloud, self._cloud)
            seen = Named(seen.id, seen.id, self._cloud, self._cloud)
        sealed = seal(token, keys, now) if self._leads_on(peer, scope) else None
        grant = statement.id or ""
        claims = Claims(
            self._cloud, peer, tokens.new_id(), now, expires, grant, shown, seen, roles, scope, sealed, actor
        )
        renew = now + (expires - now) / 2
        if wrong := claims.wrong_id():
            raise TokenScopeError(
                f"Keystone's {wrong}: an id of another form could be taken for a word of a path in {peer}. Operators can have {peer} "
                f"see pseudonyms (openstackoid peer allow {peer} --pseudonyms), or Keystone give other ids "
                "([identity_mapping] backward_compatible_ids)."
            )
        return Minted(
            tokens.sign(claims, keys), user.id, seen.id, shown.id, grant, renew, expires, access_rules.of(body)
        )

    def _leads_on(self, peer: str, scope: Scope) -> bool:
        """Whether a peer may need the user's own token here: to come home with it, or to be given one for a third cloud."""
        if scope.clouds() - {self._cloud, peer}:
            return True
        return any(scope.leads_to(self._cloud, rule.service) for rule in self._agreements.ours(peer).grant.home)


def _of(entity: Json) -> Named:
    domain = entity["domain"]
    return Named(entity["id"], entity["name"], domain["id"], domain["name"])
