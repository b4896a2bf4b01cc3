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
