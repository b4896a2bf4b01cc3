"""How regions do, as gateways count it, on each kind of database."""

from sqlalchemy import event

from openstackoid.storage.databases import Database
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState
from openstackoid.trust.grants import Grant
from openstackoid.trust.region_health import WINDOW, Counted, RegionHealth
from openstackoid.trust.store import Store

ONE, OTHER = "1" * 32, "2" * 32


def test_counts_of_several_gateways_add_up(store: Store) -> None:
    health, minute = store.region_health, 30_000_000
    health.add([(ONE, minute, Counted(3, 1, 30, 100, 101, "peer.timeout")), (OTHER, minute, Counted(1, 0, 5, 90))])
    health.add([(ONE, minute, Counted(2, 0, 20, 110)), (ONE, minute - 1, Counted(1, 1, 10, 0, 50, "502"))])
    found = health.all(minute)
    assert found[OTHER] == Counted(1, 0, 5, 90)
    assert (found[ONE].requests, found[ONE].failures, found[ONE].milliseconds) == (6, 2, 60)
    assert (found[ONE].last_success, found[ONE].error) == (110, "502")
    # Rates are of the last minutes; the last success is kept for as long as the contract.
    later = health.all(minute + WINDOW + 1)[ONE]
    assert (later.requests, later.last_success) == (0, 110)
    health.add([(OTHER, minute + 100, Counted(1, 0, 1, 200))])
    assert health.all(minute + WINDOW)[ONE].requests == 0
    assert health.all(minute + 100)[ONE].last_success == 110


def test_a_gateway_whose_clock_is_ahead_does_not_count_for_days(store: Store) -> None:
    health, minute = store.region_health, 30_000_000
    health.add([(ONE, minute, Counted(1, 0, 1, 100))])
    health.add([(ONE, minute + 50, Counted(9, 9, 9, 0, 300, "peer.timeout"))])
    assert (health.all(minute)[ONE].requests, health.all(minute)[ONE].failures) == (1, 0)


def test_health_goes_with_its_contract(store: Store) -> None:
    bound = ContractGrant(ONE, "CloudTwo", ContractSide.CONSUMER, GrantState.ACTIVE, Grant(), "V1")
    store.contracts.replace(lambda: [bound])
    store.region_health.add([(ONE, 30_000_000, Counted(1, 0, 1, 1))])
    store.contracts.replace(list)
    assert store.region_health.all(30_000_000) == {}


def test_a_contract_that_is_first_counted_meanwhile_is_left_for_the_next_time(url: str, store: Store) -> None:
    database, gateway, minute = Database(url), Store(url), 30_000_000
    statements: list[object] = []

    @event.listens_for(database.engine, "before_execute")
    def count(_: object, statement: object, *__: object) -> None:
        statements.append(statement)
        if len(statements) == 2:
            gateway.region_health.add([(OTHER, minute, Counted(1, 1, 5, 0, 90, "502"))])

    store.region_health.add([(ONE, minute, Counted(1, 0, 5, 90))])
    health = RegionHealth(database)
    assert set(health.all(minute)) == {ONE}
    assert set(health.all(minute)) == {ONE, OTHER}
    gateway.close()
    database.close()
