"""Authentication: an operator of this cloud, by a token of its Keystone.

A token validates itself: Keystone's default policy lets the subject of a token validate it (`identity:validate_token` ... `or rule:token_subject`,
keystone/common/policies/token.py), so the control plane needs no account.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from openstackoid.regions.errors import KeystoneError, UnauthenticatedError

_LONGEST: Final = 8192  # characters of a token
_LARGEST: Final = 1 << 20  # bytes of an answer
_MOST: Final = 1024  # cached tokens
_FORBIDDEN: Final = 403
_REFUSED: Final = frozenset({400, 401, 404})


@dataclass(frozen=True, slots=True)
class Operator:
    """The caller.

    Attributes:
        name: for the history: the user's id and name.
        credentials: the input of policies.
    """

    name: str
    credentials: Mapping[str, Any] = field(default_factory=dict)


class Keystone:
    """This cloud's Keystone.

    Args:
        url: base URL with `/v3`.
        session: for requests.
        recheck: seconds for which an answer counts.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession, recheck: float) -> None:
        self._url = f"{url}/auth/tokens?nocatalog"
        self._session = session
        self._recheck = recheck
        self._known: dict[bytes, tuple[float, Operator]] = {}

    async def operator(self, token: str | None) -> Operator:
        """The caller with a token.

        Raises:
            UnauthenticatedError: there is no token, or Keystone does not accept it.
            KeystoneError: Keystone does not answer.
        """
        if not token or len(token) > _LONGEST or not token.isascii() or not token.isprintable():
            raise UnauthenticatedError("Expected a token of this cloud at X-Auth-Token.")
        key = hashlib.sha256(token.encode()).digest()
        known = self._known.get(key)
        now = time.monotonic()
        if known and now - known[0] < self._recheck:
            return known[1]
        operator = _operator(await self._ask(token))
        while len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        self._known[key] = (now, operator)
        return operator

    async def _ask(self, token: str) -> dict[str, Any]:
        headers = {"X-Auth-Token": token, "X-Subject-Token": token, "Accept": "application/json"}
        try:
            async with self._session.get(self._url, headers=headers, allow_redirects=False) as response:
                status, text = response.status, await response.content.read(_LARGEST)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise KeystoneError(f"Keystone does not answer: {type(error).__name__}.") from None
        if status == _FORBIDDEN:
            raise UnauthenticatedError(
                "This cloud's Keystone does not let a token of this kind validate itself (a trust's with impersonation, from EC2 "
                "credentials, or without a scope). Use a token of another kind."
            )
        if status in _REFUSED:
            raise UnauthenticatedError("This cloud's Keystone does not know the token.")
        try:
            answer = json.loads(text)["token"] if status == 200 else None  # noqa: PLR2004
        except (ValueError, KeyError, TypeError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise KeystoneError(f"Keystone answered {status}, and no token's data.")
        return answer


def _operator(token: Mapping[str, Any]) -> Operator:
    user, system = token.get("user", {}), token.get("system") or {}
    credentials = {
        "roles": [str(role.get("name")) for role in token.get("roles", [])],
        "user_id": user.get("id"),
        "project_id": token.get("project", {}).get("id"),
        "domain_id": token.get("domain", {}).get("id"),
        "system_scope": "all" if system.get("all") else None,
    }
    return Operator(f"{user.get('name', '')} ({user.get('id', '')})", credentials)
