"""Measures what the sub-projects of a contract use, by the services' own calls, as a member of each project.

    servers   nova's os-simple-tenant-usage: also of servers that are gone
    volumes   cinder's list: of those that are there
    images    glance's list: of those that are there

What was measured is kept (`tables.usage`), and never becomes less: a turn adds what volumes and images that are there have taken since the turn
before, and takes of nova's words on a day the largest. Turns are once an hour and whenever somebody asks, so what came and went between two of them
is missing; nothing else is, although nova forgets servers that were archived. A project that is gone keeps its lines.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from openstackoid.core.errors import OpenStackoidError
from openstackoid.core.services import service_type
from openstackoid.regions import listing
from openstackoid.regions.accounts import Accounts, project_of
from openstackoid.regions.errors import ServiceFailedError
from openstackoid.regions.objects import grant, resource_kinds, usage
from openstackoid.regions.objects.resource_kinds import ResourceKind
from openstackoid.regions.objects.states import Side
from openstackoid.regions.objects.usage import Line, Period
from openstackoid.regions.service_account import ServiceAccount, refusal
from openstackoid.regions.tables.contract import Contracts, Summary
from openstackoid.regions.tables.usage import Usages
from openstackoid.regions.tables.virtual_region import Regions
from openstackoid.trust.projects import ProjectMappings

EVERY: Final = 3600  # seconds between two measurements
_OK: Final = 200
_LOG: Final = logging.getLogger(__name__)
_COMPUTE: Final = ResourceKind("compute", "/v2.1", "", "")
_VOLUME: Final = ResourceKind("block-storage", "/v3", "/volumes/detail", "volumes")
_IMAGE: Final = ResourceKind("image", "/v2", "/images", "images")


@dataclass(frozen=True, slots=True)
class Meter:
    """Measures.

    Attributes:
        usages, contracts, regions: tables.
        mappings: which sub-project stands for which project.
        accounts: to ask with.
    """

    usages: Usages
    contracts: Contracts
    regions: Regions
    mappings: ProjectMappings
    accounts: Accounts

    async def measure(self, contract: Summary, period: Period) -> list[Line]:
        """Measure up to now, and return all that is kept of a period.

        Raises:
            AccountRefusedError, ServiceFailedError: an account is refused, or a service does not answer.
        """
        domain = self.regions.get(contract.terms.virtual_region).domain_id
        manager, now = self.accounts.domain(domain), datetime.now(UTC).replace(microsecond=0)
        failure: OpenStackoidError | None = None
        for project, local in await asyncio.to_thread(self.mappings.all, f"contract:{contract.id}"):
            try:
                await self._measure(manager, domain, contract.id, project, local, period, now)
            except OpenStackoidError as error:
                failure = error  # the others are measured all the same
        if failure is not None:
            raise failure
        return await asyncio.to_thread(self.usages.lines, contract.id, period)

    async def _measure(
        self,
        manager: ServiceAccount,
        domain: str,
        contract: str,
        project: str,
        local: str,
        period: Period,
        now: datetime,
    ) -> None:
        found = await project_of(manager, local)
        if found is None:
            return  # gone: what was measured stays
        if found.get("enabled", False):
            member = await self.accounts.member(manager, domain, local)
        else:
            # Nobody can log in to a disabled project; what it has costs all the same. Without an admin nova counts the time of its servers when the
            # project is enabled again, and nobody that of volumes and images.
            admin = self.accounts.admin()
            if admin is None:
                return
            member = admin
        since = await asyncio.to_thread(self.usages.measured, contract, project)
        servers, stored = await _lines(member, project, local, period, since, now)
        await asyncio.to_thread(self.usages.record, contract, project, servers, stored, since, now)

    async def run(self) -> None:
        """Measure all contracts in use."""
        today = datetime.now(UTC).date()
        period = Period(today, today + timedelta(days=1))
        for contract in await asyncio.to_thread(self.contracts.all, *grant.IN_USE):
            if contract.side is Side.PROVIDER:
                try:
                    await self.measure(contract, period)
                except OpenStackoidError as error:
                    _LOG.error("openstackoid regions: use of %s: %s: %s", contract.id, error.code, error)


async def _lines(
    member: ServiceAccount, project: str, local: str, asked: Period, since: datetime | None, now: datetime
) -> tuple[list[Line], list[Line]]:
    """What servers have used on the days since, and on those asked for, in all; and what was stored since, to be added."""
    urls = await _endpoints(member)
    # A member is shown the own project's; cinder reads the parameters of an admin only.
    whose = f"?all_tenants=1&project_id={quote(local)}"
    tomorrow = now.date() + timedelta(days=1)
    longest = tomorrow - timedelta(days=usage.MOST_DAYS)
    first = longest if since is None else max(longest, min(asked.first, since.date() - timedelta(days=1)))
    period, servers, stored = Period(first, tomorrow), [], []
    if url := urls.get("compute"):
        window = f"start={_plain(period.start)}&end={_plain(now)}&detailed=1"
        path = f"/os-simple-tenant-usage/{quote(local)}?{window}"
        found = (await _asked(member, resource_kinds.base(url, _COMPUTE) + path)).get("tenant_usage") or {}
        servers += usage.servers(project, found.get("server_usages") or (), period, now)
    if url := urls.get("block-storage"):
        volumes = [
            (volume.get("created_at"), Decimal(int(volume.get("size") or 0)))
            for volume in await _items(member, resource_kinds.base(url, _VOLUME), _VOLUME, whose)
            if volume.get(_OWNER, local) == local
        ]
        stored += usage.stored(project, usage.VOLUME, volumes, period, now, since)
    if url := urls.get("image"):
        images = [
            (image.get("created_at"), usage.gib(int(image.get("size") or 0)))
            for image in await _items(member, resource_kinds.base(url, _IMAGE), _IMAGE, f"?owner={quote(local)}")
            if image.get("owner") == local
        ]
        stored += usage.stored(project, usage.IMAGE, images, period, now, since)
    return servers, stored


_OWNER: Final = "os-vol-tenant-attr:tenant_id"


async def _items(member: ServiceAccount, base: str, kind: ResourceKind, query: str) -> list[Mapping[str, Any]]:
    status, answer, items = await listing.whole(member, base + kind.path + query, kind.key)
    if status != _OK:
        raise _failed(member, status, answer)
    return items


async def _asked(member: ServiceAccount, url: str) -> Mapping[str, Any]:
    status, answer = await member.call("GET", url)
    if status != _OK or not isinstance(answer, dict):
        raise _failed(member, status, answer)
    return answer


def _failed(member: ServiceAccount, status: int, answer: Any) -> ServiceFailedError:
    return ServiceFailedError(f"A service does not say what {member.name} uses: {refusal(status, answer)}.")


async def _endpoints(member: ServiceAccount) -> dict[str, str]:
    urls: dict[str, str] = {}
    for service in (await member.described()).get("catalog") or []:
        official = service_type(str(service.get("type")))
        for endpoint in service.get("endpoints", []):
            if official and endpoint.get("interface") == "public":
                urls.setdefault(official, str(endpoint.get("url")))
    return urls


def _plain(moment: datetime) -> str:
    return moment.replace(tzinfo=None, microsecond=0).isoformat()
