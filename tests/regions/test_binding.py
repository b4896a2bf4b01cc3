"""A contract in use: what gateways of both sides find in their databases, and what an aggregator's catalog holds. Real control planes."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.regions.door import ADMIN, READER
from tests.regions.planes import Plane, active, in_state, two_planes, until

from openstackoid.trust import tokens
from openstackoid.trust.contracts import ContractSide, GrantState
from openstackoid.trust.region_health import Counted

BOUND = {
    (kind, interface): url
    for kind, url in {"identity": "https://a.example:5000/v3", "image": "https://a.example:5000/scope/V1/image"}.items()
    for interface in ("public", "internal")
}


@pytest.fixture
async def planes(tmp_path: Path) -> AsyncIterator[tuple[Plane, Plane]]:
    async with two_planes(tmp_path) as found:
        yield found


async def event(plane: Plane, contract: str, name: str) -> None:
    status, after = await plane.call("POST", f"/v1/contracts/{contract}/events", {"event": name})
    assert status == 200, after


async def bind(consumer: Plane, contract: str, region: str = "V1", token: str = ADMIN) -> tuple[int, Any]:
    return await consumer.call("POST", "/v1/bindings", {"region": region, "contract": contract}, token)


async def bound(consumer: Plane, region: str = "V1") -> dict[str, Any]:
    async def there() -> Any:
        status, found = await consumer.call("GET", f"/v1/bindings/{region}")
        return found if status == 200 and found["state"] == "bound" else None

    shown: dict[str, Any] = await until(there)
    return shown


async def gone(consumer: Plane, region: str = "V1") -> None:
    async def away() -> bool:
        status, refused = await consumer.call("GET", f"/v1/bindings/{region}")
        return (status, status == 404 and refused["error"]["openstackoid_code"]) == (404, "binding.unknown")

    await until(away)


async def in_use(plane: Plane, *states: GrantState) -> None:
    """Wait until gateways find contracts in these states, and no others."""

    async def there() -> bool:
        return [grant.state for grant in plane.in_use()] == list(states)

    await until(there)


async def test_both_sides_gateways_learn_of_a_contract_as_it_goes(planes: tuple[Plane, Plane]) -> None:
    provider, consumer = planes
    contract = await active(provider, consumer, anonymous=False)
    (grant,) = provider.in_use()  # before the operator's command has ended
    assert (grant.id, grant.peer, grant.side) == (contract, "CloudA", ContractSide.PROVIDER)
    assert (grant.grant.services, str(grant.grant.projects)) == (("image",), f"each:{'d' * 32}")
    assert consumer.in_use() == []  # no region is bound
    assert (await bind(consumer, contract))[0] == 201
    (mine,) = consumer.in_use()
    assert (mine.id, mine.peer, mine.region, mine.side) == (contract, "CloudP", "V1", ContractSide.CONSUMER)
    assert not mine.grant.pseudonyms
    await event(provider, contract, "suspend")
    assert [grant.state for grant in provider.in_use()] == [GrantState.SUSPENDED]
    await in_use(consumer, GrantState.SUSPENDED)
    await event(provider, contract, "resume")
    await in_use(consumer, GrantState.ACTIVE)
    await event(consumer, contract, "end")
    await in_use(provider, GrantState.ENDING)
    (ending,) = provider.in_use()
    assert {rule.method for rule in ending.grant.allows} == {"GET", "HEAD", "DELETE"}


async def test_status_says_how_a_region_does(planes: tuple[Plane, Plane]) -> None:
    provider, consumer = planes
    contract = await active(provider, consumer)
    await bind(consumer, contract)
    health = (await bound(consumer))["health"]
    assert (health["state"], health["reason"], health["requests"], health["last_success"]) == ("up", "", 0, None)
    moment = int(time.time())
    consumer.gateways_counted(contract, moment // 60, Counted(4, 3, 100, moment, moment, "peer.timeout"))
    health = (await bound(consumer))["health"]
    assert (health["state"], health["reason"]) == ("failing", "peer.timeout")
    assert (health["error_rate"], health["latency_ms"]) == (0.75, 25)
    assert health["last_success"]
    await event(provider, contract, "suspend")
    await in_state(consumer, contract, "suspended")
    assert (await bound(consumer))["health"]["state"] == "suspended"
    await event(provider, contract, "resume")
    await in_state(consumer, contract, "active")
    consumer.forget(provider)  # nobody can be asked any more

    async def down() -> bool:
        health = (await bound(consumer))["health"]
        return (health["state"], health["reason"]) == ("down", "agreement.missing")

    await until(down)


async def test_a_contract_whose_time_has_not_come_admits_nobody(planes: tuple[Plane, Plane]) -> None:
    provider, consumer = planes
    await active(provider, consumer, **{"from": "2099-01-01T00:00:00Z"})
    assert provider.in_use() == []


async def test_a_region_comes_into_the_catalog_and_goes(planes: tuple[Plane, Plane]) -> None:
    provider, consumer = planes
    catalog = consumer.door.catalog
    before = (dict(catalog.regions), dict(catalog.services), dict(catalog.endpoints))
    contract = await active(provider, consumer)
    status, shown = await bind(consumer, contract)
    assert (status, shown["state"], shown["provider"], shown["contract_state"]) == (201, "bound", "CloudP", "active")
    assert catalog.of("V1") == BOUND
    changes = len(catalog.calls)
    assert (await bind(consumer, contract))[0] == 201  # the same again changes nothing
    assert len(catalog.calls) == changes
    catalog.expire()
    status, shown = await consumer.call("DELETE", "/v1/bindings/V1")
    assert (status, shown["state"]) == (200, "unbinding")
    await gone(consumer)
    assert (catalog.regions, catalog.services, catalog.endpoints) == before
    assert consumer.in_use() == []


async def test_what_a_contracts_end_leaves_in_the_catalog_is_nothing(planes: tuple[Plane, Plane]) -> None:
    provider, consumer = planes
    contract = await active(provider, consumer, grace_days=0)
    await bind(consumer, contract)
    await bound(consumer)
    await event(consumer, contract, "end")
    await in_state(consumer, contract, "ended")
    await gone(consumer)
    assert "V1" not in consumer.door.catalog.regions
    assert (provider.in_use(), consumer.in_use()) == ([], [])


async def test_a_pseudonym_is_resolved_by_the_aggregator_alone(planes: tuple[Plane, Plane]) -> None:
    provider, consumer = planes
    contract = await active(provider, consumer)
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


async def test_what_is_refused(planes: tuple[Plane, Plane]) -> None:
    provider, consumer = planes
    contract = await active(provider, consumer)

    async def refused(region: str, identity: str, plane: Plane = consumer, token: str = ADMIN) -> tuple[int, str]:
        status, answer = await bind(plane, identity, region, token)
        return status, answer["error"]["openstackoid_code"]

    assert await refused("V1", "9" * 32) == (404, "contract.unknown")
    assert await refused("V1", contract, provider) == (403, "contract.party")
    assert await refused("V1", contract, token=READER) == (403, "policy.refused")
    await bind(consumer, contract)
    assert await refused("V2", contract) == (409, "binding.exists")
    status, answer = await consumer.call("DELETE", "/v1/bindings/V9")
    assert (status, answer["error"]["openstackoid_code"]) == (404, "binding.unknown")


async def test_a_region_that_somebody_else_made_stays_as_it_is(planes: tuple[Plane, Plane]) -> None:
    provider, consumer = planes
    catalog = consumer.door.catalog
    endpoints, contract = dict(catalog.endpoints), await active(provider, consumer)
    status, shown = await bind(consumer, contract, "RegionOne")
    assert (status, shown["state"]) == (201, "binding")
    assert shown["error"].startswith("binding.taken")
    await consumer.call("DELETE", "/v1/bindings/RegionOne")
    await gone(consumer, "RegionOne")
    assert catalog.regions["RegionOne"] == {"id": "RegionOne", "description": ""}
    assert catalog.endpoints == endpoints


@pytest.mark.parametrize("done", [1, 4])
async def test_what_a_killed_process_or_a_failing_keystone_left_is_finished(
    planes: tuple[Plane, Plane], done: int
) -> None:
    """Keystone refuses after some changes, and the control plane is killed: the next one goes on."""
    provider, consumer = planes
    catalog = consumer.door.catalog
    contract = await active(provider, consumer)
    catalog.stop_after(done)
    assert (await bind(consumer, contract))[1]["state"] == "binding"
    consumer.kill()
    catalog.go_on()
    consumer.start()
    await consumer.ready()
    await bound(consumer)
    assert catalog.of("V1") == BOUND
