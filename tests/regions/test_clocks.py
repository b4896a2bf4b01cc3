"""Clocks that step an hour, forward or back, on one side: no state that is wrong, and nobody is held up for an hour."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.regions.negotiating import ID, TERMS, pair

from openstackoid.regions.objects import clock, usage
from openstackoid.regions.objects.binding import BindingState
from openstackoid.regions.objects.states import ContractEvent, ContractState, Side
from openstackoid.regions.objects.terms import format_time
from openstackoid.regions.objects.usage import Line, Period
from openstackoid.regions.objects.work import LONGEST_PAUSE, WHOLE, Stage, WorkKind
from openstackoid.regions.tables.binding import Bindings
from openstackoid.regions.tables.usage import Usages
from openstackoid.regions.tables.work import LEASE, Works
from openstackoid.storage.databases import Database

HOUR = 3600
NOW = int(TERMS.begins.timestamp())
STEPS = [-HOUR, 0, HOUR]


@pytest.mark.parametrize("provider", STEPS)
@pytest.mark.parametrize("consumer", STEPS)
def test_the_order_of_messages_does_not_depend_on_times(provider: int, consumer: int) -> None:
    """The clock of a side steps before each of its messages, the other way each time."""
    copies = dict(zip((Side.PROVIDER, Side.CONSUMER), pair(), strict=True))
    steps = {Side.PROVIDER: provider, Side.CONSUMER: consumer}
    life = (
        (Side.CONSUMER, ContractEvent.REQUEST),
        (Side.PROVIDER, ContractEvent.ACCEPT),
        (Side.PROVIDER, ContractEvent.PROVISION),
        (Side.PROVIDER, ContractEvent.ACTIVATE),
        (Side.PROVIDER, ContractEvent.SUSPEND),
        (Side.PROVIDER, ContractEvent.RESUME),
        (Side.CONSUMER, ContractEvent.END),
        (Side.PROVIDER, ContractEvent.FINISH),
    )
    for number, (side, event) in enumerate(life):
        steps[side] = -steps[side]
        time = format_time(datetime.fromtimestamp(NOW + number + steps[side], UTC))
        given = TERMS if event is ContractEvent.REQUEST else None
        copies[side] = copies[side].cause(event, time, given)
        copies[side.other] = copies[side.other].receive(copies[side].ours[-1])
        assert copies[Side.PROVIDER].outcome == copies[Side.CONSUMER].outcome
    assert copies[Side.PROVIDER].outcome.state is ContractState.ENDED
    assert not any(step.void for step in copies[Side.PROVIDER].outcome.steps)


def test_time_passes_for_a_contract_at_its_provider_alone_and_never_backwards() -> None:
    """Ahead, the provider may expire and end contracts an hour early: its word counts, on both sides. Set back, it undoes nothing."""

    def due(side: Side, state: ContractState, now: int, since: int = NOW) -> ContractEvent | None:
        found = clock.due(side, state, since, TERMS, now, offered=True)
        return found[0] if found else None

    answer_by = int(TERMS.answer_by.timestamp())
    assert due(Side.PROVIDER, ContractState.REQUESTED, answer_by - 1) is None
    assert due(Side.PROVIDER, ContractState.REQUESTED, answer_by - 1 + HOUR) is ContractEvent.EXPIRE
    assert due(Side.CONSUMER, ContractState.REQUESTED, answer_by + HOUR) is None
    grace = int(timedelta(days=TERMS.grace_days).total_seconds())
    for since in (NOW, NOW + HOUR):  # it ended by a clock that was ahead
        assert due(Side.PROVIDER, ContractState.ENDING, since + grace - 1, since) is None
        assert due(Side.PROVIDER, ContractState.ENDING, since + grace, since) is ContractEvent.FINISH
    for state in (ContractState.EXPIRED, ContractState.ENDED, ContractState.REJECTED):
        assert all(due(Side.PROVIDER, state, NOW + step) is None for step in STEPS)


def test_what_a_clock_ahead_has_taken_holds_nobody_up_when_it_is_set_back(database: Database) -> None:
    works, bindings = Works(database), Bindings(database)
    works.add(ID, WorkKind.CLEAN, Stage.LISTING)
    bindings.bind("V1", ID, "rita")
    (work,) = works.due(NOW)
    assert works.take(work, "a" * 32, NOW + HOUR)  # and is killed
    assert bindings.take("V1", "a" * 32, NOW + HOUR)
    # By the same clock it is held.
    assert (works.due(NOW + HOUR), works.take(work, "b" * 32, NOW + HOUR)) == ([], None)
    assert bindings.take("V1", "b" * 32, NOW + HOUR) is None
    # Set back: nobody else can have it for that long.
    assert [found.kind for found in works.due(NOW)] == [WorkKind.CLEAN]
    taken = works.take(work, "b" * 32, NOW)
    bound = bindings.take("V1", "b" * 32, NOW)
    assert taken
    assert bound
    # Who had it before writes nothing any more.
    assert not works.advance(work, "a" * 32, Stage.DONE)
    bindings.done(bound, "a" * 32)
    assert bindings.get("V1").state is BindingState.BINDING
    # A pause that was set by a clock ahead.
    works.failed(taken, "b" * 32, "why", NOW + HOUR)
    assert works.due(NOW + HOUR) == []
    assert [found.project for found in works.due(NOW)] == [WHOLE]
    assert LONGEST_PAUSE + LEASE < HOUR


def test_use_is_counted_once_whichever_way_the_clock_steps(database: Database) -> None:
    """A volume of 1 GiB, measured by a clock that is an hour ahead, then set back, and right again."""
    usages, day = Usages(database), datetime(2026, 6, 1, tzinfo=UTC)
    period = Period(day.date(), day.date() + timedelta(days=1))

    def measure(hours: int) -> Decimal:
        now, since = day + timedelta(hours=hours), usages.measured(ID, "p")
        things = [(format_time(day), Decimal(1))]
        usages.record(ID, "p", (), usage.stored("p", usage.VOLUME, things, period, now, since), since, now)
        lines: list[Line] = usages.lines(ID, period)
        return sum((line.quantity for line in lines), Decimal(0))

    assert [measure(hours) for hours in (2, 4, 3, 1, 4, 5)] == [2, 4, 4, 4, 4, 5]


def test_a_copy_that_was_written_by_a_clock_ahead_is_read_as_it_is() -> None:
    contract = pair()[1].cause(ContractEvent.REQUEST, "2099-01-01T00:00:00Z", TERMS)
    assert pair()[0].receive(contract.ours[0]).outcome.state is ContractState.REQUESTED
