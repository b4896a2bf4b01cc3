"""An aggregator and a provider of real clouds: two regions that are two contracts with the same provider, used by clients that know nothing of it."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import yaml
from tests import commands

from openstackoid.lab import Lab

pytestmark = pytest.mark.real

ADDRESS: Final = "127.0.56.0"
SERVICES: Final = ["compute", "image", "network"]
XAVIER: Final = "xavier-5c1f"  # names that stand nowhere else
PROJECT: Final = "blackboard-5c1f"
PASSWORD: Final = "a-password-of-the-tests-5c1f"
HOST: Final = ".56.2:"  # the aggregator's frontends


def until(condition: Callable[[], Any], seconds: float = 180) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)
    return found


def answered(ask: Callable[[], requests.Response], status: int) -> requests.Response:
    """The answer when it has this status: a gateway reads its database twice a second."""
    answers: list[requests.Response] = []

    def there() -> bool:
        answers[:] = [ask()]
        return answers[0].status_code == status

    until(there)
    return answers[0]


@dataclass
class Person:
    """A user of a cloud, by plain HTTP, who follows the catalog and links, and by the stock client.

    Attributes:
        file: `clouds.yaml` with the user's entry.
        entry: its name.
    """

    file: Path
    entry: str

    def __post_init__(self) -> None:
        auth = yaml.safe_load(self.file.read_text())["clouds"][self.entry]["auth"]
        user = {"name": auth["username"], "password": auth["password"], "domain": {"name": "Default"}}
        project = {"name": auth["project_name"], "domain": {"name": "Default"}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body: Any = {"auth": {"identity": identity, "scope": {"project": project}}}
        answer = requests.post(f"{auth['auth_url']}/auth/tokens", json=body, timeout=120)
        assert answer.status_code == 201, answer.text
        self.token = answer.headers["X-Subject-Token"]
        said = answer.json()["token"]
        self.user, self.project = said["user"]["id"], said["project"]["id"]
        self.catalog = {
            (point["region"], service["type"]): point["url"]
            for service in said["catalog"]
            for point in service["endpoints"]
            if point["interface"] == "public"
        }

    def send(self, method: str, url: str, **more: Any) -> requests.Response:
        headers = {"X-Auth-Token": self.token} | (
            {"Content-Type": "application/octet-stream"} if "data" in more else {}
        )
        return requests.request(method, url, headers=headers, timeout=180, **more)

    def ask(self, method: str, region: str, kind: str, path: str, status: int = 200, **more: Any) -> Any:
        answer = self.send(method, self.catalog[region, kind] + path, **more)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.text and "json" in answer.headers.get("Content-Type", "") else answer

    def openstack(self, *words: str) -> Any:
        env = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        env |= {"OS_CLIENT_CONFIG_FILE": str(self.file), "OS_CLOUD": self.entry}
        line = [str(Path(sys.executable).with_name("openstack")), *words, "-f", "json"]
        done = commands.run(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@dataclass
class Market:
    """An aggregator with regions V1 and V2 of one provider."""

    lab: Lab
    rita: Person  # operator of the aggregator
    pia: Person  # operator of the provider
    xavier: Person  # user of the aggregator
    contracts: dict[str, str]
    before: dict[tuple[str, str], str]  # the catalog without regions

    def event(self, person: Person, region: str, event: str, state: str) -> None:
        """Cause an event, and wait until both sides are there."""
        path = f"/v1/contracts/{self.contracts[region]}"
        person.ask("POST", "RegionOne", "virtual-region", f"{path}/events", json={"event": event})
        for side in (self.rita, self.pia):
            until(partial(_is_in, side, path, state))


def _is_in(side: Person, path: str, state: str) -> bool:
    return bool(side.ask("GET", "RegionOne", "virtual-region", path)["state"] == state)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    lab = Lab(tmp_path_factory.mktemp("aggregator"), ["Aggregator", "Provider"], ADDRESS, aggregator=True)
    try:
        lab.up(print)
        rita, pia = (Person(lab.clouds_yaml, f"{name}-admin") for name in lab.clouds)
        before = dict(rita.catalog)
        contracts = {region: sold(rita, pia, region) for region in ("V1", "V2")}
        xavier = new_user(lab, rita)
        yield Market(lab, rita, pia, xavier, contracts, before)
    finally:
        lab.reset()


def sold(rita: Person, pia: Person, region: str) -> str:
    """Offer, request, accept, bind; returns the contract's id."""
    domain = pia.ask("POST", "RegionOne", "identity", "/domains", 201, json={"domain": {"name": f"of-{region}"}})
    plane = ("RegionOne", "virtual-region")
    document = {"name": f"part-{region}", "domain_id": domain["domain"]["id"], "services": SERVICES}
    if region == "V2":
        document["resources"] = resources(pia)
    made = pia.ask("POST", *plane, "/v1/virtual-regions", 201, json=document)
    pia.ask("POST", *plane, f"/v1/virtual-regions/{made['id']}/offer", json={"peers": ["Aggregator"]})
    terms = {
        "virtual_region": made["id"],
        "version": 1,
        "region_name": region,
        "services": SERVICES,
        "from": "2020-01-01T00:00:00Z",
        "answer_by": "2099-01-01T00:00:00Z",
    }
    asked = {"provider": "Provider", "terms": terms}
    contract = str(rita.ask("POST", *plane, "/v1/contracts", 201, json=asked)["id"])

    def state(side: Person) -> str:
        listed = side.ask("GET", *plane, "/v1/contracts")["contracts"]
        return next((str(row["state"]) for row in listed if row["id"] == contract), "")

    until(lambda: state(pia) == "requested")
    for event in ("accept", "provision", "activate"):
        pia.ask("POST", *plane, f"/v1/contracts/{contract}/events", json={"event": event})
    until(lambda: state(rita) == "active")
    rita.ask("POST", *plane, "/v1/bindings", 201, json={"region": region, "contract": contract})
    until(lambda: rita.ask("GET", *plane, f"/v1/bindings/{region}")["state"] == "bound")
    return contract


def resources(pia: Person) -> dict[str, list[str]]:
    """One flavor, image and external network of two of each."""
    big = {"flavor": {"name": "m1.big", "vcpus": 8, "ram": 8192, "disk": 8}}
    pia.ask("POST", "RegionOne", "compute", "/flavors", json=big)
    for name in ("public", "other"):
        network = {"network": {"name": name, "router:external": True}}
        pia.ask("POST", "RegionOne", "network", "/v2.0/networks", 201, json=network)
    flavors = pia.ask("GET", "RegionOne", "compute", "/flavors")["flavors"]
    images = pia.ask("GET", "RegionOne", "image", "/v2/images")["images"]
    networks = pia.ask("GET", "RegionOne", "network", "/v2.0/networks")["networks"]
    return {
        "flavors": [flavor["id"] for flavor in flavors if flavor["name"] == "m1.tiny"],
        "images": [image["id"] for image in images if image["name"] == "cirros"],
        "external_networks": [network["id"] for network in networks if network["name"] == "public"],
    }


def new_user(lab: Lab, rita: Person) -> Person:
    """A user and a project of the aggregator whose names stand nowhere else."""
    identity = ("RegionOne", "identity")
    project = rita.ask("POST", *identity, "/projects", 201, json={"project": {"name": PROJECT}})["project"]["id"]
    body = {"user": {"name": XAVIER, "password": PASSWORD}}
    user = rita.ask("POST", *identity, "/users", 201, json=body)["user"]["id"]
    role = rita.ask("GET", *identity, "/roles?name=member")["roles"][0]["id"]
    rita.ask("PUT", *identity, f"/projects/{project}/users/{user}/roles/{role}", 204)
    document = yaml.safe_load(lab.clouds_yaml.read_text())
    entry = json.loads(json.dumps(document["clouds"]["Aggregator"]))
    entry["auth"] |= {"username": XAVIER, "password": PASSWORD, "project_name": PROJECT}
    file = lab.directory / "xavier.yaml"
    file.write_text(yaml.safe_dump({"clouds": {"xavier": entry}}))
    person = Person(file, "xavier")
    # Gateways of both sides read their databases twice a second.
    until(lambda: all(person.send("GET", f"{person.catalog[region, 'image']}/v2/images").ok for region in ("V1", "V2")))
    return person


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
    for name in ("one", "two", "three"):
        xavier.ask("POST", "V2", "network", "/v2.0/networks", 201, json={"network": {"name": name}})
    seen, url = [], f"{xavier.catalog['V2', 'network']}/v2.0/networks?router:external=false&limit=1"
    while url:
        assert url.startswith(xavier.catalog["V2", "network"])
        answer = xavier.send("GET", url)
        assert ".57." not in answer.text  # addresses of the provider
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


def test_nobody_at_the_provider_learns_who_the_user_is(market: Market) -> None:
    """Everything that the provider's services, gateway, control plane and HAProxy have written."""
    names = [text.encode() for text in (market.xavier.user, market.xavier.project, XAVIER, PROJECT, PASSWORD)]
    folder = market.lab.clouds["Provider"].directory
    files = [path for part in ("db", "logs") for path in (folder / part).rglob("*") if path.is_file()]
    assert any(path.name.startswith("nova.sqlite") for path in files)
    found = [(path.name, name) for path in files for name in names if name in path.read_bytes()]
    assert found == []


def test_suspended_and_resumed(market: Market) -> None:
    xavier = market.xavier
    images = f"{xavier.catalog['V1', 'image']}/v2/images"
    market.event(market.pia, "V1", "suspend", "suspended")
    refused = answered(lambda: xavier.send("GET", images), 403)
    assert refused.json()["error"]["openstackoid_code"] == "contract.suspended"
    assert xavier.send("GET", f"{xavier.catalog['V2', 'image']}/v2/images").status_code == 200
    market.event(market.pia, "V1", "resume", "active")
    answered(lambda: xavier.send("GET", images), 200)


def test_ended_and_unbound(market: Market) -> None:
    xavier = market.xavier
    images = f"{xavier.catalog['V1', 'image']}/v2/images"
    market.event(market.rita, "V1", "end", "ending")
    keypair = {"keypair": {"name": "late"}}

    def create() -> requests.Response:
        return xavier.send("POST", f"{xavier.catalog['V1', 'compute']}/os-keypairs", json=keypair)

    refused = answered(create, 403)
    assert refused.json()["error"]["openstackoid_code"] == "agreement.rule"
    assert xavier.send("GET", images).status_code == 200  # the grace time
    for server in xavier.ask("GET", "V1", "compute", "/servers")["servers"]:
        xavier.ask("DELETE", "V1", "compute", f"/servers/{server['id']}", 204)
    plane = ("RegionOne", "virtual-region")
    for region in ("V1", "V2"):
        market.rita.ask("DELETE", *plane, f"/v1/bindings/{region}")
    until(lambda: market.rita.ask("GET", *plane, "/v1/bindings")["bindings"] == [])
    assert Person(market.lab.clouds_yaml, "Aggregator-admin").catalog == market.before
    answered(lambda: xavier.send("GET", images), 404)
