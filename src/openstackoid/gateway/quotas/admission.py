"""Admits what takes of a contract's quota, by leases (`trust.quota_leases`), and moves leases between projects.

    take     the project's lease has room: one transaction, and no question to anybody
    count    it has not: what its project really uses is counted
    grow     and its lease raised from what nobody has
    reclaim  nobody has enough: other projects are counted, and what they do not use is taken back
    refuse   all of it is used. While creates are under way, nobody knows how many of them succeed: who would be refused for them waits

The number of gateways does not matter: each step is a transaction, and who changes a project's quota at a service holds its lock.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from openstackoid.core.errors import QuotaUnavailableError, RegionQuotaError
from openstackoid.core.region_quota import QUOTAS
from openstackoid.gateway.quotas.services import ServiceQuotas
from openstackoid.trust.quota_leases import Lease, QuotaLeases

PATIENCE: Final = 60.0  # seconds that a create waits for others
_POLL: Final = 0.2  # seconds between two looks at what is under way
_AT_ONCE: Final = 4  # projects that are counted at a time
_SHOWN_AGE: Final = 30_000  # milliseconds for which a count is good enough to be shown
_MOST_SHOWN: Final = 16  # projects that are counted anew for one answer


@dataclass(frozen=True, slots=True)
class Account:
    """Whose quota it is about.

    Attributes:
        contract: id.
        quota: name of `QUOTAS` -> how much, over all projects, of one service.
        project: ours.
        service: official service type.
    """

    contract: str
    quota: Mapping[str, int]
    project: str
    service: str

    @classmethod
    def of(cls, contract: str, quota: Mapping[str, int], project: str, service: str) -> "Account":
        """That of a service, from the quota of all services."""
        return cls(contract, {name: most for name, most in quota.items() if QUOTAS[name] == service}, project, service)

    def other(self, project: str) -> "Account":
        """The same of another project."""
        return Account(self.contract, self.quota, project, self.service)


class Admission:
    """Admits requests.

    Args:
        leases: of all contracts.
        services: this cloud's, which count and enforce.
    """

    def __init__(self, leases: QuotaLeases, services: ServiceQuotas) -> None:
        self._leases = leases
        self._services = services
        self._ready: set[tuple[str, str, str]] = set()

    async def ready(self, account: Account) -> None:
        """Have a service enforce a project's lease before its first request that changes anything.

        Raises:
            QuotaUnavailableError: the service does not.
        """
        key = (account.contract, account.project, account.service)
        if key in self._ready:
            return
        await asyncio.to_thread(self._leases.prepare, account.contract, account.project, account.quota)
        end = time.monotonic() + PATIENCE
        while await asyncio.to_thread(self._leases.unsettled, account.contract, account.project, account.quota):
            holder = await self._lock(account)
            if holder:
                try:
                    await self._settle(account)
                finally:
                    await self._unlock(account, holder)
            await self._wait(end)
        self._ready.add(key)

    async def take(self, account: Account, amounts: Mapping[str, int]) -> str:
        """Admit a request that takes these amounts; returns the id of what it holds.

        Raises:
            RegionQuotaError: they are more than there is.
            QuotaUnavailableError: a service does not count or enforce, or others take too long.
        """
        await self.ready(account)
        for name, amount in amounts.items():
            if amount > account.quota[name]:
                raise RegionQuotaError(
                    f"Quota exceeded for {name}: the request takes {amount}, and this region has {account.quota[name]} in all."
                )
        since, end = _milliseconds(), time.monotonic() + PATIENCE
        while True:
            held = await self._take(account, amounts)
            if held:
                return held
            waiting = await self._under_way(account)
            if await self._raise(account, amounts, since):
                continue
            await self._reclaim(account, amounts, since)
            leases = await self._all(account)
            if any(lease.counted < since for lease in leases):
                await self._wait(end)  # another process counts
                continue
            if all(_left(account, leases, name) >= amount for name, amount in amounts.items()):
                await self._wait(end)  # there is room, which another process moves
                continue
            for name, amount in amounts.items():
                used = account.quota[name] - sum(lease.used for lease in leases if lease.name == name)
                if used < amount:
                    raise _refused(account, name, amount, used)
            if not waiting:
                name = next(name for name in amounts if _left(account, leases, name) < amounts[name])
                raise _refused(account, name, amounts[name], _left(account, leases, name))
            while waiting <= await self._under_way(account):
                await self._wait(end)
            since = _milliseconds()

    async def finish(self, held: str, *, refused: bool) -> None:
        """What a request held is over; `refused`: it certainly took nothing."""
        await asyncio.to_thread(self._leases.finish, held, refused=refused)

    async def renew(self, held: Collection[str]) -> None:
        """Keep what a request holds: it is still under way."""
        await asyncio.to_thread(self._leases.renew, held, int(time.time()))

    async def doubt(self, account: Account) -> None:
        """The service refused what was admitted: its quota is set again before the next request."""
        self._ready.discard((account.contract, account.project, account.service))
        await asyncio.to_thread(self._leases.doubt, account.contract, account.project, account.quota)

    async def limits(self, account: Account) -> dict[str, int]:
        """What the project may use in all, now: the quota without what other projects use.

        Raises:
            QuotaUnavailableError: a service does not count.
        """
        now = _milliseconds()
        others = [lease for lease in await self._all(account) if lease.project != account.project and lease.bound]
        old = sorted((lease.counted, lease.project) for lease in others if lease.counted < now - _SHOWN_AGE)
        projects = list(dict.fromkeys(project for _, project in old))[:_MOST_SHOWN]
        await self._each(projects, lambda project: self._count(account.other(project)))
        leases = [lease for lease in await self._all(account) if lease.project != account.project]
        return {name: max(0, _left(account, leases, name)) for name in account.quota}

    async def _take(self, account: Account, amounts: Mapping[str, int]) -> str | None:
        now = int(time.time())
        return await asyncio.to_thread(self._leases.take, account.contract, account.project, amounts, now)

    async def _under_way(self, account: Account) -> frozenset[str]:
        now = int(time.time())
        return await asyncio.to_thread(self._leases.under_way, account.contract, account.service, now)

    async def _all(self, account: Account) -> list[Lease]:
        return await asyncio.to_thread(self._leases.leases, account.contract, account.quota)

    async def _raise(self, account: Account, amounts: Mapping[str, int], since: int) -> bool:
        """Count the project and raise its lease from what nobody has; returns whether to try again."""
        holder = await self._lock(account)
        if not holder:
            await asyncio.sleep(_POLL)
            return False
        try:
            own = [lease for lease in await self._all(account) if lease.project == account.project]
            if any(lease.counted < since for lease in own):
                await self._count(account)
            grown = await asyncio.to_thread(
                self._leases.grow, account.contract, account.project, account.quota, amounts
            )
            await self._settle(account)
        finally:
            await self._unlock(account, holder)
        return grown

    async def _reclaim(self, account: Account, amounts: Mapping[str, int], since: int) -> None:
        """Take back what other projects do not use, those with most to spare first, until it is enough."""
        leases = [lease for lease in await self._all(account) if lease.project != account.project]
        spare: dict[str, int] = {}
        for lease in leases:
            if lease.counted < since or lease.granted != lease.bound or not lease.settled:
                spare[lease.project] = spare.get(lease.project, 0) + max(lease.granted, lease.ceiling) - lease.bound
        projects = sorted(spare, key=lambda project: -spare[project])
        for first in range(0, len(projects), _AT_ONCE):
            await self._each(
                projects[first : first + _AT_ONCE], lambda project: self._try_lower(account.other(project), since)
            )
            if _is_free(account, await self._all(account), amounts):
                return

    async def _try_lower(self, account: Account, since: int) -> None:
        """Lower a project's leases, if the service lets it: one whose project is being deleted keeps them, and others may have enough."""
        with contextlib.suppress(QuotaUnavailableError):
            await self._lower(account, since)

    async def _lower(self, account: Account, since: int) -> None:
        holder = await self._lock(account)
        if not holder:
            return
        try:
            own = [lease for lease in await self._all(account) if lease.project == account.project]
            if any(lease.counted < since for lease in own):
                await self._count(account)
            if await asyncio.to_thread(self._leases.shrink, account.contract, account.project, account.quota):
                await self._settle(account)
        finally:
            await self._unlock(account, holder)

    async def _count(self, account: Account) -> None:
        started, now = _milliseconds(), int(time.time())
        contract, project = account.contract, account.project
        count = await asyncio.to_thread(self._leases.begin_count, contract, project, account.service, now)
        used = await self._services.used(account.service, project)
        await asyncio.to_thread(self._leases.counted, contract, project, count, used, started)

    async def _settle(self, account: Account) -> None:
        """Put a project's leases in force at the service. Its lock is held."""
        contract, project = account.contract, account.project
        wanted = await asyncio.to_thread(self._leases.unsettled, contract, project, account.quota)
        if wanted:
            await self._services.set(account.service, project, wanted)
            await asyncio.to_thread(self._leases.settle, contract, project, wanted)

    async def _lock(self, account: Account) -> str | None:
        holder, now = secrets.token_hex(16), int(time.time())
        arguments = (account.contract, account.project, account.service, holder, now)
        return holder if await asyncio.to_thread(self._leases.lock, *arguments) else None

    async def _unlock(self, account: Account, holder: str) -> None:
        arguments = (account.contract, account.project, account.service, holder)
        await asyncio.to_thread(self._leases.unlock, *arguments)

    async def _each(self, projects: Iterable[str], job: Callable[[str], Awaitable[None]]) -> None:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(project: str) -> None:
            async with turns:
                await job(project)

        results = await asyncio.gather(*(one(project) for project in projects), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _wait(self, end: float) -> None:
        if time.monotonic() > end:
            raise QuotaUnavailableError("Other requests in this region have been under way for too long. Try again.")
        await asyncio.sleep(_POLL)


def _left(account: Account, leases: Iterable[Lease], name: str) -> int:
    return account.quota[name] - sum(lease.bound for lease in leases if lease.name == name)


def _is_free(account: Account, leases: list[Lease], amounts: Mapping[str, int]) -> bool:
    """Whether what nobody has is enough for what a project lacks."""
    for name, amount in amounts.items():
        of = [lease for lease in leases if lease.name == name]
        own = sum(lease.granted - lease.bound for lease in of if lease.project == account.project)
        free = account.quota[name] - sum(max(lease.granted, lease.ceiling) for lease in of)
        if own + free < amount:
            return False
    return True


def _refused(account: Account, name: str, amount: int, left: int) -> RegionQuotaError:
    return RegionQuotaError(
        f"Quota exceeded for {name}: the request takes {amount}, and of the {account.quota[name]} of this region {max(0, left)} are left "
        "to all its projects together."
    )


def _milliseconds() -> int:
    return int(time.time() * 1000)
