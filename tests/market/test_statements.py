"""Use of a region as a real nova counts it: by project and day, in statements that both sides sign and compare."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from tests.market.market import PROJECT, Market, Person, sold, until

pytestmark = pytest.mark.real

REGION: Final = "V6"
PRICE: Final = {"sku": "m1.tiny", "unit": "hour", "currency": "EUR", "amount": "0.01"}


@dataclass
class Used:
    """A contract under which a server ran."""

    market: Market
    contract: str
    server: str
    today: datetime  # its first moment

    def began(self, moment: datetime) -> None:
        """Have nova's database say when the server began to run."""
        database = self.market.lab.clouds["Provider"].database("nova")
        with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
            text = f"{moment:%Y-%m-%d %H:%M:%S.000000}"
            done = connection.execute("UPDATE instances SET launched_at = ? WHERE uuid = ?", (text, self.server))
            assert done.rowcount == 1

    def day(self, back: int) -> str:
        return (self.today - timedelta(days=back)).date().isoformat()

    @property
    def period(self) -> tuple[str, ...]:
        return ("--from", self.day(2), "--until", self.day(0))


@pytest.fixture(scope="module")
def used(market: Market) -> Iterator[Used]:
    """A real server that was made in the region, ran since the evening two days ago, and is deleted."""
    contract = sold(market.rita, market.pia, REGION, market.lab, price=[PRICE])
    xavier = Person(market.xavier.file, market.xavier.entry)  # whose catalog has the region
    until(lambda: xavier.send("GET", f"{xavier.catalog[REGION, 'image']}/v2/images").ok)
    (flavor,) = [
        one["id"] for one in xavier.ask("GET", REGION, "compute", "/flavors")["flavors"] if one["name"] == "m1.tiny"
    ]
    images = xavier.ask("GET", REGION, "image", "/v2/images?name=cirros")["images"]
    wanted = {"name": "vm", "flavorRef": flavor, "imageRef": images[0]["id"], "networks": "none"}
    xavier.session.headers["X-OpenStack-Nova-API-Version"] = "2.37"
    server = xavier.ask("POST", REGION, "compute", "/servers", 202, json={"server": wanted})["server"]["id"]
    until(lambda: xavier.ask("GET", REGION, "compute", f"/servers/{server}")["server"]["status"] == "ACTIVE")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    made = Used(market, contract, server, today)
    made.began(today - timedelta(hours=30))
    xavier.ask("DELETE", REGION, "compute", f"/servers/{server}", 204)
    until(lambda: xavier.send("GET", f"{xavier.catalog[REGION, 'compute']}/servers/{server}").status_code == 404)
    yield made
    market.rita.ask("DELETE", "RegionOne", "virtual-region", f"/v1/bindings/{REGION}")


def statement(side: Person, contract: str) -> Any:
    return side.ask("GET", "RegionOne", "virtual-region", f"/v1/contracts/{contract}/statements/1")


def test_use_is_counted_by_project_and_day_and_signed_by_both_sides(used: Used) -> None:
    pia, rita, contract = used.market.pia, used.market.rita, used.contract
    lines = pia.openstack("virtual", "region", "usage", contract, *used.period)
    counted = [(row["Day"], row["SKU"], row["Unit"], float(row["Quantity"]), row["Cost"]) for row in lines]
    assert counted == [
        (used.day(2), "m1.tiny", "hour", 6.0, {"EUR": "0.060000000"}),
        (used.day(1), "m1.tiny", "hour", 24.0, {"EUR": "0.240000000"}),
    ]
    # The aggregator sees the same, with the name of its project, which the provider does not have.
    seen = rita.openstack("region", "usage", contract, *used.period)
    assert [(row["Project"], row["Day"], row["Quantity"]) for row in seen] == [
        (row["Project"], row["Day"], row["Quantity"]) for row in lines
    ]
    assert ({row["Name"] for row in seen}, {row["Name"] for row in lines}) == ({PROJECT}, {""})

    signed = pia.openstack("virtual", "region", "usage", "sign", contract, *used.period)
    assert (signed["number"], signed["totals"]) == (1, {"EUR": "0.300000000"})
    plane = rita.catalog["RegionOne", "virtual-region"]
    until(lambda: rita.send("GET", f"{plane}/v1/contracts/{contract}/statements/1").ok)
    assert rita.openstack("region", "usage", "compare", contract, "1") == []
    rita.openstack("region", "usage", "accept", contract, "1")
    until(lambda: statement(pia, contract)["answer"] == "accepted")
    ours, theirs = statement(pia, contract), statement(rita, contract)
    for name in ("digest", "signed", "signed_answer", "totals"):
        assert ours[name], name
        assert ours[name] == theirs[name], name


def test_a_statement_that_differs_from_what_is_counted_is_named(used: Used) -> None:
    """Nova counts two hours more by now."""
    used.began(used.today - timedelta(hours=32))
    for side, words in ((used.market.rita, ("region",)), (used.market.pia, ("virtual", "region"))):
        (row,) = side.openstack(*words, "usage", "compare", used.contract, "1")
        assert (row["What"], row["Day"], row["SKU"]) == ("quantity", used.day(2), "m1.tiny")
        assert (float(row["Stated"]), float(row["Own"])) == (6.0, 8.0)
