"""This cloud's Keystone, where an aggregator's catalog is: writes the region of a binding with its endpoints, and takes it out again.

Every step looks first and changes what differs, so that one that was killed half-way is repeated from the start. A region is ours if its
description names the contract: no region that somebody else made is ever changed. A service that was made for regions goes with the last of
its endpoints.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from openstackoid.core.services import service_type
from openstackoid.regions.errors import CatalogError, RegionTakenError
from openstackoid.regions.objects.binding import INTERFACES, Binding

_LARGEST: Final = 8 << 20  # bytes of an answer
_OURS: Final = "Made for virtual regions."
_OK, _CREATED, _NO_CONTENT, _UNAUTHORIZED, _NOT_FOUND, _CONFLICT = 200, 201, 204, 401, 404, 409


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this cloud who may change its catalog: an admin, by Keystone's default policies.

    Attributes:
        url: of Keystone, with `/v3`.
        username, password_file, user_domain, project, project_domain: to log in.
    """

    url: str
    username: str
    password_file: Path = field(repr=False)
    user_domain: str = "Default"
    project: str = "admin"
    project_domain: str = "Default"


class Catalog:
    """The catalog of a cloud.

    Args:
        account: to change it with.
        session: for requests.
    """

    def __init__(self, account: Account, session: aiohttp.ClientSession) -> None:
        self._account = account
        self._session = session
        self._token = ""

    async def write(self, binding: Binding, endpoints: dict[str, str]) -> None:
        """Have the catalog hold a region with these endpoints and no others.

        Args:
            binding: of the region.
            endpoints: service type as in the catalog -> URL.

        Raises:
            RegionTakenError: there is a region of that name, and it is not this binding's.
            CatalogError: Keystone does not answer, or refuses.
        """
        region = {"id": binding.region, "description": binding.description}
        status, answer = await self._call("POST", "/regions", {"region": region}, _CREATED, _CONFLICT)
        if status == _CONFLICT and not await self._is_ours(binding):
            raise RegionTakenError(
                f"This cloud has a region {binding.region} that no contract made: choose another name."
            )
        left = {(kind, interface) for kind in endpoints for interface in INTERFACES}
        kinds = {service["id"]: service["type"] for service in await self._services()}
        for endpoint in await self._endpoints(binding.region):
            kind, interface = kinds.get(endpoint["service_id"], ""), endpoint["interface"]
            if (kind, interface) not in left:
                await self._call("DELETE", f"/endpoints/{endpoint['id']}", None, _NO_CONTENT, _NOT_FOUND)
                continue
            left.remove((kind, interface))
            if endpoint["url"] != endpoints[kind]:
                changed = {"endpoint": {"url": endpoints[kind]}}
                await self._call("PATCH", f"/endpoints/{endpoint['id']}", changed, _OK)
        for kind, interface in sorted(left):
            identity = next((known for known, of in sorted(kinds.items()) if of == kind), None)
            if identity is None:
                made = {"type": kind, "name": kind, "description": _OURS}
                _, answer = await self._call("POST", "/services", {"service": made}, _CREATED)
                identity = str(answer["service"]["id"])
                kinds[identity] = kind
            endpoint = {"interface": interface, "region_id": binding.region, "service_id": identity}
            endpoint["url"] = endpoints[kind]
            await self._call("POST", "/endpoints", {"endpoint": endpoint}, _CREATED)

    async def clean(self, binding: Binding) -> None:
        """Have the catalog hold nothing of a region.

        Raises:
            CatalogError: Keystone does not answer, or refuses.
        """
        if await self._is_ours(binding):
            for endpoint in await self._endpoints(binding.region):
                await self._call("DELETE", f"/endpoints/{endpoint['id']}", None, _NO_CONTENT, _NOT_FOUND)
            await self._call("DELETE", f"/regions/{quote(binding.region)}", None, _NO_CONTENT, _NOT_FOUND)
        used = {endpoint["service_id"] for endpoint in await self._endpoints(None)}
        for service in await self._services():
            if service.get("description") == _OURS and service["id"] not in used:
                await self._call("DELETE", f"/services/{service['id']}", None, _NO_CONTENT, _NOT_FOUND)

    async def entities(self, kind: str) -> list[dict[str, Any]]:
        """All of this cloud's users, projects, domains, or of another collection of Keystone.

        Args:
            kind: the collection's name.

        Raises:
            CatalogError: Keystone does not answer, refuses, or does not list all.
        """
        answer = (await self._call("GET", f"/{kind}", None, _OK))[1]
        if answer.get("truncated"):
            raise CatalogError(f"Keystone does not list all {kind}: its list_limit is too low.")
        entities: list[dict[str, Any]] = answer[kind]
        return entities

    async def may_delete(self, kind: str, identity: str) -> None:
        """Try to delete something that is not there.

        Raises:
            CatalogError: Keystone does not answer, or refuses.
        """
        await self._call("DELETE", f"/{kind}/{identity}", None, _NOT_FOUND)

    async def _is_ours(self, binding: Binding) -> bool:
        status, answer = await self._call("GET", f"/regions/{quote(binding.region)}", None, _OK, _NOT_FOUND)
        return status == _OK and answer["region"].get("description") == binding.description

    async def _services(self) -> list[dict[str, Any]]:
        services: list[dict[str, Any]] = (await self._call("GET", "/services", None, _OK))[1]["services"]
        return [service for service in services if service_type(service["type"])]

    async def _endpoints(self, region: str | None) -> list[dict[str, Any]]:
        path = "/endpoints" if region is None else f"/endpoints?region_id={quote(region)}"
        endpoints: list[dict[str, Any]] = (await self._call("GET", path, None, _OK))[1]["endpoints"]
        return endpoints

    async def _call(self, method: str, path: str, body: Any, *expected: int) -> tuple[int, Any]:
        """A request, with a new token if Keystone does not accept the one at hand."""
        if self._token:
            status, answer, _ = await self._send(method, path, body)
            if status != _UNAUTHORIZED:
                return self._checked(method, path, status, answer, expected)
        self._token = await self._login()
        status, answer, _ = await self._send(method, path, body)
        return self._checked(method, path, status, answer, expected)

    def _checked(self, method: str, path: str, status: int, answer: Any, expected: tuple[int, ...]) -> tuple[int, Any]:
        if status not in expected:
            names = " or ".join(map(str, expected))
            raise CatalogError(
                f"Keystone answered {method} {path.partition('?')[0]} with {status}, expected {names}: "
                f"{self._account.username} may lack the rights to change the catalog."
            )
        return status, answer

    async def _login(self) -> str:
        account = self._account
        try:
            password = account.password_file.read_text().strip()
        except OSError as error:
            raise CatalogError(f"{account.password_file}: {error.strerror}") from None
        user = {"name": account.username, "domain": {"name": account.user_domain}, "password": password}
        scope = {"project": {"name": account.project, "domain": {"name": account.project_domain}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        self._token = ""
        status, _, token = await self._send(
            "POST", "/auth/tokens?nocatalog", {"auth": {"identity": identity, "scope": scope}}
        )
        if status != _CREATED or not token:
            raise CatalogError(f"Keystone refused {account.username}, who writes the catalog, with status {status}.")
        return token

    async def _send(self, method: str, path: str, body: Any) -> tuple[int, Any, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._token:
            headers["X-Auth-Token"] = self._token
        data = None if body is None else json.dumps(body).encode()
        try:
            async with self._session.request(
                method, self._account.url + path, headers=headers, data=data, allow_redirects=False
            ) as response:
                text = bytearray()
                async for chunk in response.content.iter_chunked(1 << 16):
                    text += chunk
                    if len(text) > _LARGEST:
                        raise CatalogError(f"Keystone answered {method} {path} with more than {_LARGEST >> 20} MiB.")
                token = response.headers.get("X-Subject-Token", "")
                return response.status, json.loads(text) if text else {}, token
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CatalogError(f"Keystone does not answer: {type(error).__name__}.") from None
        except ValueError:
            raise CatalogError(f"Keystone answered {method} {path} with something that is no JSON.") from None
