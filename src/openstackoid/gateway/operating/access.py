"""Authentication and authorisation of operators: a token of this cloud's Keystone, and a rule of oslo.policy."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from openstackoid.core import protocol
from openstackoid.core.catalog import Json
from openstackoid.core.errors import OpenStackoidError, TokenError
from openstackoid.gateway.entry import headers as hdrs
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.policies import Policies

_LONGEST = 8192  # characters of a token


class OperatorError(OpenStackoidError):
    """The caller is no operator, or not one with this right."""

    status = 403
    code = "operator.forbidden"


class Access:
    """Lets operators in.

    Args:
        keystone: validates tokens.
        policies: makes the rules; called once, at the first request.
    """

    def __init__(self, keystone: Keystone, policies: Callable[[], Policies]) -> None:
        self._keystone = keystone
        self._make = policies
        self._policies: Policies | None = None

    async def check(self, request: web.BaseRequest, rule: str) -> str:
        """Check that a rule allows a request to its sender.

        Returns:
            Name and id of the operator, for histories.

        Raises:
            TokenError: there is no token, or it is not valid here.
            OperatorError: the rule does not allow it.
            PeerError: Keystone does not work.
        """
        token, _ = hdrs.split_token(request.headers.get(protocol.AUTH))
        if not token or len(token) > _LONGEST:
            raise TokenError("Expected a token of this cloud at X-Auth-Token.")
        body = await self._keystone.token(token)
        if body is None:
            raise TokenError("The token is not valid: log in again.")
        if (body.get("application_credential") or {}).get("access_rules") is not None:
            raise OperatorError(
                "Expected a token without access rules: those of an application credential name services, and this API is of none."
            )
        if self._policies is None:
            self._policies = self._make()
        if not self._policies.allows(rule, _credentials(body)):
            raise OperatorError(
                f"The policy {rule} does not allow this to you: expected an admin, or who has reader (to see) or manager (to change) with system scope."
            )
        user = body.get("user") or {}
        return f"{user.get('name', '')} ({user.get('id', '')})"


def _credentials(body: Json) -> dict[str, Any]:
    system = body.get("system") or {}
    return {
        "roles": [str(role.get("name")) for role in body.get("roles", [])],
        "user_id": (body.get("user") or {}).get("id"),
        "project_id": (body.get("project") or {}).get("id"),
        "domain_id": (body.get("domain") or {}).get("id"),
        "system_scope": "all" if system.get("all") else None,
    }
