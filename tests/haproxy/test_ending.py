"""What was taught ends: with its time, its token, its agreement, its gateway or its HAProxy."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.gateway.owners import ALICE, Bare, payload
from tests.gateway.wire import Answer, ask, until
from tests.haproxy.doorway import fresh
from tests.haproxy.world import Fronted

from openstackoid.haproxy import maps
from openstackoid.trust.grants import Grant
from openstackoid.trust.store import Store

IMAGES = Grant(services=("image",))
SCOPE = {"X-Scope": '{"image":"CloudFar"}'}


@dataclass
class Small:
    """A cloud with two workers, and one of another owner that it knows by its database."""

    cloud: Fronted
    far: Bare
    hidden: Bare  # gets pseudonyms
    store: Store

    def ask(self, token: str, path: str | None = None, headers: dict[str, str] | None = None) -> Answer:
        return ask(self.cloud.url("image"), path or fresh(), headers or SCOPE, token=token)

    def everywhere(self, token: str, *statuses: int) -> bool:
        """Whether both workers answer so, as far as new connections to the gateway itself show."""
        path = f"/v2/images/{os.urandom(6).hex()}"
        url = self.cloud.alone("image")
        return all(ask(url, path, SCOPE, token=token).status in statuses for _ in range(12))

    def learn(self, token: str) -> None:
        def known() -> bool:
            self.ask(token)
            return maps.user(token, SCOPE["X-Scope"]) in self.cloud.proxy.tokens

        until(known)

    def straight(self, token: str) -> bool:
        """Whether a request did not meet the gateway: what HAProxy sends itself has no assertion."""
        path = fresh()
        answer = self.ask(token, path)
        return answer.status == 200 and self.far.seen(f"/image{path}").get("X-Openstackoid-Assertion") is None


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    cloud = Fronted("CloudOne", tmp_path_factory.mktemp("ending") / "one")
    far, hidden = Bare("CloudFar"), Bare("CloudHidden")
    store = cloud.store
    store.add("CloudFar", far.url, far.keys.fingerprint, IMAGES, "operator")
    store.change("CloudFar", "allow", "operator", IMAGES)
    cloud.start({"CloudHidden": hidden.entry({"services": ["image"], "pseudonyms": True})}, workers=2, recheck=2)
    try:
        cloud.ready()
        until(lambda: cloud.agreed("CloudFar", "CloudHidden"))
        yield Small(cloud, far, hidden, store)
    finally:
        cloud.stop()
        far.close()
        hidden.close()
        store.close()


def test_after_its_time_the_gateway_asks_again(small: Small) -> None:
    mine = small.cloud.keystone.issue("alice", "member")
    until(lambda: small.straight(mine))
    asked = small.cloud.keystone.asked(mine)
    until(lambda: not small.straight(mine))
    until(lambda: small.ask(mine).status == 200 and small.cloud.keystone.asked(mine) > asked)
    until(lambda: small.straight(mine))
    # Revoked where nobody here hears of it: believed for as long as the gateway alone would believe it.
    del small.cloud.keystone.known[mine]
    until(lambda: small.everywhere(mine, 401) and small.ask(mine).status == 401)
    refused = small.ask(mine)
    assert (refused.status, refused.code) == (401, "token.invalid")
    until(lambda: maps.user(mine, SCOPE["X-Scope"]) not in small.cloud.proxy.tokens)


def test_it_is_taught_for_as_long_as_keystone_is_believed(small: Small) -> None:
    """Not longer: what was asked a while ago counts from then."""
    mine = small.cloud.keystone.issue("alice", "member")
    small.learn(mine)
    last = time.time()
    for _ in range(60):
        small.ask(mine, headers={"X-Scope": ' {"image":"CloudFar"}'})  # through the gateway, which has it still
        found = small.cloud.proxy.tokens.get(maps.user(mine, SCOPE["X-Scope"]) or "")
        if small.cloud.keystone.asked(mine) > 2:
            break
        assert found is None or int(found.partition(":")[0]) <= (last + 2) * 1000 + 50


@pytest.mark.parametrize("event", ["suspend", "remove"])
def test_an_agreement_that_ends_ends_it_within_a_second(small: Small, event: str) -> None:
    mine = small.cloud.keystone.issue("alice", "member")
    until(lambda: small.straight(mine))
    small.store.change("CloudFar", event, "operator")
    # The other worker may teach it once more before it has heard as well.
    until(lambda: small.everywhere(mine, 400, 403))
    until(lambda: not small.cloud.proxy.tokens)
    before = len(small.far.all("/image"))
    assert small.ask(mine).code in {"agreement.inactive", "agreement.missing", "cloud.unknown"}
    assert len(small.far.all("/image")) == before
    if event == "remove":
        until(lambda: "CloudFar|image" not in small.cloud.proxy.peers)
        small.store.add("CloudFar", small.far.url, small.far.keys.fingerprint, IMAGES, "operator")
    small.store.change("CloudFar", "allow", "operator", IMAGES)
    until(lambda: small.everywhere(mine, 200))
    until(lambda: small.straight(mine))


def test_what_goes_straight_keeps_its_pseudonym(small: Small) -> None:
    mine = small.cloud.keystone.issue("alice", "member")

    def straight() -> bool:
        path = fresh()
        assert small.ask(mine, path, {"X-Scope": '{"image":"CloudHidden"}'}).status == 200
        seen = small.hidden.seen(f"/image{path}")
        assert payload(seen.get("X-Auth-Token") or "")["sub"] != ALICE
        return seen.get("X-Openstackoid-Assertion") is None

    until(straight)


def test_tokens_with_limits_of_their_own_are_never_taught(small: Small) -> None:
    rules = [{"id": "r", "service": "image", "method": "GET", "path": "/v2/images/**"}]
    limited = small.cloud.keystone.issue("alice", "member", application_credential={"access_rules": rules})
    mine = small.cloud.keystone.issue("alice", "member")
    until(lambda: small.straight(mine))  # the scope is known; the token is not
    for _ in range(3):
        path = fresh()
        assert small.ask(limited, path).status == 200
        assert small.far.seen(f"/image{path}").get("X-Openstackoid-Assertion")
        assert maps.user(limited, SCOPE["X-Scope"]) not in small.cloud.proxy.tokens
    assert small.ask(limited, "/v2/other").code == "token.scope"


def test_what_is_revoked_through_haproxy_stops_at_once(small: Small) -> None:
    small.cloud.halt()
    config = small.cloud.gateway.config
    small.cloud.again(config | {"trust": config["trust"] | {"recheck": 300}})
    small.cloud.ready()
    until(lambda: small.cloud.agreed("CloudFar"))
    mine = small.cloud.keystone.issue("alice", "member")
    until(lambda: small.straight(mine))
    path = "/v3/auth/tokens"
    gone = ask(small.cloud.url("identity"), path, {"X-Subject-Token": mine}, method="DELETE", token=mine)
    assert gone.status == 204
    answer = small.ask(mine)
    assert (answer.status, answer.code) == (401, "token.invalid")
    assert maps.user(mine, SCOPE["X-Scope"]) not in small.cloud.proxy.tokens


def test_a_gateway_that_starts_forgets_what_another_one_taught(small: Small) -> None:
    mine = small.cloud.keystone.issue("alice", "member")
    small.learn(mine)
    small.cloud.gateway.process.kill()
    small.cloud.gateway.process.wait()
    assert small.cloud.proxy.tokens
    small.cloud.again()
    until(lambda: not small.cloud.proxy.ways and not small.cloud.proxy.tokens)
    small.cloud.ready()
    until(lambda: small.cloud.agreed("CloudFar"))
    until(lambda: small.straight(mine))


def test_a_new_haproxy_learns_anew(small: Small) -> None:
    mine = small.cloud.keystone.issue("alice", "member")
    small.learn(mine)
    small.cloud.proxy.process.send_signal(signal.SIGKILL)
    small.cloud.proxy.process.wait()
    until(lambda: not small.cloud.proxy.serves())
    (small.cloud.short / "peers.map").write_text("")  # and with an older file
    small.cloud.proxy.start()
    assert small.cloud.proxy.tokens == {}
    until(lambda: "CloudFar|image" in small.cloud.proxy.peers)
    until(lambda: small.straight(mine))
