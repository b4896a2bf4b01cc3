"""Agreements that operators make, change and end while two gateways serve, one of them with two workers."""

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import federated
from tests.gateway.owners import Owner, payload, plain, refusal
from tests.gateway.wire import Answer, Gateway, Seen, ask, scope, until

from openstackoid.core.errors import AgreementError
from openstackoid.gateway.federation.agreements import Agreements, StaleError
from openstackoid.gateway.settings.loading import load
from openstackoid.trust.grants import Grant
from openstackoid.trust.store import Store, StoreError

THERE = scope(image="CloudSix")
PATH = "/v2/images/x"
IMAGES = Grant(services=("image",))


@dataclass
class Pair:
    """CloudFive, whose users ask CloudSix; both know each other by their databases alone."""

    five: Owner
    six: Owner
    at_five: Gateway
    at_six: Gateway
    store_of_five: Store
    store_of_six: Store

    def ask(self, path: str = PATH) -> Answer:
        """As a user of CloudFive, with a token that was never seen before."""
        token = self.five.keystone.issue("alice", "member")
        return ask(self.at_five.url("image"), path, THERE, token=token)

    def agree(self) -> None:
        """Both say yes; it is so everywhere, in each worker."""
        for store, other in ((self.store_of_five, self.six), (self.store_of_six, self.five)):
            if other.name not in [each.peer for each in store.agreements()]:
                store.add(other.name, other.peering, other.keys.fingerprint, IMAGES, "operator")
            store.change(other.name, "allow", "operator", IMAGES)
        self.always(200)
        self.everywhere(self.token(), 200)

    def always(self, status: int) -> None:
        """Wait for an answer that all give."""
        until(lambda: all(self.ask().status == status for _ in range(8)))

    def token(self) -> str:
        """A federated token under the agreement of now, whatever the workers know of it."""
        return self.five.token(self.six, agreement=self.store_of_six.agreements()[0].id)

    def everywhere(self, token: str, *statuses: int) -> None:
        """Wait until all workers of CloudSix answer so: each connection may be another's."""
        until(lambda: all(self.direct(token).status in statuses for _ in range(24)))

    def direct(self, token: str) -> Answer:
        return ask(self.six.peering, f"/image{PATH}", token=token)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    five, six = (Owner(name, folder / name) for name in ("CloudFive", "CloudSix"))
    settings: dict[str, Any] = {"peers": {}, "recheck": 0}
    with federated({five: settings, six: settings | {"workers": 2}}) as started:
        made = Pair(five, six, started[five], started[six], five.store, six.store)
        yield made
        made.store_of_five.close()
        made.store_of_six.close()


def test_nothing_passes_before_both_said_yes(pair: Pair) -> None:
    assert refusal(pair.ask()) == (400, "cloud.unknown")
    early = pair.five.token(pair.six, agreement="c" * 32)
    assert refusal(pair.direct(early)) == (401, "token.invalid")
    key_of = pair.six.keys.fingerprint, pair.five.keys.fingerprint
    pair.store_of_five.add("CloudSix", pair.six.peering, key_of[0], IMAGES, "operator")
    until(lambda: all(pair.ask().status == 403 for _ in range(8)))
    pair.store_of_five.change("CloudSix", "allow", "operator")
    made = pair.store_of_six.add("CloudFive", pair.five.peering, key_of[1], IMAGES, "operator")

    def proposed() -> bool:
        answer = pair.ask()
        return answer.code == "agreement.missing" and "CloudSix has not said yes" in answer.error

    until(proposed)
    token = pair.five.token(pair.six, agreement=made.id)
    pair.everywhere(token, 403)
    assert "openstackoid peer allow CloudFive" in pair.direct(token).error
    assert not pair.six["image"].requests
    pair.store_of_six.change("CloudFive", "allow", "operator")
    pair.always(200)
    pair.everywhere(token, 200)


def test_what_is_suspended_or_removed_ends_in_all_workers(pair: Pair) -> None:
    pair.agree()
    token = pair.token()
    for event in ("suspend", "remove"):
        for _ in range(8):
            assert pair.direct(token).status == 200
        pair.store_of_six.change("CloudFive", event, "operator")
        pair.everywhere(token, 401, 403)
        before = len(pair.six["image"].requests)
        for _ in range(16):
            assert pair.direct(token).status in {401, 403}
        assert len(pair.six["image"].requests) == before
        pair.agree()
        if event == "suspend":
            assert pair.direct(token).status == 200
    # What was made under the agreement that was removed does not count under the new one.
    assert refusal(pair.direct(token)) == (403, "agreement.missing")
    # Our own no holds our own users back.
    pair.store_of_five.change("CloudSix", "suspend", "operator")
    pair.always(403)
    pair.agree()


def test_what_is_allowed_changes_while_it_serves(pair: Pair) -> None:
    pair.agree()
    pair.store_of_six.change("CloudFive", "allow", "operator", Grant(services=("network",)))
    pair.everywhere(pair.token(), 403)
    assert pair.ask().code == "agreement.rule"
    pair.store_of_six.change("CloudFive", "allow", "operator", IMAGES)
    pair.always(200)


def test_another_key_of_a_peer_is_another_peer(pair: Pair) -> None:
    pair.agree()
    token = pair.token()
    pair.store_of_six.repin("CloudFive", "A" * 43, "operator")
    pair.everywhere(token, 401)
    pair.store_of_six.repin("CloudFive", pair.five.keys.fingerprint, "operator")
    pair.always(200)
    pair.everywhere(token, 200)


def test_keys_rotate_while_requests_flow(pair: Pair) -> None:
    pair.agree()
    now = int(time.time())
    # As a rotation that was made ten minutes ago, less ten seconds.
    rotated = pair.five.keys.rotated(now)
    begins = now + 10
    signing = (*rotated.signing[:-1], replace(rotated.signing[-1], since=begins))
    sealing = (*rotated.sealing[:-1], replace(rotated.sealing[-1], since=begins))
    rotated = replace(rotated, signing=signing, sealing=sealing)
    fresh = pair.five.folder / "fresh.json"
    fresh.touch(0o600)
    fresh.write_text(rotated.dump())
    fresh.replace(pair.five.folder / "keys.json")

    def signed_by_the_new_one() -> bool:
        assert pair.ask("/v2/images/rotated").status == 200
        used = {plain(seen).split(".")[0] for seen in pair.six["image"].all("/v2/images/rotated")}
        return len(used) == 2

    until(signed_by_the_new_one)
    pair.five.keys = rotated
    for _ in range(8):
        assert pair.ask("/v2/images/rotated").status == 200
    assert payload(plain(pair.six["image"].seen("/v2/images/rotated")))["iat"] >= begins


def test_agreements_that_cannot_be_read_are_believed_for_a_minute(pair: Pair, tmp_path: Path) -> None:
    config = load(pair.at_six.file)
    assert config.trust is not None
    trust = config.trust.model_copy(update={"database": f"sqlite:///{tmp_path / 'gone.sqlite'}"})
    peer = pair.five.entry({"services": ["image"]})
    document = config.model_dump() | {"trust": trust.model_dump(), "peers": {"CloudFive": peer}}
    agreements = Agreements(type(config).model_validate(document), lambda: None)
    agreements.store.upgrade()
    assert agreements.active_agreement("CloudFive").active
    agreements._seen -= 30
    assert agreements.active_agreement("CloudFive").active
    agreements._seen -= 31
    with pytest.raises(StaleError) as caught:
        agreements.active_agreement("CloudFive")
    assert isinstance(caught.value, AgreementError)
    assert (caught.value.status, caught.value.code) == (503, "agreement.stale")
    agreements.store.close()


def test_many_who_want_the_newest_agreements_look_once(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is away keeps none of them waiting for the others."""
    config = load(pair.at_six.file)
    assert config.trust is not None
    trust = config.trust.model_copy(update={"database": f"sqlite:///{tmp_path / 'slow.sqlite'}"})
    document = config.model_dump() | {"trust": trust.model_dump()}
    agreements = Agreements(type(config).model_validate(document), lambda: None)
    looks = 0

    async def scenario() -> None:
        given_up = asyncio.Event()

        async def look() -> None:
            nonlocal looks
            looks += 1
            await given_up.wait()
            raise StoreError("away")

        monkeypatch.setattr(agreements._database, "look", look)
        waiting = [asyncio.create_task(agreements.refresh()) for _ in range(20)]
        await asyncio.sleep(0)
        assert looks == 1
        waiting[0].cancel()  # its client has left
        await asyncio.sleep(0)
        given_up.set()
        await asyncio.gather(*waiting, return_exceptions=True)
        await agreements.refresh()

    asyncio.run(scenario())
    assert looks == 3  # one that was broken off, one for all who waited, and a later one
    agreements.store.close()


def test_a_gateway_that_is_killed_makes_no_second_project(tmp_path: Path) -> None:
    """It dies when Keystone has made the project and nobody has noted that."""
    seven, eight = (Owner(name, tmp_path / name) for name in ("CloudSeven", "CloudEight"))
    seven.seen_by(eight)
    config = eight.settings({"CloudSeven": seven.entry({"services": ["image"]})})
    gateway = Gateway(eight.folder, config)
    made = eight.keystone._projects

    def deadly(seen: Seen, connection: socket.socket) -> bytes | None:
        answer = made(seen, connection)
        if seen.method != "POST":
            return answer
        gateway.process.send_signal(signal.SIGKILL)
        return None

    try:
        gateway.ready()
        token = seven.token(eight)
        eight["identity"].on("/v3/projects", deadly)
        with pytest.raises(OSError, match=r".*"):
            ask(eight.peering, f"/image{PATH}", token=token)
        assert gateway.process.wait(60) == -signal.SIGKILL
        eight["identity"].on("/v3/projects", made)
        (project,) = eight.keystone.projects.values()
        gateway = Gateway(eight.folder, config)
        gateway.ready()
        assert ask(eight.peering, f"/image{PATH}", token=token).status == 200
        assert gateway.line(PATH)["local_project"] == project
        assert list(eight.keystone.projects.values()) == [project]
        # Noted, and not asked for again.
        asked = len(eight["identity"].all("/v3/projects?"))
        assert ask(eight.peering, f"/image{PATH}", token=seven.token(eight)).status == 200
        assert len(eight["identity"].all("/v3/projects?")) == asked
    finally:
        gateway.end()
        gateway.stop()
        seven.close()
        eight.close()
