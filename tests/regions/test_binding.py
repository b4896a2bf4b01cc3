"""A contract in use: what gateways of both sides find in their databases, and what an aggregator's catalog holds. Real control planes."""

import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.regions.door import ADMIN, READER
from tests.regions.planes import Plane, active, in_state, two_planes, until

from openstackoid.trust import tokens
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState
from openstackoid.trust.region_health import Counted

pytestmark = pytest.mark.asyncio(loop_scope="module")


def entries(region: str) -> dict[tuple[str, str], str]:
    """What a catalog holds of a region that is bound."""
    urls = {"identity": "https://a.example:5000/v3", "image": f"https://a.example:5000/scope/{region}/image"}
    return {(kind, interface): url for kind, url in urls.items() for interface in ("public", "internal")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def planes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Plane, Plane]]:
    """For all tests, each of which has a contract and a region of its own."""
    async with two_planes(tmp_path_factory.mktemp("planes")) as found:
        yield found


@pytest.fixture
def region() -> str:
    """A name in the aggregator's catalog."""
    return f"V{secrets.token_hex(4)}"


async def agreed(planes: tuple[Plane, Plane], region: str, **changed: Any) -> str:
    """The id of an active contract, about a part of the provider's cloud with that name as well."""
    return await active(*planes, name=f"part-of-{region}", region_name=region, **changed)


def in_use(plane: Plane, contract: str) -> list[ContractGrant]:
    """What gateways find of a contract."""
    return [found for found in plane.in_use() if found.id == contract]


async def event(plane: Plane, contract: str, name: str) -> None:
    status, after = await plane.call("POST", f"/v1/contracts/{contract}/events", {"event": name})
    assert status == 200, after


async def bind(consumer: Plane, contract: str, region: str, token: str = ADMIN) -> tuple[int, Any]:
    return await consumer.call("POST", "/v1/bindings", {"region": region, "contract": contract}, token)


async def bound(consumer: Plane, region: str) -> dict[str, Any]:
    async def there() -> Any:
        status, found = await consumer.call("GET", f"/v1/bindings/{region}")
        return found if status == 200 and found["state"] == "bound" else None

    shown: dict[str, Any] = await until(there)
    return shown


async def gone(consumer: Plane, region: str) -> None:
    async def away() -> bool:
        status, refused = await consumer.call("GET", f"/v1/bindings/{region}")
        return (status, status == 404 and refused["error"]["openstackoid_code"]) == (404, "binding.unknown")

    await until(away)


async def in_use_as(plane: Plane, contract: str, state: GrantState) -> None:
    """Wait until gateways find a contract in this state."""

    async def there() -> bool:
        return [grant.state for grant in in_use(plane, contract)] == [state]

    await until(there)


async def test_both_sides_gateways_learn_of_a_contract_as_it_goes(planes: tuple[Plane, Plane], region: str) -> None:
    provider, consumer = planes
    contract = await agreed(planes, region, anonymous=False)
    (grant,) = in_use(provider, contract)  # before the operator's command has ended
    assert (grant.id, grant.peer, grant.side) == (contract, "CloudA", ContractSide.PROVIDER)
    assert (grant.grant.services, str(grant.grant.projects)) == (("image",), f"each:{'d' * 32}")
    assert in_use(consumer, contract) == []  # no region is bound
    assert (await bind(consumer, contract, region))[0] == 201
    (mine,) = in_use(consumer, contract)
    assert (mine.id, mine.peer, mine.region, mine.side) == (contract, "CloudP", region, ContractSide.CONSUMER)
    assert not mine.grant.pseudonyms
    await event(provider, contract, "suspend")
    assert [grant.state for grant in in_use(provider, contract)] == [GrantState.SUSPENDED]
    await in_use_as(consumer, contract, GrantState.SUSPENDED)
    await event(provider, contract, "resume")
    await in_use_as(consumer, contract, GrantState.ACTIVE)
    await event(consumer, contract, "end")
    await in_use_as(provider, contract, GrantState.ENDING)
    (ending,) = in_use(provider, contract)
    assert {rule.method for rule in ending.grant.allows} == {"GET", "HEAD", "DELETE"}


async def test_status_says_how_a_region_does(planes: tuple[Plane, Plane], region: str) -> None:
    provider, consumer = planes
    contract = await agreed(planes, region)
    await bind(consumer, contract, region)
    health = (await bound(consumer, region))["health"]
    assert (health["state"], health["reason"], health["requests"], health["last_success"]) == ("up", "", 0, None)
    moment = int(time.time())
    consumer.gateways_counted(contract, moment // 60, Counted(4, 3, 100, moment, moment, "peer.timeout"))
    health = (await bound(consumer, region))["health"]
    assert (health["state"], health["reason"]) == ("failing", "peer.timeout")
    assert (health["error_rate"], health["latency_ms"]) == (0.75, 25)
    assert health["last_success"]
    await event(provider, contract, "suspend")
    await in_state(consumer, contract, "suspended")
    assert (await bound(consumer, region))["health"]["state"] == "suspended"
    await event(provider, contract, "resume")
    await in_state(consumer, contract, "active")
    consumer.forget(provider)  # nobody can be asked any more

    async def down() -> bool:
        health = (await bound(consumer, region))["health"]
        return (health["state"], health["reason"]) == ("down", "agreement.missing")

    await until(down)
    consumer.know_again(provider)


async def test_a_contract_whose_time_has_not_come_admits_nobody(planes: tuple[Plane, Plane], region: str) -> None:
    provider, _ = planes
    contract = await agreed(planes, region, **{"from": "2099-01-01T00:00:00Z"})
    assert in_use(provider, contract) == []


async def test_a_region_comes_into_the_catalog_and_goes(planes: tuple[Plane, Plane], region: str) -> None:
    _, consumer = planes
    catalog = consumer.door.catalog
    before = (dict(catalog.regions), dict(catalog.services), dict(catalog.endpoints))
    contract = await agreed(planes, region)
    status, shown = await bind(consumer, contract, region)
    assert (status, shown["state"], shown["provider"], shown["contract_state"]) == (201, "bound", "CloudP", "active")
    assert catalog.of(region) == entries(region)
    changes = len(catalog.calls)
    assert (await bind(consumer, contract, region))[0] == 201  # the same again changes nothing
    assert len(catalog.calls) == changes
    catalog.expire()
    status, shown = await consumer.call("DELETE", f"/v1/bindings/{region}")
    assert (status, shown["state"]) == (200, "unbinding")
    await gone(consumer, region)
    assert (catalog.regions, catalog.services, catalog.endpoints) == before
    assert in_use(consumer, contract) == []


async def test_what_a_contracts_end_leaves_in_the_catalog_is_nothing(planes: tuple[Plane, Plane], region: str) -> None:
    provider, consumer = planes
    contract = await agreed(planes, region, grace_days=0)
    await bind(consumer, contract, region)
    await bound(consumer, region)
    await event(consumer, contract, "end")
    await in_state(consumer, contract, "ended")
    await gone(consumer, region)
    assert region not in consumer.door.catalog.regions
    assert (in_use(provider, contract), in_use(consumer, contract)) == ([], [])


async def test_a_pseudonym_is_resolved_by_the_aggregator_alone(planes: tuple[Plane, Plane], region: str) -> None:
    provider, consumer = planes
    contract = await agreed(planes, region)
    party, path = f"contract:{contract}", f"/v1/contracts/{contract}/whois"
    user = tokens.pseudonym("u" * 32, party, consumer.keys)
    project = tokens.project_pseudonym("p" * 32, party, consumer.keys)
    xavier = {"kind": "user", "id": "u" * 32, "name": "xavier", "domain_id": "default"}
    for identity in (user, tokens.local_user(party, user)):
        assert await consumer.call("POST", path, {"id": identity}) == (200, xavier)
    assert (await consumer.call("POST", path, {"id": project}))[1]["name"] == "blackboard"
    assert f'"id": "{user}"' in consumer.log.read_text()
    assert (await consumer.call("POST", path, {"id": user, "reason": "report 7"})) == (200, xavier)
    assert '"reason": "report 7"' in consumer.log.read_text()
    assert (await consumer.call("POST", path, {"id": user, "reason": "x" * 1025}))[0] == 400
    other = tokens.pseudonym("u" * 32, f"contract:{'0' * 32}", consumer.keys)
    for plane, identity, token, status, code in (
        (consumer, other, ADMIN, 404, "pseudonym.unknown"),
        (consumer, "xavier", ADMIN, 400, "region.document"),
        (consumer, user, READER, 403, "policy.refused"),
        (provider, user, ADMIN, 403, "contract.party"),
    ):
        refused, answer = await plane.call("POST", path, {"id": identity}, token)
        assert (refused, answer["error"]["openstackoid_code"]) == (status, code)


async def test_what_is_refused(planes: tuple[Plane, Plane], region: str) -> None:
    provider, consumer = planes
    contract = await agreed(planes, region)

    async def refused(name: str, identity: str, plane: Plane = consumer, token: str = ADMIN) -> tuple[int, str]:
        status, answer = await bind(plane, identity, name, token)
        return status, answer["error"]["openstackoid_code"]

    assert await refused(region, "9" * 32) == (404, "contract.unknown")
    assert await refused(region, contract, provider) == (403, "contract.party")
    assert await refused(region, contract, token=READER) == (403, "policy.refused")
    await bind(consumer, contract, region)
    assert await refused(f"{region}-2", contract) == (409, "binding.exists")
    status, answer = await consumer.call("DELETE", "/v1/bindings/V9")
    assert (status, answer["error"]["openstackoid_code"]) == (404, "binding.unknown")


async def test_a_region_that_somebody_else_made_stays_as_it_is(planes: tuple[Plane, Plane], region: str) -> None:
    _, consumer = planes
    catalog = consumer.door.catalog
    endpoints, contract = dict(catalog.endpoints), await agreed(planes, region)
    status, shown = await bind(consumer, contract, "RegionOne")
    assert (status, shown["state"]) == (201, "binding")
    assert shown["error"].startswith("binding.taken")
    await consumer.call("DELETE", "/v1/bindings/RegionOne")
    await gone(consumer, "RegionOne")
    assert catalog.regions["RegionOne"] == {"id": "RegionOne", "description": ""}
    assert catalog.endpoints == endpoints


@pytest.mark.parametrize("done", [1, 4])
async def test_what_a_killed_process_or_a_failing_keystone_left_is_finished(
    planes: tuple[Plane, Plane], region: str, done: int
) -> None:
    """Keystone refuses after some changes, and the control plane is killed: the next one goes on."""
    _, consumer = planes
    catalog = consumer.door.catalog
    contract = await agreed(planes, region)
    catalog.stop_after(done)
    assert (await bind(consumer, contract, region))[1]["state"] == "binding"
    consumer.kill()
    catalog.go_on()
    consumer.start()
    await consumer.ready()
    await bound(consumer, region)
    assert catalog.of(region) == entries(region)
