"""What the users and the operators of regions are told when a provider is away, and that it is nobody else's trouble."""

import secrets
import time

from tests.gateway.conftest import Owners
from tests.gateway.owners import refusal
from tests.gateway.test_regions import CONSUMER, contract, in_use, settled, user
from tests.gateway.wire import Answer, ask, reply, until

from openstackoid.trust.region_health import Counted


def counted(owners: Owners, identity: str) -> Counted | None:
    store = owners.one.store
    found = store.region_health.all(int(time.time()) // 60).get(identity)
    store.close()
    return found


def test_a_provider_that_is_away_is_named_and_hides_nothing_of_others(owners: Owners) -> None:
    token, name = owners.one.keystone.issue("alice", "member"), f"V{secrets.token_hex(4)}"
    works = contract("CloudBare", CONSUMER, name)
    path = f"/scope/{name}/image/v2/images"
    with in_use(owners.one, works):
        settled(owners, path, token, 200)
        # The provider goes away: its service closes the connection.
        owners.bare.on(f"/image/v2/images/{name}", lambda _, __: None)
        refused = user(owners, f"{path}/{name}", token)
        assert refusal(refused) == (502, "peer.unreachable")
        assert name in refused.error
        assert "CloudBare" in refused.error
        # Where the provider is stands in the gateway's log, and not in what users read.
        assert owners.bare.url.partition("//")[2] not in refused.error
        assert "it closed the connection" in refused.error
        until(lambda: f"{owners.bare.url}/image: CloudBare cannot be reached" in owners.at_one.said)
        assert int(refused.get("Retry-After") or 0) > 0
        assert user(owners, path, token).status == 200
        until(lambda: (counted(owners, works.id) or Counted()).failures >= 1)
        found = counted(owners, works.id)
        assert found
        assert found.error == "peer.unreachable"
        assert found.requests > found.failures
        assert found.last_success
        metrics = ask(owners.at_one.admin, "/metrics", token=None).body.decode()
        assert f'openstackoid_region_seconds_count{{region="{name}",result="2xx"}}' in metrics
        assert f'openstackoid_region_seconds_count{{region="{name}",result="peer.unreachable"}} 1.0' in metrics


def test_a_provider_that_never_answered_is_named_without_its_address(owners: Owners) -> None:
    token, name = owners.two.keystone.issue("alice", "member"), f"V{secrets.token_hex(4)}"

    def asked() -> Answer:
        return ask(owners.at_two.url("identity"), f"/scope/{name}/image/v2/images", token=token)

    with in_use(owners.two, contract("CloudDead", CONSUMER, name)):
        until(lambda: asked().status == 502)
        # A failure is remembered for a second, and told alike to all who ask meanwhile.
        told = {asked().error for _ in range(3)}
    why = "CloudDead cannot be reached: Connection refused."
    assert told == {f"The region {name} (of CloudDead) cannot be used now, others can: {why}"}
    until(lambda: f"peer CloudDead: {why} ({owners.dead.peering})" in owners.at_two.said)


def test_a_failing_service_of_the_provider_counts_as_a_failure(owners: Owners) -> None:
    token, name = owners.one.keystone.issue("alice", "member"), f"V{secrets.token_hex(4)}"
    bound = contract("CloudBare", CONSUMER, name)
    with in_use(owners.one, bound):
        settled(owners, f"/scope/{name}/image/v2/images", token, 200)
        owners.bare.on(f"/image/v2/images/{name}", reply(503, {"error": {"code": 503}}))
        assert user(owners, f"/scope/{name}/image/v2/images/{name}", token).status == 503
        until(lambda: (counted(owners, bound.id) or Counted()).error == "503")
