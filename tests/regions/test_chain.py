"""Chains of control planes: a region that its aggregator offers on. Who is behind it is signed, and nobody buys what is its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.regions.planes import Plane, active, in_state, terms

Planes = tuple[Plane, Plane, Plane]
RESOLD = {"name": "resold", "domain_id": "d" * 32, "services": ["image"], "resources": {"region": "V1"}}


@pytest.fixture
async def planes(tmp_path: Path) -> AsyncIterator[Planes]:
    """CloudP, from which CloudA has a region V1; and CloudT, which may buy it from there. All have met."""
    base, middle, top = (Plane(name, tmp_path / name) for name in ("CloudP", "CloudA", "CloudT"))
    for one, other in ((base, middle), (middle, top), (base, top)):
        one.know(other)
        other.know(one)
    async with AsyncExitStack() as stack:
        for plane in (base, middle, top):
            await stack.enter_async_context(plane.door.open())
            plane.start()
            stack.callback(plane.stop)
        for plane in (base, middle, top):
            await plane.ready()
        contract = await active(base, middle)
        assert (await middle.call("POST", "/v1/bindings", {"region": "V1", "contract": contract}))[0] == 201
        yield base, middle, top


async def offered(plane: Plane, **changed: Any) -> str:
    status, made = await plane.call("POST", "/v1/virtual-regions", RESOLD | changed)
    assert status == 201, made
    assert (await plane.call("POST", f"/v1/virtual-regions/{made['id']}/offer", {}))[0] == 200
    return str(made["id"])


async def offers(buyer: Plane, seller: Plane) -> list[dict[str, Any]]:
    status, found = await buyer.call("GET", f"/v1/offers?provider={seller.cloud}")
    assert status == 200, found
    listed: list[dict[str, Any]] = found["offers"]
    return listed


async def requested(buyer: Plane, seller: Plane, region: str, **changed: Any) -> str:
    asked = {"provider": seller.cloud, "terms": terms(region, **{"from": "2020-01-01T00:00:00Z"} | changed)}
    status, made = await buyer.call("POST", "/v1/contracts", asked)
    assert status == 201, made
    await in_state(seller, made["id"], "requested")
    return str(made["id"])


async def event(plane: Plane, contract: str, name: str, **more: Any) -> tuple[int, Any]:
    status, answer = await plane.call("POST", f"/v1/contracts/{contract}/events", {"event": name, **more})
    return status, answer if status == 200 else answer["error"]["openstackoid_code"]


async def test_a_region_is_sold_on_with_its_owners_named_and_signed(planes: Planes) -> None:
    base, middle, top = planes
    region = await offered(middle)
    (offer,) = await offers(top, middle)
    assert offer["owners"] == ["CloudP"]
    # Terms that hide them are not accepted; the seller's counter has them, and both sides sign it.
    contract = await requested(top, middle, region)
    assert await event(middle, contract, "accept") == (409, "contract.owners")
    given = terms(region, **{"from": "2020-01-01T00:00:00Z", "grace_days": 1})
    assert (await event(middle, contract, "counter", terms=given))[0] == 200
    found = await in_state(top, contract, "countered")
    assert found["terms"]["owners"] == ["CloudP"]
    assert (await event(top, contract, "accept"))[0] == 200
    await in_state(middle, contract, "agreed")
    for name in ("provision", "activate"):
        assert (await event(middle, contract, name))[0] == 200
    (sold,) = [grant for grant in middle.in_use() if grant.peer == "CloudT"]
    assert (sold.region, sold.grant.services) == ("V1", ("image",))
    # Those who name them at once are accepted at once; and the next one in the chain has both before it.
    second = await requested(top, middle, region, owners=["CloudP"])
    assert (await event(middle, second, "accept"))[0] == 200
    await in_state(top, contract, "active")
    assert (await top.call("POST", "/v1/bindings", {"region": "V1", "contract": contract}))[0] == 201
    await offered(top)
    assert [offer["name"] for offer in await offers(base, top)] == []  # it is CloudP's own
    assert await offers(middle, top) == []


async def test_nobody_buys_what_is_its_own(planes: Planes) -> None:
    base, middle, _ = planes
    region = await offered(middle)
    assert await offers(base, middle) == []
    contract = await requested(base, middle, region)  # who knows the id can ask
    assert await event(middle, contract, "accept") == (409, "contract.loop")
    given = terms(region, grace_days=1)
    assert await event(middle, contract, "counter", terms=given) == (409, "contract.loop")
    asked = {"provider": "CloudA", "terms": terms(region, owners=["CloudQ", "CloudP"])}
    status, refused = await base.call("POST", "/v1/contracts", asked)
    assert (status, refused["error"]["openstackoid_code"]) == (409, "contract.loop")


async def test_what_a_seller_cannot_keep_is_not_promised(planes: Planes) -> None:
    _, middle, top = planes
    for changed, code in (
        ({"resources": {"region": "V1", "images": ["i1"]}}, "region.document"),
        ({"quota": {"image_bytes": 1}}, "region.document"),
        ({"resources": {"region": "V9"}}, "binding.unknown"),
    ):
        _, refused = await middle.call("POST", "/v1/virtual-regions", RESOLD | changed)
        assert refused["error"]["openstackoid_code"] == code, changed
    region = await offered(middle)
    contract = await requested(top, middle, region, owners=["CloudP"], quota={"image_bytes": 1})
    assert await event(middle, contract, "accept") == (400, "region.document")
