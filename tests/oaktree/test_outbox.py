"""The outbox of webhooks, on each kind of database."""

import threading
from collections.abc import Iterator

import pytest
from tests.oaktree.test_operations import Clock

from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree.creates.operations import Operations
from openstackoid.oaktree.creates.outbox import Notice
from openstackoid.oaktree.creates.records import LostError, Operation

WEBHOOKS = {"alice": ("ci", "chat"), "bob": ("ci",)}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(url: str, clock: Clock) -> Iterator[Operations]:
    made = Operations(url, lease=10, keep=1000, clock=clock, webhooks=lambda caller: WEBHOOKS.get(caller, ()))
    made.upgrade()
    yield made
    made.close()


def begin(records: Operations, caller: str = "alice") -> Operation:
    return records.begin(caller, None, "d" * 64, "compute.server", [Location(cloud="One")])[0]


def due(records: Operations) -> list[Notice]:
    return sorted(records.outbox.due(10), key=lambda notice: (notice.operation, notice.webhook))


def test_an_end_is_told_to_each_webhook_of_its_caller(records: Operations, clock: Clock) -> None:
    alices, bobs, carols = (begin(records, caller) for caller in ("alice", "bob", "carol"))
    assert due(records) == []
    for operation in (alices, bobs, carols):
        records.end(operation)
    told = {(notice.operation, notice.caller, notice.webhook) for notice in due(records)}
    assert told == {(alices.id, "alice", "ci"), (alices.id, "alice", "chat"), (bobs.id, "bob", "ci")}
    chat, ci = (notice for notice in due(records) if notice.operation == alices.id)
    assert records.outbox.claim(chat, 30)
    assert records.outbox.close(chat)
    assert records.outbox.claim(ci, 30)
    assert chat not in due(records)
    assert ci not in due(records)
    # What was claimed and not closed is due again: its sender may be dead.
    clock.now += 31
    [again] = (notice for notice in due(records) if notice.operation == alices.id)
    assert (again.webhook, again.attempts, again.id) == ("ci", 1, ci.id)


def test_a_failed_attempt_is_made_again_after_its_own_pause(records: Operations, clock: Clock) -> None:
    records.end(begin(records, "bob"))
    [first] = due(records)
    assert records.outbox.claim(first, 30)
    assert records.outbox.postpone(first, 1)
    assert due(records) == []
    clock.now += 2
    [second] = due(records)
    assert (second.id, second.attempts) == (first.id, 1)
    # Somebody else makes the next attempt: who was late with the first one changes nothing.
    assert records.outbox.claim(second, 30)
    assert not records.outbox.postpone(first, 0)
    assert due(records) == []


def test_of_many_workers_one_has_a_notice(url: str, records: Operations) -> None:
    records.end(begin(records, "bob"))
    [notice] = due(records)
    claims: list[bool] = []
    start = threading.Barrier(6)

    def claim() -> None:
        ours = Operations(url, lease=10, clock=lambda: 1_000_000.0)
        start.wait()
        claims.append(ours.outbox.claim(notice, 30))
        ours.close()

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claims) == [False] * 5 + [True]


def test_who_lost_an_operation_tells_nothing(records: Operations, clock: Clock) -> None:
    operation = begin(records)
    clock.now += 11
    assert records.take(operation) is not None
    with pytest.raises(LostError):
        records.end(operation)
    assert due(records) == []


def test_an_operation_that_ends_again_is_told_again(records: Operations, clock: Clock) -> None:
    operation = begin(records, "bob")
    records.end(operation)
    [first] = due(records)
    assert records.outbox.claim(first, 30)
    clock.now += 1
    ended = records.get("bob", operation.id)
    assert ended is not None
    taken = records.take(ended)
    assert taken is not None
    records.end(taken)
    # The sender of the first end is late: what it knows of is another notice.
    assert not records.outbox.close(first)
    [second] = due(records)
    assert second.id != first.id
    assert second.attempts == 0


def test_operations_that_nobody_is_told_of_hide_no_others(
    records: Operations, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openstackoid.oaktree.creates.outbox._AT_ONCE", 2)
    for _ in range(5):
        begin(records, "carol")
    mine = {begin(records, "bob").id for _ in range(3)}
    clock.now += 11
    records.outbox.put_interrupted()
    assert {notice.operation for notice in due(records)} == mine


def test_an_operation_whose_worker_died_is_told_once(records: Operations, clock: Clock) -> None:
    operation = begin(records, "bob")
    begin(records, "carol")
    assert records.outbox.put_interrupted() == 0
    clock.now += 11
    assert records.outbox.put_interrupted() == 1
    assert records.outbox.put_interrupted() == 0
    [notice] = due(records)
    assert notice.operation == operation.id
    assert records.outbox.claim(notice, 1)
    assert records.outbox.close(notice)
    assert records.outbox.put_interrupted() == 0
    assert due(records) == []


def test_forgotten_operations_leave_nothing(records: Operations, clock: Clock) -> None:
    records.end(begin(records))
    clock.now += 2000
    assert records.clean() == 1
    records.outbox.clean()
    assert due(records) == []
