"""Token exchange (RFC 8693) at a user's home: a federated token for another cloud.

There are three kinds of callers. A user, with a token of this cloud, requests a token to use directly in another cloud. A peer's gateway, with a
federated token issued for that peer, requests a token for a third cloud that the signed scope names; the peer authenticates with an assertion
(RFC 7523). A peer of the same owner, to which a user came with a token of this cloud's Keystone, requests one for itself, under the contract that provides for it.

    grant_type=urn:ietf:params:oauth:grant-type:token-exchange & subject_token=... & subject_token_type=... & audience=CloudThree
    [& client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer & client_assertion=...]
    [& contract=ID]                             from a peer, beside a user's own token
    [& os_scope={"image": "CloudThree"}]        from a user: the token's scope; all services of the audience if not given

Refusals are in OpenStack's form, not OAuth's: our gateways and OpenStack's clients read them.
"""

import time
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from openstackoid.core import limits
from openstackoid.core import scope as scopes
from openstackoid.core.errors import BadRequestError, TokenError
from openstackoid.core.protocol import EXCHANGE_PATH
from openstackoid.core.scope import Name, Scope, is_name
from openstackoid.gateway.api.endpoints import WRITES, Audience, Endpoint, Question
from openstackoid.gateway.federation.issuer import IssuedToken, TokenIssuer
from openstackoid.gateway.federation.token_exchange import ACCESS, GRANT, JWT
from openstackoid.gateway.senders.returning_user import ReturningUsers
from openstackoid.trust import tokens
from openstackoid.trust.contracts import ContractSide


class TokenExchange:
    """Answers with federated tokens.

    Args:
        returning: reads the tokens that peers present.
        issuer: issues the new tokens.
    """

    def __init__(self, returning: ReturningUsers, issuer: TokenIssuer) -> None:
        self._returning = returning
        self._issuer = issuer
        self._cloud = returning.legs.cloud

    def endpoints(self) -> list[Endpoint]:
        """The path of these answers."""
        return [Endpoint(EXCHANGE_PATH, WRITES, Audience.ALL, self._exchange)]

    async def _exchange(self, question: Question) -> dict[str, Any]:
        """The answer's JSON (RFC 8693, 2.2.1).

        Raises:
            BadRequestError: the form is not a valid token exchange request.
            TrustError: no token is given.
        """
        form = await _form(question.request)
        audience = form["audience"]
        if not is_name(audience):
            raise BadRequestError("Expected the name of a cloud at audience.")
        if form["subject_token_type"] == JWT:
            issued = await self._for_peer(form, audience)
        elif "contract" in form:
            issued = await self._under_contract(form, audience)
        elif question.listener.peers:
            raise TokenError(f"Other clouds call {self._cloud} here: its users ask at its frontends.")
        else:
            issued = await self._for_user(form, audience)
        return {
            "access_token": issued.token,
            "issued_token_type": JWT,
            "token_type": "N_A",
            "expires_in": max(0, int(issued.expires - time.time())),
        }

    async def _for_peer(self, form: dict[str, str], audience: str) -> IssuedToken:
        claims, _ = self._returning.read(form["subject_token"], form.get("client_assertion"))
        return await self._issuer.reissue(claims, audience, claims.audience)

    async def _under_contract(self, form: dict[str, str], audience: str) -> IssuedToken:
        """The token for a peer of the same owner to which one of our users came with the own token.

        Only the peer itself gets one: it has the user's token, which it could use here.
        """
        token, agreements = form["subject_token"], self._returning.federation.agreements
        peer = agreements.assertions.authenticate_peer(form.get("client_assertion"))
        if tokens.is_federated(token) or peer != audience:
            raise TokenError(f"Expected a token of {self._cloud}, and {peer} at audience.")
        contract = agreements.passing(peer, form["contract"], ContractSide.CONSUMER)
        # The peer keeps the answer for `trust.recheck` seconds: Keystone's own must not be as old as that already.
        return await self._issuer.for_peer(
            token, peer, Scope.of_region(peer, self._cloud), contract=contract, fresh=True
        )

    async def _for_user(self, form: dict[str, str], audience: str) -> IssuedToken:
        token = form["subject_token"]
        if tokens.is_federated(token):
            raise TokenError(f"Expected a token of {self._cloud} for subject_token_type {ACCESS}.")
        scope = scopes.parse(form["os_scope"]) if "os_scope" in form else Scope.of({scopes.REST: Name(audience)})
        # The holder of the token is bound to the home cloud all the same.
        explicit = Scope.of({**dict(scope.entries), "identity": Name(self._cloud)}).explicit(self._cloud)
        return await self._issuer.for_peer(token, audience, explicit)


async def _form(request: web.BaseRequest) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise BadRequestError("Expected a form: application/x-www-form-urlencoded (RFC 8693, 2.1).")
    body = b""
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > limits.FORM:
            raise BadRequestError(f"Expected a form of {limits.size(limits.FORM)} at most.")
    try:
        fields = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=limits.FORM_FIELDS)
    except (ValueError, UnicodeDecodeError):
        raise BadRequestError("Expected a form: application/x-www-form-urlencoded (RFC 8693, 2.1).") from None
    if any(len(values) > 1 for values in fields.values()):
        raise BadRequestError("Expected each field of the form once.")
    form = {name: values[0] for name, values in fields.items()}
    missing = {"grant_type", "subject_token", "subject_token_type", "audience"} - form.keys()
    if missing:
        raise BadRequestError(f"Expected {', '.join(sorted(missing))} in the form.")
    if form["grant_type"] != GRANT or form["subject_token_type"] not in {JWT, ACCESS}:
        raise BadRequestError(f"Expected grant_type {GRANT}, and subject_token_type {JWT} or {ACCESS}.")
    if not (form["subject_token"].isascii() and form["subject_token"].isprintable()):
        # It becomes the value of a header in the question to Keystone.
        raise BadRequestError("subject_token: expected printable ASCII characters alone: no line break, no tab.")
    return form
