"""What contracts use, day by day, and what it costs."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from openstackoid.regions.errors import PeriodError
from openstackoid.regions.objects import usage
from openstackoid.regions.objects.terms import Price
from openstackoid.regions.objects.usage import Line, Period

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PRICES = (Price("m1.small", "hour", "EUR", "0.012"), Price("m1.small", "hour", "EUR", "0.001"))


def server(flavor: str, began: str, ended: str | None = None) -> dict[str, Any]:
    return {"flavor": flavor, "started_at": began, "ended_at": ended}


def test_servers_count_by_the_hour_of_each_day() -> None:
    period = Period.parse("2026-05-01", "2026-05-03")
    usages = [
        server("m1.small", "2026-04-30T12:00:00.000000", "2026-05-01T06:30:00.000000"),
        server("m1.small", "2026-05-01T23:00:00"),  # still there
        server("m1.big", "2026-05-02T00:00:00", "2026-05-02T00:00:36"),
        server("m1.big", "2026-05-03T00:00:00"),  # later
        server("m1.big", "never"),
    ]
    assert usage.servers("p", usages, period, NOW) == [
        Line("p", "2026-05-01", "m1.small", "hour", Decimal("7.500000")),
        Line("p", "2026-05-02", "m1.big", "hour", Decimal("0.010000")),
        Line("p", "2026-05-02", "m1.small", "hour", Decimal("24.000000")),
    ]
    # What is not over counts until now.
    noon = datetime(2026, 5, 2, 12, tzinfo=UTC)
    assert usage.servers("p", [server("f", "2026-05-02T00:00:00")], period, noon)[0].quantity == 12


def test_what_is_stored_counts_by_gib_and_hour() -> None:
    period = Period.parse("2026-05-01", "2026-05-02")
    things = [("2026-05-01T12:00:00Z", usage.gib(1 << 29)), (None, Decimal(5))]
    assert usage.stored("p", usage.IMAGE, things, period, NOW) == [
        Line("p", "2026-05-01", "image", "GiB-hour", Decimal("6.000000"))
    ]


def test_lines_cost_what_the_contract_says() -> None:
    line = Line("p", "2026-05-01", "m1.small", "hour", Decimal("7.500000"))
    assert usage.cost(line, PRICES) == {"EUR": Decimal("0.097500000")}
    other = Line("p", "2026-05-01", "m1.small", "day", Decimal(1))
    assert usage.cost(other, PRICES) == {}
    assert usage.totals([line, line, other], PRICES) == {"EUR": "0.195000000"}


def test_a_cost_has_no_exponent_and_no_largest_price() -> None:
    """A price of nothing is written 0E-9 by `str`, and the default context has 28 digits: neither may stop a statement."""
    line = Line("p", "2026-05-01", "m1.small", "hour", Decimal("999999999999.999999999"))
    assert usage.totals([line], [Price("m1.small", "hour", "EUR", "0")]) == {"EUR": "0.000000000"}
    largest = usage.totals([line], [Price("m1.small", "hour", "EUR", "999999999999.999999999")])
    assert largest == {"EUR": "999999999999999999998000.000000000"}
    assert line.to_json() | {"quantity": "0.000000"} == Line(*line.key, Decimal("0.000000")).to_json()


@pytest.mark.parametrize(
    ("first", "until_day"),
    [("2026-05-01", "2026-05-01"), ("2026-05-02", "2026-05-01"), ("x", "2026-05-01"), ("2020-01-01", "2026-01-01")],
)
def test_what_is_no_period_is_refused(first: str, until_day: str) -> None:
    with pytest.raises(PeriodError):
        Period.parse(first, until_day)


def test_a_year_has_its_days() -> None:
    assert len(list(Period(date(2026, 1, 1), date(2027, 1, 1)).days())) == 365
