"""The tables of states, and the diagrams drawn from them."""

from pathlib import Path
from typing import Final

import pytest

from openstackoid.regions.objects.states import (
    CONTRACT,
    OVER,
    REGION,
    ContractEvent,
    ContractState,
    RegionEvent,
    RegionState,
    Side,
    Transition,
    Who,
    diagram,
    events,
    find,
    may,
)

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "virtual-regions-states.md"
TABLES: Final = {"virtual region": REGION, "contract": CONTRACT}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_names_each_state_and_event_once_and_is_reachable(table: tuple[Transition, ...]) -> None:
    assert len({(row.state, row.event) for row in table}) == len(table)
    reached: set[str | None] = {None}
    for _ in table:
        reached |= {row.next for row in table if row.state in reached}
    assert {row.state for row in table} <= reached


def test_every_state_and_event_has_a_row() -> None:
    assert {row.next for row in REGION} == set(RegionState)
    assert {row.event for row in REGION} == set(RegionEvent)
    assert {row.next for row in CONTRACT} == set(ContractState)
    assert {row.event for row in CONTRACT} == set(ContractEvent)


def test_nothing_happens_to_a_contract_that_is_over_and_everything_else_ends() -> None:
    ends = {row.next: {row.next} for row in CONTRACT}
    for _ in CONTRACT:
        for row in CONTRACT:
            if row.state:
                ends[row.state] |= ends[row.next]
    assert {state for state in ContractState if not events(CONTRACT, state)} == OVER
    assert all(ends[state] & OVER for state in ContractState)


def test_only_what_both_have_signed_leads_to_an_agreement() -> None:
    assert {row.event for row in CONTRACT if row.both} == {"accept"}
    assert all(row.both for row in CONTRACT if row.next == "agreed")


@pytest.mark.parametrize(
    ("who", "side", "author", "allowed"),
    [
        (Who.EITHER, Side.CONSUMER, None, True),
        (Who.PROVIDER, Side.PROVIDER, None, True),
        (Who.PROVIDER, Side.CONSUMER, Side.PROVIDER, False),
        (Who.CONSUMER, Side.CONSUMER, None, True),
        (Who.ANSWERING, Side.CONSUMER, Side.PROVIDER, True),
        (Who.ANSWERING, Side.CONSUMER, Side.CONSUMER, False),
        (Who.ANSWERING, Side.CONSUMER, None, False),
    ],
)
def test_who_may(who: Who, side: Side, author: Side | None, *, allowed: bool) -> None:
    assert may(Transition("requested", "accept", who, both=True, next="agreed"), side, author) is allowed


def test_what_no_row_names_is_not_allowed() -> None:
    assert find(CONTRACT, "ended", "resume") is None
    assert find(CONTRACT, None, "accept") is None


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_documentation_shows_the_diagram(table: tuple[Transition, ...]) -> None:
    assert f"```mermaid\n{diagram(table)}\n```" in PAGE.read_text(), diagram(table)
