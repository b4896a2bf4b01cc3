"""Map a foreign user's project to a project of this cloud: as agreed, or created on demand, once, and up to the agreed number.

Before Keystone is asked, a row is reserved in the database that all gateways share (`trust.projects`): one process asks, the others wait.
"""

import asyncio
import contextlib
import secrets
from typing import Final

from openstackoid.core.errors import OpenStackoidError, ProjectError
from openstackoid.gateway.federation.keystone_projects import KeystoneProjects, RefusedProjectError
from openstackoid.gateway.federation.shared_tasks import SharedTasks
from openstackoid.trust.agreements import Agreement
from openstackoid.trust.projects import LEASE, Claim, ProjectMappings, project_name

_POLL: Final = 0.1  # seconds between two polls for the result of another process
_RENEW: Final = LEASE / 4  # seconds between two renewals of a reservation
_TIMEOUT: Final = 2 * LEASE  # seconds for the whole wait, which also covers a process that was killed


class Projects:
    """The projects of this cloud that stand for those of other clouds.

    Args:
        cloud: this cloud's name.
        mappings: projects that were created before.
        keystone: creates projects.
    """

    def __init__(self, cloud: str, mappings: ProjectMappings, keystone: KeystoneProjects) -> None:
        self._cloud = cloud
        self._mappings = mappings
        self._keystone = keystone
        # (agreement's id, home's project) -> our project; mappings change by `forget` alone, and are at most as many as agreed.
        self._known: dict[tuple[str, str], str] = {}
        self._making: SharedTasks[tuple[str, str], str] = SharedTasks()

    async def local(self, agreement: Agreement, foreign: str) -> str:
        """The id of this cloud's project that stands for one of the peer's projects.

        Raises:
            ProjectError: no project could be had.
        """
        known = await self.known(agreement, foreign)
        if known is not None:
            return known
        # All waiters share one task, which goes on when they are gone: a project that Keystone created must be recorded.
        key, domain = (agreement.id, foreign), agreement.grant.projects.where or "default"
        self._known[key] = await self._making.run(key, lambda: self._find(agreement, foreign, domain))
        return self._known[key]

    async def known(self, agreement: Agreement, foreign: str) -> str | None:
        """As `local`, but None if the project has not been created yet."""
        projects, key = agreement.grant.projects, (agreement.id, foreign)
        if projects.kind == "same":
            return foreign
        if projects.kind == "one":
            return projects.where or foreign
        if key not in self._known:
            mapping = await asyncio.to_thread(self._mappings.get, agreement.party, foreign)
            if mapping is None:
                return None
            self._known[key] = mapping
        return self._known[key]

    def forget(self, agreement: Agreement, foreign: str) -> None:
        """Read from the database again which project stands for one of the peer's: operators may have had it forgotten."""
        self._known.pop((agreement.id, foreign), None)

    async def all(self, agreement: Agreement) -> dict[str, str]:
        """The peer's projects that have one here by now: id there -> id here. Empty if the agreement has no such mapping."""
        if agreement.grant.projects.kind != "each":
            return {}
        return dict(await asyncio.to_thread(self._mappings.all, agreement.party))

    async def _find(self, agreement: Agreement, foreign: str, domain: str) -> str:
        party, most, holder = agreement.party, agreement.grant.most_projects, secrets.token_hex(16)
        loop = asyncio.get_running_loop()
        end = loop.time() + _TIMEOUT
        while loop.time() < end:
            known = await asyncio.to_thread(self._mappings.get, party, foreign)
            if known is not None:
                return known
            claim = await asyncio.to_thread(self._mappings.reserve, party, foreign, holder, most)
            if claim is Claim.FULL:
                raise ProjectError(
                    f"{self._cloud} makes {most} projects at most for {agreement.peer}, and has made them."
                )
            if claim is Claim.MINE:
                return await self._make(agreement, foreign, domain, holder)
            await asyncio.sleep(_POLL)
        raise ProjectError(f"Another gateway of {self._cloud} has been making the project for {_TIMEOUT} s. Try again.")

    async def _make(self, agreement: Agreement, foreign: str, domain: str, holder: str) -> str:
        party, name = agreement.party, project_name(agreement.peer, agreement.id, foreign)
        made = refused = None
        renewing = asyncio.create_task(self._renew(party, foreign, holder))
        try:
            made = await self._keystone.make(name, domain, f"Stands for project {foreign} of {agreement.peer}.")
        except RefusedProjectError as error:
            refused = error
            raise
        finally:
            renewing.cancel()
            if made is None:
                await asyncio.to_thread(self._mappings.release, party, foreign, holder, keep=refused is None)
        bound = await asyncio.to_thread(self._mappings.bind, party, foreign, holder, made)
        if bound is None:
            raise ProjectError(f"The agreement with {agreement.peer} changed while its project was made. Try again.")
        return bound

    async def _renew(self, party: str, foreign: str, holder: str) -> None:
        """Keep the reservation while Keystone works: another gateway would make the same project, and Keystone logs the conflict with a traceback."""
        while True:
            await asyncio.sleep(_RENEW)
            with contextlib.suppress(OpenStackoidError):
                await asyncio.to_thread(self._mappings.renew, party, foreign, holder)
