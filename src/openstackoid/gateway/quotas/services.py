"""What this cloud's services count of a project, and the quotas that they have in force for it: asked and set with `trust.quota_account`.

Nova's own count of what is in use lags behind its answers: a server counts when a conductor has put it into a cell, after the answer. Its list of
servers does not: it begins with the requests to build them (nova/compute/api.py, get_all), so the list is counted. Neutron and cinder count exactly.
Glance has no quota of its own for a project's images: their sizes are added up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from openstackoid.core import limits, protocol
from openstackoid.core.errors import OpenStackoidError, QuotaUnavailableError
from openstackoid.core.region_quota import MOST, NATIVE
from openstackoid.gateway.federation.keystone_api import KeystoneApi
from openstackoid.gateway.upstream.documents import parsed, whole
from openstackoid.gateway.upstream.failures import reason

LIMIT: Final = 12  # seconds to count, and to set: both are done before a lock is over (`quota_leases.LOCK`)
_PAGE: Final = 1000
_MOST_PAGES: Final = 1000
_UNAUTHORIZED: Final = 401
_WITH_FLAVORS: Final = {"OpenStack-API-Version": "compute 2.47", "X-OpenStack-Nova-API-Version": "2.47"}


class ServiceQuotas:
    """Counts and sets at this cloud's services.

    Args:
        bases: official service type -> base URL of its backend.
        session: connections.
        api: the account.
    """

    def __init__(self, bases: Mapping[str, str], session: aiohttp.ClientSession, api: KeystoneApi) -> None:
        self._bases = bases
        self._session = session
        self._api = api
        self._counting: Final[Mapping[str, Callable[[str], Awaitable[dict[str, int]]]]] = {
            "compute": self._servers,
            "network": self._network,
            "block-storage": self._volumes,
            "image": self._images,
        }

    async def used(self, service: str, project: str) -> dict[str, int]:
        """Name of `region_quota.QUOTAS` -> what a project uses of it, at one service.

        Raises:
            QuotaUnavailableError: the service does not say.
        """
        try:
            async with asyncio.timeout(LIMIT):
                return await self._counting[service](project)
        except TimeoutError:
            raise QuotaUnavailableError(f"This cloud's {service} service did not count in time.") from None

    async def set(self, service: str, project: str, quotas: Mapping[str, int]) -> None:
        """Put quotas in force for a project, by the names of `region_quota.QUOTAS`.

        Raises:
            QuotaUnavailableError: the service does not take them.
        """
        native = {NATIVE[name]: min(amount, MOST) for name, amount in quotas.items() if name in NATIVE}
        if not native:
            return
        if service == "network":
            await self._json("PUT", service, f"/v2.0/quotas/{quote(project)}", {"quota": native})
        elif service == "compute":
            # What a project uses beyond its quota, from before, does not hinder (nova/api/openstack/compute/quota_sets.py).
            body = {"quota_set": native | {"force": True}}
            await self._json("PUT", service, f"/v2.1/os-quota-sets/{quote(project)}", body)
        else:
            path = f"/v3/{await self._project()}/os-quota-sets/{quote(project)}"
            await self._json("PUT", service, path, {"quota_set": native})

    async def flavor(self, identity: str, token: str) -> tuple[int, int] | None:
        """Cores and memory of a flavor, as the user with the token sees it; None if the user does not."""
        document = await self._ask("GET", "compute", f"/v2.1/flavors/{quote(identity, safe='')}", token)
        flavor = document.get("flavor")
        return (int(flavor["vcpus"]), int(flavor["ram"])) if isinstance(flavor, dict) else None

    async def server(self, identity: str, token: str) -> tuple[int, int] | None:
        """The same of a server's flavor."""
        path = f"/v2.1/servers/{quote(identity, safe='')}"
        server = (await self._ask("GET", "compute", path, token, _WITH_FLAVORS)).get("server")
        flavor = server.get("flavor") if isinstance(server, dict) else None
        return (int(flavor["vcpus"]), int(flavor["ram"])) if isinstance(flavor, dict) else None

    async def volume(self, identity: str, project: str, token: str) -> int | None:
        """Gigabytes of a volume; None if the user does not see it."""
        document = await self._ask("GET", "block-storage", f"/v3/{project}/volumes/{quote(identity, safe='')}", token)
        volume = document.get("volume")
        return int(volume["size"]) if isinstance(volume, dict) else None

    async def _servers(self, project: str) -> dict[str, int]:
        used = {"instances": 0, "cores": 0, "ram": 0}
        seen: set[str] = set()
        path = f"/v2.1/servers/detail?all_tenants=1&project_id={quote(project)}&limit={_PAGE}"
        marker = ""
        for _ in range(_MOST_PAGES):
            page = (await self._json("GET", "compute", path + marker, headers=_WITH_FLAVORS))["servers"]
            for server in page:
                if server["id"] not in seen:
                    seen.add(server["id"])
                    used["instances"] += 1
                    used["cores"] += int(server["flavor"]["vcpus"])
                    used["ram"] += int(server["flavor"]["ram"])
            if len(page) < _PAGE:
                break
            marker = f"&marker={quote(page[-1]['id'])}"
        return used

    async def _network(self, project: str) -> dict[str, int]:
        found = (await self._json("GET", "network", f"/v2.0/quotas/{quote(project)}/details"))["quota"]
        kinds = {name: NATIVE[name] for name in ("networks", "ports", "floating_ips")}
        return {
            name: int(found[kind]["used"]) + int(found[kind].get("reserved", 0))
            for name, kind in kinds.items()
            if kind in found
        }

    async def _volumes(self, project: str) -> dict[str, int]:
        path = f"/v3/{await self._project()}/os-quota-sets/{quote(project)}?usage=True"
        found = (await self._json("GET", "block-storage", path))["quota_set"]
        return {name: int(found[name]["in_use"]) + int(found[name]["reserved"]) for name in ("volumes", "gigabytes")}

    async def _images(self, project: str) -> dict[str, int]:
        size, path = 0, f"/v2/images?owner={quote(project)}&limit={_PAGE}"
        for _ in range(_MOST_PAGES):
            page = await self._json("GET", "image", path)
            size += sum(int(image.get("size") or 0) for image in page["images"] if image.get("owner") == project)
            if not (following := page.get("next")):
                break
            path = str(following)
        return {"image_bytes": size}

    async def _project(self) -> str:
        try:
            return await self._api.account_project()
        except OpenStackoidError as error:
            raise QuotaUnavailableError(f"The account for quotas cannot be used: {error}") from None

    async def _json(
        self,
        method: str,
        service: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer to the account."""
        try:
            token = await self._api.account_token()
            status, document = await self._send(method, service, path, token, headers or {}, body)
            if status == _UNAUTHORIZED:
                token = await self._api.account_token(token)
                status, document = await self._send(method, service, path, token, headers or {}, body)
        except QuotaUnavailableError:
            raise
        except OpenStackoidError as error:
            raise QuotaUnavailableError(f"The account for quotas cannot be used: {error}") from None
        if status not in {200, 201}:
            raise QuotaUnavailableError(
                f"This cloud's {service} service answered {status} to {method} {path.partition('?')[0]}; operators: see trust.quota_account."
            )
        return document

    async def _ask(
        self, method: str, service: str, path: str, token: str, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The answer to a user; empty if it is none."""
        status, document = await self._send(method, service, path, token, headers or {}, None)
        return document if status == 200 and isinstance(document, dict) else {}  # noqa: PLR2004

    async def _send(
        self, method: str, service: str, path: str, token: str, headers: Mapping[str, str], body: Any
    ) -> tuple[int, Any]:
        data = None if body is None else orjson.dumps(body)
        sent = {**headers, protocol.AUTH: token, "Accept": "application/json", "Content-Type": "application/json"}
        url = URL(self._bases[service] + path, encoded=True)
        limit = aiohttp.ClientTimeout(total=LIMIT)
        try:
            async with self._session.request(
                method, url, headers=sent, data=data, timeout=limit, allow_redirects=False
            ) as answer:
                return answer.status, parsed(await whole(answer.content, limits.ANSWER) or b"{}", limits.ANSWER)
        except TimeoutError:
            raise QuotaUnavailableError(f"This cloud's {service} service did not answer in time.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise QuotaUnavailableError(f"This cloud's {service} service cannot be reached: {reason(error)}.") from None
        except ValueError:
            return 502, {}
