"""Contracts between clouds of one owner, under which users come with their own tokens: the provider's gateway exchanges them at their home."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.gateway.conftest import Owners
from tests.gateway.owners import ALICE, DEMO, plain, refusal
from tests.gateway.test_regions import CONSUMER, PROVIDER, contract, in_use, put, settled, user
from tests.gateway.wire import Answer, ask, reply, until

from openstackoid.core.region_resources import Resources
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState

TYPES = "urn:ietf:params:oauth:"
IMAGES = "/v2/images"


@dataclasses.dataclass
class Deal:
    """A contract in use on both sides, and a user's own token."""

    owners: Owners
    sold: ContractGrant
    bound: ContractGrant
    token: str

    def region(self, path: str, **more: Any) -> Answer:
        """A request in the region, at home."""
        return user(self.owners, f"/scope/{self.bound.region}{path}", self.token, **more)

    def direct(self, kind: str, path: str, token: str | None = None, **more: Any) -> Answer:
        """A request at the provider's own frontend, with the user's own token."""
        scope = '{"identity": "CloudOne"}'
        return ask(self.owners.at_two.url(kind), path, token=f"{token or self.token}!SCOPE!{scope}", **more)

    def put(self, **changed: Any) -> None:
        put(self.owners.two, dataclasses.replace(self.sold, **changed))

    def exchanged(self, **changed: str) -> Answer:
        """A token exchange by CloudTwo's gateway at CloudOne's."""
        form = {
            "grant_type": f"{TYPES}grant-type:token-exchange",
            "subject_token": self.token,
            "subject_token_type": f"{TYPES}token-type:access_token",
            "audience": "CloudTwo",
            "contract": self.bound.id,
            "client_assertion": next(iter(self.owners.two.assertion("CloudOne").values())),
        } | changed
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        return ask(self.owners.one.peering, "/openstackoid/v1/token", kind, token=None, method="POST", body=body)


def both(bound: ContractGrant) -> ContractGrant:
    """The provider's side of a contract."""
    return dataclasses.replace(bound, side=PROVIDER, peer="CloudOne", region="")


@pytest.fixture
def deal(owners: Owners) -> Iterator[Deal]:
    bound = dataclasses.replace(contract("CloudTwo", CONSUMER, "Own"), pass_through=True)
    bound = dataclasses.replace(bound, region=f"V{bound.id[:8]}")
    made = Deal(owners, both(bound), bound, owners.one.keystone.issue("alice", "member"))
    with in_use(owners.one, bound), in_use(owners.two, made.sold):
        settled(owners, f"/scope/{bound.region}/image{IMAGES}/{bound.id}", made.token, 200)
        yield made


def test_a_user_with_the_own_token_is_one_of_the_contract(deal: Deal, owners: Owners) -> None:
    project = owners.at_two.line(f"{IMAGES}/{deal.bound.id}")["local_project"]
    assert project != DEMO
    compute, path = owners.two["compute"], f"/v2.1/{deal.bound.id}"
    here = owners.at_two.line(f"{IMAGES}/{deal.bound.id}")["local_user"]
    compute.on(path, reply(200, {"server": {"user_id": here, "tenant_id": project}}))
    for answer in (deal.region(f"/compute{path}"), deal.direct("compute", path)):
        assert answer.json == {"server": {"user_id": ALICE, "tenant_id": DEMO}}
    for seen in compute.all(path):
        assert deal.token not in str(seen.headers)
        assert plain(seen).startswith("eyJ")
    # The home is asked once about a token, and not for each request.
    signed = {plain(seen) for seen in compute.all(path)}
    assert len(signed) == 1
    line = owners.at_two.line(path)
    assert (line["user"], line["project"], line["agreement"]) == (ALICE, DEMO, deal.bound.id)


def test_what_is_not_in_the_contract_or_the_region_is_refused(deal: Deal, owners: Owners) -> None:
    owners.two["compute"].on("/v2.1/flavors", reply(200, {"flavors": [{"id": "1"}, {"id": "2"}]}))
    deal.put(resources=Resources.from_json({"flavors": ["1"]}))
    until(lambda: deal.region("/compute/v2.1/flavors").json == {"flavors": [{"id": "1"}]})
    body = json.dumps({"server": {"name": "x", "flavorRef": "2"}}).encode()
    sent: dict[str, Any] = {"headers": {"Content-Type": "application/json"}, "method": "POST", "body": body}
    ways: list[Callable[..., Answer]] = [
        partial(deal.direct, "compute"),
        lambda path, **more: deal.region(f"/compute{path}", **more),
    ]
    for way in ways:
        assert way("/v2.1/flavors").json == {"flavors": [{"id": "1"}]}
        assert refusal(way("/v2.1/flavors/2")) == (404, "region.missing")
        assert refusal(way("/v2.1/servers", **sent)) == (400, "region.outside")
    deal.put(grant=contract("CloudOne", PROVIDER, services=("image",)).grant)
    until(lambda: deal.region("/compute/v2.1/flavors").status == 403)
    assert deal.region("/compute/v2.1/flavors").code == "agreement.rule"
    assert deal.direct("compute", "/v2.1/flavors").code == "agreement.rule"


@pytest.mark.parametrize("side", ContractSide)
def test_a_suspended_or_ended_contract_takes_nobody(deal: Deal, owners: Owners, side: ContractSide) -> None:
    assert deal.direct("image", IMAGES).status == 200
    owner, ours = (owners.two, deal.sold) if side is PROVIDER else (owners.one, deal.bound)
    put(owner, dataclasses.replace(ours, state=GrantState.SUSPENDED))
    until(lambda: deal.region(f"/image{IMAGES}").status == 403)
    assert deal.region(f"/image{IMAGES}").code == "contract.suspended"
    if side is PROVIDER:
        assert deal.direct("image", IMAGES).code == "contract.suspended"
    else:
        assert deal.exchanged().code == "contract.suspended"
    put(owner, ours)
    until(lambda: deal.region(f"/image{IMAGES}").status == 200)
    put(owner)
    until(lambda: deal.region(f"/image{IMAGES}").status in {403, 404})
    assert deal.region(f"/image{IMAGES}").code == ("agreement.missing" if side is PROVIDER else "scope.unknown")
    if side is PROVIDER:  # the token of another cloud means as little as before
        path = f"{IMAGES}/over-{deal.bound.id}"
        deal.direct("image", path)
        assert plain(owners.two["image"].seen(path)) == deal.token


def test_a_token_that_is_not_valid_at_home_has_its_user_log_in_again(deal: Deal) -> None:
    stranger = "gAAAAAmarker-nobody"
    for answer in (
        user(deal.owners, f"/scope/{deal.bound.region}/image{IMAGES}", stranger),
        deal.direct("image", IMAGES, stranger),
    ):
        assert refusal(answer) == (401, "token.invalid")
        assert stranger not in str(answer.error)


def test_a_role_that_does_not_count_and_a_limited_token_are_refused(deal: Deal) -> None:
    issue = deal.owners.one.keystone.issue
    guest = issue("guest", "guest")
    rules = [{"id": "r", "service": "image", "method": "GET", "path": "/v2/images"}]
    limited = issue("alice", "member", application_credential={"id": "a", "name": "a", "access_rules": rules})
    for token in (guest, limited):
        refused = deal.direct("image", IMAGES, token)
        assert refusal(refused) == (403, "token.exchange")
    assert "member" in str(deal.direct("image", IMAGES, guest).error)


def test_the_audit_says_who_was_refused(deal: Deal, owners: Owners) -> None:
    path = f"/v1/{deal.bound.id}"
    assert deal.direct("image", path).code == "agreement.rule"
    line = owners.at_two.line(path)
    assert (line["home"], line["user"], line["project"], line["agreement"]) == ("CloudOne", ALICE, DEMO, deal.bound.id)


def test_home_asks_its_keystone_for_each_exchange(deal: Deal) -> None:
    """The provider keeps the answer as long as home would: together it would be twice as long after a revocation."""
    keystone = deal.owners.one.keystone
    token = keystone.issue("alice", "member")
    assert [deal.exchanged(subject_token=token).status for _ in range(2)] == [200, 200]
    assert keystone.asked(token) == 2
    del keystone.known[token]
    assert refusal(deal.exchanged(subject_token=token)) == (401, "token.invalid")


def test_with_two_such_contracts_only_the_region_says_which_is_meant(deal: Deal, owners: Owners) -> None:
    other = dataclasses.replace(contract("CloudTwo", CONSUMER, f"{deal.bound.region}-2"), pass_through=True)
    put(owners.one, deal.bound, other)
    put(owners.two, deal.sold, both(other))
    path = f"{IMAGES}/{other.id}"
    settled(owners, f"/scope/{other.region}/image{path}", deal.token, 200)
    assert owners.at_two.line(path)["agreement"] == other.id
    refused = deal.direct("image", IMAGES)
    assert refusal(refused) == (403, "contract.pass_through")
    assert "2 contracts" in str(refused.error)
    assert deal.region(f"/image{IMAGES}").status == 200


def test_a_suspended_contract_is_none_that_a_user_could_mean(deal: Deal, owners: Owners) -> None:
    other = dataclasses.replace(contract("CloudTwo", CONSUMER, f"{deal.bound.region}-2"), pass_through=True)
    put(owners.one, deal.bound, other)

    def suspended(*which: ContractGrant) -> None:
        sold = [both(other), deal.sold]
        states = [GrantState.SUSPENDED if one in which else GrantState.ACTIVE for one in sold]
        put(owners.two, *(dataclasses.replace(one, state=state) for one, state in zip(sold, states, strict=True)))

    for off, left in ((both(other), deal.sold), (deal.sold, both(other))):
        suspended(off)
        path = f"{IMAGES}/but-{off.id}"

        def is_under(wanted: ContractGrant, path: str = path) -> bool:
            return deal.direct("image", path).status == 200 and owners.at_two.line(path)["agreement"] == wanted.id

        until(partial(is_under, left))
    suspended(deal.sold, both(other))
    until(
        lambda: (
            deal.direct("image", IMAGES).status == 403 and deal.direct("image", IMAGES).code != "contract.pass_through"
        )
    )
    assert deal.direct("image", IMAGES).code == "contract.suspended"


def test_home_gives_tokens_to_the_provider_of_such_a_contract_alone(deal: Deal, owners: Owners) -> None:
    assert deal.exchanged().json["expires_in"] > 0
    assertion = next(iter(owners.three.assertion("CloudOne").values()))
    assert deal.exchanged(client_assertion=assertion, audience="CloudThree").code == "agreement.missing"
    assert deal.exchanged(client_assertion=assertion).code == "token.invalid"
    assert deal.exchanged(client_assertion="").status in {400, 401}
    assert deal.exchanged(contract="0" * 32).code == "agreement.missing"
    put(owners.one, dataclasses.replace(deal.bound, pass_through=False))
    until(lambda: deal.exchanged().status == 403)
    assert deal.exchanged().code == "contract.pass_through"


def test_a_contract_of_federated_tokens_takes_no_other(deal: Deal, owners: Owners) -> None:
    deal.put(pass_through=False)
    until(lambda: deal.region(f"/image{IMAGES}").status == 403)
    assert deal.region(f"/image{IMAGES}").code == "contract.pass_through"
    before = len(owners.one["identity"].all("/v3/auth/tokens"))
    deal.direct("image", IMAGES)
    assert len(owners.one["identity"].all("/v3/auth/tokens")) == before


def test_no_own_token_crosses_to_a_cloud_that_the_configuration_does_not_name(owners: Owners) -> None:
    """CloudBare is not in CloudOne's list; CloudThree is, and has an empty list itself."""
    token = owners.one.keystone.issue("alice", "member")
    bare, three = (
        dataclasses.replace(contract(peer, CONSUMER, f"To{peer}"), pass_through=True)
        for peer in ("CloudBare", "CloudThree")
    )
    with in_use(owners.one, bare, three), in_use(owners.three, both(three)):
        for bound, remedy in ((bare, "CloudBare to trust.one_owner"), (three, "CloudOne to trust.one_owner")):
            path = f"/scope/{bound.region}/image{IMAGES}"
            until(lambda path=path: user(owners, path, token).code == "contract.pass_through")  # type: ignore[misc]
            assert remedy in str(user(owners, path, token).error)
    assert not any(plain(seen) == token for seen in owners.bare.all("/"))
