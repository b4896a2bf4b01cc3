"""Users of many projects who create at the same time in a region with little left, over two gateways of each cloud, before a real nova."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import pytest
import requests
from tests.market.market import Market, Person, sold, until
from tests.market.second import audit, second_gateways, there
from tests.volume import volume

pytestmark = pytest.mark.real

REGION: Final = "V7"
CROWD: Final = volume(20, 2)  # users
ROOM: Final = 7  # servers
TAKEN: Final = 2  # of these, before the others come
PATIENCE: Final = 240.0  # seconds
PASSING: Final = {429, 500, 502, 503, 504}  # nobody was refused for good; 500 is a locked SQLite of the services
VERSION: Final = {"X-OpenStack-Nova-API-Version": "2.37"}  # servers without a network


@dataclass
class Crowd:
    """As many projects of the aggregator, with a user's token each."""

    market: Market
    contract: str
    tokens: dict[str, str]  # project -> token
    server: dict[str, Any]  # what each wants
    url: str  # of the region's nova

    def create(self, project: str, url: str) -> str:
        """The id of a server; empty if the region's quota has no room for it. What fails for another reason is tried again."""
        headers, end = {"X-Auth-Token": self.tokens[project]} | VERSION, time.monotonic() + PATIENCE
        while time.monotonic() < end:
            answer = requests.post(f"{url}/servers", json={"server": self.server}, headers=headers, timeout=180)
            if answer.status_code == 202:
                return str(answer.json()["server"]["id"])
            if answer.status_code not in PASSING:
                assert (answer.status_code, answer.json()["error"].get("openstackoid_code")) == (403, "region.quota")
                return ""
            made = requests.get(f"{url}/servers", headers=headers, timeout=180)
            if made.ok and made.json()["servers"]:  # and only the answer was lost
                return str(made.json()["servers"][0]["id"])
            time.sleep(0.5)
        raise AssertionError(f"not within {PATIENCE} s: {answer.text}")


@pytest.fixture(scope="module")
def crowd(market: Market) -> Crowd:
    rita, xavier, identity = market.rita, market.xavier, ("RegionOne", "identity")
    quota = {"instances": ROOM, "cores": ROOM}
    contract = sold(rita, market.pia, REGION, market.lab, quota=quota)
    role = rita.ask("GET", *identity, "/roles?name=member")["roles"][0]["id"]
    tokens = {}
    for number in range(CROWD):
        body = {"project": {"name": f"crowd-{number}"}}
        project = rita.ask("POST", *identity, "/projects", 201, json=body)["project"]["id"]
        rita.ask("PUT", *identity, f"/projects/{project}/users/{xavier.user}/roles/{role}", 204)
        auth = {
            "identity": {"methods": ["token"], "token": {"id": xavier.token}},
            "scope": {"project": {"id": project}},
        }
        answer = xavier.send("POST", f"{xavier.catalog[identity]}/auth/tokens", json={"auth": auth})
        assert answer.status_code == 201, answer.text
        tokens[project] = answer.headers["X-Subject-Token"]
    one = Person(xavier.file, xavier.entry)  # whose catalog has the region
    until(lambda: one.send("GET", f"{one.catalog[REGION, 'image']}/v2/images").ok)
    flavors = {row["name"]: row["id"] for row in one.ask("GET", REGION, "compute", "/flavors")["flavors"]}
    image = one.ask("GET", REGION, "image", "/v2/images?name=cirros")["images"][0]["id"]
    server = {"name": "vm", "flavorRef": flavors["m1.tiny"], "imageRef": image, "networks": "none"}
    return Crowd(market, contract, tokens, server, one.catalog[REGION, "compute"])


def sub_projects(pia: Person) -> set[str]:
    domain = pia.ask("GET", "RegionOne", "identity", f"/domains?name=of-{REGION}")["domains"][0]["id"]
    found = pia.ask("GET", "RegionOne", "identity", f"/projects?domain_id={domain}")["projects"]
    return {project["id"] for project in found}


def servers(pia: Person, projects: set[str]) -> dict[str, str]:
    """Servers of these projects of the provider: id -> status."""
    every = pia.ask("GET", "RegionOne", "compute", "/servers/detail?all_tenants=1")["servers"]
    return {row["id"]: row["status"] for row in every if row["tenant_id"] in projects}


def quotas(pia: Person, projects: set[str]) -> dict[str, dict[str, int]]:
    """Nova's own quotas."""
    sets = {one: pia.ask("GET", "RegionOne", "compute", f"/os-quota-sets/{one}")["quota_set"] for one in projects}
    return {one: {name: row[name] for name in ("instances", "cores")} for one, row in sets.items()}


def test_the_last_places_go_to_as_many_as_there_are(crowd: Crowd) -> None:
    market, pia = crowd.market, crowd.market.pia
    others = {one["id"] for one in pia.ask("GET", "RegionOne", "identity", "/projects")["projects"]} - sub_projects(pia)
    before = quotas(pia, others), servers(pia, others)
    early, late = list(crowd.tokens)[:TAKEN], list(crowd.tokens)[TAKEN:]
    assert all(crowd.create(project, crowd.url) for project in early)
    with second_gateways(market.lab, "Aggregator", "Provider"):
        ways = [crowd.url, there(market.lab.clouds["Aggregator"], crowd.url)]
        assert len(set(ways)) == 2
        begin = threading.Barrier(len(late))

        def create(number: int) -> str:
            begin.wait(60)
            return crowd.create(late[number], ways[number % 2])

        with ThreadPoolExecutor(len(late)) as pool:
            made = list(pool.map(create, range(len(late))))
    assert len([server for server in made if server]) == ROOM - TAKEN
    ours = sub_projects(pia)
    until(lambda: set(servers(pia, ours).values()) == {"ACTIVE"})
    assert len(servers(pia, ours)) == ROOM
    path = f"/v1/contracts/{crowd.contract}/leases"
    leased = {row["project"] for row in pia.ask("GET", "RegionOne", "virtual-region", path)["leases"]}
    assert len(leased) == CROWD
    assert leased < ours  # the others never asked for anything
    for name in ("instances", "cores"):
        assert sum(row[name] for row in quotas(pia, leased).values()) <= ROOM
    assert (quotas(pia, others), servers(pia, others)) == before
    # Both ways were taken, by the two gateways' audits.
    for cloud in (market.lab.clouds["Aggregator"], market.lab.clouds["Provider"]):
        assert all(crowd.contract in file.read_text() for file in (cloud.audit, audit(cloud)))
