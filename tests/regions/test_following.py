"""Projects at a provider follow those at their home. Real control planes; clouds at the wire; the pure comparison by values."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.regions.deals import Deal
from tests.regions.planes import Plane, two_planes, until

from openstackoid.core.protocol import PROJECTS_PATH
from openstackoid.regions.objects.project_states import ProjectState, Statement, compare
from openstackoid.trust import tokens

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def planes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Plane, Plane]]:
    async with two_planes(tmp_path_factory.mktemp("planes"), accounts=("manager", "admin"), projects_every=0.6) as pair:
        yield pair


class Follow:
    """A project of the aggregator that has a sub-project with resources."""

    def __init__(self, deal: Deal) -> None:
        self.deal = deal
        self.home = deal.consumer.door.catalog
        self.id = secrets.token_hex(16)
        self.home.projects[self.id] = {"id": self.id, "name": "t", "domain_id": "default", "enabled": True}

    async def begin(self, **changed: Any) -> None:
        await self.deal.active(**{"grace_days": 1} | changed)
        await self.deal.bind()
        keys = self.deal.consumer.keys
        self.foreign = tokens.project_pseudonym(self.id, self.deal.party, keys)
        self.local = self.deal.sub_project(self.foreign)

    async def until_enabled(self, *, enabled: bool) -> None:
        async def there() -> bool:
            return self.deal.cloud.projects[self.local]["enabled"] is enabled

        await until(there)

    async def until_gone(self) -> None:
        async def gone() -> bool:
            return self.local not in self.deal.cloud.projects and not self.deal.provider.mappings.all(self.deal.party)

        await until(gone)


@pytest.fixture
def follow(planes: tuple[Plane, Plane]) -> Follow:
    deal = Deal(*planes, secrets.token_hex(16))
    deal.cloud.add_domain(deal.domain)
    return Follow(deal)


async def test_disabled_and_enabled_again(follow: Follow) -> None:
    await follow.begin()
    project = follow.home.projects[follow.id]
    project["enabled"] = False
    await follow.until_enabled(enabled=False)
    project |= {"enabled": True, "name": "renamed"}
    await follow.until_enabled(enabled=True)
    assert "renamed" not in str(follow.deal.cloud.projects)


async def test_deleted_is_disabled_first_and_then_removed_with_all_it_has(follow: Follow) -> None:
    await follow.begin()
    other = follow.deal.sub_project("f" * 32)  # which the home has never listed, as if its Keystone had lost it
    del follow.home.projects[follow.id]
    await follow.until_enabled(enabled=False)
    await follow.until_gone()
    assert (follow.deal.cloud.of(follow.local), follow.deal.cloud.of(other)) == ({}, {})
    assert (await follow.deal.shown())["state"] == "active"


async def test_a_project_that_is_back_in_time_keeps_everything(follow: Follow) -> None:
    """A database that was restored from a copy, or a listing that was short."""
    await follow.begin()
    before = follow.deal.cloud.of(follow.local)
    row = follow.home.projects.pop(follow.id)
    await follow.until_enabled(enabled=False)
    follow.home.projects[follow.id] = row
    await follow.until_enabled(enabled=True)
    assert follow.deal.cloud.of(follow.local) == before


async def test_the_terms_can_have_it_kept_until_the_end(follow: Follow) -> None:
    await follow.begin(on_delete="disable", grace_days=0)
    before = follow.deal.cloud.of(follow.local)
    del follow.home.projects[follow.id]
    await follow.until_enabled(enabled=False)

    async def said() -> bool:
        return follow.deal.provider.stated(follow.deal.contract) == {follow.foreign: "deleted"}

    await until(said)
    assert follow.deal.cloud.of(follow.local) == before
    await follow.deal.event("end")
    await follow.until_gone()
    assert follow.deal.cloud.of(follow.local) == {}


async def test_an_empty_list_of_projects_removes_nothing(follow: Follow) -> None:
    await follow.begin()
    before, rows = follow.deal.cloud.of(follow.local), dict(follow.home.projects)
    follow.home.projects.clear()

    async def logged() -> bool:
        return "lists no project at all" in follow.deal.consumer.log.read_text()

    await until(logged)
    follow.home.projects.update(rows)
    await follow.until_enabled(enabled=True)
    assert follow.deal.cloud.of(follow.local) == before


async def test_statements_that_are_refused(follow: Follow) -> None:
    """Replayed, of another cloud, to another cloud, altered: nothing comes of them."""
    await follow.begin()
    deal = follow.deal
    before = deal.cloud.of(follow.local)
    states = {follow.foreign: ProjectState.DELETED}
    names = ("CloudA", "CloudP")

    async def sent(statement: Statement, keys: Any, alter: bool = False) -> tuple[int, str]:
        text = statement.sign(keys, 2e9)
        text = text[:-8] + ("A" * 8 if alter else text[-8:])
        return await deal.provider.as_peer(PROJECTS_PATH, {"statement": text})

    own = deal.consumer.keys
    assert await sent(Statement(*names, deal.contract, 0, states), own) == (400, "region.document")

    async def later() -> bool:
        return await sent(Statement(*names, deal.contract, 1, {}), own) == (400, "message.malformed")

    await until(later)
    assert await sent(Statement(*names, deal.contract, 1, states), own) == (400, "message.malformed")
    new = Statement(*names, deal.contract, 10**6, states)
    assert await sent(new, deal.provider.keys) == (401, "signature.invalid")
    assert await sent(new, own, alter=True) == (401, "signature.invalid")
    assert await sent(Statement("CloudA", "CloudQ", deal.contract, 10**6, states), own) == (400, "message.malformed")
    assert await sent(Statement("CloudP", "CloudP", deal.contract, 10**6, states), own) == (403, "agreement.missing")
    assert await sent(Statement(*names, "0" * 32, 10**6, states), own) == (404, "contract.unknown")
    assert deal.cloud.of(follow.local) == before
    assert deal.cloud.projects[follow.local]["enabled"]


@pytest.mark.asyncio(loop_scope="function")
async def test_what_is_said_of_projects() -> None:
    listed = {"on": True, "off": False}
    followed = ["on", "off", "new", "old"]
    before = {"old": 100, "on": 5}
    states, missing = compare(followed, listed, before, 200, 100, {"old": 100.0, "new": 0.0})
    assert states == {"off": "disabled", "new": "disabled", "old": "deleted"}
    assert missing == {"new": 200, "old": 100}


@pytest.mark.asyncio(loop_scope="function")
async def test_a_clock_that_steps_makes_no_project_deleted() -> None:
    """An hour forward, between two lists that were short or in one that follows a restart; and back."""
    hour = 3600
    for watched, state in ((0.0, "disabled"), (60.0, "disabled"), (599.0, "disabled"), (600.0, "deleted")):
        states, missing = compare(["p"], {}, {"p": 1000}, 1000 + hour, hour, {"p": watched})
        assert (states, missing) == ({"p": state}, {"p": 1000})
    # It was set back: the time begins again, instead of an hour later.
    states, missing = compare(["p"], {}, {"p": 1000 + hour}, 1000, hour, {"p": 700.0})
    assert (states, missing) == ({"p": "disabled"}, {"p": 1000})
