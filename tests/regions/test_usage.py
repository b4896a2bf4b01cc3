"""Statements of use: two real control planes that measure, sign, answer and compare."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from tests.regions.planes import Plane, in_state, offered, terms, two_planes, until
from tests.regions.test_client import openstack

from openstackoid.core.protocol import MESSAGES_PATH
from openstackoid.regions.objects import statement as statements
from openstackoid.trust import tokens
from openstackoid.trust.rings import Ring

DOMAIN = "d" * 32


def server(flavor: str, began: str, ended: str | None = None) -> dict[str, Any]:
    return {"flavor": flavor, "started_at": began, "ended_at": ended}


@dataclass
class Deal:
    """A contract with one sub-project, of the consumer's project `blackboard`."""

    provider: Plane
    consumer: Plane
    contract: str
    project: str  # as the provider knows it
    local: str

    async def call(self, plane: Plane, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        got, document = await plane.call(method, f"/v1/contracts/{self.contract}{path}", body)
        assert got == status, document
        return document

    async def both(self, number: int, answer: str = "") -> None:
        """Wait until both sides have a statement, and its answer."""
        for plane in (self.provider, self.consumer):

            async def there(plane: Plane = plane) -> bool:
                listed = (await self.call(plane, "GET", "/statements"))["statements"]
                return any(
                    (row["number"], row["answer"], row["unacknowledged"]) == (number, answer, False) for row in listed
                )

            await until(there)


MAY = {"from": "2026-05-01", "until": "2026-06-01"}
QUERY = "?from=2026-05-01&until=2026-06-01"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def planes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Plane, Plane]]:
    async with two_planes(tmp_path_factory.mktemp("usage"), accounts=("manager", "admin")) as both:
        both[0].door.cloud.add_domain(DOMAIN)
        yield both


@pytest_asyncio.fixture(loop_scope="module")
async def deal(planes: tuple[Plane, Plane], request: pytest.FixtureRequest) -> Deal:
    provider, consumer = planes
    price = [{"sku": "m1.small", "unit": "hour", "currency": "EUR", "amount": "0.01"}]
    name = f"r-{abs(hash(request.node.name)) % 10**8}"
    contract = await active_by_worker(provider, consumer, name, price)
    project = tokens.project_pseudonym("p" * 32, f"contract:{contract}", consumer.keys)
    local = provider.door.cloud.add_project(DOMAIN, f"of-{contract[:8]}")
    party = f"contract:{contract}"
    provider.mappings.reserve(party, project, "h" * 32, 10)
    provider.mappings.bind(party, project, "h" * 32, local)
    provider.door.cloud.usages[local] = [server("m1.small", "2026-05-01T00:00:00", "2026-05-02T12:00:00")]
    return Deal(provider, consumer, contract, project, local)


async def active_by_worker(provider: Plane, consumer: Plane, name: str, price: list[dict[str, str]]) -> str:
    region = await offered(provider, name=name, domain_id=DOMAIN)
    document = terms(region, **{"from": "2020-01-01T00:00:00Z", "price": price})
    status, made = await consumer.call("POST", "/v1/contracts", {"provider": "CloudP", "terms": document})
    assert status == 201, made
    await in_state(provider, made["id"], "requested")
    await provider.call("POST", f"/v1/contracts/{made['id']}/events", {"event": "accept"})
    await in_state(consumer, made["id"], "active")
    return str(made["id"])


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_both_sides_see_the_same_use_under_their_own_names(deal: Deal) -> None:
    for plane, name in ((deal.provider, ""), (deal.consumer, "blackboard")):
        shown = await deal.call(plane, "GET", f"/usage{QUERY}")
        assert [(line["day"], line["quantity"], line["cost"]) for line in shown["lines"]] == [
            ("2026-05-01", "24.000000", {"EUR": "0.240000000"}),
            ("2026-05-02", "12.000000", {"EUR": "0.120000000"}),
        ]
        assert {(line["project"], line["name"]) for line in shown["lines"]} == {(deal.project, name)}
        assert shown["totals"] == {"EUR": "0.360000000"}
    # Servers that nova has archived stay counted.
    deal.provider.door.cloud.usages[deal.local] = []
    assert (await deal.call(deal.provider, "GET", f"/usage{QUERY}"))["totals"] == {"EUR": "0.360000000"}
    # A project that is gone keeps what was measured.
    deal.provider.door.cloud.projects.pop(deal.local)
    assert (await deal.call(deal.provider, "GET", f"/usage{QUERY}"))["totals"] == {"EUR": "0.360000000"}


async def test_a_provider_sees_what_of_the_quota_is_leased(deal: Deal) -> None:
    provider, local = deal.provider, deal.local
    assert (await deal.call(provider, "GET", "/leases"))["leases"] == []
    provider.quotas.prepare(deal.contract, local, ("cores", "ram"))
    assert provider.quotas.grow(deal.contract, local, {"cores": 10}, {"cores": 10})
    lease = {"project": local, "granted": 0, "used": 0, "counted_at": None, "in_force": False}
    cores, ram = (await deal.call(provider, "GET", "/leases"))["leases"]
    assert (ram, cores["name"], cores["granted"]) == (lease | {"name": "ram"}, "cores", 10)
    shown = await openstack(provider, "virtual", "region", "contract", "leases", deal.contract, "-c", "Leased")
    assert shown == [{"Leased": 10}, {"Leased": 0}]
    count = provider.quotas.begin_count(deal.contract, local, "compute", 0)
    provider.quotas.counted(deal.contract, local, count, {"cores": 4, "ram": 512}, 1_780_000_000_123)
    cores, _ = (await deal.call(provider, "GET", "/leases"))["leases"]
    assert (cores["used"], cores["counted_at"]) == (4, "2026-05-28T20:26:40Z")
    refused = await deal.call(deal.consumer, "GET", "/leases", status=403)
    assert refused["error"]["openstackoid_code"] == "contract.party"


async def test_what_is_deleted_stays_counted(deal: Deal) -> None:
    """Nobody makes use undone: not who deletes what was stored, and not who asks for a year of it afterwards."""
    cloud, today = deal.provider.door.cloud, datetime.now(UTC).date()
    yesterday = today - timedelta(days=1)
    image = cloud.put("image", "images", deal.local, size=1 << 30, created_at=f"{yesterday}T00:00:00Z")
    query = f"?from={yesterday}&until={today}"
    before = (await deal.call(deal.provider, "GET", f"/usage{query}"))["lines"]
    assert [(line["sku"], line["quantity"]) for line in before] == [("image", "24.000000")]
    del cloud.items["image", "images"][image]
    year = f"?from={today - timedelta(days=365)}&until={today}"
    await deal.call(deal.consumer, "GET", f"/usage{year}")
    assert (await deal.call(deal.provider, "GET", f"/usage{query}"))["lines"] == before
    # Nothing is counted twice, whoever asks how often.
    cloud.put("image", "images", deal.local, size=1 << 30, created_at=f"{yesterday}T00:00:00Z")
    assert (await deal.call(deal.provider, "GET", f"/usage{query}"))["lines"] == before


async def test_a_disabled_project_is_measured_as_an_admin(deal: Deal) -> None:
    """Nobody can log in to it, and what it has costs all the same."""
    cloud, today = deal.provider.door.cloud, datetime.now(UTC).date()
    yesterday = today - timedelta(days=1)
    cloud.projects[deal.local]["enabled"] = False
    cloud.put("image", "images", deal.local, size=1 << 30, created_at=f"{yesterday}T00:00:00Z")
    cloud.put("image", "images", "f" * 32, size=1 << 30, created_at=f"{yesterday}T00:00:00Z", visibility="public")
    shown = await deal.call(deal.provider, "GET", f"/usage?from={yesterday}&until={today}")
    assert [(line["sku"], line["quantity"]) for line in shown["lines"]] == [("image", "24.000000")]
    assert (await deal.call(deal.provider, "GET", f"/usage{QUERY}"))["totals"] == {"EUR": "0.360000000"}
    assert not cloud.projects[deal.local]["enabled"]


async def test_a_statement_is_signed_by_both_and_never_changes(deal: Deal) -> None:
    made = await deal.call(deal.provider, "POST", "/statements", MAY, 201)
    await deal.both(1)
    assert (await deal.call(deal.consumer, "GET", "/statements/1/differences"))["differences"] == []
    # The same again is the same statement, also when the provider would measure something else now.
    deal.provider.door.cloud.usages[deal.local] = [server("m1.small", "2026-05-01T00:00:00", "2026-05-03T00:00:00")]
    again = await deal.call(deal.provider, "POST", "/statements", MAY, 201)
    assert (again["digest"], again["lines"]) == (made["digest"], made["lines"])
    for plane in (deal.provider, deal.consumer):
        found = (await deal.call(plane, "GET", "/statements/1/differences"))["differences"]
        assert [(row["what"], row["day"], row["stated"], row["own"]) for row in found] == [
            ("quantity", "2026-05-02", "12.000000", "24.000000"),
        ]
    overlapping = {"from": "2026-05-31", "until": "2026-06-02"}
    refused = await deal.call(deal.provider, "POST", "/statements", overlapping, 400)
    assert refused["error"]["openstackoid_code"] == "usage.period"
    future = {"from": "2026-06-01", "until": "2099-01-01"}
    assert (await deal.call(deal.provider, "POST", "/statements", future, 400))["error"]["code"] == 400

    answered = {"accepted": True, "reason": "as agreed"}
    for _ in range(2):
        await deal.call(deal.consumer, "POST", "/statements/1/answer", answered)
    await deal.both(1, "accepted")
    other = await deal.call(deal.consumer, "POST", "/statements/1/answer", {"accepted": False}, 409)
    assert other["error"]["openstackoid_code"] == "message.fork"
    shown = await deal.call(deal.provider, "GET", "/statements/1")
    kept = statements.verify(shown["signed_answer"], keys_of(deal.consumer))
    assert (kept["digest"], kept["accepted"], kept["reason"]) == (made["digest"], True, "as agreed")
    theirs = await deal.call(deal.consumer, "GET", "/statements/1")
    assert statements.verify(theirs["signed"], keys_of(deal.provider))["totals"] == {"EUR": "0.360000000"}
    # Each side does its own part only.
    for plane, path, body in (
        (deal.consumer, "/statements", {"from": "2026-06-01", "until": "2026-06-02"}),
        (deal.provider, "/statements/1/answer", answered),
    ):
        refused = await deal.call(plane, "POST", path, body, 403)
        assert refused["error"]["openstackoid_code"] == "contract.party"


async def test_statements_arrive_although_the_way_loses_and_repeats(deal: Deal) -> None:
    door = deal.consumer.door
    door.lose, door.forget, door.twice = 1, 1, True
    try:
        await deal.call(deal.provider, "POST", "/statements", MAY, 201)
        deal.provider.kill()  # it is kept, and sent by the next process
        deal.provider.start()
        await deal.provider.ready()
        await deal.both(1)
    finally:
        door.twice = False
    listed = (await deal.call(deal.consumer, "GET", "/statements"))["statements"]
    assert [row["number"] for row in listed] == [1]


async def test_what_a_peer_sends_is_checked(deal: Deal) -> None:
    await deal.call(deal.provider, "POST", "/statements", MAY, 201)
    await deal.both(1)
    shown = await deal.call(deal.provider, "GET", "/statements/1")
    good = statements.verify(shown["signed"], keys_of(deal.provider))
    line = good["lines"][0]
    wrong: list[tuple[dict[str, Any], Plane, str]] = [
        ({"totals": {"EUR": "9.0"}}, deal.provider, "message.fork"),
        ({"number": 3}, deal.provider, "usage.period"),
        ({"number": 2}, deal.provider, "usage.period"),
        ({"number": 2, "from": "2026-06-01", "until": "2026-06-02"}, deal.provider, "usage.period"),
        ({"number": 2, "from": "2019-01-01", "until": "2020-01-01", "lines": []}, deal.provider, "usage.period"),
        ({"number": 2, "from": "2098-01-01", "until": "2098-02-01", "lines": []}, deal.provider, "usage.period"),
        ({"lines": [[*line[:4], "-1"]]}, deal.provider, "region.document"),
        ({"lines": [["../x", *line[1:]]]}, deal.provider, "region.document"),
        ({"aud": "CloudZ"}, deal.provider, "contract.party"),
        ({"contract": "0" * 32}, deal.provider, "contract.unknown"),
        ({}, deal.consumer, ""),  # signed by another cloud than it names
    ]
    for changed, signer, code in wrong:
        text = statements.sign(good | changed, signer.keys, 2_000_000_000)
        status, document = await sent(deal.consumer, text)
        assert status >= 400, changed
        if code:
            assert document["error"]["openstackoid_code"] == code, (changed, document)
    assert (await sent(deal.consumer, shown["signed"]))[0] == 200  # the same once more
    # The provider takes no statement from its consumer.
    status, _ = await sent(deal.provider, statements.sign(good | {"iss": "CloudA"}, deal.consumer.keys, 2_000_000_000))
    assert status == 403


async def test_the_stock_client_shows_and_signs(deal: Deal) -> None:
    period = ("--from", "2026-05-01", "--until", "2026-06-01")
    lines = await openstack(deal.consumer, "region", "usage", deal.contract, *period)
    assert [(row["Name"], row["SKU"], row["Cost"]["EUR"]) for row in lines] == [
        ("blackboard", "m1.small", "0.240000000"),
        ("blackboard", "m1.small", "0.120000000"),
    ]
    made = await openstack(deal.provider, "virtual", "region", "usage", "sign", deal.contract, *period)
    assert made["number"] == 1
    await deal.both(1)
    assert await openstack(deal.consumer, "region", "usage", "compare", deal.contract, "1") == []
    accepted = await openstack(deal.consumer, "region", "usage", "accept", deal.contract, "1")
    assert accepted["answer"] == "accepted"
    listed = await openstack(deal.consumer, "region", "usage", "list", deal.contract)
    assert listed[0]["Totals"] == {"EUR": "0.360000000"}
    assert len(await openstack(deal.provider, "virtual", "region", "usage", "show", deal.contract, "1")) == 2


async def test_comparing_names_unknown_projects_and_projects_without_requests(deal: Deal, tmp_path: Path) -> None:
    cloud, party = deal.provider.door.cloud, f"contract:{deal.contract}"
    deal.provider.mappings.reserve(party, "9" * 32, "h" * 32, 10)
    stranger = cloud.add_project(DOMAIN, f"stranger-{deal.contract[:8]}")
    deal.provider.mappings.bind(party, "9" * 32, "h" * 32, stranger)
    cloud.usages[stranger] = [server("m1.small", "2026-05-01T00:00:00", "2026-05-01T01:00:00")]
    await deal.call(deal.provider, "POST", "/statements", MAY, 201)
    await deal.both(1)
    audit = tmp_path / "audit.jsonl"
    audit.write_text('{"agreement": "cut\n')
    deal.consumer.audits(audit)
    deal.consumer.kill()
    deal.consumer.start()
    await deal.consumer.ready()
    found = (await deal.call(deal.consumer, "GET", "/statements/1/differences"))["differences"]
    assert {(row["what"], row["project"]) for row in found} == {("project", "9" * 32), ("requests", deal.project)}
    entry = {"agreement": deal.contract, "project": "p" * 32}
    audit.write_text(json.dumps(entry) + "\n")
    found = (await deal.call(deal.consumer, "GET", "/statements/1/differences"))["differences"]
    assert {row["what"] for row in found} == {"project"}


def keys_of(plane: Plane) -> dict[str, Any]:
    return dict(Ring(plane.keys.published(0), plane.keys.fingerprint).keys)


async def sent(plane: Plane, text: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{plane.inner}{MESSAGES_PATH}", json={"message": text}) as response,
    ):
        return response.status, await response.json()
