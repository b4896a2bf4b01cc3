"""Operations on record, on each kind of database."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.rpc import status_pb2

from oaktree.v1 import common_pb2
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import errors
from openstackoid.oaktree.creates.operations import Operations
from openstackoid.oaktree.creates.records import LostError, Operation, RecordsError
from openstackoid.oaktree.creates.tables import METADATA, MIGRATIONS
from openstackoid.operations.stages import Stage
from openstackoid.storage.databases import Database
from openstackoid.trust.store import Store

PLACES = [Location(cloud="One", region="R", zone="z"), Location(cloud="Zwei ü", project_id="p")]


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(url: str, clock: Clock) -> Iterator[Operations]:
    made = Operations(url, lease=10, keep=1000, clock=clock)
    made.upgrade()
    yield made
    made.close()


def test_stages_of_the_api_and_of_the_records_are_the_same() -> None:
    assert {f"STAGE_{stage.name}": int(stage) for stage in Stage} | {"STAGE_UNSPECIFIED": 0} == dict(
        common_pb2.Stage.items()
    )


def begin(records: Operations, key: str | None = None, caller: str = "alice") -> Operation:
    operation, mine = records.begin(caller, key, "d" * 64, "compute.server", PLACES)
    assert mine
    return operation


def test_what_is_kept_comes_back(records: Operations) -> None:
    made = begin(records, "key")
    assert [each.location for each in made.parts] == PLACES
    error = status_pb2.Status(code=5, message="it is gone: ü")
    part = replace(
        made.parts[1],
        stage=common_pb2.STAGE_FAILED,
        resource_id="r" * 255,
        status="ERROR",
        error=error,
        sought={"mark": "m", "before": ["a"]},
        sent_at=1_000_000.5,
    )
    records.change(made, part)
    found = records.get("alice", made.id)
    assert found is not None
    assert found.parts == (made.parts[0], part)
    assert records.get("alice", "key") == found
    assert records.get("bob", made.id) is None
    assert records.get("bob", "key") is None
    assert records.known(["r" * 255, "x"], but="other") == {"r" * 255}
    assert records.known(["r" * 255], but=made.id) == set()


def test_a_key_is_one_operation_of_a_caller(records: Operations) -> None:
    first = begin(records, "key")
    again, mine = records.begin("alice", "key", "e" * 64, "compute.server", PLACES)
    assert not mine
    assert again == first
    # Others have their own; keys differ by case; and without a key nothing is the same.
    assert (
        len({first.id, begin(records, "key", "bob").id, begin(records, "KEY").id, begin(records).id, begin(records).id})
        == 5
    )


def test_of_many_at_once_with_one_key_one_is_on_record(url: str, records: Operations) -> None:
    found: list[tuple[Operation, bool]] = []
    start = threading.Barrier(8)

    def one() -> None:
        ours = Operations(url, lease=10)
        start.wait()
        found.append(ours.begin("alice", "key", "d" * 64, "compute.server", PLACES))
        ours.close()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 8
    assert len({operation.id for operation, _ in found}) == 1
    assert sum(mine for _, mine in found) == 1


def test_only_who_is_silent_for_too_long_is_taken_over(records: Operations, clock: Clock) -> None:
    made = begin(records)
    assert records.take(made) is None
    clock.now += 8
    records.beat([made.owner])
    clock.now += 8
    alive = records.get("alice", made.id)
    assert alive is not None
    assert records.take(alive) is None
    clock.now += 8
    taken = records.take(alive)
    assert taken is not None
    assert taken.owner != made.owner
    # Who looked at the same moment comes too late.
    assert records.take(alive) is None
    with pytest.raises(LostError):
        records.change(made, made.parts[0])
    with pytest.raises(LostError):
        records.end(made)
    records.end(taken)
    done = records.get("alice", made.id)
    assert done is not None
    assert done.done
    assert records.take(done) is not None


def test_of_many_at_once_one_takes_over(records: Operations, clock: Clock) -> None:
    made = begin(records)
    clock.now += 11
    found: list[Operation | None] = []
    start = threading.Barrier(6)

    def one() -> None:
        start.wait()
        found.append(records.take(made))

    threads = [threading.Thread(target=one) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len([each for each in found if each is not None]) == 1


def test_old_ones_are_forgotten_with_their_keys(records: Operations, clock: Clock) -> None:
    old, running = begin(records, "old"), begin(records, "running")
    records.end(old)
    clock.now += 900
    begin(records, "young")
    clock.now += 200
    records.beat([running.owner])
    assert records.clean() == 1
    assert records.get("alice", old.id) is None
    assert records.get("alice", "young")
    assert records.get("alice", "running")
    assert begin(records, "old").id != old.id


def test_pages_go_through_all(records: Operations, clock: Clock) -> None:
    made = []
    for number in range(7):
        made.append(begin(records).id)
        clock.now += number % 2  # some at the same moment
    begin(records, caller="bob")
    found: list[str] = []
    token = ""
    while True:
        page, token = records.page("alice", 3, token)
        found += [each.id for each in page]
        if not token:
            break
    assert sorted(found) == sorted(made)
    with pytest.raises(errors.InvalidError):
        records.page("alice", 3, "rubbish!")


def test_tables_are_those_of_the_program_and_live_beside_others(url: str, records: Operations) -> None:
    trust = Store(url)
    trust.upgrade()
    records.upgrade()
    database = Database(url)
    with database.reading() as connection:
        assert MIGRATIONS.is_current(connection)
        for table in METADATA.tables.values():
            connection.execute(table.select())
    with database.exclusive() as connection:
        MIGRATIONS.downgrade(connection)
        MIGRATIONS.apply(connection)
    begin(records)
    assert trust.agreements() == []
    trust.close()
    database.close()


def test_an_address_that_is_none_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(RecordsError) as error:
        Operations("oracle://scott:tiger@host/x")
    assert "tiger" not in str(error.value)
    away = Operations(f"sqlite:///{tmp_path}/no/such/folder/x.sqlite")
    with pytest.raises(RecordsError):
        away.upgrade()
