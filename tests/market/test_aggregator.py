"""An aggregator and a provider of real clouds: two regions that are two contracts with the same provider, used by clients that know nothing of it."""

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import pytest
import requests
from tests.lab.anonymity import hits
from tests.market.market import PASSWORD, SERVICES, XAVIERS, Market, answered, until
from tests.real.evidence import stored

from openstackoid.trust import key_files, tokens

pytestmark = pytest.mark.real

HOST: Final = ".143.2:"  # the aggregator's frontends


def test_a_server_in_a_region_by_the_stock_client(market: Market) -> None:
    xavier = market.xavier
    network = xavier.openstack("--os-region-name", "V1", "network", "create", "mine")
    assert network["project_id"] == xavier.project
    subnet = ("subnet", "create", "mine", "--network", "mine", "--subnet-range", "10.0.0.0/24")
    xavier.openstack("--os-region-name", "V1", *subnet)
    options = ("--image", "cirros", "--flavor", "m1.tiny", "--network", "mine", "--wait")
    server = xavier.openstack("--os-region-name", "V1", "server", "create", "vm", *options)
    assert (server["status"], server["project_id"], server["user_id"]) == ("ACTIVE", xavier.project, xavier.user)
    assert [row["Name"] for row in xavier.openstack("--os-region-name", "V1", "server", "list")] == ["vm"]
    # The other contract with the same provider is another region: other projects, other users.
    assert xavier.openstack("--os-region-name", "V2", "server", "list") == []
    assert xavier.ask("GET", "V2", "network", "/v2.0/networks?name=mine")["networks"] == []
    for region in ("V1", "V2"):
        key = {"keypair": {"name": "key"}}
        xavier.ask("POST", region, "compute", "/os-keypairs", json=key)
    servers = market.pia.ask("GET", "RegionOne", "compute", "/servers/detail?all_tenants=1")["servers"]
    (there,) = [row for row in servers if row["id"] == server["id"]]
    project = market.pia.ask("GET", "RegionOne", "identity", f"/projects/{there['tenant_id']}")["project"]
    domains = market.pia.ask("GET", "RegionOne", "identity", "/domains?name=of-V1")["domains"]
    assert project["domain_id"] == domains[0]["id"]


def test_catalog_versions_links_and_pages_are_the_aggregators(market: Market) -> None:
    """By a client that knows the catalog, and follows links."""
    xavier = market.xavier
    assert {kind for region, kind in xavier.catalog if region == "V1"} == {"identity", *SERVICES}
    for kind in SERVICES:
        url = xavier.catalog["V1", kind]
        assert HOST in url
        root = xavier.send("GET", url.partition("/v2")[0] + "/")
        assert root.status_code in {200, 300}, root.text
        versions = root.json()["versions"]
        links = [link["href"] for version in versions for link in version["links"] if link["rel"] == "self"]
        assert links
        for href in links:
            assert href.startswith(url.partition("/v2")[0]), href
    (server,) = xavier.ask("GET", "V1", "compute", "/servers")["servers"]
    (link,) = [link["href"] for link in server["links"] if link["rel"] == "self"]
    assert link.startswith(xavier.catalog["V1", "compute"])
    assert xavier.send("GET", link).json()["server"]["id"] == server["id"]
    for name in ("one", "two", "three"):
        xavier.ask("POST", "V2", "network", "/v2.0/networks", 201, json={"network": {"name": name}})
    seen, url = [], f"{xavier.catalog['V2', 'network']}/v2.0/networks?router:external=false&limit=1"
    while url:
        assert url.startswith(xavier.catalog["V2", "network"])
        answer = xavier.send("GET", url)
        assert ".144." not in answer.text  # addresses of the provider
        page = answer.json()
        seen += [network["name"] for network in page["networks"]]
        assert all(network["tenant_id"] == xavier.project for network in page["networks"])
        url = next((link["href"] for link in page.get("networks_links", []) if link["rel"] == "next"), "")
    assert sorted(seen) == ["one", "three", "two"]
    page = xavier.ask("GET", "V1", "image", "/v2/images?limit=1")
    assert page["next"].startswith(("/scope/V1/image/", "/v2/images"))
    limits = xavier.ask("GET", "V1", "compute", f"/os-quota-sets/{xavier.project}")["quota_set"]
    assert limits["id"] == xavier.project


def test_image_data_goes_up_and_comes_down(market: Market) -> None:
    xavier, data = market.xavier, secrets.token_bytes(1 << 20)
    fields = {"name": "mine", "disk_format": "raw", "container_format": "bare"}
    made = xavier.ask("POST", "V1", "image", "/v2/images", 201, json=fields)
    assert made["owner"] == xavier.project
    path = f"/v2/images/{made['id']}/file"
    xavier.ask("PUT", "V1", "image", path, 204, data=data)
    assert xavier.ask("GET", "V1", "image", path).content == data
    other = xavier.send("GET", f"{xavier.catalog['V2', 'image']}/v2/images/{made['id']}")
    assert other.status_code == 404


def test_what_is_not_in_the_region_is_neither_seen_nor_used(market: Market) -> None:
    """V2 has one flavor, image and external network; V1 has all of them."""
    xavier = market.xavier

    def ids(region: str, kind: str, path: str, key: str) -> dict[str, str]:
        return {item["name"]: item["id"] for item in xavier.ask("GET", region, kind, path)[key]}

    flavors, there = (ids(region, "compute", "/flavors/detail", "flavors") for region in ("V1", "V2"))
    assert (set(flavors), set(there)) == ({"m1.tiny", "m1.big"}, {"m1.tiny"})
    images, there = (ids(region, "image", "/v2/images?visibility=public", "images") for region in ("V1", "V2"))
    assert (set(images), set(there)) == ({"cirros", "cirros-provider"}, {"cirros"})
    external = "/v2.0/networks?router:external=true"
    networks, there = (ids(region, "network", external, "networks") for region in ("V1", "V2"))
    assert (set(networks), set(there)) == ({"public", "other"}, {"public"})
    xavier.ask("GET", "V2", "compute", f"/flavors/{flavors['m1.big']}", 404)
    xavier.ask("GET", "V2", "image", f"/v2/images/{images['cirros-provider']}", 404)
    xavier.ask("GET", "V2", "image", f"/v2/images/{images['cirros-provider']}/file", 404)
    assert xavier.ask("GET", "V2", "image", f"/v2/images/{images['cirros']}/file").content
    xavier.ask("GET", "V2", "network", f"/v2.0/networks/{networks['other']}", 404)

    network = ids("V2", "network", "/v2.0/networks?name=one", "networks")["one"]
    good: dict[str, Any] = {"name": "vm", "flavorRef": flavors["m1.tiny"], "imageRef": images["cirros"]}
    good["networks"] = [{"uuid": network}]
    for wrong, why in (
        ({"flavorRef": flavors["m1.big"]}, "not in this region"),
        ({"imageRef": images["cirros-provider"]}, "image"),
        ({"networks": [{"uuid": networks["other"]}]}, "etwork"),
    ):
        answer = xavier.ask("POST", "V2", "compute", "/servers", 400, json={"server": good | wrong})
        assert why in json.dumps(answer)
    router = {"router": {"external_gateway_info": {"network_id": networks["other"]}}}
    refused = xavier.ask("POST", "V2", "network", "/v2.0/routers", 400, json=router)
    assert refused["error"]["openstackoid_code"] == "region.outside"
    subnet = {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"}}
    xavier.ask("POST", "V2", "network", "/v2.0/subnets", 201, json=subnet)
    xavier.ask("POST", "V2", "compute", "/servers", 202, json={"server": good})


def test_the_quota_of_a_region_is_hard_and_shown(market: Market) -> None:
    """By nova's and neutron's own quotas of the sub-project, which never pass the region's; V1 has none."""
    xavier, pia = market.xavier, market.pia
    servers = xavier.ask("GET", "V2", "compute", "/servers/detail")["servers"]
    shown = xavier.openstack("--os-region-name", "V2", "limits", "show", "--absolute")
    limits = {row["Name"]: row["Value"] for row in shown}
    assert (limits["instances"], limits["total_cores"]) == (3, 3)
    networks = xavier.ask("GET", "V2", "network", f"/v2.0/quotas/{xavier.project}/details")["quota"]["network"]
    assert networks["limit"] == 5

    (flavor,) = xavier.ask("GET", "V2", "compute", "/flavors")["flavors"]
    images = xavier.ask("GET", "V2", "image", "/v2/images?name=cirros")["images"]
    network = xavier.ask("GET", "V2", "network", "/v2.0/networks?name=one")["networks"][0]["id"]
    wanted = {"name": "more", "flavorRef": flavor["id"], "imageRef": images[0]["id"], "networks": [{"uuid": network}]}

    def create(_: int = 0) -> requests.Response:
        return xavier.send("POST", f"{xavier.catalog['V2', 'compute']}/servers", json={"server": wanted})

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(create, range(4)))
    made = [answer.json()["server"]["id"] for answer in answers if answer.status_code == 202]
    assert len(made) == 3 - len(servers), [answer.text for answer in answers]
    refused = next(answer for answer in answers if answer.status_code != 202)
    assert (refused.status_code, refused.json()["error"]["openstackoid_code"]) == (403, "region.quota")

    def shown_server(server: str) -> dict[str, Any]:
        found: dict[str, Any] = xavier.ask("GET", "V2", "compute", f"/servers/{server}")["server"]
        return found

    def has_left_build(server: str) -> bool:
        return bool(shown_server(server)["status"] != "BUILD")

    for server in made:
        until(partial(has_left_build, server))
        one = shown_server(server)
        assert one["status"] == "ACTIVE", one.get("fault")
    # The services' own quotas: what is leased, and no more; other projects of the provider keep theirs.
    every = pia.ask("GET", "RegionOne", "compute", "/servers/detail?all_tenants=1")["servers"]
    (local,) = {row["tenant_id"] for row in every if row["id"] in made}
    assert pia.ask("GET", "RegionOne", "compute", f"/os-quota-sets/{local}")["quota_set"]["instances"] == 3
    others = {row["tenant_id"] for row in every} - {local}
    for project in others:
        assert pia.ask("GET", "RegionOne", "compute", f"/os-quota-sets/{project}")["quota_set"]["instances"] == 10
    xavier.send("DELETE", f"{xavier.catalog['V2', 'compute']}/servers/{made[0]}")
    answered(create, 202)


def test_nobody_at_the_provider_learns_who_the_user_is(market: Market) -> None:
    """Every byte between the two clouds, and everything that the provider keeps; where the words are, the same search finds each."""
    provider, aggregator = (market.lab.clouds[name] for name in ("Provider", "Aggregator"))
    words = XAVIERS.words(market.rita)
    kept, crossed = stored(provider), market.crossed()
    assert set(hits(stored(aggregator), words)) == set(words) - {PASSWORD}
    for contract in market.contracts.values():
        assert hits(crossed, [contract]), "the recorders saw nothing"
        assert hits(kept, [contract])
    assert hits((crossed, kept), words) == {}
    # The same user is two people in the two regions.
    keys = key_files.read(aggregator.keys)
    known = [tokens.pseudonym(market.xavier.user, f"contract:{one}", keys) for one in market.contracts.values()]
    assert len(set(known)) == len(known)
    assert set(hits(crossed, known)) == set(known)


def test_suspended_and_resumed(market: Market) -> None:
    xavier = market.xavier
    images = f"{xavier.catalog['V1', 'image']}/v2/images"
    market.event(market.pia, "V1", "suspend", "suspended")
    refused = answered(lambda: xavier.send("GET", images), 403)
    assert refused.json()["error"]["openstackoid_code"] == "contract.suspended"
    assert xavier.send("GET", f"{xavier.catalog['V2', 'image']}/v2/images").status_code == 200
    market.event(market.pia, "V1", "resume", "active")
    answered(lambda: xavier.send("GET", images), 200)
