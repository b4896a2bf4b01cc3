"""What the panels draw: the states of the control plane, and offers where they are."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from openstackoid.regions.objects.states import CONTRACT, ContractState

FEDERATION = Path(__file__).parents[2] / "dashboard" / "openstackoid_dashboard" / "federation"


def load(path: str) -> ModuleType:
    """A pure module of the panels, which are not installed here."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, FEDERATION / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_the_states_are_the_control_planes() -> None:
    diagram = load("contracts/diagram.py")
    drawn = {(before, event, after) for (before, after), events in diagram.ARROWS.items() for event in events}
    assert drawn == {(row.state, row.event, row.next) for row in CONTRACT if row.state}
    assert set(diagram.PLACES) == set(ContractState)
    assert len(set(diagram.PLACES.values())) == len(ContractState)


def test_one_state_is_now_and_those_after_it_are_next() -> None:
    drawing = load("contracts/diagram.py").draw("active")
    kinds = {box.name: box.kind for box in drawing.boxes}
    assert [name for name, kind in kinds.items() if kind == "now"] == ["active"]
    assert {name for name, kind in kinds.items() if kind == "next"} == {"suspended", "ending"}
    assert sum(arrow.open for arrow in drawing.arrows) == 2


def offer(name: str, **location: Any) -> SimpleNamespace:
    return SimpleNamespace(id=name, metadata={"location": {key: {"value": value} for key, value in location.items()}})


def test_offers_of_one_place_are_one_mark() -> None:
    offers = [offer("P/a", latitude=48.86, longitude=2.35), offer("P/b", latitude=48.86, longitude=2.35)]
    (mark,) = load("offers/map.py").marks(offers)
    assert (mark.x, mark.y, mark.names) == (182.3, 41.1, ["P/a", "P/b"]) or (mark.x, mark.y) == (182.4, 41.1)


@pytest.mark.parametrize("latitude", [None, "48.86", True, 91, float("nan"), [48.86]])
def test_what_is_no_latitude_is_not_drawn(latitude: Any) -> None:
    assert load("offers/map.py").marks([offer("P/a", latitude=latitude, longitude=2.35), offer("P/b")]) == []


def used(day: str, quantity: str, region: str = "V1", unit: str = "hour", **cost: str) -> dict[str, Any]:
    line = {"day": day, "quantity": quantity, "region": region, "label": f"project of {region}", "sku": "m1.small"}
    return line | {"unit": unit, "cost": cost}


def test_use_is_summed_by_region_in_a_currency_or_a_unit() -> None:
    charts = load("usage/charts.py")
    lines = [used("2026-12-01", "24.0", EUR="0.1"), used("2026-12-02", "12", EUR="0.2"), used("2026-12-01", "5", "V2")]
    lines.append(used("2026-12-01", "7", "V2", unit="GiB-hour"))
    assert charts.measures(lines) == ["EUR", "GiB-hour", "hour"]
    euros = {series.name: str(series.total) for series in charts.grouped(lines, "region", "EUR")}
    assert euros == {"V1": "0.3"}  # exact
    hours = [(series.name, series.total) for series in charts.grouped(lines, "label", "hour")]
    assert hours == [("project of V1", 36), ("project of V2", 5)]


def test_bars_of_a_day_stand_on_each_other_and_the_highest_one_fills_the_chart() -> None:
    charts = load("usage/charts.py")
    lines = [used("2026-12-01", "30"), used("2026-12-01", "10", "V2"), used("2026-12-02", "20")]
    series = charts.grouped(lines, "region", "hour")
    bars, top = charts.bars(series, ["2026-12-01", "2026-12-02"])
    assert top == 40
    assert [(bar.y, bar.height) for bar in bars] == [(50.0, 150.0), (0.0, 50.0), (100.0, 100.0)]
    assert charts.bars([], ["2026-12-01"]) == ([], 0)


def test_many_regions_are_drawn_as_a_few_and_nothing_is_lost() -> None:
    charts = load("usage/charts.py")
    series = charts.grouped([used("2026-12-01", str(n + 1), f"V{n}") for n in range(20)], "region", "hour")
    few = charts.few(series)
    assert len(few) == charts.MOST_SERIES
    assert sum(one.total for one in few) == sum(range(1, 21))
