"""The database of agreements is replaced, restored, or gone, while gateways use it. A suspension counts, whatever file it stands in."""

import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.gateway.owners import Owner, private
from tests.gateway.wire import Answer, Gateway, ask, until

from openstackoid.cli import main
from openstackoid.trust.grants import Grant
from openstackoid.trust.store import Store

IMAGES = Grant(services=("image",))


@dataclass
class Provider:
    """CloudTwo, which CloudOne's users may use under an agreement that stands in a file of SQLite."""

    two: Owner
    one: Owner
    gateway: Gateway
    token: str = ""
    mark: int = 0

    @property
    def file(self) -> Path:
        return self.two.folder / "trust.sqlite"

    @property
    def said(self) -> str:
        """Since the test began."""
        return self.gateway.said[self.mark :]

    def ask(self) -> Answer:
        return ask(self.two.peering, "/image/v2/images/x", token=self.token)

    def allowed(self) -> bool:
        """Whether all workers say so: each connection may meet another one."""
        return all(self.ask().status == 200 for _ in range(12))

    def refused(self) -> bool:
        answers = [self.ask() for _ in range(12)]
        return all(answer.status == 403 and answer.code == "agreement.missing" for answer in answers)

    def change(self, event: str) -> None:
        store = self.two.store
        store.change("CloudOne", event, "olga")
        store.close()

    def command(self, *words: str) -> int:
        return main(["database", *words, "--config", str(self.gateway.file)])


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder = tmp_path_factory.mktemp("database")
    two, one = Owner("CloudTwo", folder / "two"), Owner("CloudOne", folder / "one")
    made = Provider(two, one, Gateway(two.folder, two.settings({}), "--workers", str(request.param)))
    gateway = made.gateway
    try:
        until(lambda: gateway.said.count("serving at") == request.param or gateway.process.poll() is not None, 60)
        gateway.ready()
        yield made
    finally:
        gateway.end()
        gateway.stop()
        two.close()
        one.close()
    assert "Traceback" not in gateway.said, gateway.said
    assert [secret for secret in private(two.keys) if secret in gateway.said] == []


@pytest.fixture
def provider(running: Provider) -> Provider:
    """It has an agreement of its own for each test, in a new file."""
    two, one = running.two, running.one
    for left in running.file.parent.glob("*copy*"):
        left.unlink()
    fresh = running.file.with_name("fresh.sqlite")
    store = Store(f"sqlite:///{fresh}")
    store.upgrade()
    store.add("CloudOne", one.peering, one.keys.fingerprint, IMAGES, "olga")
    store.change("CloudOne", "allow", "olga", IMAGES)
    store.remember_keys("CloudOne", one.keys.published(time.time()))
    (agreement,) = store.agreements()
    store.close()
    fresh.replace(running.file)
    running.token = one.token(two, agreement=agreement.id)
    until(running.allowed)
    running.mark = len(running.gateway.said)
    return running


def test_a_file_that_is_moved_to_its_place_is_the_database(provider: Provider) -> None:
    copy = provider.file.with_name("copy.sqlite")
    shutil.copyfile(provider.file, copy)
    copy.replace(provider.file)
    until(lambda: "was replaced, or restored" in provider.said)
    assert "Agreements are as they stand there: CloudOne active." in provider.said
    provider.change("suspend")
    until(provider.refused)
    provider.change("allow")
    until(provider.allowed)


def test_a_file_that_is_copied_over_it_is_the_database(provider: Provider) -> None:
    """The same file to the system, with other contents."""
    copy = provider.file.with_name("copy.sqlite")
    shutil.copyfile(provider.file, copy)
    provider.change("suspend")
    until(provider.refused)
    shutil.copyfile(copy, provider.file)
    until(provider.allowed)
    assert "was replaced, or restored" in provider.said
    provider.change("suspend")
    until(provider.refused)


def test_a_copy_of_the_file_alone_is_whole(provider: Provider) -> None:
    """Gateways have it in use, and so has a command."""
    held = provider.two.store
    held.add("CloudThree", "http://127.0.0.1:1", "c" * 43, IMAGES, "olga")
    copy = provider.file.with_name("copy.sqlite")
    shutil.copyfile(provider.file, copy)
    assert [each.peer for each in Store(f"sqlite:///{copy}").agreements()] == ["CloudOne", "CloudThree"]
    held.close()


def test_a_file_that_is_gone_is_not_made_anew(provider: Provider) -> None:
    away = provider.file.with_name("away.sqlite")
    provider.file.rename(away)
    until(lambda: "No such file" in provider.said)
    provider.gateway.process.send_signal(signal.SIGHUP)
    until(lambda: "kept the old configuration" in provider.said)
    assert provider.allowed()  # for a minute: see test_trust_agreements
    assert not provider.file.exists()
    away.rename(provider.file)
    provider.change("suspend")
    until(provider.refused)


@pytest.mark.parametrize("content", [b"", b"this is no database" * 100])
def test_what_is_no_database_of_ours_is_not_made_one(provider: Provider, content: bytes) -> None:
    other = provider.file.with_name("other")
    other.write_bytes(content)
    whole = provider.file.with_name("whole.sqlite")
    provider.file.rename(whole)
    other.replace(provider.file)
    until(lambda: "no such table" in provider.said or "not a database" in provider.said)
    assert provider.file.read_bytes() == content
    whole.replace(provider.file)
    provider.change("suspend")
    until(provider.refused)


def test_another_clouds_database_is_not_taken(provider: Provider) -> None:
    store = Store(f"sqlite:///{provider.file.with_name('other.sqlite')}")
    store.upgrade()
    store.add("CloudTwo", provider.two.peering, provider.two.keys.fingerprint, IMAGES, "oscar")
    store.close()
    provider.file.with_name("other.sqlite").replace(provider.file)
    until(lambda: "it is another cloud's: it has an agreement with CloudTwo itself" in provider.said)


def test_backup_and_restore_while_gateways_run(provider: Provider, capsys: pytest.CaptureFixture[str]) -> None:
    copy = str(provider.file.with_name("copy.sqlite"))
    assert provider.command("backup", copy) == 0
    provider.change("suspend")
    until(provider.refused)
    before = provider.two.store.revision()
    assert provider.command("restore", copy) == 1
    assert "say --force" in capsys.readouterr().err
    assert provider.command("restore", copy, "--force") == 0
    assert "CloudOne active" in capsys.readouterr().out
    until(provider.allowed)
    assert provider.two.store.revision() > before
    provider.change("suspend")
    until(provider.refused)


def test_a_database_that_is_damaged_is_replaced(provider: Provider) -> None:
    copy = str(provider.file.with_name("copy.sqlite"))
    assert provider.command("backup", copy) == 0
    with provider.file.open("r+b") as file:
        file.write(b"\0" * 4096)
    until(lambda: "not a database" in provider.said)
    assert provider.command("restore", copy, "--force") == 0
    provider.change("suspend")
    until(provider.refused)


def test_a_copy_of_an_older_log_is_whole_too(tmp_path: Path) -> None:
    """A database with a write-ahead log, as earlier versions made them."""
    store = Store(f"sqlite:///{tmp_path / 'trust.sqlite'}")
    store.upgrade()
    with sqlite3.connect(tmp_path / "trust.sqlite") as held:
        held.execute("PRAGMA journal_mode = WAL")
        store.add("CloudThree", "http://127.0.0.1:1", "c" * 43, IMAGES, "olga")
        keys, config = tmp_path / "keys.json", tmp_path / "gateway.yaml"
        main(["key", "new", "--file", str(keys)])
        service = "{image: {frontend: 'http://127.0.0.1:1', backend: 'http://127.0.0.1:2'}}"
        config.write_text(
            f"cloud: CloudTwo\nservices: {service}\ntrust: {{keys: keys.json, database: 'sqlite:///trust.sqlite'}}\n"
        )
        assert main(["database", "backup", str(tmp_path / "copy"), "--config", str(config)]) == 0
    held.close()
    assert [each.peer for each in Store(f"sqlite:///{tmp_path / 'copy'}").agreements()] == ["CloudThree"]
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy"]
