"""Accounts of this cloud's Keystone that the control plane logs in with, and requests with their tokens.

    domain manager    a user of a region's domain with the role `manager` there: its projects, and roles on these
    member            the same user in one project of the domain, after it has given itself the role `member` there
    admin             project-scoped: what Keystone's, nova's and neutron's policies leave to nobody else

A domain manager cannot touch another domain: Keystone's policies compare the domain of the token with the project's (keystone/common/policies/
project.py and grant.py, ADMIN_OR_DOMAIN_MANAGER), and roles above `manager` it cannot give (base.py, DOMAIN_MANAGER_ALLOWED_ROLES).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from openstackoid.regions.errors import AccountRefusedError, ServiceFailedError

_LARGEST: Final = 32 << 20  # bytes of an answer
_SHOWN: Final = 160  # characters of a refusal
_CREATED, _UNAUTHORIZED = 201, 401
Scope = Mapping[str, Any]


class TooLargeError(ServiceFailedError):
    """An answer that is too large to be read: fewer items are to be asked for."""


@dataclass(frozen=True, slots=True)
class Login:
    """How an account logs in.

    Attributes:
        url: of Keystone, with `/v3`.
        username: name.
        password_file: read at each log-in, so that a new password needs no restart.
        domain: Keystone's form of the user's domain: `{"id": ...}` or `{"name": ...}`.
        scope: Keystone's form of the scope: `{"domain": {"id": ...}}` or `{"project": {...}}`.
    """

    url: str
    username: str
    password_file: Path = field(repr=False)
    domain: Mapping[str, str]
    scope: Scope


class ServiceAccount:
    """An account with one scope.

    Args:
        login: how it logs in.
        session: for requests.
    """

    def __init__(self, login: Login, session: aiohttp.ClientSession) -> None:
        self._login = login
        self._session = session
        self._token = ""
        self._body: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """For errors: who, and where."""
        kind, where = next(iter(self._login.scope.items()))
        return f"{self._login.username} in the {kind} {where.get('id') or where.get('name')}"

    async def described(self) -> dict[str, Any]:
        """Keystone's `token` object: roles, user, catalog.

        Raises:
            AccountRefusedError: Keystone refuses the account, or its password cannot be read.
            ServiceFailedError: Keystone does not answer.
        """
        if not self._token:
            await self._enter()
        return self._body

    async def keystone(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and document of an answer of Keystone, whose path begins after `/v3`."""
        return await self.call(method, self._login.url + path, body)

    async def call(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and document of an answer; a token that is not accepted any more is replaced once.

        Raises:
            AccountRefusedError: Keystone refuses the account.
            ServiceFailedError: no answer, or none in JSON.
        """
        if self._token:
            status, document, _ = await self._send(method, url, body, headers)
            if status != _UNAUTHORIZED:
                return status, document
        await self._enter()
        status, document, _ = await self._send(method, url, body, headers)
        return status, document

    async def _enter(self) -> None:
        login = self._login
        try:
            password = login.password_file.read_text().strip()
        except OSError as error:
            raise AccountRefusedError(f"{login.password_file}: {error.strerror}") from None
        user = {"name": login.username, "domain": dict(login.domain), "password": password}
        identity = {"methods": ["password"], "password": {"user": user}}
        self._token = ""
        asked = {"auth": {"identity": identity, "scope": login.scope}}
        status, answer, token = await self._send("POST", f"{login.url}/auth/tokens", asked, None)
        if status != _CREATED or not token or not isinstance(answer, dict):
            raise AccountRefusedError(
                f"Keystone refused {self.name} with status {status}: the account needs a password, and a role there."
            )
        self._token, self._body = token, answer.get("token") or {}

    async def _send(self, method: str, url: str, body: Any, extra: Mapping[str, str] | None) -> tuple[int, Any, str]:
        headers = {"Accept": "application/json", **(extra or {})}
        if self._token:
            headers["X-Auth-Token"] = self._token
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            async with self._session.request(
                # As it stands: a name with dot segments must not lead to another place.
                method,
                URL(url, encoded=True),
                headers=headers,
                data=data,
                allow_redirects=False,
            ) as response:
                text = bytearray()
                async for chunk in response.content.iter_chunked(1 << 16):
                    text += chunk
                    if len(text) > _LARGEST:
                        raise TooLargeError(f"{method} {_path(url)}: more than {_LARGEST >> 20} MiB.")
                token = response.headers.get("X-Subject-Token", "")
                return response.status, json.loads(text) if text.strip() else {}, token
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ServiceFailedError(f"{method} {_path(url)}: no answer: {type(error).__name__}.") from None
        except ValueError:
            raise ServiceFailedError(f"{method} {_path(url)}: an answer that is no JSON.") from None


def refusal(status: int, document: Any) -> str:
    """A service's refusal for people: the status, and its own words as far as they have a form that services use."""
    words = ""
    if isinstance(document, dict):
        inner = next((value for value in document.values() if isinstance(value, dict | str)), "")
        words = inner if isinstance(inner, str) else str(inner.get("message", ""))
    shown = "".join(letter for letter in words if letter.isprintable())[:_SHOWN]
    return f"{status} {shown}".strip()


def _path(url: str) -> str:
    return "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
