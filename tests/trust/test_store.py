"""The store on real databases: what is written is there for all, whole or not at all."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text, update
from tests import commands
from tests.trust.elsewhere import PEER, WRITTEN
from tests.trust.servers import PASSWORD, Server
from tests.trust.test_projects import bind

from openstackoid.core.region_resources import Resources
from openstackoid.storage.databases import Database
from openstackoid.trust.agreements import State
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState
from openstackoid.trust.grants import Grant, Projects
from openstackoid.trust.rules import Rule
from openstackoid.trust.store import AgreementExistsError, Store, StoreError, UnknownPeerError
from openstackoid.trust.tables import AGREEMENTS, METADATA, MIGRATIONS

URL: Final = "https://cloudtwo.example:8443"
FINGERPRINT: Final = "A" * 43
OTHER: Final = "b" * 43
IMAGES: Final = Grant(services=("image",), roles={"Member": "member"}, rate=2.5)
KEYS: Final = {"keys": {"keys": [{"kty": "OKP", "note": "Zoë ☁"}]}, "endorsements": []}


def in_another_process(url: str, *words: str) -> "subprocess.Popen[str]":
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return commands.popen([sys.executable, "-m", "tests.trust.elsewhere", url, *words], text=True, **pipes)


def everything(store: Store) -> tuple[object, ...]:
    known = store.known_keys(PEER)
    return store.agreements(), store.history(), known, store.projects.all(PEER), store.revision()


# The tables.


def test_the_migrations_make_what_the_program_knows_and_take_it_away(url: str) -> None:
    database = Database(url)
    for _ in range(2):  # what was undone can be done again
        with database.exclusive() as connection:
            MIGRATIONS.apply(connection)
        with database.reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, METADATA) == []
            assert MIGRATIONS.is_current(connection)
        with database.exclusive() as connection:
            MIGRATIONS.downgrade(connection)
        with database.reading() as connection:
            assert inspect(connection).get_table_names() == ["alembic_version"]
    database.close()


def test_a_step_that_was_cut_is_done_again(url: str) -> None:
    """MariaDB cannot undo DDL: a crash leaves some of the tables and no word of it."""
    store, database = Store(url), Database(url)
    store.upgrade()
    with database.changing() as connection:
        connection.execute(text("DROP TABLE projects"))
        connection.execute(text("DELETE FROM revision"))
        connection.execute(text("DELETE FROM alembic_version"))
    store.upgrade()
    assert (store.revision(), store.projects.all(PEER)) == (0, [])
    store.close()
    database.close()


def test_many_processes_upgrade_at_once(url: str) -> None:
    several = [in_another_process(url, "upgrade") for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        ends = list(pool.map(lambda process: process.communicate("go\n", timeout=120), several))
    assert ends == [("0\n", "")] * 3


def test_tables_of_a_newer_version_are_left_alone(url: str, store: Store) -> None:
    database = Database(url)
    with database.changing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer version of openstackoid"):
        store.upgrade()
    database.close()


# Agreements.


def test_an_agreement_lives_and_its_history_stays(store: Store) -> None:
    added = store.add(PEER, URL, FINGERPRINT, IMAGES, "olga")
    assert (added.peer, added.url, added.fingerprint, added.state) == (PEER, URL, FINGERPRINT, State.PROPOSED)
    assert (added.grant, added.by_file, len(added.id)) == (IMAGES, False, 32)
    assert store.agreements() == [added]

    more = Grant(rules=(Rule("image", "GET", "/v2/images/**"),), projects=Projects("each", "default"))
    allowed = store.change(PEER, "allow", "olga", more)
    assert allowed is not None
    assert (allowed.state, allowed.grant, allowed.id) == (State.ACTIVE, more, added.id)
    suspended = store.change(PEER, "suspend", "omar")
    assert suspended is not None
    assert (suspended.state, suspended.grant) == (State.SUSPENDED, more)
    pinned = store.repin(PEER, OTHER, "olga")
    assert (pinned.fingerprint, pinned.state) == (OTHER, State.SUSPENDED)
    assert store.agreements() == [pinned]
    assert store.change(PEER, "remove", "omar") is None
    assert store.agreements() == []

    told = [(event.event, event.by, event.state) for event in store.history()]
    assert told == [
        ("add", "olga", State.PROPOSED),
        ("allow", "olga", State.ACTIVE),
        ("suspend", "omar", State.SUSPENDED),
        ("repin", "olga", State.SUSPENDED),
        ("remove", "omar", None),
    ]
    first, second, *_, last = store.history(PEER)
    assert first.detail == {"url": URL, "fingerprint": FINGERPRINT, "grant": IMAGES.model_dump(mode="json")}
    assert Grant.model_validate(second.detail["grant"]) == more
    assert (last.peer, last.agreement, last.detail) == (PEER, added.id, {})
    assert store.history("CloudNine") == []

    again = store.add(PEER, URL, FINGERPRINT, IMAGES, "olga")
    assert again.id != added.id
    assert len(store.history(PEER)) == 6


def test_names_differ_by_case_and_accent(store: Store) -> None:
    for name in ("CloudTwo", "cloudtwo"):
        store.add(name, URL, FINGERPRINT, IMAGES, "olga")
    store.change("cloudtwo", "suspend", "olga")
    assert {each.peer: each.state for each in store.agreements()} == {
        "CloudTwo": State.PROPOSED,
        "cloudtwo": State.SUSPENDED,
    }
    assert bind(store, "CloudTwo", "a", "1") == "1"
    assert bind(store, "CloudTwo", "A", "2") == "2"
    assert bind(store, "CloudTwo", "á", "3") == "3"


def test_what_is_not_there_and_what_is_there_already(store: Store) -> None:
    doing: list[Callable[[], object]] = [
        lambda: store.change(PEER, "allow", "olga", IMAGES),
        lambda: store.repin(PEER, OTHER, "olga"),
    ]
    for each in doing:
        with pytest.raises(UnknownPeerError, match=r"No agreement with CloudTwo. There are: none\."):
            each()
    store.add(PEER, URL, FINGERPRINT, IMAGES, "olga")
    before = everything(store)
    with pytest.raises(AgreementExistsError, match="CloudTwo"):
        store.add(PEER, URL, OTHER, Grant(), "omar")
    assert everything(store) == before


def test_every_change_is_seen_in_the_revision_and_nothing_else_is(store: Store) -> None:
    seen = [store.revision()]
    changes: list[Callable[[], object]] = [
        lambda: store.add(PEER, URL, FINGERPRINT, IMAGES, "olga"),
        lambda: store.change(PEER, "allow", "olga"),
        lambda: store.remember_keys(PEER, KEYS),
        lambda: store.repin(PEER, OTHER, "olga"),
        lambda: store.change(PEER, "remove", "olga"),
    ]
    for change in changes:
        change()
        seen.append(store.revision())
    assert seen == sorted(set(seen))
    store.remember_keys(PEER, KEYS)
    now = store.revision()
    store.remember_keys(PEER, {"endorsements": [], "keys": KEYS["keys"]})
    bind(store, PEER, "theirs", "ours")
    assert store.revision() == now


def test_an_agreement_that_a_newer_version_wrote_allows_nothing(url: str, store: Store) -> None:
    store.add(PEER, URL, FINGERPRINT, IMAGES, "olga")
    store.change(PEER, "allow", "olga")
    database = Database(url)
    with database.changing() as connection:
        connection.execute(update(AGREEMENTS).values(allowed='{"services": ["image"], "moonlight": true}'))
    (found,) = store.agreements()
    assert (found.state, found.grant.allows, found.grant.home) == (State.SUSPENDED, (), ())
    with pytest.raises(StoreError, match="say it anew"):
        store.change(PEER, "allow", "olga")
    again = store.change(PEER, "allow", "olga", IMAGES)
    assert again is not None
    assert again.active
    database.close()


# Keys.


def test_keys_are_remembered_until_they_are_distrusted(store: Store) -> None:
    assert store.known_keys(PEER) is None
    store.add(PEER, URL, FINGERPRINT, IMAGES, "olga")
    store.remember_keys(PEER, KEYS)
    assert store.known_keys(PEER) == KEYS
    store.repin(PEER, OTHER, "olga")
    assert store.known_keys(PEER) is None


def test_another_cloud_under_a_removed_name_finds_nothing_of_the_first(store: Store) -> None:
    store.add(PEER, URL, FINGERPRINT, IMAGES, "olga")
    store.remember_keys(PEER, KEYS)
    bind(store, PEER, "theirs", "ours")
    bind(store, "CloudThree", "theirs", "others")
    store.change(PEER, "remove", "olga")
    store.add(PEER, "https://other.example", OTHER, IMAGES, "olga")
    assert (store.known_keys(PEER), store.projects.all(PEER), store.projects.get(PEER, "theirs")) == (None, [], None)
    assert store.projects.get("CloudThree", "theirs") == "others"


def test_of_many_that_add_a_peer_one_does(store: Store) -> None:
    def add(number: int) -> str | None:
        try:
            return store.add(PEER, URL, FINGERPRINT, IMAGES, f"olga-{number}").id
        except AgreementExistsError:
            return None

    with ThreadPoolExecutor(8) as pool:
        (made,) = [each for each in pool.map(add, range(8)) if each]
    assert [each.id for each in store.agreements()] == [made]
    assert [each.event for each in store.history()] == ["add"]


# What goes wrong.


@pytest.mark.parametrize("event", ["allow", "suspend", "remove", "repin", "remember"])
def test_a_process_that_is_killed_in_the_middle_changes_nothing(url: str, store: Store, event: str) -> None:
    store.add(PEER, URL, FINGERPRINT, IMAGES, "olga")
    store.remember_keys(PEER, KEYS)
    bind(store, PEER, "theirs", "ours")
    before = everything(store)
    process = in_another_process(url, "hang", event)
    assert process.stdout is not None
    assert process.stdout.readline() == WRITTEN
    assert everything(store) == before  # nobody sees what is not committed
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert everything(store) == before
    store.change(PEER, "suspend", "olga")  # and the next one is not held up
    assert store.agreements()[0].state is State.SUSPENDED


def test_what_one_process_changes_another_sees(url: str, store: Store) -> None:
    store.add(PEER, URL, FINGERPRINT, IMAGES, "olga")
    before = store.revision()
    with in_another_process(url, "suspend") as process:
        assert process.wait(60) == 0
    assert store.revision() > before
    assert store.agreements()[0].state is State.SUSPENDED


def test_a_file_of_sqlite_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "a folder" / "trust.sqlite"
    file.parent.mkdir()
    store = Store(f"sqlite:///{file}")
    store.upgrade()
    store.add(PEER, URL, FINGERPRINT, IMAGES, "olga")
    database = Database(f"sqlite:///{file}")
    with database.changing() as connection:
        connection.execute(text("UPDATE revision SET number = 7"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == {"trust.sqlite": 0o600, "trust.sqlite-journal": 0o600}
    assert [path.name for path in file.parent.iterdir()] == ["trust.sqlite"]  # a copy of it is whole
    store.close()


def told(url: str, doing: Callable[[Store], Any] = Store.upgrade) -> str:
    with pytest.raises(StoreError) as caught:
        doing(Store(url))
    error = caught.value
    assert (error.status, error.code, error.__cause__) == (503, "store.failed", None)
    return str(error)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "mysql"])
def test_errors_name_the_database_and_no_password(kind: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(f"{kind.replace('mysql', 'mariadb')}_server")
    for port in (server.port, 1):
        url = f"{kind}://openstackoid:wrong-{PASSWORD.replace('%', '%25').replace('@', '%40')}@127.0.0.1:{port}/x"
        message = told(url)
        assert PASSWORD not in message
        assert "wrong" not in message
        assert f"openstackoid:***@127.0.0.1:{port}/x" in message
    assert "secret" not in told(f"{kind}://127.0.0.1:1/x?password=secret")


def test_errors_of_statements_tell_no_values(url: str, store: Store) -> None:
    database = Database(url)
    with database.changing() as connection:
        connection.execute(text("DROP TABLE events"))
    with pytest.raises(StoreError) as caught:
        store.add(PEER, URL, FINGERPRINT, IMAGES, "marker-of-the-operator")
    shown = f"{caught.value!s} {caught.value.__cause__!r}"
    assert "marker" not in shown
    assert FINGERPRINT not in shown
    assert store.agreements() == []
    database.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("oracle://user:secret@host/x", "expected sqlite:///FILE, postgresql:"),
        ("postgresql://user:secret@host:port/x", "expected sqlite:///FILE, postgresql:"),
        ("secret", "expected sqlite:///FILE, postgresql:"),
        ("sqlite://", "expected a file"),
        ("sqlite:///:memory:", "expected a file"),
        ("sqlite:////no/such/folder/trust.sqlite", "unable to open database file"),
        ("sqlite:////dev/null/trust.sqlite", "unable to open database file"),
    ],
)
def test_what_is_no_database(url: str, expected: str) -> None:
    message = told(url)
    assert expected in message
    assert "secret" not in message


# Contracts about virtual regions.


def grant(identity: str, state: GrantState = GrantState.ACTIVE) -> ContractGrant:
    resources = Resources.from_json({"flavors": ["1"], "zones": ["Zoë ☁"]})
    return ContractGrant(identity * 32, PEER, ContractSide.PROVIDER, state, IMAGES, "", resources)


def test_contracts_are_replaced_as_a_whole_and_gateways_notice(store: Store) -> None:
    first, second = grant("a"), grant("b")
    assert store.contracts.replace(lambda: [second, first])
    assert store.contracts.all() == [first, second]
    revision = store.revision()
    assert not store.contracts.replace(lambda: [first, second])
    assert store.revision() == revision
    stopped = grant("b", GrantState.SUSPENDED)
    assert store.contracts.replace(lambda: [stopped])
    assert store.contracts.all() == [stopped]
    assert store.revision() > revision


def test_no_process_writes_contracts_that_another_one_knows_to_be_old(store: Store) -> None:
    """What is read before the lock may be old by then: under the lock it is read again."""
    told = [[grant("a")], [grant("a", GrantState.SUSPENDED)]]
    assert store.contracts.replace(lambda: told.pop(0) if len(told) > 1 else told[0])
    assert store.contracts.all() == [grant("a", GrantState.SUSPENDED)]
