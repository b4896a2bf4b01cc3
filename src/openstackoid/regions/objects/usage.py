"""What the projects of a contract have used, day by day, and what that costs. Pure.

A line says: this project, on this day (UTC), used so much of this. Servers are counted by the hour under the name of their flavor, volumes and images by
the GiB and hour. Prices are the contract's: a line costs what each price with its SKU and unit says.

    {"project": "7d3e...", "day": "2026-12-01", "sku": "m1.small", "unit": "hour", "quantity": "24.000000"}
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any, Final

from openstackoid.regions.errors import PeriodError
from openstackoid.regions.objects.terms import Price

MOST_DAYS: Final = 366
HOUR, GIB_HOUR = "hour", "GiB-hour"
VOLUME, IMAGE = "volume", "image"
_HOUR: Final = Decimal(3600)
_STEP: Final = Decimal("0.000001")
_CENT: Final = Decimal("0.000000001")
_GIB: Final = Decimal(1 << 30)
# Enough for the largest quantity by the largest price: neither the other side nor the default context makes a cost fail.
_EXACT: Final = Context(prec=96)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """A line; the form above."""

    project: str
    day: str
    sku: str
    unit: str
    quantity: Decimal

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What is counted, where and when."""
        return self.project, self.day, self.sku, self.unit

    def to_json(self) -> dict[str, str]:
        """The form above."""
        return {
            "project": self.project,
            "day": self.day,
            "sku": self.sku,
            "unit": self.unit,
            "quantity": plain(self.quantity),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, str]) -> "Line":
        """Read a line whose form a schema has checked."""
        quantity = Decimal(document["quantity"])
        return cls(document["project"], document["day"], document["sku"], document["unit"], quantity)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days.

    Attributes:
        first: the first day.
        end: the day after the last one.
    """

    first: date
    end: date

    @classmethod
    def parse(cls, first: str, end: str) -> "Period":
        """From two days such as `2026-12-01`.

        Raises:
            PeriodError: they are no days, or no period.
        """
        try:
            period = cls(date.fromisoformat(first), date.fromisoformat(end))
        except ValueError:
            raise PeriodError(f"Expected days such as 2026-12-01, got {first[:32]!r} and {end[:32]!r}.") from None
        if not period.first < period.end or (period.end - period.first).days > MOST_DAYS:
            raise PeriodError(
                f"Expected 1 to {MOST_DAYS} days: the first one, and the one after the last one; got {period.first} and {period.end}."
            )
        return period

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.first, datetime.min.time(), UTC)

    @property
    def over(self) -> datetime:
        """The moment after it."""
        return datetime.combine(self.end, datetime.min.time(), UTC)

    def days(self) -> Iterator[tuple[str, datetime, datetime]]:
        """Each day, with its first moment and the one after it."""
        for number in range((self.end - self.first).days):
            start = self.start + number * _DAY
            yield start.date().isoformat(), start, start + _DAY


def servers(project: str, usages: Iterable[Mapping[str, Any]], period: Period, now: datetime) -> list[Line]:
    """Lines of nova's `server_usages` (os-simple-tenant-usage, detailed)."""
    seconds: dict[tuple[str, str], Decimal] = {}
    for usage in usages:
        began = moment(usage.get("started_at"))
        if began is None:
            continue
        ended = min(moment(usage.get("ended_at")) or now, now)
        for day, start, end in period.days():
            lasted = _overlap(began, ended, start, end)
            if lasted:
                key = (day, str(usage.get("flavor"))[:255])
                seconds[key] = seconds.get(key, Decimal(0)) + lasted
    return sorted(Line(project, day, sku, HOUR, _hours(lasted)) for (day, sku), lasted in seconds.items())


def stored(
    project: str,
    sku: str,
    things: Iterable[tuple[str | None, Decimal]],
    period: Period,
    now: datetime,
    since: datetime | None = None,
) -> list[Line]:
    """Lines of what is stored now.

    Args:
        project: whose.
        sku: `VOLUME` or `IMAGE`.
        things: when each was made, and its GiB.
        period: which days.
        now: until when.
        since: from when on; None for all that is known.
    """
    totals: dict[str, Decimal] = {}
    for created, gib in things:
        began = moment(created)
        if began is None:
            continue
        began = began if since is None else max(began, since)
        for day, start, end in period.days():
            lasted = _overlap(began, now, start, end)
            if lasted:
                totals[day] = totals.get(day, Decimal(0)) + lasted * gib
    return sorted(Line(project, day, sku, GIB_HOUR, _hours(total)) for day, total in totals.items())


def gib(size: int) -> Decimal:
    """Bytes as GiB."""
    return Decimal(size) / _GIB


def cost(line: Line, prices: Iterable[Price]) -> dict[str, Decimal]:
    """Currency -> amount of a line."""
    amounts: dict[str, Decimal] = {}
    for price in prices:
        if (price.sku, price.unit) == (line.sku, line.unit):
            product = _EXACT.multiply(Decimal(price.amount), line.quantity)
            amount = product.quantize(_CENT, context=_EXACT)
            amounts[price.currency] = _EXACT.add(amounts.get(price.currency, Decimal(0)), amount)
    return amounts


def totals(lines: Iterable[Line], prices: Iterable[Price]) -> dict[str, str]:
    """Currency -> amount of all lines."""
    known = tuple(prices)
    found: dict[str, Decimal] = {}
    for line in lines:
        for currency, amount in cost(line, known).items():
            found[currency] = _EXACT.add(found.get(currency, Decimal(0)), amount)
    return {currency: plain(found[currency]) for currency in sorted(found)}


def plain(amount: Decimal) -> str:
    """A number without an exponent: `str` writes 0.000000000 as 0E-9."""
    return format(amount, "f")


def moment(text: object) -> datetime | None:
    """A time as OpenStack's services write it: UTC, with or without a zone; None if it is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _overlap(began: datetime, ended: datetime, start: datetime, end: datetime) -> Decimal:
    lasted = min(ended, end) - max(began, start)
    microseconds = lasted // timedelta(microseconds=1)
    return Decimal(max(0, microseconds)) / 1_000_000


def _hours(seconds: Decimal) -> Decimal:
    return (seconds / _HOUR).quantize(_STEP)
