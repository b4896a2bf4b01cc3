"""HTTP to this cloud's own Keystone, also with the gateway's own account (`trust.account`), whose token is reused until it is nearly over."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import aiohttp
import orjson

from openstackoid.core import limits, protocol
from openstackoid.core.catalog import Json
from openstackoid.core.errors import AccountError, BackendTimeoutError, BackendUnreachableError
from openstackoid.core.limits import Limit
from openstackoid.gateway.settings.fields import Catalog
from openstackoid.gateway.upstream.documents import parsed, whole
from openstackoid.gateway.upstream.failures import reason

_LIMIT: Final = aiohttp.ClientTimeout(total=30)
_SPARE: Final = 60  # seconds before its end from which the account's token is not used any more
_CREATED: Final = 201
_UNAUTHORIZED: Final = 401
_JSON: Final = {"Content-Type": "application/json"}


class KeystoneApi:
    """Requests to this cloud's Keystone.

    Args:
        base: base URL of its backend.
        session: connections.
        account: the gateway's account; None if it has none.
    """

    def __init__(self, base: str, session: aiohttp.ClientSession, account: Catalog | None) -> None:
        self._base = base
        self._session = session
        self._account = account
        self._own: tuple[str, float] | None = None  # the account's token, and until when it is used (Unix seconds)
        self._project = ""  # of the account's token
        self._login_lock = asyncio.Lock()

    @property
    def has_account(self) -> bool:
        """Whether the gateway has an account."""
        return self._account is not None

    async def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Json | None = None,
        limit: Limit = limits.IDENTITY,
    ) -> tuple[int, Json]:
        """Status and JSON object of an answer; the object is empty if the answer has none.

        Raises:
            PeerError: Keystone does not answer, or not in JSON.
        """
        status, document, _ = await self._send(method, self._base + path, headers, body, limit)
        return status, document

    async def by_account(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: Json | None = None,
        limit: Limit = limits.IDENTITY,
    ) -> tuple[int, Json]:
        """As `request`, with the token of the gateway's account.

        Raises:
            AccountError: the gateway has no account, or Keystone refuses it.
            PeerError: Keystone does not answer, or not in JSON.
        """
        own = await self._token(None)
        status, answer = await self.request(method, path, {**(headers or {}), protocol.AUTH: own}, body, limit)
        if status == _UNAUTHORIZED:
            # The account's token was revoked: its password was changed, or a role of it.
            own = await self._token(own)
            status, answer = await self.request(method, path, {**(headers or {}), protocol.AUTH: own}, body, limit)
        return status, answer

    async def account_token(self, refused: str | None = None) -> str:
        """The account's token, for another service of this cloud.

        Args:
            refused: a token that a service has refused: not this one again.

        Raises:
            AccountError: the gateway has no account, or Keystone refuses it.
            PeerError: Keystone does not answer, or not in JSON.
        """
        return await self._token(refused)

    async def account_project(self) -> str:
        """The id of the project of the account's token. Raises as `account_token`."""
        await self._token(None)
        return self._project

    async def _token(self, refused: str | None) -> str:
        """The account's token, another one than the one that Keystone refused."""
        async with self._login_lock:
            if self._own is None or self._own[0] == refused or time.time() >= self._own[1]:
                self._own = await self._login()
            return self._own[0]

    async def _login(self) -> tuple[str, float]:
        account = self._account
        if account is None:
            raise AccountError("The gateway has no account in this cloud's identity service: trust.account.")
        user = {
            "name": account.username,
            "domain": {"name": account.user_domain_name},
            "password": account.password_file.read_text().strip(),
        }
        project = {"name": account.project_name, "domain": {"name": account.project_domain_name}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": project}}}
        status, answer, headers = await self._send("POST", f"{account.auth_url}/auth/tokens?nocatalog", {}, body)
        token, described = headers.get(protocol.SUBJECT), answer.get("token")
        if status != _CREATED or token is None or not isinstance(described, dict):
            raise AccountError(
                f"This cloud's identity service refused the gateway's account {account.username} with status {status}; "
                "operators: see trust.account."
            )
        project_of = described.get("project")
        self._project = str(project_of.get("id", "")) if isinstance(project_of, dict) else ""
        return token, datetime.fromisoformat(str(described["expires_at"])).timestamp() - _SPARE

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: Json | None, limit: Limit = limits.IDENTITY
    ) -> tuple[int, Json, Mapping[str, str]]:
        data = None if body is None else orjson.dumps(body)
        try:
            async with self._session.request(
                method, url, headers={**headers, **_JSON}, data=data, timeout=_LIMIT, allow_redirects=False
            ) as answer:
                document: Any = parsed(await whole(answer.content, limit) or b"{}", limit)
                return answer.status, document if isinstance(document, dict) else {}, answer.headers
        except TimeoutError:
            raise BackendTimeoutError("This cloud's identity service did not answer in time.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise BackendUnreachableError(
                f"This cloud's identity service cannot be reached: {reason(error)}."
            ) from None
        except ValueError as error:
            raise BackendUnreachableError(
                f"This cloud's identity service gave an answer of another form: {error}."
            ) from None
