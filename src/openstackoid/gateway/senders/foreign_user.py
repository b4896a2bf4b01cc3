"""Users of other clouds, with federated tokens: who they are here, and what the agreement with their home lets them do.

A request crosses the border once: there the agreement's rules, roles and rate hold, and ids are mapped. Towards our own
services the token gets the inner mark; what they ask of each other with it is work that has been let in, as with service tokens in
keystonemiddleware (auth_token/__init__.py, `validate_allowed_request`), and needs no rule of its own.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from openstackoid.core.errors import (
    AgreementError,
    HomeError,
    RateError,
    RoleError,
    RuleError,
    TokenError,
    TokenScopeError,
)
from openstackoid.core.ids import Ids
from openstackoid.core.routing import Remote
from openstackoid.gateway.entry import headers as heads
from openstackoid.gateway.entry.calls import Call, Way, overrides
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.issuer import Mint
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.gateway.federation.local_catalog import LocalCatalog, is_token
from openstackoid.gateway.federation.memory import MIB, Memory, digest
from openstackoid.gateway.federation.projects import Projects
from openstackoid.gateway.senders.local_user import clean
from openstackoid.gateway.senders.rates import Rates
from openstackoid.gateway.senders.token_body import missing, token_body
from openstackoid.gateway.settings.peering import Trust
from openstackoid.gateway.telemetry import metrics
from openstackoid.trust import tokens
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.claims import Claims
from openstackoid.trust.rules import allowed

_MOST: Final = 16 * MIB  # bytes of what is remembered of tokens
_UNMADE: Final = "0" * 32


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user of another cloud, with a token that its home signed for this one.

    Attributes:
        token: without a mark.
        inner: whether our own service passes it on.
    """

    token: str
    claims: Claims
    agreement: Agreement
    inner: bool

    @property
    def user(self) -> str:
        """The user's id here. It is made of home's name and id, so no cloud can name one of our users, or another cloud's."""
        return local_user(self.claims.issuer, self.claims.user.id)


class Visitors:
    """What is done with their requests.

    Args:
        cloud: this cloud's name.
        agreements: with their homes.
        keystone: who knows our services.
        projects: which of ours stand for theirs.
        catalog: ours.
        mint: gets tokens for third clouds.
        trust: times.
    """

    def __init__(
        self,
        cloud: str,
        agreements: Agreements,
        keystone: Keystone,
        projects: Projects,
        catalog: LocalCatalog,
        mint: Mint,
        trust: Trust,
    ) -> None:
        self._cloud = cloud
        self._agreements = agreements
        self._keystone = keystone
        self._projects = projects
        self._catalog = catalog
        self._mint = mint
        self._trust = trust
        self._rates = Rates()
        # Digest of a token -> what it says, the generation of the agreement, and the bytes of that.
        self._verified: Memory[bytes, tuple[Claims, object, int]] = Memory(_MOST, lambda known: 4 * known[2])

    def read(self, text: str) -> Visitor:
        """Whose token it is; that its time is right is not said yet.

        Raises:
            TokenError: it is not good, or not for this cloud.
            AgreementError: the agreement that it was made under is not in force.
        """
        token, inner = tokens.unmarked(text, self._agreements.keys)
        claims = self._claims(token)
        agreement = self._agreements.ours(claims.issuer)
        if claims.agreement != agreement.id:
            raise AgreementError(
                f"The token was made under another agreement than the one between {self._cloud} and {claims.issuer} now."
            )
        return Visitor(token, claims, agreement, inner)

    async def admit(self, visitor: Visitor, call: Call) -> None:
        """Let a request in, or not.

        Raises:
            TokenError: the token's time is not now.
            RuleError, RoleError, RateError: the agreement does not allow the request.
        """
        self.note(visitor, call)
        await self._in_time(visitor, call)
        grant, claims = visitor.agreement.grant, visitor.claims
        if visitor.inner:
            return
        if overrides(call):
            raise RuleError(
                f"{self._cloud} takes no requests that change their method on the way (_method) from other clouds."
            )
        # No project is made for what is refused: until there is one, an id that nobody chose stands for it.
        project = await self._projects.known(visitor.agreement, claims.project.id) or _UNMADE
        self._allow(visitor, call, _ids(visitor, project).path(call))
        if not self._roles(visitor):
            raise RoleError(
                f"None of the user's roles ({', '.join(claims.roles)}) counts in {self._cloud}; these do: "
                f"{', '.join(sorted(grant.roles))}."
            )
        if grant.rate is not None and not self._rates.take(visitor.agreement.id, grant.rate):
            raise RateError(
                f"{self._cloud} takes {grant.rate:g} requests a second from users of {claims.issuer}. Try again in a second."
            )

    async def local(self, visitor: Visitor, call: Call) -> Way:
        """To our own backend.

        Raises:
            HomeError: it is for Keystone.
            ProjectError: no project could be had.
            RuleError: no rule allows the path with its ids of this cloud.
        """
        if call.place.service == "identity" and not is_version_document(call.place.path):
            raise HomeError(
                f"{visitor.claims.issuer}'s users are unknown to {self._cloud}'s identity service: ask their own."
            )
        if not visitor.inner:
            clean(call.headers)
        call.headers[heads.AUTH] = tokens.marked(visitor.token, self._agreements.keys)
        project = await self._projects.local(visitor.agreement, visitor.claims.project.id)
        call.record.local_project = project
        if visitor.inner:
            return Way()
        way = _ids(visitor, project)
        self._allow(visitor, call, way.path(call))
        return way

    async def remote(self, visitor: Visitor, call: Call, decision: Remote) -> Way:
        """To another cloud that the signed scope names: home, with the token that it made; a third, with one for it.

        Raises:
            HomeError: it is for a Keystone.
            RuleError: no rule allows it.
            TokenScopeError: it would go back to the cloud that sent it.
            OpenStackoidError: home gives no token for the third cloud.
        """
        clean(call.headers)
        if call.place.service == "identity":
            raise HomeError(
                f"{decision.cloud}'s identity service is asked by its own users, in {decision.cloud} itself."
            )
        claims = visitor.claims
        if not visitor.inner:
            self._allow(visitor, call, call.path)
            if decision.cloud in call.hops:
                raise TokenScopeError(
                    f"The token's scope leaves {call.place.service} at {decision.cloud}, which sent the request to {self._cloud}. "
                    f"Ask {decision.cloud} for it, or name {self._cloud} for {call.place.service} in the scope."
                )
        third = decision.cloud != claims.issuer
        token = await self._mint.exchange(visitor.token, claims, decision.cloud) if third else visitor.token
        call.headers[heads.AUTH] = token
        if not visitor.inner:
            return Way()
        # Between clouds ids are those of the user's home.
        way = _ids(visitor, await self._projects.local(visitor.agreement, visitor.claims.project.id))
        return Way(there=way.back, back=way.there)

    async def validated(self, visitor: Visitor, call: Call, asker: str | None) -> web.Response:
        """Answer a service that asks what a federated token is, as our Keystone would.

        Without the mark the token did not pass this gateway on its way to who asks: no rule allowed it there. Only about itself may it ask,
        as every token of Keystone may.

        Raises:
            TokenError: who asks has no valid token of this cloud.
            HomeError: it is to be revoked.
        """
        self.note(visitor, call)
        if call.request.method not in {"GET", "HEAD"} or not is_token(call.path):
            raise HomeError(f"Only {visitor.claims.issuer}, the token's own cloud, can do that.")
        itself = asker is not None and tokens.unmarked(asker, self._agreements.keys)[0] == visitor.token
        if not itself and (asker is None or await self._keystone.token(asker) is None):
            raise TokenError("The request you have made requires authentication.")
        if self._catalog.learned is None and asker is not None and not itself:
            # Behind HAProxy the logins of services do not pass here, so their catalog is asked for.
            self._catalog.learn(*await self._keystone.described(asker))
        if not visitor.inner and not itself:
            return missing(f"it did not come to this service through a gateway of {self._cloud}")
        query = call.request.query
        if not await self._counts(visitor, asker, allow_expired=query.get("allow_expired") in {"1", "true", "True"}):
            return missing("its time is over, or has not come")
        roles = self._roles(visitor)
        if not roles:
            return missing("no role of its user counts here")
        project = await self._projects.local(visitor.agreement, visitor.claims.project.id)
        call.record.local_project = project
        entries = [] if "nocatalog" in query else self._catalog.entries(project)
        body = orjson.dumps(
            {"token": token_body(visitor.claims, visitor.user, visitor.agreement, roles, project, entries)}
        )
        headers = {heads.SUBJECT: call.subject or "", "Vary": heads.AUTH}
        return web.Response(body=body, content_type="application/json", headers=headers)

    def _allow(self, visitor: Visitor, call: Call, path: str) -> None:
        """Compare the agreement's rules with a path as it is sent: home chooses its users' ids, and they are replaced on the way.

        Raises:
            RuleError: no rule allows it.
        """
        grant, method, service = visitor.agreement.grant, call.request.method, call.place.service
        looks = method in {"GET", "HEAD"} and is_version_document(path) and service in grant.offered
        if not looks and not allowed(grant.allows, service, method, path):
            raise RuleError(
                f"{self._cloud}'s agreement with {visitor.claims.issuer} has no rule that allows {method} {service} {call.path}. "
                f"It allows something of: {', '.join(grant.offered) or 'nothing'}."
            )

    def note(self, visitor: Visitor, call: Call) -> None:
        """Write into the audit whose request it is."""
        record, claims = call.record, visitor.claims
        record.home, record.user, record.project = claims.issuer, claims.user.id, claims.project.id
        record.local_user, record.agreement = visitor.user, visitor.agreement.id

    def _claims(self, token: str) -> Claims:
        key = digest(token)
        known = self._verified.get(key)
        if known is not None and known[1] == self._agreements.generation(known[0].issuer):
            metrics.VERIFIED.labels("known").inc()
            return known[0]
        metrics.VERIFIED.labels("verified").inc()
        home, audience = tokens.issuer(token)
        if audience != self._cloud or home == self._cloud:
            raise TokenError(f"The token is {home}'s for {audience}, not for {self._cloud}.")
        generation = self._agreements.generation(home)
        claims = tokens.verify(token, self._agreements.ring(home))
        self._verified.keep(key, (claims, generation, len(orjson.dumps(claims.to_json()))))
        return claims

    async def _in_time(self, visitor: Visitor, call: Call) -> None:
        now, claims = time.time(), visitor.claims
        if claims.early(now, self._trust.skew):
            raise TokenError(f"The token is from the future: compare the clocks of {self._cloud} and {claims.issuer}.")
        if not claims.expired(now, self._trust.skew):
            return
        # As keystonemiddleware: work that began may end, where a service of this cloud says that it is its work.
        service = call.headers.get(heads.SERVICE) if visitor.inner else None
        if service is None or not await self._counts(visitor, service, allow_expired=True):
            raise TokenError(
                f"The token has expired. {claims.issuer}, its own cloud, makes a new one for each request."
            )

    async def _counts(self, visitor: Visitor, asker: str | None, *, allow_expired: bool) -> bool:
        now, claims = time.time(), visitor.claims
        if claims.early(now, self._trust.skew):
            return False
        if not claims.expired(now, self._trust.skew):
            return True
        late = claims.expired(now, self._trust.skew + self._trust.allow_expired_window)
        return allow_expired and not late and await self._keystone.is_service(asker)

    def _roles(self, visitor: Visitor) -> list[str]:
        mapping = visitor.agreement.grant.roles
        return sorted({mapping[role.lower()] for role in visitor.claims.roles if role.lower() in mapping})


def local_user(home: str, user: str) -> str:
    """The id here of another cloud's user: 32 hex digits, as Keystone's."""
    return hashlib.sha256(f"{home}\0{user}".encode()).hexdigest()[:32]


def _ids(visitor: Visitor, project: str) -> Way:
    """What becomes of ids at the border: home's on the way in, ours on the way out."""
    claims = visitor.claims
    there = Ids({claims.project.id: project}, {claims.user.id: visitor.user})
    return Way(there=there, back=Ids({project: claims.project.id}, {visitor.user: claims.user.id}))
