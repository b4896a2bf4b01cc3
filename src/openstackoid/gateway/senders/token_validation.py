"""Validation of federated tokens for services of this cloud: answered from the verified claims, without asking another cloud."""

import orjson
from aiohttp import web

from openstackoid.core import protocol
from openstackoid.core.errors import AgreementError, FrozenProjectError, HomeError, TokenError
from openstackoid.gateway.entry.calls import Arrival
from openstackoid.gateway.federation.federation import Federation
from openstackoid.gateway.federation.local_catalog import LocalCatalog, is_token
from openstackoid.gateway.senders.foreign_tokens import ForeignToken, ForeignTokens
from openstackoid.gateway.senders.token_body import token_body, token_not_found
from openstackoid.gateway.telemetry.audit import Record
from openstackoid.trust import tokens


class TokenValidation:
    """Keystone's `GET /v3/auth/tokens` for federated tokens.

    Args:
        cloud: this cloud's name.
        known: verifies the tokens.
        federation: agreements, projects, and this cloud's Keystone.
        catalog: this cloud's.
    """

    def __init__(self, cloud: str, known: ForeignTokens, federation: Federation, catalog: LocalCatalog) -> None:
        self._cloud = cloud
        self._tokens = known
        self._agreements = federation.agreements
        self._keystone = federation.keystone
        self._projects = federation.projects
        self._states = federation.project_states
        self._catalog = catalog

    async def answer(self, arrival: Arrival, record: Record) -> web.Response:
        """Answer a validation request.

        Args:
            arrival: with a federated token as its subject.
            record: for the audit.

        Raises:
            TokenError: the caller has no valid token of this cloud.
            HomeError: the request revokes the token.
        """
        try:
            subject = self._tokens.read(arrival.subject or "")
        except (TokenError, AgreementError) as error:
            # keystonemiddleware takes 401 for the expiry of its own token, and 403 for a failing Keystone.
            record.error = error.code
            return token_not_found(str(error))
        record.note(subject.initiator())
        return await self._described(subject, arrival, record)

    async def _described(self, subject: ForeignToken, arrival: Arrival, record: Record) -> web.Response:
        """Validate a token, with an answer as our Keystone's.

        A token without the inner mark did not pass this gateway on its way to the caller, so no rule allowed it there. Such a token may only
        validate itself, as every token of Keystone may.
        """
        request, asker = arrival.request, arrival.auth
        if request.method not in {"GET", "HEAD"} or not is_token(arrival.path):
            raise HomeError(f"Only {subject.claims.issuer}, the token's own cloud, can do that.")
        itself = asker is not None and tokens.unmarked(asker, self._agreements.keys)[0] == subject.token
        if not itself and (asker is None or await self._keystone.token(asker) is None):
            raise TokenError("The request you have made requires authentication.")
        if not subject.inner and not itself:
            return token_not_found(f"it did not come to this service through a gateway of {self._cloud}")
        allow_expired = request.query.get("allow_expired") in {"1", "true", "True"}
        if not await self._tokens.counts(subject, asker, allow_expired=allow_expired):
            return token_not_found("its time is over, or has not come")
        roles = subject.roles()
        if not roles:
            return token_not_found("no role of its user counts here")
        project = await self._projects.local(subject.agreement, subject.claims.project.id)
        record.local_project = project
        try:
            await self._states.check(subject.agreement, project)
        except FrozenProjectError as error:
            record.error = error.code
            return token_not_found(str(error))
        entries = []
        if "nocatalog" not in request.query:
            await self._catalog.refresh(None if itself else asker)
            entries = self._catalog.entries(project)
        token = token_body(subject.claims, subject.user, subject.agreement, roles, project, entries)
        headers = {protocol.SUBJECT: arrival.subject or "", "Vary": protocol.AUTH}
        return web.Response(body=orjson.dumps({"token": token}), content_type="application/json", headers=headers)
