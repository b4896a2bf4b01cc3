"""Image data of a region, whose name is in the path: learned by HAProxy as under a scope, under pseudonyms as well, for as long as its contract holds."""

import dataclasses
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.gateway.owners import ALICE, DEMO, payload
from tests.gateway.test_regions import CONSUMER, contract, in_use, put
from tests.gateway.wire import Answer, ask, raw, until
from tests.haproxy.test_traps import image_data, parsed
from tests.haproxy.world import World, marked, names

from openstackoid.haproxy import maps
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState


@dataclass
class Region:
    """A region of CloudOne, and a user of it."""

    world: World
    bound: ContractGrant
    token: str

    def path(self, path: str | None = None) -> str:
        return f"/scope/{self.bound.region}/image{path or image_data()}"

    def ask(self, path: str, headers: dict[str, str] | None = None, **more: str) -> Answer:
        return ask(self.world.one.url("identity"), path, headers, token=self.token, **more)  # type: ignore[arg-type]

    def learn(self) -> None:
        key = maps.user(self.token, self.bound.region, maps.REGION)

        def learned() -> bool:
            self.ask(self.path())
            return key in self.world.one.proxy.tokens

        until(learned)

    def straight(self) -> str:
        """Ask for image data, past the gateway."""
        path = self.path()
        answer = self.ask(path)
        assert answer.status == 200, answer
        assert not self.world.one.passed(path)
        return "/image/v2" + path.partition("/v2")[2]


@pytest.fixture
def region(world: World) -> Iterator[Region]:
    bound = contract("CloudBare", CONSUMER, f"V{secrets.token_hex(4)}", pseudonyms=True)
    with in_use(world.one, bound):
        yield Region(world, bound, world.one.keystone.issue("alice", "member", "reader"))


def test_image_data_goes_straight_under_pseudonyms(region: Region) -> None:
    region.learn()
    world, path = region.world, region.straight()
    seen = world.bare.seen(path)
    assert seen.target == path
    assert names(seen) == {"host", "x-auth-token", "x-openstackoid-hops", "x-openstack-request-id"}
    claims = payload(seen.get("X-Auth-Token") or "")
    assert claims["os_scope"] == {"*": "CloudBare", "identity": "CloudOne"}
    assert region.bound.id in repr(claims)
    assert not [name for name in (ALICE, DEMO, "alice", "demo", region.bound.region) if name in repr((seen, claims))]
    # The line of audit at home names the user and the contract.
    number = seen.get("X-Openstack-Request-Id") or ""
    line = until(lambda: [line for line in world.one.proxy.said.splitlines() if number in line])[0]
    assert f'"service":"image","way":"R","peer":"CloudBare","user":"{ALICE}"' in line
    assert f'"agreement":"{region.bound.id}"' in line


def test_an_upload_goes_straight(region: Region) -> None:
    region.learn()
    path, data = region.path(), b"0123456789" * 1000
    given = {"Content-Type": "application/octet-stream"}
    answer = ask(region.world.one.url("identity"), path, given, method="PUT", body=data, token=region.token)
    assert answer.status == 200
    assert not region.world.one.passed(path)
    assert region.world.bare.seen("/image/v2" + path.partition("/v2")[2]).raw == data


def test_a_suspended_or_unbound_region_is_not_served_by_what_was_learned(region: Region) -> None:
    one, bound = region.world.one, region.bound
    region.learn()
    put(one, dataclasses.replace(bound, state=GrantState.SUSPENDED))
    until(lambda: region.ask(region.path()).status == 403)
    for _ in range(10):
        assert region.ask(region.path()).code == "contract.suspended"
    put(one, bound)
    until(lambda: region.ask(region.path()).status == 200)
    region.learn()
    region.straight()
    put(one)
    until(lambda: region.ask(region.path()).status == 404)
    assert region.ask(region.path()).code == "scope.unknown"


@pytest.mark.parametrize("side", ContractSide)
def test_no_contract_is_gone_around_by_a_token_that_passes_through(world: World, side: ContractSide) -> None:
    """CloudThree gets users' own tokens. With a contract it gets none, nor from what HAProxy has learned before."""
    one, token = world.one, world.one.keystone.issue("alice", "member")
    scope, path = marked("image", "CloudThree"), image_data()
    key = maps.way("image", scope["X-Scope"], method="GET")

    def passes() -> Answer:
        return ask(one.url("image"), path, scope, token=token)

    def learned() -> bool:
        assert passes().status == 200
        return key in one.proxy.ways

    until(learned)
    bound = contract("CloudThree", side, f"V{secrets.token_hex(4)}")
    in_region = f"/scope/{bound.region}/image{path}"
    for state in (GrantState.ACTIVE, GrantState.SUSPENDED):
        with in_use(one, dataclasses.replace(bound, state=state)):
            until(lambda: passes().status == 403)
            before = len(world.three["image"].all(path))
            refused = passes()
            assert (refused.status, refused.code) == (403, "contract.pass_through")
            assert "peers.CloudThree.token" in refused.error
            if side is CONSUMER:
                assert ask(one.url("identity"), in_region, token=token).code == "contract.pass_through"
            assert len(world.three["image"].all(path)) == before
            assert key not in one.proxy.ways
            # Services here cannot validate tokens there either, nor tokens of there.
            subject = {"X-Subject-Token": token, "X-Scope": '{"identity":"CloudThree"}'}
            assert ask(one.url("identity"), "/v3/auth/tokens", subject, token=token).code == "contract.pass_through"
            why = "/openstackoid/v1/explain?service=image&path=/v2/images"
            explained = ask(one.url("image"), why, scope, token=None).json
            assert (explained["decision"], explained["error"]["openstackoid_code"]) == (
                "reject",
                "contract.pass_through",
            )
    until(lambda: passes().status == 200)


def test_a_region_that_is_bound_to_another_contract_leads_there(region: Region) -> None:
    region.learn()
    other = contract("CloudBare", CONSUMER, region.bound.region, pseudonyms=True)
    put(region.world.one, other)

    def agreed() -> str:
        path = region.path()
        assert region.ask(path).status == 200
        seen = region.world.bare.seen("/image/v2" + path.partition("/v2")[2])
        return repr(payload(seen.get("X-Auth-Token") or ""))

    until(lambda: other.id in agreed())
    region.learn()
    region.straight()
    assert other.id in agreed()


def test_each_region_and_each_user_is_learned_by_itself(region: Region) -> None:
    region.learn()
    path = region.path()
    other = region.world.one.keystone.issue("bob", "member")
    assert ask(region.world.one.url("identity"), path, token=other).status == 200
    assert region.world.one.passed(path)
    # The name of a region is no scope, and no scope the name of a region.
    answer = ask(region.world.one.url("image"), image_data(), {"X-Scope": region.bound.region}, token=region.token)
    assert (answer.status, answer.code) == (400, "scope.malformed")


def test_what_is_written_in_another_way_is_the_gateways(region: Region) -> None:
    region.learn()
    one = region.world.one
    odd = [
        ({"X-Scope": '{"image":"CloudOne"}'}, "GET", ""),
        ({"X-Subject-Token": region.token}, "GET", ""),
        ({"X-Openstackoid-Hops": "CloudFour"}, "GET", ""),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "GET", ""),
        ({"Content-Length": "0"}, "GET", ""),
        ({}, "DELETE", ""),
        ({}, "GET", "?x=y"),
        ({}, "GET", "?_method=DELETE"),
        ({}, "GET", "/"),
    ]
    for headers, method, query in odd:
        path = region.path()
        ask(one.url("identity"), path + query, headers, method=method, token=region.token)
        assert one.passed(path + query.partition("?")[0]), (headers, method, query)
    carried = region.path()
    ask(one.url("identity"), carried, token=f'{region.token}!SCOPE!{{"image":"CloudOne"}}')
    assert one.passed(carried)
    old = region.path()
    told = raw(one.url("identity"), f"GET {old} HTTP/1.0\r\nX-Auth-Token: {region.token}\r\n\r\n".encode())
    assert parsed(told).status
    assert one.passed(old)
    region.straight()
