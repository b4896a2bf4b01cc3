"""Requests of this cloud's own users, and those of clouds that pass tokens through: with plain tokens, and a scope that they chose."""

from typing import Final
from urllib.parse import urlsplit

from multidict import CIMultiDict

from openstackoid.core import scope as scopes
from openstackoid.core.border import request_passes
from openstackoid.core.errors import HomeError, TokenScopeError
from openstackoid.core.ids import Ids
from openstackoid.core.routing import Remote
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry import headers as heads
from openstackoid.gateway.entry.calls import Call, Taught, Way, overrides
from openstackoid.gateway.entry.frontends import is_version_document
from openstackoid.gateway.federation import access_rules
from openstackoid.gateway.federation.issuer import Mint
from openstackoid.gateway.federation.local_catalog import LocalCatalog, holds_catalog
from openstackoid.trust.rules import Rule

_PLAIN: Final = Way()


class Residents:
    """What is done with their requests.

    Args:
        cloud: this cloud's name.
        catalog: its catalog.
        mint: makes federated tokens; None in a cloud without federated peers.
    """

    def __init__(self, cloud: str, catalog: LocalCatalog, mint: Mint | None) -> None:
        self._cloud = cloud
        self._catalog = catalog
        self._mint = mint

    def local(self, call: Call, explicit: Scope) -> Way:
        """To our own backend: the scope goes on the token, so that it follows the workflow.

        Keystone reads plain tokens. And a scope that leads nowhere else says what plain ones say: their requests stay in this cloud.
        """
        identity = call.place.service == "identity"
        if call.subject is not None:
            call.headers[heads.SUBJECT] = call.subject
        if call.auth is not None:
            scoped = bool(call.scope) and not identity and not explicit.only_names(self._cloud)
            call.headers[heads.AUTH] = heads.with_scope(call.auth, explicit) if scoped else call.auth
        if identity and call.request.method in {"GET", "POST"} and holds_catalog(call.place.path):
            return Way(self._catalog.learn)
        return _PLAIN

    def passed(self, call: Call, decision: Remote, explicit: Scope) -> Way:
        """To a peer of the same owner: with the user's own token."""
        identity = call.place.service == "identity"
        call.headers[heads.SCOPE] = scopes.format(explicit)
        edit = self._catalog.replace if identity and holds_catalog(call.place.path) else None
        if identity and call.subject is not None:
            call.headers[heads.SUBJECT] = call.subject
            if call.request.method in {"GET", "HEAD"}:
                # The token validates itself: who asks is nobody in the other cloud.
                call.headers[heads.AUTH] = call.subject
                return Way(self._catalog.validated if edit else None)
            if not call.sender.leads_to(decision.cloud, "identity"):
                return Way(edit)  # what revokes it must be of that cloud as well: a token of another one stays here
        if call.auth is not None:
            call.headers[heads.AUTH] = call.auth
        return Way(edit)

    async def federated(self, call: Call, decision: Remote, explicit: Scope) -> Way:
        """To a peer of another owner: with a token that is good there alone, and nothing else that names the user.

        Raises:
            HomeError: it is for the peer's Keystone.
            OpenStackoidError: no token could be minted.
        """
        clean(call.headers)
        open_to_all = call.auth is None and is_version_document(call.place.path)
        if call.place.service == "identity" and not open_to_all:
            raise HomeError(
                f"{decision.cloud}'s identity service is asked in {decision.cloud} itself: no password and no token crosses to "
                f"another owner's cloud. Log in there, or name {self._cloud} for identity in the scope."
            )
        if call.auth is None or self._mint is None:
            return _PLAIN
        if overrides(call):
            raise TokenScopeError(
                "A request that changes its method on the way (_method) goes to no other owner's cloud."
            )
        asked = Rule(call.place.service, call.request.method, call.path)
        minted = await self._mint.for_peer(call.auth, decision.cloud, explicit, asked)
        call.headers[heads.AUTH] = minted.token
        record = call.record
        record.home, record.user, record.project = self._cloud, minted.user, minted.project
        record.agreement = minted.agreement
        if minted.pseudonym == minted.user:
            # Keystone is asked again `recheck` seconds after the last time, so no longer than that it may stand for the user's.
            until = min(minted.renew, self._mint.believed(call.auth))
            taught = Taught(minted.token, until, minted.user, minted.project, minted.agreement)
            return Way(taught=taught) if minted.limits is None else _PLAIN
        way = Way(
            there=Ids({}, {minted.user: minted.pseudonym}),
            back=Ids({}, {minted.pseudonym: minted.user}),
        )
        access_rules.check(minted.limits, Rule(asked.service, asked.method, way.path(call)))
        return way


def clean(headers: CIMultiDict[str]) -> None:
    """Take out every header that does not cross to or from another owner's cloud."""
    for name in [name for name in headers if not request_passes(name)]:
        headers.popall(name, None)


def host(url: str) -> str:
    """What stands in Host."""
    return urlsplit(url).netloc
