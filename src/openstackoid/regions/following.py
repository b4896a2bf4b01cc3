"""Projects follow those at their home: what an aggregator says of its own, and what its provider makes of it.

    the aggregator   lists its Keystone's projects in an interval, compares them with those that have sub-projects, sends a statement
    the provider     disables and enables sub-projects, or removes them with all that they have (`working`), as the terms say

A renamed project needs nothing: the provider never learns its name, and the sub-project's comes from its id.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Final

from openstackoid.regions.catalog import Catalog
from openstackoid.regions.errors import CatalogError
from openstackoid.regions.objects.grant import IN_USE
from openstackoid.regions.objects.project_states import ProjectState, Statement, compare
from openstackoid.regions.objects.states import Side
from openstackoid.regions.objects.terms import OnDelete, Terms
from openstackoid.regions.objects.work import Stage, WorkKind
from openstackoid.regions.peers import Peers
from openstackoid.regions.tables.contract import Contracts, Summary
from openstackoid.regions.tables.project_states import ProjectStates
from openstackoid.regions.tables.work import Works
from openstackoid.trust import tokens
from openstackoid.trust.keys import Keys
from openstackoid.trust.projects import ProjectMappings

_ENABLED: Final = (ProjectState.ENABLED, 0)


class Follower:
    """An aggregator's part.

    Args:
        cloud: this cloud's name.
        contracts, states: tables.
        catalog: lists the projects of this cloud's Keystone.
        peers: to whom statements go.
        keys: this cloud's.
        deleted_after: seconds after which a project that is not listed counts as deleted.
    """

    def __init__(
        self,
        cloud: str,
        contracts: Contracts,
        states: ProjectStates,
        catalog: Catalog,
        peers: Peers,
        keys: Keys,
        deleted_after: int,
    ) -> None:
        self._cloud = cloud
        self._contracts = contracts
        self._states = states
        self._catalog = catalog
        self._peers = peers
        self._keys = keys
        self._deleted_after = deleted_after
        # (Contract, project) -> since when this process has missed it in every list (monotonic).
        self._missed: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Compare the projects of all contracts in use, and say what is to be said.

        Raises:
            CatalogError: Keystone does not list all projects.
            OpenStackoidError: the first peer's failure, after all were tried.
        """
        contracts = await asyncio.to_thread(self._contracts.all, *IN_USE)
        consumed = [row for row in contracts if row.side is Side.CONSUMER]
        if not consumed:
            return
        projects = await self._projects()
        results = await asyncio.gather(*(self._follow(row, projects) for row in consumed), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _projects(self) -> dict[str, bool]:
        """Id -> whether users can work in it: neither it nor its domain is disabled."""
        domains = {row["id"]: bool(row.get("enabled", True)) for row in await self._catalog.entities("domains")}
        rows = await self._catalog.entities("projects")
        if not rows:
            raise CatalogError("Keystone lists no project at all: nothing follows from that about users' projects.")
        return {
            row["id"]: bool(row.get("enabled", True)) and domains.get(row.get("domain_id", ""), True) for row in rows
        }

    async def _follow(self, contract: Summary, projects: Mapping[str, bool]) -> None:
        """Say what is known, and once more if the provider has projects of which nothing was known yet."""
        listed = self._as_known(contract, projects)
        before = await asyncio.to_thread(self._states.all, contract.id)
        followed = list(before)
        for _ in range(2):
            missing_since = {project: at for project, (state, at) in before.items() if state is ProjectState.MISSING}
            now, watched = int(time.time()), self._watched(contract.id, followed, listed)
            said, missing = compare(followed, listed, missing_since, now, self._deleted_after, watched)
            serial = await asyncio.to_thread(self._states.next_serial, contract.id)
            statement = Statement(self._cloud, contract.peer, contract.id, serial, said)
            answer = await self._peers.say(contract.peer, statement.sign(self._keys, now))
            after = {
                project: (ProjectState.MISSING, missing[project])
                if project in missing
                else (said.get(project, ProjectState.ENABLED), 0)
                for project in answer
            }
            if after != before:
                await asyncio.to_thread(self._states.replace, contract.id, after)
            if set(answer) <= set(followed):
                return
            before, followed = after, answer

    def _watched(self, contract: str, followed: Collection[str], listed: Mapping[str, bool]) -> dict[str, float]:
        """For how many seconds this process has missed projects in every list."""
        now = time.monotonic()
        missed = {project: self._missed.get((contract, project), now) for project in followed if project not in listed}
        self._missed = {key: since for key, since in self._missed.items() if key[0] != contract}
        self._missed |= {(contract, project): since for project, since in missed.items()}
        return {project: now - since for project, since in missed.items()}

    def _as_known(self, contract: Summary, projects: Mapping[str, bool]) -> dict[str, bool]:
        """The projects under the ids by which the provider knows them."""
        if not contract.terms.anonymous:
            return dict(projects)
        party = f"contract:{contract.id}"
        return {tokens.project_pseudonym(project, party, self._keys): on for project, on in projects.items()}


def record(
    statement: Statement, terms: Terms, states: ProjectStates, works: Works, mappings: ProjectMappings
) -> list[str]:
    """A provider's part: put on record what a statement asks for; returns the projects that have sub-projects. Blocks.

    The statement's serial is written last, after the work: a process that is killed between does it again when the statement is sent again.

    Raises:
        MessageError: a later statement has been taken.
    """
    known = dict(mappings.all(f"contract:{statement.contract}"))
    before = states.all(statement.contract)
    now, after = int(time.time()), {}
    # A statement that is too old is refused before anything comes of it.
    states.check(statement.contract, statement.serial)
    for project, local in known.items():
        wanted = statement.states.get(project, ProjectState.ENABLED)
        was = before.get(project, _ENABLED)
        if wanted is not ProjectState.ENABLED:
            after[project] = was if was[0] is wanted else (wanted, now)
        if wanted is was[0]:
            continue
        if wanted is ProjectState.DELETED and terms.on_delete is OnDelete.CLEAN:
            works.add(statement.contract, WorkKind.CLEAN, Stage.RESOURCES, project, local)
        else:
            stage = Stage.ENABLING if wanted is ProjectState.ENABLED else Stage.DISABLING
            works.add(statement.contract, WorkKind.STATE, stage, project, local, again=True)
    states.take(statement.contract, statement.serial, after)
    return sorted(known)
