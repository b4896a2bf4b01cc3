"""Sums of use, and bars a day. Pure.

A *measure* is what is summed: a currency, for what lines cost, or a unit such as `hour`, for how much was used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

WIDTH, HEIGHT = 900, 200  # of a chart's bars
MOST_SERIES = 6  # more are summed up as others
OTHERS = "..."


@dataclass
class Series:
    """What one region or project used.

    Attributes:
        name: of the region or project.
        days: day -> amount.
    """

    name: str
    days: dict[str, Decimal] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """Of all days."""
        return sum(self.days.values(), Decimal(0))


@dataclass(frozen=True)
class Bar:
    """A part of a day's bar: from `y` down, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    opacity: float
    title: str


def measures(lines: Iterable[dict[str, Any]]) -> list[str]:
    """Give what lines can be summed by: currencies first."""
    currencies: set[str] = set()
    units: set[str] = set()
    for line in lines:
        currencies |= set(line["cost"])
        units.add(line["unit"])
    return sorted(currencies) + sorted(units)


def amount(line: dict[str, Any], measure: str) -> Decimal:
    """Give what a line adds to a measure."""
    if measure in line["cost"]:
        return Decimal(line["cost"][measure])
    return Decimal(line["quantity"]) if line["unit"] == measure else Decimal(0)


def grouped(lines: Iterable[dict[str, Any]], key: str, measure: str) -> list[Series]:
    """Sum lines up by region or project, the largest first; those of which nothing was used are left out.

    Args:
        lines: each with a `region`, a `label` of its project, and what the control plane says.
        key: `region` or `label`.
        measure: what is summed.
    """
    series: dict[str, Series] = {}
    for line in lines:
        days = series.setdefault(line[key], Series(line[key])).days
        days[line["day"]] = days.get(line["day"], Decimal(0)) + amount(line, measure)
    return sorted((one for one in series.values() if one.total), key=lambda one: (-one.total, one.name))


def few(series: Sequence[Series]) -> list[Series]:
    """Sum up all but the largest."""
    if len(series) <= MOST_SERIES:
        return list(series)
    others = Series(OTHERS)
    for one in series[MOST_SERIES - 1 :]:
        for day, value in one.days.items():
            others.days[day] = others.days.get(day, Decimal(0)) + value
    return [*series[: MOST_SERIES - 1], others]


def days_of(begin: date, until: date) -> list[str]:
    """Give the days from the first to the one before the last."""
    return [(begin + timedelta(days=number)).isoformat() for number in range((until - begin).days)]


def opacity(place: int) -> float:
    """How dark a series is drawn: the theme's own colour in shades, the first one darkest."""
    return round(1 - 0.85 * place / MOST_SERIES, 2)


def bars(series: Sequence[Series], days: Sequence[str]) -> tuple[list[Bar], Decimal]:
    """Draw the parts of each day on each other; returns them, and the value at the top."""
    sums = [sum((one.days.get(day, Decimal(0)) for one in series), Decimal(0)) for day in days]
    top = max(sums, default=Decimal(0))
    if not top:
        return [], Decimal(0)
    drawn: list[Bar] = []
    step = WIDTH / len(days)
    for number, day in enumerate(days):
        base = float(HEIGHT)
        for place, one in enumerate(series):
            value = one.days.get(day)
            if value:
                height = float(value / top) * HEIGHT
                base -= height
                title = f"{day} {one.name}: {value:f}"
                bar = (round(number * step, 2), round(base, 2), round(step * 0.85, 2), round(height, 2))
                drawn.append(Bar(*bar, opacity(place), title))
    return drawn, top
