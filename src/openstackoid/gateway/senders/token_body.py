"""The body with which this cloud's Keystone would answer the validation of a federated token."""

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web

from openstackoid.core.catalog import Json
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.claims import Claims
from openstackoid.trust.projects import project_name

_MISSING: Final = web.HTTPNotFound.status_code


def token_body(
    claims: Claims, user: str, agreement: Agreement, roles: list[str], project: str, entries: list[Json]
) -> Json:
    """Keystone's token (keystone/common/render_token.py, `render_token_response_from_model`).

    Args:
        claims: of a federated token.
        user: id here.
        project: id here.
        agreement: with the user's home; defines how the project is mapped.
        roles: names that count here.
        entries: of the catalog; none if the caller does not want it.
    """
    where = agreement.grant.projects
    mapped = where.kind != "same"
    # The domain's id and name are the home cloud's name: a foreign domain's id must not match a domain of this cloud.
    home = {"id": claims.issuer, "name": claims.issuer}
    ours = {"id": where.where, "name": where.where} if where.kind == "each" else home
    name = (
        project_name(agreement.peer, agreement.id, claims.project.id)
        if where.kind == "each"
        else project
        if mapped
        else claims.project.name
    )
    body: dict[str, Any] = {
        "methods": ["token"],
        "user": {"id": user, "name": claims.user.name, "domain": home, "password_expires_at": None},
        "project": {"id": project, "name": name, "domain": ours},
        "roles": [{"id": _role(role), "name": role} for role in roles],
        "is_domain": False,
        # Readers take an absent field for true (keystoneauth1/access/access.py, `is_admin_project`).
        "is_admin_project": False,
        "issued_at": _moment(claims.issued),
        "expires_at": _moment(claims.expires),
        "audit_ids": [claims.id],
    }
    return body | ({"catalog": entries} if entries else {})


def _role(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def token_not_found(why: str) -> web.Response:
    """Keystone's answer for a token that it does not know: the caller would take a 401 for its own token's."""
    message = f"Could not find token: {why}."
    error = {"code": _MISSING, "title": "Not Found", "message": message}
    return web.Response(status=_MISSING, body=orjson.dumps({"error": error}), content_type="application/json")
