"""Token exchange (RFC 8693) at a user's home: a federated token for another cloud.

Two may ask: a user, with a token of this cloud, for a token to use elsewhere directly; and the gateway of a peer, with a federated token
that was made for it, for one for a third cloud where the signed scope leads. The peer shows who it is by an assertion (RFC 7523).

    grant_type=urn:ietf:params:oauth:grant-type:token-exchange & subject_token=... & subject_token_type=... & audience=CloudThree
    [& client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer & client_assertion=...]
    [& os_scope={"image": "CloudThree"}]        from a user: what the token shall lead to; everything of the audience if not given

Refusals are in OpenStack's form, not OAuth's: our gateways and OpenStack's clients read them.
"""

import time
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from openstackoid.core import limits
from openstackoid.core import scope as scopes
from openstackoid.core.errors import BadRequestError, TokenError
from openstackoid.core.scope import Name, Scope, is_name
from openstackoid.gateway.federation.issuer import ACCESS, GRANT, JWT, Minted
from openstackoid.gateway.senders.treaty import Treaty
from openstackoid.trust import tokens


async def answer(cloud: str, treaty: Treaty, request: web.BaseRequest, *, peers: bool) -> dict[str, Any]:
    """The answer's JSON (RFC 8693, 2.2.1).

    Args:
        cloud: this one's name.
        treaty: what is agreed.
        request: with the form.
        peers: whether it came in where peers call: no user's token has any business there.

    Raises:
        BadRequestError: a form that is no such request.
        TrustError: no token is given.
    """
    form = await _form(request)
    audience = form["audience"]
    if not is_name(audience):
        raise BadRequestError("Expected the name of a cloud at audience.")
    if peers and form["subject_token_type"] != JWT:
        raise TokenError(f"Other clouds call {cloud} here: its users ask at its frontends.")
    if form["subject_token_type"] == JWT:
        minted = await _for_peer(treaty, form, audience)
    else:
        minted = await _for_user(cloud, treaty, form, audience)
    return {
        "access_token": minted.token,
        "issued_token_type": JWT,
        "token_type": "N_A",
        "expires_in": max(0, int(minted.expires - time.time())),
    }


async def _for_peer(treaty: Treaty, form: dict[str, str], audience: str) -> Minted:
    returning = treaty.homecoming.read(form["subject_token"], form.get("client_assertion"))
    return await treaty.mint.again(returning.claims, audience, returning.claims.audience)


async def _for_user(cloud: str, treaty: Treaty, form: dict[str, str], audience: str) -> Minted:
    token = form["subject_token"]
    if tokens.is_federated(token):
        raise TokenError(f"Expected a token of {cloud} for subject_token_type {ACCESS}.")
    scope = scopes.parse(form["os_scope"]) if "os_scope" in form else Scope.of({scopes.REST: Name(audience)})
    # Who holds the token is bound to home all the same.
    explicit = Scope.of({**dict(scope.entries), "identity": Name(cloud)}).explicit(cloud)
    return await treaty.mint.for_peer(token, audience, explicit)


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
    return form
