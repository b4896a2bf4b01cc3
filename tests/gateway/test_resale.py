"""A region that its aggregator resells: an aggregator of an aggregator, by three gateways; nobody knows users but the next one, and these by pseudonyms."""

import dataclasses
import json
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.gateway.conftest import federated
from tests.gateway.owners import ALICE, DEMO, Bare, Owner, payload, plain, refusal
from tests.gateway.test_regions import CONSUMER, PROVIDER, contract, put
from tests.gateway.wire import Answer, Gateway, Seen, ask, reply, until

from openstackoid.core import scope as scopes
from openstackoid.core.protocol import HOPS
from openstackoid.core.region_resources import Resources
from openstackoid.trust import tokens
from openstackoid.trust.claims import MOST_RESOLD
from openstackoid.trust.contracts import ContractGrant, GrantState

# The region at the first aggregator, and at the one that has it from there: long enough to be in no token by chance.
FIRST, SECOND = "region-first", "region-second"


@dataclass
class Chain:
    """Users are of CloudTop; CloudMiddle, which has no service but identity, has its region from CloudBase."""

    top: Owner
    middle: Owner
    base: Owner
    seen: Bare  # another provider of the middle's, which shows what arrives
    at_top: Gateway
    at_middle: Gateway
    at_base: Gateway
    upper: str  # id of the contract between the first two
    lower: str  # and between the last two
    token: str

    def ask(self, path: str, **more: Any) -> Answer:
        return ask(self.at_top.url("identity"), f"/scope/{SECOND}{path}", token=self.token, **more)

    def settled(self, path: str, status: int, code: str = "", **more: Any) -> Answer:
        """The answer when all gateways have read their databases."""
        answers: list[Answer] = []

        def there() -> bool:
            answers.append(self.ask(path, **more))
            return answers[-1].status == status and (not code or answers[-1].code == code)

        until(there)
        return answers[-1]

    def wait(self) -> None:
        """Wait until all gateways go by the contracts that are in their databases now: an answer alone may be by those before."""
        path = "/v2.1/servers"

        def there() -> bool:
            if self.ask(f"/compute{path}").status != 200:
                return False
            claims = payload(plain(self.base["compute"].all(path)[-1]))
            return bool(claims["agreement"] == self.lower and self.at_middle.line(path)["agreement"] == self.upper)

        until(there)

    def agree(self, *, upper: ContractGrant | None = None, lower: ContractGrant | None = None, **changed: Any) -> None:
        """Put contracts into the three databases, as control planes do."""
        high = upper or contract("CloudMiddle", CONSUMER, SECOND, pseudonyms=True, services=("compute", "network"))
        low = lower or contract("CloudBase", CONSUMER, FIRST, pseudonyms=True, services=("compute", "network"))
        self.upper, self.lower = high.id, low.id
        resold = dataclasses.replace(high, peer="CloudTop", side=PROVIDER, region=FIRST, **changed)
        put(self.base, dataclasses.replace(low, peer="CloudMiddle", side=PROVIDER, region="", state=GrantState.ACTIVE))
        put(self.middle, low, resold)
        put(self.top, high)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("chain")
    top, middle, base = (Owner(name, folder / name) for name in ("CloudTop", "CloudMiddle", "CloudBase"))
    bare = Bare("CloudSeen")
    for owner in (top, middle):
        owner.frontends = {"identity": owner.frontends["identity"]}
    nothing = {"services": ["image"], "home": []}
    peers = {
        top: {"CloudMiddle": middle.entry(nothing)},
        middle: {"CloudTop": top.entry(nothing), "CloudBase": base.entry(nothing), "CloudSeen": bare.entry(nothing)},
        base: {"CloudMiddle": middle.entry(nothing)},
    }
    with federated({owner: {"peers": peers[owner], "recheck": 300} for owner in (top, middle, base)}) as started:
        token = top.keystone.issue("alice", "member")
        at_top, at_middle, at_base = started.values()
        made = Chain(top, middle, base, bare, at_top, at_middle, at_base, "", "", token)
        made.agree()
        made.wait()
        yield made
    bare.close()


@pytest.fixture(autouse=True)
def agreed(chain: Chain) -> Iterator[None]:
    yield
    chain.agree()
    chain.wait()


def test_each_cloud_knows_the_one_before_it_alone(chain: Chain) -> None:
    path = f"/v2.1/servers/{secrets.token_hex(8)}"

    def server(seen: Seen, _: socket.socket) -> bytes:
        line = chain.at_base.line(path)
        found = {"id": "s1", "user_id": line["local_user"], "tenant_id": line["local_project"]}
        links = [{"rel": "self", "href": f"http://{seen.get('Host')}/v2.1/servers/s1"}]
        return reply(200, {"server": found | {"links": links}})

    chain.base["compute"].on(path, reply(200, {"server": {}}))
    assert chain.settled(f"/compute{path}", 200).json == {"server": {}}
    chain.base["compute"].on(path, server)
    answer = chain.ask(f"/compute{path}").json["server"]
    # Ids and links are those of the user's own cloud.
    assert (answer["user_id"], answer["tenant_id"]) == (ALICE, DEMO)
    assert answer["links"][0]["href"] == f"{chain.at_top.url('identity')}/scope/{SECOND}/compute/v2.1/servers/s1"
    seen = chain.base["compute"].seen(path)
    claims = payload(plain(seen))
    assert (claims["iss"], claims["agreement"], claims["resold"]) == ("CloudMiddle", chain.lower, 1)
    assert claims["os_scope"] == {"*": "CloudBase", "identity": "CloudMiddle"}
    here, there = chain.at_middle.line(path), chain.at_base.line(path)
    assert (here["home"], here["agreement"], there["home"]) == ("CloudTop", chain.upper, "CloudMiddle")
    hidden = [ALICE, DEMO, "alice", "demo", "CloudTop", SECOND]
    beyond = repr((seen, claims, there))
    assert [word for word in (*hidden, here["user"], here["project"]) if word in beyond] == []
    assert [word for word in (ALICE, DEMO, "alice", SECOND) if word in repr(here)] == []
    # What stands for the user at the middle is not what the base sees, and the middle can tell who it is.
    party = f"contract:{chain.lower}"
    assert claims["sub"] == tokens.pseudonym(here["local_user"], party, chain.middle.keys)
    assert claims["project"]["id"] == tokens.project_pseudonym(here["local_project"], party, chain.middle.keys)
    assert here["local_project"] in chain.middle.keystone.projects.values()


def test_ids_in_requests_go_all_the_way(chain: Chain) -> None:
    chain.settled(f"/compute/v2.1/os-quota-sets/{DEMO}", 200)
    (seen,) = [one for one in chain.base["compute"].all("/v2.1/os-quota-sets/") if "defaults" not in one.target][-1:]
    body = json.dumps({"network": {"tenant_id": DEMO, "name": "mine"}}).encode()
    kind = {"Content-Type": "application/json"}
    chain.settled("/network/v2.0/networks", 200, method="POST", body=body, headers=kind)
    made = chain.base["network"].all("/v2.0/networks")[-1]
    assert seen.target.rpartition("/")[2] == json.loads(made.raw)["network"]["tenant_id"]
    assert DEMO not in repr((seen, made))


def test_clients_find_versions_before_they_log_in(chain: Chain) -> None:
    """The seller asks the provider in its own name: a version document needs no user."""

    def versions(seen: Seen, _: socket.socket) -> bytes:
        links = [{"rel": "self", "href": f"http://{seen.get('Host')}/v2.1/"}]
        return reply(300, {"versions": [{"id": "v2.1", "status": "CURRENT", "links": links}]})

    chain.base["compute"].on("/", versions)
    url = chain.at_top.url("identity")
    try:
        answer = ask(url, f"/scope/{SECOND}/compute/", token=None)
    finally:
        del chain.base["compute"].handlers["/"]  # the beginning of every path
    assert answer.status == 300, answer.body
    # Of a service that is not sold there is nothing to be seen, and nothing but versions is.
    assert ask(url, f"/scope/{SECOND}/image/", token=None).status in {403, 404}
    assert ask(url, f"/scope/{SECOND}/compute/v2.1/servers", token=None).status == 401


def test_versions_of_a_region_are_refused_while_a_contract_about_it_is_suspended(chain: Chain) -> None:
    low = contract("CloudBase", CONSUMER, FIRST, pseudonyms=True, services=("compute",))
    high = contract("CloudMiddle", CONSUMER, SECOND, pseudonyms=True, services=("compute",))
    sold = dataclasses.replace(high, peer="CloudTop", side=PROVIDER, region=FIRST)
    put(chain.base, dataclasses.replace(low, peer="CloudMiddle", side=PROVIDER, region=""))
    put(chain.top, high)

    def asked() -> Answer:
        return ask(chain.at_top.url("identity"), f"/scope/{SECOND}/compute/", token=None)

    for at_middle in (
        (low, dataclasses.replace(sold, state=GrantState.SUSPENDED)),
        (dataclasses.replace(low, state=GrantState.SUSPENDED), sold),
    ):
        put(chain.middle, low, sold)
        until(lambda: asked().status == 200)
        put(chain.middle, *at_middle)
        until(lambda: asked().status == 403)
        passed = len(chain.base["compute"].all("/"))
        assert refusal(asked()) == (403, "contract.suspended")
        assert len(chain.base["compute"].all("/")) == passed
    # Another contract about such a region still counts.
    other = contract("CloudTop", PROVIDER, FIRST, pseudonyms=True, services=("compute",))
    put(chain.middle, low, dataclasses.replace(sold, state=GrantState.SUSPENDED), other)
    until(lambda: asked().status == 200)


def test_who_looks_for_versions_is_not_named_to_the_provider(chain: Chain) -> None:
    low = contract("CloudSeen", CONSUMER, "region-seen", pseudonyms=True, services=("image",))
    high = contract("CloudMiddle", CONSUMER, SECOND, pseudonyms=True, services=("image",))
    put(chain.middle, low, dataclasses.replace(high, peer="CloudTop", side=PROVIDER, region="region-seen"))
    put(chain.top, high)
    path = f"/scope/{SECOND}/image/"
    until(lambda: ask(chain.at_top.url("identity"), path, token=None).status == 200)
    seen = chain.seen.seen("/image/")
    # The seller alone, as often as clouds have passed the request on: too many are refused, so that no hidden circle goes on.
    assert seen.get(HOPS) == "CloudMiddle,CloudMiddle"
    assert [word for word in ("CloudTop", SECOND) if word in repr(seen)] == []


def test_what_one_contract_does_not_give_is_refused_by_its_owner(chain: Chain) -> None:
    refused = chain.ask("/image/v2/images")
    assert refused.status in {403, 404}
    narrow = contract("CloudBase", CONSUMER, FIRST, pseudonyms=True, services=("network",))
    chain.agree(lower=narrow)
    chain.settled("/network/v2.0/networks", 200)
    chain.settled("/compute/v2.1/servers", 403, "agreement.rule")


def test_either_contract_that_is_suspended_stops_all(chain: Chain) -> None:
    low = contract("CloudBase", CONSUMER, FIRST, pseudonyms=True)
    chain.agree(lower=dataclasses.replace(low, state=GrantState.SUSPENDED))
    chain.settled("/compute/v2.1/servers", 403, "contract.suspended")
    chain.agree()
    chain.settled("/compute/v2.1/servers", 200)
    high = contract("CloudMiddle", CONSUMER, SECOND, pseudonyms=True)
    chain.agree(upper=dataclasses.replace(high, state=GrantState.SUSPENDED))
    chain.settled("/compute/v2.1/servers", 403, "contract.suspended")


def test_a_region_that_its_seller_has_unbound_is_named(chain: Chain) -> None:
    high = contract("CloudMiddle", CONSUMER, SECOND, pseudonyms=True)
    put(chain.middle, dataclasses.replace(high, peer="CloudTop", side=PROVIDER, region=FIRST))
    put(chain.top, high)
    chain.settled("/compute/v2.1/servers", 503, "region.unbound")


def test_what_is_in_a_resold_region_is_its_sellers_choice(chain: Chain) -> None:
    chain.base["compute"].on("/v2.1/flavors", reply(200, {"flavors": [{"id": "1"}, {"id": "2"}]}))
    chain.agree(resources=Resources.from_json({"flavors": ["1"]}))
    until(lambda: chain.ask("/compute/v2.1/flavors").json == {"flavors": [{"id": "1"}]})
    chain.settled("/compute/v2.1/flavors/2", 404, "region.missing")


def test_a_port_goes_into_networks_of_the_resold_region_and_ones_own_alone(chain: Chain) -> None:
    """The seller sells one network of the provider's; the provider's contract with the seller names none."""
    network, mark = chain.base["network"], secrets.token_hex(8)
    shared = {"id": "shared", "project_id": "b" * 32, "shared": True}
    network.on("/v2.0/networks/shared", reply(200, {"network": shared}))
    network.on("/v2.0/subnets/shared-subnet", reply(200, {"subnet": shared | {"network_id": "shared"}}))
    network.on("/v2.0/ports", reply(201, {"port": {}}))
    chain.agree(resources=Resources.from_json({"external_networks": ["in"]}))

    def sent(method: str, path: str, document: Any) -> Answer:
        headers, body = {"Content-Type": "application/json"}, json.dumps(document).encode()
        return chain.ask(f"/network{path}", headers=headers, method=method, body=body)

    def port(name: str) -> Answer:
        return sent("POST", "/v2.0/ports", {"port": {"network_id": name, "tenant_id": DEMO}})

    until(lambda: port("shared").status == 400)
    chain.settled(f"/network/v2.0/networks/{mark}", 200)
    own = {"id": "own", "project_id": chain.at_base.line(f"/v2.0/networks/{mark}")["local_project"]}
    network.on("/v2.0/networks/own", reply(200, {"network": own}))
    for name in ("own", "in"):
        assert port(name).status == 201, name
    passed = len(network.all("/v2.0/ports"))
    for refused in (
        port("shared"),
        port("none"),
        sent("POST", "/v2.0/ports", {"ports": [{"network_id": "own"}, {"network_id": "shared"}]}),
        sent("PUT", f"/v2.0/routers/{mark}/add_router_interface", {"subnet_id": "shared-subnet"}),
    ):
        assert refusal(refused) == (400, "region.outside")
    assert len(network.all("/v2.0/ports")) == passed
    assert not network.all(f"/v2.0/routers/{mark}/add_router_interface")
    # The provider learns nothing of the user by these questions.
    questions = [*network.all("/v2.0/networks/shared"), *network.all("/v2.0/subnets/shared-subnet")]
    assert questions
    assert [word for word in (ALICE, DEMO, "alice", "CloudTop", SECOND) if word in repr(questions)] == []


def test_a_hidden_loop_ends(chain: Chain) -> None:
    """Somebody before CloudTop has resold it as often as a region may be: by a token that CloudTop signs."""
    scope = {"*": "CloudMiddle", "identity": "CloudTop"}
    given: dict[str, Any] = {"agreement": chain.upper, "scope": scopes.parse(json.dumps(scope)), "resold": MOST_RESOLD}
    chain.settled("/compute/v2.1/servers", 200)

    def refused() -> bool:
        token = chain.top.token(chain.middle, **given)
        return refusal(ask(chain.middle.peering, "/compute/v2.1/servers", token=token)) == (508, "region.loop")

    until(refused)
