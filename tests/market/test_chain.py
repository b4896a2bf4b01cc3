"""A chain of three real clouds: the Reseller's region is the Aggregator's, which is the Provider's; each knows the next one's users by pseudonyms alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from tests.lab.anonymity import hits
from tests.market.market import XAVIERS, Market, Names, Person, new_user, sold, until
from tests.real.evidence import stored

from openstackoid.trust import key_files, tokens

pytestmark = pytest.mark.real

PLANE: Final = ("RegionOne", "virtual-region")
FIRST, SECOND = "south-7b2e", "west-7b2e"  # the region at the Aggregator, and at the Reseller
YARAS: Final = Names(
    "yara-7b2e", "whiteboard-7b2e", "another-password-7b2e", "red+chalk-7b2e@example.org", "127.77.66.56"
)


@dataclass
class Chain:
    market: Market
    tom: Person  # operator of the Reseller
    yara: Person  # user of the Reseller
    lower: str  # id of the contract between Provider and Aggregator
    upper: str  # id of the contract between Aggregator and Reseller


@pytest.fixture(scope="module")
def chain(market: Market) -> Iterator[Chain]:
    tom = market.tom
    lower = sold(market.rita, market.pia, FIRST, market.lab)
    upper = sold(
        tom, market.rita, SECOND, market.lab, {"region": FIRST}, {"grace_days": 1}
    )  # the counter names the owners
    yield Chain(market, tom, new_user(market.lab, tom, YARAS, [SECOND]), lower, upper)
    for buyer, region in ((tom, SECOND), (market.rita, FIRST)):
        buyer.ask("DELETE", *PLANE, f"/v1/bindings/{region}")


def test_a_user_of_the_last_cloud_uses_the_first_ones_by_the_stock_client(chain: Chain) -> None:
    yara, market = chain.yara, chain.market

    def openstack(*words: str) -> Any:
        return yara.openstack("--os-region-name", SECOND, *words)

    assert {row["Name"] for row in openstack("image", "list")} >= {"cirros", "cirros-provider"}
    assert "m1.tiny" in {row["Name"] for row in openstack("flavor", "list")}
    network = openstack("network", "create", "mine")
    assert network["project_id"] == yara.project
    openstack("subnet", "create", "mine", "--network", "mine", "--subnet-range", "10.0.0.0/24")
    assert "mine" in {row["Name"] for row in openstack("network", "list")}
    options = ("--image", "cirros", "--flavor", "m1.tiny", "--network", "mine", "--wait")
    server = openstack("server", "create", "vm", *options)
    assert (server["status"], server["project_id"], server["user_id"]) == ("ACTIVE", yara.project, yara.user)
    data = b"of yara" * 1000
    fields = {"name": "hers", "disk_format": "raw", "container_format": "bare"}
    image = yara.ask("POST", SECOND, "image", "/v2/images", 201, json=fields)
    yara.ask("PUT", SECOND, "image", f"/v2/images/{image['id']}/file", 204, data=data)
    assert yara.ask("GET", SECOND, "image", f"/v2/images/{image['id']}/file").content == data
    # It is in the Provider's cloud, in the domain of the Aggregator's region, and in no other of the Aggregator's.
    there = market.pia.ask("GET", "RegionOne", "compute", f"/servers/{server['id']}")["server"]
    project = market.pia.ask("GET", "RegionOne", "identity", f"/projects/{there['tenant_id']}")["project"]
    (domain,) = market.pia.ask("GET", "RegionOne", "identity", f"/domains?name=of-{FIRST}")["domains"]
    assert project["domain_id"] == domain["id"]
    seen = market.xavier.send("GET", f"{market.xavier.catalog['V1', 'compute']}/servers/{server['id']}")
    assert seen.status_code == 404


def test_links_and_pages_lead_through_the_last_cloud(chain: Chain) -> None:
    """By a client that knows the catalog, and follows links."""
    yara = chain.yara
    for kind in ("compute", "image", "network"):
        url = yara.catalog[SECOND, kind]
        assert url.startswith(chain.market.lab.clouds["Reseller"].frontend("identity"))
    seen, url = [], f"{yara.catalog[SECOND, 'image']}/v2/images?limit=1"
    while url:
        answer = yara.send("GET", url)
        assert answer.status_code == 200, answer.text
        for other in ("Aggregator", "Provider"):
            assert chain.market.lab.clouds[other].frontend_host not in answer.text
        seen += [image["name"] for image in answer.json()["images"]]
        after = answer.json().get("next", "")
        base = chain.market.lab.clouds["Reseller"].frontend("identity")
        url = after and (base + after if after.startswith("/scope/") else f"{yara.catalog[SECOND, 'image']}{after}")
    assert {"cirros", "cirros-provider"} <= set(seen)


def test_the_next_ones_users_are_unknown_to_the_provider_and_the_middle_ones_to_both(chain: Chain) -> None:
    """Every byte between the clouds, and all that they keep; the same search finds each word at home."""
    market, yara = chain.market, chain.yara
    provider, middle, last = (market.lab.clouds[name] for name in ("Provider", "Aggregator", "Reseller"))
    at_provider, at_middle, at_last = (stored(cloud) for cloud in (provider, middle, last))
    crossed, crossed_to_provider = market.crossed(), market.crossed("Provider")
    yaras, xaviers = YARAS.words(chain.tom), XAVIERS.words(market.rita)
    # The search finds all of it where it belongs, and the recorders saw both contracts.
    assert set(hits(at_last, yaras)) == set(yaras) - {YARAS.password}
    assert set(hits(at_middle, xaviers)) == set(xaviers) - {XAVIERS.password}
    for contract, seen in ((chain.upper, "Aggregator"), (chain.lower, "Provider")):
        assert hits(market.crossed(seen), [contract])
    assert hits((crossed, at_provider, at_middle), yaras) == {}
    assert hits((crossed, at_provider, at_last), xaviers) == {}
    # The Provider does not learn that there is a third one, nor what it calls the region.
    assert hits(at_last, ["Reseller", SECOND, chain.upper]).keys() == {"Reseller", SECOND, chain.upper}
    assert hits((crossed_to_provider, at_provider), ["Reseller", SECOND, chain.upper]) == {}

    # Pseudonyms are others on each hop: the middle one makes its own, of what stands there for the user.
    lines = map(json.loads, middle.audit.read_text().splitlines())
    (here,) = {
        (line["local_user"], line["local_project"])
        for line in lines
        if line.get("agreement") == chain.upper and line.get("local_project")
    }
    user, project = f"contract:{chain.upper}", f"contract:{chain.lower}"
    upper = {
        tokens.pseudonym(yara.user, user, key_files.read(last.keys)),
        tokens.project_pseudonym(yara.project, user, key_files.read(last.keys)),
    }
    lower = {
        tokens.pseudonym(here[0], project, key_files.read(middle.keys)),
        tokens.project_pseudonym(here[1], project, key_files.read(middle.keys)),
    }
    assert hits(market.crossed("Aggregator"), upper).keys() == upper
    assert hits((crossed_to_provider, at_provider), upper) == {}
    assert hits(crossed_to_provider, lower).keys() == lower
    assert hits(at_last, lower) == {}
    assert upper.isdisjoint(lower)


def test_a_loop_is_refused_when_it_is_negotiated(chain: Chain) -> None:
    """The Provider may not buy its own region from the Aggregator, nor the Aggregator its own from the Reseller."""
    market = chain.market
    made = {}
    for seller, buyer, region in ((market.rita, market.pia, FIRST), (chain.tom, market.rita, SECOND)):
        body = {"domain": {"name": "circle"}}
        domain = seller.ask("POST", "RegionOne", "identity", "/domains", 201, json=body)["domain"]["id"]
        document = {"name": "circle", "domain_id": domain, "services": ["image"], "resources": {"region": region}}
        made[seller.cloud] = seller.ask("POST", *PLANE, "/v1/virtual-regions", 201, json=document)["id"]
        path = f"/v1/virtual-regions/{made[seller.cloud]}/offer"
        seller.ask("POST", *PLANE, path, json={"peers": [buyer.cloud]})
    for buyer, seller, owners in (
        (market.pia, market.rita, ["Provider"]),
        (market.rita, chain.tom, ["Aggregator", "Provider"]),
    ):
        region = made[seller.cloud]
        offers = buyer.ask("GET", *PLANE, f"/v1/offers?provider={seller.cloud}")["offers"]
        assert region not in {offer["virtual_region"] for offer in offers}
        terms = {
            "virtual_region": region,
            "version": 1,
            "region_name": "circle",
            "services": ["image"],
            "from": "2020-01-01T00:00:00Z",
            "answer_by": "2099-01-01T00:00:00Z",
        }
        # Who says whose it is cannot ask for it; who hides that gets it from no honest seller.
        asked = {"provider": seller.cloud, "terms": terms | {"owners": owners}}
        refused = buyer.ask("POST", *PLANE, "/v1/contracts", 409, json=asked)
        assert refused["error"]["openstackoid_code"] == "contract.loop"
        contract = buyer.ask("POST", *PLANE, "/v1/contracts", 201, json=asked | {"terms": terms})["id"]
        path = f"/v1/contracts/{contract}"
        until(lambda: seller.send("GET", f"{seller.catalog[PLANE]}{path}").ok)  # noqa: B023 - done before the next round
        refused = seller.ask("POST", *PLANE, f"{path}/events", 409, json={"event": "accept"})
        assert refused["error"]["openstackoid_code"] == "contract.loop"
        seller.ask("POST", *PLANE, f"{path}/events", json={"event": "reject"})
