"""Does a provider's work outside its database (`objects.work`): sets up what a contract needs, cleans up what it leaves, follows projects.

Any number of processes do so at once: each takes one piece for a time (`tables.work`). Each stage is on record before it begins.
"""

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from openstackoid.core.errors import OpenStackoidError
from openstackoid.regions import cleaning
from openstackoid.regions.accounts import Accounts, check_manager, delete_project, project_of, set_enabled
from openstackoid.regions.admin_cleaning import clean_as_admin, remove_keypairs
from openstackoid.regions.errors import ServiceFailedError
from openstackoid.regions.objects.contract import Contract
from openstackoid.regions.objects.states import ContractState, Side
from openstackoid.regions.objects.work import WHOLE, Left, Stage, Work, WorkKind
from openstackoid.regions.service_account import ServiceAccount
from openstackoid.regions.tables.contract import Contracts
from openstackoid.regions.tables.virtual_region import Regions
from openstackoid.regions.tables.work import LEASE, Works
from openstackoid.trust.projects import ProjectMappings, project_name
from openstackoid.trust.quota_leases import QuotaLeases

_AT_ONCE: Final = 4  # pieces of work
_LONGEST: Final = 300  # seconds of one attempt
_AGAIN: Final = 1  # seconds until the next pass, while passes achieve something


@dataclass(frozen=True, slots=True)
class Worker:
    """Does the work.

    Attributes:
        works, contracts, regions: tables.
        mappings: which sub-project stands for which project.
        leases: of native quota, which go back when a sub-project is gone.
        accounts: to do it with.
        settle: seconds from a contract's end to its clean-up.
    """

    works: Works
    contracts: Contracts
    regions: Regions
    mappings: ProjectMappings
    leases: QuotaLeases
    accounts: Accounts
    settle: int

    async def run(self) -> None:
        """Do what is due, and put on record what contracts ask for."""
        await asyncio.to_thread(self._record)
        due = await asyncio.to_thread(self.works.due, int(time.time()))
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(work: Work) -> None:
            async with limit:
                await self._take(work)

        await asyncio.gather(*(one(work) for work in due))

    async def inventory(self, contract: Contract) -> list[dict[str, str]]:
        """What the sub-projects of a contract have, for the other side's users to fetch.

        Raises:
            AccountRefusedError, ServiceFailedError: an account is refused, or a service does not answer.
        """
        manager, domain = self._manager(contract)
        found = []
        for project, local in await asyncio.to_thread(self.mappings.all, _party(contract.id)):
            if await project_of(manager, local) is not None:
                member = await self.accounts.member(manager, domain, local)
                items = await cleaning.Cleaner(member, local).inventory()
                found += [item.to_json() | {"project": project, "local_project": local} for item in items]
        return found

    def _record(self) -> None:
        for summary in self.contracts.all(ContractState.AGREED, ContractState.PROVISIONING):
            if summary.side is Side.PROVIDER:
                self.works.add(summary.id, WorkKind.PROVISION, Stage.CHECKING)
        for contract in self.works.ended():
            self.works.add(contract, WorkKind.CLEAN, Stage.LISTING)

    async def _take(self, work: Work) -> None:
        holder = secrets.token_hex(16)
        taken = await asyncio.to_thread(self.works.take, work, holder, int(time.time()))
        if taken is None:
            return
        renewing = asyncio.create_task(self._renew(taken, holder))
        try:
            async with asyncio.timeout(_LONGEST):
                due = await self._do(taken, holder)
        except (OpenStackoidError, TimeoutError) as error:
            why = (
                f"{error.code}: {error}"
                if isinstance(error, OpenStackoidError)
                else "service.failed: no answer in time"
            )
            await asyncio.to_thread(self.works.failed, taken, holder, why, int(time.time()))
            return
        except Exception as error:  # noqa: BLE001 - whatever an answer does, the work is given back
            # An answer of a form that nobody expected: other work goes on. Without the error's message, which may quote the answer.
            why = f"service.failed: an answer of another form than expected ({type(error).__name__})"
            await asyncio.to_thread(self.works.failed, taken, holder, why, int(time.time()))
            return
        finally:
            renewing.cancel()
        await asyncio.to_thread(self.works.give_back, taken, holder, due)

    async def _renew(self, work: Work, holder: str) -> None:
        while True:
            await asyncio.sleep(LEASE / 4)
            with contextlib.suppress(OpenStackoidError):
                await asyncio.to_thread(self.works.renew, work, holder)

    async def _do(self, work: Work, holder: str) -> int:
        """Go as far as possible; returns when to go on (Unix seconds)."""
        contract = await asyncio.to_thread(self.contracts.get, work.contract)
        match work.kind, work.project:
            case WorkKind.PROVISION, _:
                await self._provision(contract, work, holder)
            case WorkKind.STATE, _:
                await self._set_state(contract, work, holder)
            case _, "":
                return await self._clean_contract(contract, work, holder)
            case _:
                return await self._clean_project(contract, work, holder)
        return 0

    async def _provision(self, contract: Contract, work: Work, holder: str) -> None:
        manager, domain = self._manager(contract)
        await check_manager(manager, domain)
        await asyncio.to_thread(self.works.advance, work, holder, Stage.DONE)

    async def _set_state(self, contract: Contract, work: Work, holder: str) -> None:
        manager, _ = self._manager(contract)
        if await project_of(manager, work.local) is not None:
            await set_enabled(manager, work.local, enabled=work.stage is Stage.ENABLING)
        await asyncio.to_thread(self.works.advance, work, holder, Stage.DONE)

    async def _clean_contract(self, contract: Contract, work: Work, holder: str) -> int:
        """Put the clean-up of each sub-project on record, and wait for all."""
        terms, now = contract.outcome.terms, int(time.time())
        if terms is None or not terms.clean_up:
            await asyncio.to_thread(self.works.advance, work, holder, Stage.DONE)
            return 0
        ended = await asyncio.to_thread(self._ended_at, contract.id)
        if now < ended + self.settle:  # gateways read twice a second that the contract is over
            await asyncio.to_thread(self.works.advance, work, holder, Stage.WAITING)
            return now + _AGAIN
        # A gateway that was making a project when the contract ended has it on record.
        making = await asyncio.to_thread(self.mappings.making, _party(contract.id))
        unbound = await self._unbound(contract)
        waits = any(not unbound.get(foreign) for foreign in making)
        named = {foreign: local for foreign, local in unbound.items() if local or foreign not in making}
        await asyncio.to_thread(self._record_projects, contract, named)
        works = await asyncio.to_thread(self.works.of, contract.id)
        open_ = any(other.stage is not Stage.DONE for other in works if other.project != WHOLE)
        if open_ or waits:
            await asyncio.to_thread(self.works.advance, work, holder, Stage.WAITING)
            return now + _AGAIN
        # Last, and of all its projects that ever were: a user may have had servers in several.
        admin = self.accounts.admin()
        if admin is not None:
            cleaned = {other.local for other in works if other.kind is WorkKind.CLEAN and other.local}
            await remove_keypairs(admin, sorted(cleaned))
        await asyncio.to_thread(self.works.advance, work, holder, Stage.DONE)
        return 0

    def _ended_at(self, identity: str) -> int:
        return next((row.since for row in self.contracts.all(ContractState.ENDED) if row.id == identity), 0)

    async def _unbound(self, contract: Contract) -> dict[str, str]:
        """Projects that a gateway had Keystone make, before it was killed: known by their names alone."""
        reserved = await asyncio.to_thread(self.mappings.reserved, _party(contract.id))
        if not reserved:
            return {}
        manager, domain = self._manager(contract)
        status, answer = await manager.keystone("GET", f"/projects?domain_id={quote(domain, safe='')}")
        if status != 200:  # noqa: PLR2004 - OK
            raise ServiceFailedError(f"Keystone answered {status} when asked for the projects of a domain.")
        by_name = {project["name"]: project["id"] for project in answer["projects"]}
        names = {foreign: project_name(contract.peer, contract.id, foreign) for foreign in reserved}
        return {foreign: by_name.get(name, "") for foreign, name in names.items()}

    def _record_projects(self, contract: Contract, unbound: dict[str, str]) -> None:
        for foreign, local in {**unbound, **dict(self.mappings.all(_party(contract.id)))}.items():
            self.works.add(contract.id, WorkKind.CLEAN, Stage.RESOURCES, foreign, local)

    async def _clean_project(self, contract: Contract, work: Work, holder: str) -> int:
        manager, domain = self._manager(contract)
        stage = work.stage
        if stage is Stage.RESOURCES:
            if work.local and (due := await self._remove_resources(manager, domain, work, holder)):
                return due
            stage = Stage.ADMIN
        for following, act in (
            (Stage.ADMIN, self._as_admin),
            (Stage.PROJECT, self._delete),
            (Stage.MAPPING, self._forget),
        ):
            if stage is following:
                if not await asyncio.to_thread(self.works.advance, work, holder, stage):
                    return 0  # another process has it
                await act(contract, manager, work, holder)
                stage = _NEXT[stage]
        await asyncio.to_thread(self.works.advance, work, holder, Stage.DONE)
        return 0

    async def _remove_resources(self, manager: ServiceAccount, domain: str, work: Work, holder: str) -> int:
        """One pass; returns when the next one is due, 0 if nothing is left."""
        project = await project_of(manager, work.local)
        if project is None:
            return 0
        if not project.get("enabled", True):
            # Nobody can log in to a disabled project. Its user's tokens are refused by the contract, or since it is deleted at home.
            await set_enabled(manager, work.local, enabled=True)
        member = await self.accounts.member(manager, domain, work.local)
        done = await cleaning.Cleaner(member, work.local).clean()
        await asyncio.to_thread(self.works.achieved, work, holder, done.removed, tuple(done.left))
        if not done.left:
            await asyncio.to_thread(self.works.achieved, work, holder, 0, tuple(done.unseen))
            return 0
        if done.removed:
            return int(time.time()) + _AGAIN
        raise ServiceFailedError(f"{len(done.left)} resources are still there: {_named(done.left)}")

    async def _as_admin(self, contract: Contract, _: ServiceAccount, work: Work, holder: str) -> None:
        admin = self.accounts.admin()
        if not work.local:
            await asyncio.to_thread(self.works.achieved, work, holder, 0, ())
            return
        if admin is not None:
            await clean_as_admin(admin, work.local)
            return
        left = [Left("network", "security_groups", "", "default", "needs provider.admin: neutron leaves it to admins")]
        if contract.outcome.state is ContractState.ENDED:
            left.append(
                Left("compute", "keypairs", "", "", "needs provider.admin: nova lists another user's to admins")
            )
        rows = await asyncio.to_thread(self.works.of, work.contract)
        kept = next((row.left for row in rows if (row.kind, row.project) == (work.kind, work.project)), ())
        kept = tuple(item for item in kept if item not in left)
        await asyncio.to_thread(self.works.achieved, work, holder, 0, (*kept, *left))

    async def _delete(self, _: Contract, manager: ServiceAccount, work: Work, __: str) -> None:
        if work.local:
            await delete_project(manager, work.local)

    async def _forget(self, contract: Contract, _: ServiceAccount, work: Work, __: str) -> None:
        await asyncio.to_thread(self.mappings.forget, _party(contract.id), work.project, work.local)
        await asyncio.to_thread(self.leases.forget_project, contract.id, work.local)

    def _manager(self, contract: Contract) -> tuple[ServiceAccount, str]:
        terms = contract.outcome.terms
        if terms is None:
            raise ServiceFailedError(f"The contract {contract.id} has no terms.")
        domain = self.regions.get(terms.virtual_region).domain_id
        return self.accounts.domain(domain), domain


_NEXT: Final = {Stage.ADMIN: Stage.PROJECT, Stage.PROJECT: Stage.MAPPING, Stage.MAPPING: Stage.DONE}


def _party(contract: str) -> str:
    return f"contract:{contract}"


def _named(left: list[Left]) -> str:
    return ", ".join(f"{item.kind} {item.id} ({item.reason})" for item in left[:3])
