"""A provider sets up what a contract needs, and cleans up what it leaves, without its operators. Real control planes; clouds at the wire."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio
from tests.regions.deals import Deal, event, shown
from tests.regions.planes import Plane, in_state, two_planes, until

from openstackoid.core.protocol import PROJECTS_PATH
from openstackoid.regions.objects.project_states import ProjectState, Statement
from openstackoid.trust.projects import project_name

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def planes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Plane, Plane]]:
    async with two_planes(tmp_path_factory.mktemp("planes"), accounts=("manager", "admin")) as pair:
        yield pair


@pytest.fixture
def deal(planes: tuple[Plane, Plane]) -> Deal:
    found = Deal(*planes, secrets.token_hex(16))
    found.cloud.add_domain(found.domain)
    return found


async def test_a_contract_is_active_without_operators(deal: Deal) -> None:
    await deal.accepted()
    for plane in (deal.provider, deal.consumer):
        await in_state(plane, deal.contract, "active")
    history = (await shown(deal.consumer, deal.contract))["history"]
    expected = [("provider", name, None) for name in ("accept", "provision", "activate")]
    assert [(step["side"], step["event"], step["void"]) for step in history[1:]] == expected
    assert deal.contract in {grant.id for grant in deal.provider.in_use()}


async def test_what_the_account_lacks_is_said_and_tried_again(deal: Deal) -> None:
    deal.cloud.add_domain(deal.domain, ("reader",))
    await deal.accepted()

    async def said() -> bool:
        return ["manager is missing" in work["error"] for work in (await deal.shown())["work"]] == [True]

    await until(said)
    assert (await deal.shown())["state"] == "agreed"
    deal.cloud.add_domain(deal.domain)
    await in_state(deal.consumer, deal.contract, "active")


async def test_nothing_is_left_after_the_end(deal: Deal) -> None:
    cloud = deal.cloud
    others = cloud.add_project(deal.domain, "others")  # of this domain, and of no contract
    cloud.fill(others)
    before = (deal.projects(), cloud.of(others))
    await deal.active()
    locals_ = [deal.sub_project(letter * 32) for letter in "ab"]
    await event(deal.consumer, deal.contract, "end")
    await in_state(deal.consumer, deal.contract, "ended")
    clean_up = await deal.cleaned()
    assert (clean_up["projects"], clean_up["projects_done"], clean_up["left"]) == (2, 2, [])
    assert clean_up["resources_removed"] > 10
    assert [cloud.of(local) for local in locals_] == [{}, {}]
    assert [cloud.keypairs[f"user-of-{local}"] for local in locals_] == [[], []]
    assert (deal.projects(), cloud.of(others)) == before
    assert deal.provider.mappings.all(deal.party) == []


async def test_keypairs_go_with_the_contract_and_not_before_and_those_of_ones_own_users_stay(deal: Deal) -> None:
    """Users of the contract may work in other projects of it; and an operator may have made a server in one."""
    cloud = deal.cloud
    await deal.active(grace_days=1)
    gone, kept = (deal.sub_project(letter * 32) for letter in "ef")
    own = f"operator-{deal.domain}"
    cloud.users.add(own)
    cloud.keypairs[own] = ["mine"]
    cloud.put("compute", "servers", kept, tenant_id=kept, user_id=own)
    statement = Statement("CloudA", "CloudP", deal.contract, 1, {"e" * 32: ProjectState.DELETED})
    sent = {"statement": statement.sign(deal.consumer.keys, time.time())}
    assert (await deal.provider.as_peer(PROJECTS_PATH, sent))[0] == 200

    async def removed() -> bool:
        return gone not in cloud.projects

    await until(removed)
    assert cloud.keypairs[f"user-of-{gone}"] == ["key", "../other"]
    for name in ("end", "finish"):
        await deal.event(name)
    assert (await deal.cleaned())["left"] == []
    assert [cloud.keypairs[f"user-of-{local}"] for local in (gone, kept)] == [[], []]
    assert cloud.keypairs[own] == ["mine"]


async def test_a_domain_that_nobody_needs_is_named_with_the_commands(deal: Deal) -> None:
    await deal.active()
    await deal.event("end")
    name, domain = f"r-{deal.domain[:8]}", deal.domain
    last = [f"openstack domain set --disable {domain}", f"openstack domain delete {domain}"]
    first = [f"openstack virtual region withdraw {name}", f"openstack virtual region delete {name}"]
    assert (await deal.cleaned())["by_hand"] == [*first, *last]
    for method, path in (("POST", "/withdraw"), ("DELETE", "")):
        status, answer = await deal.provider.call(method, f"/v1/virtual-regions/{name}{path}")
        assert status in {200, 204}, answer
    assert (await deal.cleaned())["by_hand"] == last
    code, text = await asyncio.to_thread(deal.provider.check)
    assert (code, f"the domain {domain} is not needed any more" in text) == (0, True), text
    assert f"by hand: {'; '.join(last)}" in text
    del deal.cloud.domains[domain]
    assert domain not in (await asyncio.to_thread(deal.provider.check))[1]


async def test_a_project_whose_making_was_killed_is_found_by_its_name(deal: Deal) -> None:
    await deal.active()
    deal.provider.mappings.reserve(deal.party, "c" * 32, "h" * 32, 10)
    deal.cloud.add_project(deal.domain, project_name("CloudA", deal.contract, "c" * 32))
    await deal.event("end")
    await deal.cleaned()
    assert (deal.projects(), deal.provider.mappings.reserved(deal.party)) == (set(), [])


async def test_a_project_that_came_again_after_its_clean_up_is_cleaned_up_again(deal: Deal) -> None:
    """Its home says that it is deleted, and uses its id once more: nothing of the second sub-project may stay."""
    await deal.active()
    foreign = "e" * 32
    first = deal.sub_project(foreign)
    states = Statement("CloudA", "CloudP", deal.contract, 10**6, {foreign: ProjectState.DELETED})
    path, signed = PROJECTS_PATH, states.sign(deal.consumer.keys, 2e9)
    await deal.provider.as_peer(path, {"statement": signed})

    async def gone() -> bool:
        return first not in deal.projects() and not deal.provider.mappings.all(deal.party)

    await until(gone)
    second = deal.sub_project(foreign)
    await deal.event("end")

    async def ended() -> bool:
        clean_up = (await deal.shown())["clean_up"]
        return bool(clean_up["done"] and clean_up["ended"])

    await until(ended)
    assert (deal.cloud.of(second), deal.projects()) == ({}, set())


async def test_a_project_that_is_being_made_at_the_end_is_waited_for(deal: Deal) -> None:
    await deal.active()
    deal.provider.mappings.reserve(deal.party, "a" * 32, "h" * 32, 10)
    await deal.event("end")

    async def waits() -> bool:
        return [work["stage"] for work in (await deal.shown())["work"] if work["kind"] == "clean"] == ["waiting"]

    await until(waits)
    local = deal.sub_project()
    await deal.cleaned()
    assert (deal.cloud.of(local), deal.projects()) == ({}, set())


async def test_an_answer_of_another_form_fails_that_work_alone(deal: Deal) -> None:
    await deal.active()
    local = deal.sub_project()
    ports = deal.cloud.items["network", "ports"].values()
    port = next(port for port in ports if (port["project_id"], port["device_owner"][:7]) == (local, "network"))
    identity = port.pop("id")
    await deal.event("end")

    async def failed() -> bool:
        clean_up = (await deal.shown())["clean_up"]
        return bool(clean_up) and "another form than expected (KeyError)" in str(clean_up["errors"])

    await until(failed)
    port["id"] = identity
    await deal.cleaned()
    assert (deal.cloud.of(local), deal.projects()) == ({}, set())


async def test_a_server_that_its_user_locked_is_removed(deal: Deal) -> None:
    await deal.active()
    local = deal.sub_project()
    deal.cloud.put("compute", "servers", local, name="kept", locked=True)
    await deal.event("end")
    await deal.cleaned()
    assert (deal.cloud.of(local), deal.projects()) == ({}, set())


async def test_an_image_with_the_words_of_other_kinds_is_removed(deal: Deal) -> None:
    """Users give images any property: it neither names another owner, nor says that the image is going."""
    await deal.active()
    local = deal.sub_project()
    deal.cloud.put("image", "images", local, project_id="0" * 32, name="hidden")
    deal.cloud.put("image", "images", local, provisioning_status="DELETING", name="lasting")
    await deal.event("end")
    await deal.cleaned()
    assert not [item for item in deal.cloud.items["image", "images"].values() if item["owner"] == local]


async def test_what_cannot_be_deleted_is_named_and_tried_again(deal: Deal) -> None:
    await deal.active()
    local = deal.sub_project()
    stuck = deal.cloud.put("image", "images", local, name="held")
    deal.cloud.stuck.add(stuck)
    await deal.event("end")

    async def named() -> bool:
        clean_up = (await deal.shown())["clean_up"]
        left = clean_up["left"] if clean_up else []
        return [(item["kind"], item["id"], item["name"]) for item in left] == [("images", stuck, "held")]

    await until(named)
    (item,) = (await deal.shown())["clean_up"]["left"]
    assert (item["project"], item["reason"]) == (local, "409 It is in use.")
    assert local in deal.projects()
    deal.cloud.stuck.clear()
    assert (await deal.cleaned())["left"] == []
    assert deal.projects() == set()


async def test_without_clean_up_in_the_terms_everything_stays(deal: Deal) -> None:
    await deal.active(clean_up=False)
    local = deal.sub_project()
    before = deal.cloud.of(local)
    await deal.event("end")
    assert (await deal.cleaned())["projects"] == 0
    assert deal.cloud.of(local) == before


@pytest.mark.parametrize("changes", [0, 3, 9, 15])
async def test_a_clean_up_that_was_killed_goes_on(deal: Deal, changes: int) -> None:
    """The cloud stops answering after some changes, and the control plane is killed there: the next one finishes."""
    await deal.active()
    local, cloud = deal.sub_project(), deal.cloud
    cloud.limit = len(cloud.changes) + changes
    await deal.event("end")

    async def stopped() -> bool:
        clean_up = (await deal.shown())["clean_up"]
        return bool(clean_up) and bool(clean_up["errors"])

    await until(stopped)
    deal.provider.kill()
    cloud.limit = None
    deal.provider.start()
    await deal.provider.ready()
    assert (await deal.cleaned())["left"] == []
    assert (cloud.of(local), deal.projects()) == ({}, set())
    await in_state(deal.consumer, deal.contract, "ended")


async def test_it_begins_when_requests_under_way_have_ended_and_names_what_is_left_to_an_admin(tmp_path: Path) -> None:
    async with two_planes(tmp_path, accounts=("manager",), settle=2) as pair:
        deal = Deal(*pair, secrets.token_hex(16))
        deal.cloud.add_domain(deal.domain)
        await deal.active()
        local = deal.sub_project()
        whole = deal.cloud.of(local)
        await deal.event("end")

        async def begun() -> bool:
            return deal.cloud.of(local) != whole

        await until(begun)
        began = time.time()
        ended = datetime.fromisoformat((await deal.shown())["history"][-1]["time"]).timestamp()
        assert began >= ended + 2
        clean_up = await deal.cleaned()
        assert [(item["kind"], item["name"]) for item in clean_up["left"]] == [
            ("security_groups", "default"),
            ("keypairs", ""),
        ]
        assert deal.cloud.of(local) == {"security-groups": 1}
