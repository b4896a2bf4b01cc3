"""What a slow reader is left with: each resource's newest state, in order, within a bound."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from oaktree.v1.common_pb2 import (
    CHANGE_CREATED,
    CHANGE_CURRENT,
    CHANGE_DELETED,
    CHANGE_REACHED,
    CHANGE_SKIPPED,
    CHANGE_UPDATED,
)
from oaktree.v1.compute_pb2 import Server, WatchServerResponse
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.resources.kinds import Kinds
from openstackoid.oaktree.watches.pending import Event, Pending, coalesced
from openstackoid.oaktree.watches.states import State, state

_KIND = Kinds().get("compute.server")
assert _KIND is not None
KIND = _KIND
CODEC = KIND.codec(Server)


def at(name: str, version: int) -> State:
    return state(KIND, "one", Location(cloud="One"), {"id": name, "progress": version})


def version(event: Event) -> int:
    assert event.state is not None
    return int(event.state.message(CODEC).progress)  # type: ignore[attr-defined]


def histories(names: Sequence[str], steps: Sequence[tuple[int, bool]], existing: int) -> list[Event]:
    """What a poll tells of some resources: each is created, changed and deleted in turn; the first ones are there already."""
    there = set(names[:existing])
    events = [Event(CHANGE_CURRENT, at(name, 0), 0.0) for name in sorted(there)]
    for number, (index, delete) in enumerate(steps, 1):
        name = names[index]
        change = CHANGE_CREATED if name not in there else CHANGE_DELETED if delete else CHANGE_UPDATED
        there ^= {name} if change != CHANGE_UPDATED else set()
        events.append(Event(change, at(name, number), float(number)))
    return events


NAMES = [f"server-{number}" for number in range(6)]
HISTORIES = st.builds(
    histories,
    st.just(NAMES),
    st.lists(st.tuples(st.integers(0, len(NAMES) - 1), st.booleans()), max_size=80),
    st.integers(0, len(NAMES)),
)


def seen(events: Sequence[Event]) -> dict[str, int]:
    """What a reader believes to be there, and in which state."""
    there: dict[str, int] = {}
    for event in events:
        assert event.state is not None
        if event.change == CHANGE_DELETED:
            there.pop(event.state.id, None)
        else:
            there[event.state.id] = version(event)
    return there


@given(HISTORIES, st.integers(1, 5), st.lists(st.integers(0, 3), max_size=80))
def test_whatever_is_left_out_the_reader_ends_with_what_is_true(
    events: list[Event], most: int, reads: list[int]
) -> None:
    pending = Pending(most)
    read = []
    for number, event in enumerate(events):
        pending.put(event)
        assert len(pending) <= max(most, 2 * len(NAMES))
        wanted = reads[number] if number < len(reads) else 0
        read += [pending.take() for _ in range(min(wanted, len(pending)))]
    read += [pending.take() for _ in range(len(pending))]
    assert seen(read) == seen(events)
    for name in NAMES:
        versions = [version(each) for each in read if each.state is not None and each.state.id == name]
        assert versions == sorted(versions)


@given(HISTORIES, st.integers(1, 4))
def test_coalescing_again_changes_nothing_and_leaves_one_of_each(events: list[Event], parts: int) -> None:
    once = coalesced(events)
    assert len(once) <= len(NAMES)
    assert coalesced(once) == once
    size = max(1, len(events) // parts)
    in_parts: list[Event] = []
    for start in range(0, len(events), size):
        in_parts = list(coalesced([*in_parts, *events[start : start + size]]))
    assert [(each.change, each.state) for each in in_parts] == [(each.change, each.state) for each in once]


def test_what_came_and_went_unseen_takes_no_room() -> None:
    pending = Pending(4)
    for number in range(1000):
        pending.put(Event(CHANGE_CREATED, at(f"server-{number}", 0), 0.0))
        pending.put(Event(CHANGE_UPDATED, at(f"server-{number}", 1), 0.0))
        pending.put(Event(CHANGE_DELETED, at(f"server-{number}", 1), 0.0))
        assert len(pending) <= 6


def test_the_last_word_is_never_left_out() -> None:
    pending = Pending(2)
    for number in range(10):
        pending.put(Event(CHANGE_UPDATED, at("server-0", number), 0.0))
    pending.put(Event(CHANGE_REACHED, at("server-0", 9), 0.0))
    pending.put(Event(CHANGE_REACHED, None, 0.0))
    words = [pending.take().change for _ in range(len(pending))]
    assert words[0] == CHANGE_SKIPPED
    assert words[-2:] == [CHANGE_REACHED, CHANGE_REACHED]


def test_all_watchers_share_the_bytes_of_a_resource() -> None:
    shared = at("server-0", 7)
    events = [Event(change, shared, 1.5) for change in (CHANGE_CURRENT, CHANGE_UPDATED)]
    one, other = (WatchServerResponse.FromString(each.encoded(WatchServerResponse, "server", CODEC)) for each in events)
    assert (one.change, other.change) == (CHANGE_CURRENT, CHANGE_UPDATED)
    assert one.server == other.server == shared.message(CODEC)
    assert one.seen_at.ToMilliseconds() == 1500
