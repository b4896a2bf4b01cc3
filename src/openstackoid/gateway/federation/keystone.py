"""Validation of this cloud's tokens by its own Keystone.

A token may validate itself (see `local_catalog`), so validation needs no account, and usually uses none. Keystone lets some valid tokens do
nothing with themselves and answers 403: a trust's with impersonation belongs to the trustor by its answer, and to the trustee by its policy; one
from EC2 credentials may not be used with Keystone at all. The gateway's account (`trust.account`) asks about these.

    200             valid
    401, 404        invalid, if Keystone says so in its own form: a proxy in front of it may answer the same
    403             refused: says nothing about the token
    anything else   Keystone, or what is in front of it, does not work

Only the first two are cached.
"""

import time
from collections.abc import Sequence
from typing import Final

import orjson

from openstackoid.core import protocol
from openstackoid.core.catalog import Json
from openstackoid.core.errors import BackendUnreachableError, TokenUncheckedError
from openstackoid.gateway.federation.keystone_api import KeystoneApi
from openstackoid.gateway.federation.memory import MIB, Memory, digest
from openstackoid.gateway.federation.shared_tasks import SharedTasks
from openstackoid.gateway.settings.peering import RECHECK, SERVICE_ROLES

_MAX_BYTES: Final = 16 * MIB  # bytes of cached answers about tokens
_PARSED: Final = 4  # Python objects of a JSON text take this many times its bytes
_PATH: Final = "/v3/auth/tokens?nocatalog"
# Keystone knows no token of an application credential with access rules if the caller does not say that it enforces them
# (keystone/token/provider.py, `_validate_token_access_rules`); `access_rules` does.
_ENFORCES: Final = {"OpenStack-Identity-Access-Rules": "1.0"}
_OK: Final = 200
_REFUSED: Final = 403
_INVALID: Final = frozenset({401, 404})


class Keystone:
    """Validates tokens.

    Args:
        api: requests to Keystone.
        recheck: seconds for which an answer counts.
        service_roles: roles of this cloud's services.
    """

    def __init__(
        self, api: KeystoneApi, recheck: float = RECHECK, service_roles: Sequence[str] = SERVICE_ROLES
    ) -> None:
        self._api = api
        self._recheck = recheck
        self._service_roles = {role.lower() for role in service_roles}
        # Digest of a token -> when Keystone was asked (monotonic), its answer, and the answer's bytes.
        self._known: Memory[bytes, tuple[float, Json | None, int]] = Memory(
            _MAX_BYTES, lambda known: known[2] * _PARSED
        )
        self._asking: SharedTasks[bytes, Json | None] = SharedTasks()

    async def token(self, token: str, *, fresh: bool = False) -> Json | None:
        """Validate a token of this cloud. Returns Keystone's `token` object without its catalog; None if the token is not valid.

        Args:
            token: as the user sent it.
            fresh: use no cached answer.

        Raises:
            TokenUncheckedError: Keystone tells neither the token itself nor the gateway's account.
            AccountError: Keystone refuses the gateway's account.
            PeerError: Keystone does not work.
        """
        key = digest(token)
        known = self._known.get(key)
        if known and not fresh and time.monotonic() - known[0] < self._recheck:
            return known[1]
        # All waiters share one request to Keystone; a request that is under way counts as fresh.
        return await self._asking.run(key, lambda: self._ask(token))

    async def is_service(self, token: str | None) -> bool:
        """Whether a token is valid here and belongs to a service of this cloud, by its roles (`service_token_roles`)."""
        body = await self.token(token) if token else None
        names = {role["name"].lower() for role in body.get("roles", [])} if body else set()
        return bool(names & self._service_roles)

    async def described(self, token: str) -> tuple[int, Json]:
        """Keystone's status and answer, with the catalog, to the validation of a token of this cloud.

        Raises:
            PeerError: Keystone does not answer.
        """
        return await self._api.request("GET", "/v3/auth/tokens", {protocol.AUTH: token, protocol.SUBJECT: token})

    def trusted_until(self, token: str) -> float:
        """Until when Keystone's last answer about a token counts (Unix seconds)."""
        known = self._known.get(digest(token))
        return time.time() - time.monotonic() + (known[0] + self._recheck if known else 0.0)

    def forget(self, token: str) -> None:
        """Drop the cached answer about a revoked token."""
        self._known.pop(digest(token), None)

    async def _ask(self, token: str) -> Json | None:
        subject = {protocol.SUBJECT: token} | _ENFORCES
        status, answer = await self._api.request("GET", _PATH, {protocol.AUTH: token} | subject)
        if status == _REFUSED:
            if not self._api.has_account:
                raise TokenUncheckedError(
                    "This cloud's identity service does not tell a token of this kind about itself (a trust's with impersonation, or "
                    "one without a scope), and the gateway has no account to ask with. Use a token of another kind; operators: set "
                    "trust.account."
                )
            status, answer = await self._api.by_account("GET", _PATH, subject)
            if status == _REFUSED:
                raise TokenUncheckedError(
                    "This cloud's identity service tells neither this token nor the gateway's account whether the token is valid; "
                    "operators: let trust.account validate tokens (identity:validate_token)."
                )
        body = answer.get("token") if status == _OK else None
        if not isinstance(body, dict) and not (status in _INVALID and isinstance(answer.get("error"), dict)):
            raise BackendUnreachableError(f"This cloud's identity service answered {status} when asked about a token.")
        self._known.keep(digest(token), (time.monotonic(), body, len(orjson.dumps(body))))
        return body
