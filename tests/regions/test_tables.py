"""Virtual regions, contracts and messages in each kind of database."""

import bisect
import threading
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from tests.regions.negotiating import TERMS, TIME, terms

from openstackoid.regions.errors import (
    ChangedError,
    PartyError,
    RegionExistsError,
    RegionInUseError,
    StaleTermsError,
    UnknownContractError,
    UnknownRegionError,
)
from openstackoid.regions.objects import message as messages
from openstackoid.regions.objects.contract import Contract
from openstackoid.regions.objects.message import Message
from openstackoid.regions.objects.states import ContractEvent, ContractState, RegionEvent, RegionState, Side
from openstackoid.regions.objects.usage import Line, Period
from openstackoid.regions.objects.virtual_region import VirtualRegion
from openstackoid.regions.tables import METADATA, MIGRATIONS
from openstackoid.regions.tables.contract import Contracts
from openstackoid.regions.tables.message import LONGEST_PAUSE, Outbox
from openstackoid.regions.tables.usage import Usages
from openstackoid.regions.tables.virtual_region import Regions
from openstackoid.storage.databases import Database
from openstackoid.trust.keys import fresh_keys
from openstackoid.trust.store import Store

NOW: Final = int(time.time())
KEYS: Final = fresh_keys(NOW)
DOCUMENT: Final[dict[str, Any]] = {"name": "north", "domain_id": "d" * 32, "services": ["image"], "metadata": {}}


def region(identity: str = TERMS.virtual_region) -> VirtualRegion:
    return VirtualRegion.create(identity, DOCUMENT, TIME)


def contracts(database: Database, cloud: str = "CloudP") -> Contracts:
    return Contracts(database, cloud, lambda message: messages.sign(message, KEYS, NOW))


def requested() -> Message:
    """The message of a consumer elsewhere."""
    return Contract("0f" * 16, Side.CONSUMER, "CloudA", "CloudP").cause(ContractEvent.REQUEST, TIME, TERMS).ours[0]


def test_migrations_make_the_tables_that_the_program_knows_beside_those_of_trust(url: str) -> None:
    store = Store(url)
    store.upgrade()
    database = Database(url)
    MIGRATIONS.upgrade(database)
    MIGRATIONS.upgrade(database)
    with database.reading() as connection:
        assert MIGRATIONS.is_current(connection)
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or name in METADATA.tables},
        )
        assert compare_metadata(context, METADATA) == []
    with database.exclusive() as connection:
        MIGRATIONS.downgrade(connection)
    store.upgrade()
    assert store.agreements() == []
    store.close()
    database.close()


def test_a_region_is_kept_changed_offered_and_retired(database: Database) -> None:
    regions = Regions(database)
    regions.create(region(), "pia")
    with pytest.raises(RegionExistsError):
        regions.create(region("cd" * 16), "pia")
    changed = regions.change("north", 1, {"description": "Nördlich"}, TIME, "pia")
    assert regions.get(changed.id) == changed
    with pytest.raises(ChangedError, match="version 2"):
        regions.change("north", 1, {"description": "another"}, TIME, "quentin")
    regions.cause("north", RegionEvent.OFFER, TIME, "pia", ("CloudA",))
    assert [each.state for each in regions.all()] == [RegionState.OFFERED]
    regions.cause("north", RegionEvent.WITHDRAW, TIME, "pia")
    regions.cause("north", RegionEvent.RETIRE, TIME, "pia")
    assert regions.all() == []
    with pytest.raises(UnknownRegionError):
        regions.get("north")
    assert [(row["event"], row["version"]) for row in regions.history(changed.id)] == [
        ("create", 1),
        ("change", 2),
        ("offer", 2),
        ("withdraw", 2),
        ("retire", 2),
    ]
    regions.create(region("cd" * 16), "pia")  # the name is free again


def test_a_region_with_contracts_does_not_retire(database: Database) -> None:
    regions, kept = Regions(database), contracts(database)
    regions.create(region(), "pia")
    kept.receive(requested(), "signed", Side.PROVIDER, NOW)
    assert regions.contracts(TERMS.virtual_region) == 1
    with pytest.raises(RegionInUseError):
        regions.cause("north", RegionEvent.RETIRE, TIME, "pia")
    kept.cause("0f" * 16, lambda contract: contract.cause(ContractEvent.REJECT, TIME), "pia", NOW)
    regions.cause("north", RegionEvent.RETIRE, TIME, "pia")


def test_a_contract_is_requested_answered_and_sent_in_order(database: Database) -> None:
    kept, outbox = contracts(database, "CloudA"), Outbox(database)
    made = Contract("0f" * 16, Side.CONSUMER, "CloudA", "CloudP").cause(ContractEvent.REQUEST, TIME, TERMS)
    kept.request(made, "rita", NOW)
    kept.cause(made.id, lambda contract: contract.cause(ContractEvent.REJECT, TIME), "rita", NOW + 1)
    assert kept.get(made.id).ours[0] == made.ours[0]
    assert [(each.id, each.state, each.since) for each in kept.all()] == [(made.id, ContractState.REJECTED, NOW + 1)]
    assert kept.all(ContractState.ACTIVE) == []
    sent = outbox.due(NOW + 1)
    assert [(each.number, each.peer) for each in sent] == [(1, "CloudP")]
    assert messages.sender(sent[0].signed) == "CloudA"
    outbox.acknowledge(made.id, 1)
    assert [each.number for each in outbox.due(NOW + 1)] == [2]
    assert kept.unacknowledged(made.id) == 1
    outbox.acknowledge(made.id, 2)
    assert outbox.due(NOW + 10) == []


def test_what_is_not_acknowledged_is_sent_later_each_time(database: Database) -> None:
    kept, outbox = contracts(database, "CloudA"), Outbox(database)
    made = Contract("0f" * 16, Side.CONSUMER, "CloudA", "CloudP").cause(ContractEvent.REQUEST, TIME, TERMS)
    kept.request(made, "rita", NOW)
    pauses, now = [], NOW
    for _ in range(12):
        outbox.fail(made.id, 1, now, "no answer " * 100)
        seconds = range(now, now + LONGEST_PAUSE + 1)
        due = bisect.bisect_left(seconds, True, key=lambda second: bool(outbox.due(second)))
        pauses.append(due)
        now += due
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert outbox.error(made.id).startswith("no answer")


def test_a_peers_message_counts_once_and_from_that_peer_alone(database: Database) -> None:
    kept, message = contracts(database), requested()
    for _ in range(2):
        assert len(kept.receive(message, "signed", Side.PROVIDER, NOW).theirs) == 1
    with pytest.raises(PartyError, match="another cloud"):
        kept.receive(
            Contract(message.contract, Side.CONSUMER, "CloudX", "CloudP")
            .cause(ContractEvent.REQUEST, TIME, TERMS)
            .ours[0],
            "",
            Side.PROVIDER,
            NOW,
        )
    other = Contract("1f" * 16, Side.CONSUMER, "CloudA", "CloudP").cause(ContractEvent.REQUEST, TIME, TERMS)
    second = other.cause(ContractEvent.REJECT, TIME).ours[1]
    with pytest.raises(UnknownContractError, match="first"):
        kept.receive(second, "", Side.PROVIDER, NOW)
    with pytest.raises(UnknownContractError):
        kept.get("1f" * 16)


def test_an_event_that_fails_leaves_nothing(database: Database) -> None:
    kept, outbox = contracts(database), Outbox(database)
    kept.receive(requested(), "signed", Side.PROVIDER, NOW)
    with pytest.raises(StaleTermsError):
        kept.cause("0f" * 16, lambda contract: contract.cause(ContractEvent.ACCEPT, TIME, terms(3)), "pia", NOW)
    assert kept.get("0f" * 16).ours == ()
    assert outbox.due(NOW + 1) == []


def test_of_operators_who_act_at_once_one_is_first_and_the_others_are_told(database: Database) -> None:
    kept = contracts(database)
    kept.receive(requested(), "signed", Side.PROVIDER, NOW)
    done, refused = [], []

    def act(event: ContractEvent) -> None:
        try:
            kept.cause("0f" * 16, lambda contract: contract.cause(event, TIME), "pia", NOW)
            done.append(event)
        except Exception as error:
            refused.append(type(error).__name__)

    threads = [threading.Thread(target=act, args=[event]) for event in (ContractEvent.ACCEPT, ContractEvent.REJECT) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert set(refused) == {"TransitionError"}
    assert len(kept.get("0f" * 16).ours) == 1


def test_what_two_processes_measure_at_once_counts_once(url: str) -> None:
    Store(url).upgrade()
    database = Database(url)
    MIGRATIONS.upgrade(database)
    usages, contract, period = Usages(database), "c" * 32, Period(date(2026, 5, 1), date(2026, 5, 2))

    def line(sku: str, quantity: int) -> Line:
        return Line("p" * 32, "2026-05-01", sku, "hour", Decimal(quantity))

    def record(servers: int, stored: int, since: datetime | None, now: datetime) -> bool:
        lines = [line("m1.small", servers)], [line("volume", stored)]
        return usages.record(contract, "p" * 32, *lines, since, now)

    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert usages.measured(contract, "p" * 32) is None
    assert record(5, 7, None, noon)
    assert not record(9, 7, None, noon)  # another process began at the same time
    since = usages.measured(contract, "p" * 32)
    assert since == noon
    assert record(4, 1, since, noon + timedelta(hours=1))
    assert record(6, 1, noon + timedelta(hours=1), noon)  # the clock was set back: nothing is added
    assert {kept.sku: kept.quantity for kept in usages.lines(contract, period)} == {
        "m1.small": Decimal(6),
        "volume": Decimal(8),
    }
    assert usages.measured(contract, "p" * 32) == noon + timedelta(hours=1)
