"""The client of this cloud's own Keystone: validates tokens, and makes projects that stand for those of other clouds.

A token may validate itself (see `local_catalog`), so validation needs no account. Making projects does: `trust.account`.
"""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import orjson

from openstackoid.core import limits, protocol
from openstackoid.core.catalog import Json
from openstackoid.core.errors import BackendTimeoutError, BackendUnreachableError, ProjectError
from openstackoid.gateway.federation.memory import MIB, Memory, digest
from openstackoid.gateway.settings.fields import Catalog
from openstackoid.gateway.settings.peering import Trust
from openstackoid.gateway.upstream.documents import parsed, whole
from openstackoid.gateway.upstream.failures import reason
from openstackoid.trust.agreements import Agreement

_MAX_BYTES: Final = 16 * MIB  # bytes of cached answers about tokens
_PARSED: Final = 4  # Python objects of a JSON text take this many times its bytes
_LIMIT: Final = aiohttp.ClientTimeout(total=30)
_OK: Final = 200
_CREATED: Final = 201
_CONFLICT: Final = 409
_FAILED: Final = 500


class RefusedProjectError(ProjectError):
    """No project was made: Keystone refused, or was not asked."""


def project_name(agreement: Agreement, foreign: str) -> str:
    """The name of the project that stands for a peer's project: 64 characters at most, and unique over all projects of all peers.

    It is a digest, since "A-b" with "c" must differ from "A" with "b-c". It includes the agreement, since another cloud may later have the name
    of a removed one, and must not get its projects.
    """
    digest = hashlib.sha256(f"{agreement.id}\0{foreign}".encode()).hexdigest()
    return f"{agreement.peer[:31]}-{digest[:32]}"


class Keystone:
    """This cloud's Keystone.

    Args:
        base: base URL of its backend.
        session: connections.
        trust: the lifetime of an answer, and the account for projects.
    """

    def __init__(self, base: str, session: aiohttp.ClientSession, trust: Trust) -> None:
        self._base = base
        self._session = session
        self._trust = trust
        # Digest of a token -> when Keystone was asked (monotonic), its answer, and the answer's bytes.
        self._known: Memory[bytes, tuple[float, Json | None, int]] = Memory(
            _MAX_BYTES, lambda known: known[2] * _PARSED
        )
        self._asking: dict[bytes, asyncio.Task[Json | None]] = {}

    async def token(self, token: str, *, fresh: bool = False) -> Json | None:
        """Validate a token of this cloud. Returns Keystone's `token` object without its catalog; None if the token is not valid.

        Args:
            token: as the user sent it.
            fresh: use no cached answer.

        Raises:
            PeerError: Keystone does not answer.
        """
        key = digest(token)
        known = self._known.get(key)
        if known and not fresh and time.monotonic() - known[0] < self._trust.recheck:
            return known[1]
        # All waiters share one request to Keystone; a request that is under way counts as fresh.
        if key not in self._asking:
            task = self._asking[key] = asyncio.create_task(self._ask(token))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(self._asking[key])

    async def is_service(self, token: str | None) -> bool:
        """Whether a token is valid here and belongs to a service of this cloud, by its roles (`service_token_roles`)."""
        body = await self.token(token) if token else None
        names = {role["name"].lower() for role in body.get("roles", [])} if body else set()
        return bool(names & {role.lower() for role in self._trust.service_roles})

    async def described(self, token: str) -> tuple[int, Json]:
        """Keystone's status and answer, with the catalog, to the validation of a token of this cloud.

        Raises:
            PeerError: Keystone does not answer.
        """
        return await self._request("GET", "/v3/auth/tokens", {protocol.AUTH: token, protocol.SUBJECT: token})

    def trusted_until(self, token: str) -> float:
        """Until when Keystone's last answer about a token counts (Unix seconds)."""
        known = self._known.get(digest(token))
        return time.time() - time.monotonic() + (known[0] + self._trust.recheck if known else 0.0)

    def forget(self, token: str) -> None:
        """Drop the cached answer about a revoked token."""
        self._known.pop(digest(token), None)

    async def project(self, name: str, domain: str, description: str) -> str:
        """The id of the project of this name, which is created if it does not exist.

        Raises:
            RefusedProjectError: the project was certainly not created.
            OpenStackoidError: Keystone failed, and may have created the project.
        """
        if self._trust.account is None:
            raise RefusedProjectError(
                "A project must be made for users of another cloud, and the gateway has no account for that: trust.account."
            )
        token = await self._login(self._trust.account)
        # Look first: another gateway may have created it before it was killed, and Keystone logs a conflict with a traceback.
        found = await self._project(name, domain, token)
        if found is not None:
            return found
        body = {"project": {"name": name, "domain_id": domain, "description": description, "enabled": True}}
        status, answer = await self._call("POST", "/v3/projects", token, body)
        if status == _CREATED:
            return str(answer["project"]["id"])
        found = await self._project(name, domain, token) if status == _CONFLICT else None
        if found is not None:
            return found
        kind = RefusedProjectError if status < _FAILED else ProjectError
        raise kind(f"Keystone refused to make the project {name} in the domain {domain}, with status {status}.")

    async def _project(self, name: str, domain: str, token: str) -> str | None:
        status, answer = await self._call("GET", f"/v3/projects?name={quote(name)}&domain_id={quote(domain)}", token)
        return str(answer["projects"][0]["id"]) if status == _OK and answer.get("projects") else None

    async def _ask(self, token: str) -> Json | None:
        headers = {protocol.AUTH: token, protocol.SUBJECT: token}
        status, answer = await self._request("GET", "/v3/auth/tokens?nocatalog", headers)
        if status >= 500:  # noqa: PLR2004
            raise BackendUnreachableError(f"This cloud's identity service answered {status} when asked about a token.")
        body = answer.get("token") if status == _OK else None
        self._known.keep(digest(token), (time.monotonic(), body, len(orjson.dumps(body))))
        return body

    async def _login(self, account: Catalog) -> str:
        user = {
            "name": account.username,
            "domain": {"name": account.user_domain_name},
            "password": account.password_file.read_text().strip(),
        }
        project = {"name": account.project_name, "domain": {"name": account.project_domain_name}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": project}}}
        url = f"{account.auth_url}/auth/tokens"
        try:
            async with self._session.post(
                url,
                data=orjson.dumps(body),
                headers={"Content-Type": "application/json"},
                timeout=_LIMIT,
                allow_redirects=False,
            ) as answer:
                if answer.status == _CREATED:
                    return answer.headers[protocol.SUBJECT]
                raise RefusedProjectError(
                    f"Keystone refused the gateway's account {account.username} with status {answer.status}."
                )
        except (aiohttp.ClientError, OSError, TimeoutError, KeyError) as error:
            raise RefusedProjectError(f"Keystone cannot be asked for a project: {reason(error)}.") from None

    async def _call(self, method: str, path: str, token: str, body: Json | None = None) -> tuple[int, Json]:
        headers = {protocol.AUTH: token, "Content-Type": "application/json"}
        return await self._request(method, path, headers, orjson.dumps(body) if body else None)

    async def _request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, Json]:
        try:
            async with self._session.request(
                method, self._base + path, headers=headers, data=body, timeout=_LIMIT, allow_redirects=False
            ) as answer:
                document: Any = parsed(await whole(answer.content, limits.IDENTITY) or b"{}", limits.IDENTITY)
                return answer.status, document if isinstance(document, dict) else {}
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
