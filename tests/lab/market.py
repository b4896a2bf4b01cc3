"""An aggregator, its provider, and the people there: how tests negotiate about regions and use them, with every byte between the clouds recorded."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import yaml
from requests.adapters import HTTPAdapter
from tests import commands
from tests.lab.endings import managed
from tests.real.tools import Config, reconfigured
from tests.real.wire import Recorder, Tape

from openstackoid.lab import Cloud, Lab

SERVICES: Final = ["compute", "image", "network"]
QUOTA: Final = {"instances": 3, "cores": 3, "networks": 5, "ports": 6}  # of V2
XAVIER: Final = "xavier-5c1f"  # names that stand nowhere else
PROJECT: Final = "blackboard-5c1f"
PASSWORD: Final = "a-password-of-the-tests-5c1f"
EMAIL: Final = "blue+chalk-5c1f@example.org"
XAVIERS_ADDRESS: Final = "127.77.66.55"
# All that clients, and proxies before a gateway, say of somebody.
TELLING: Final = {
    "User-Agent": f"{XAVIER}-client/1.0",
    "X-Forwarded-For": XAVIERS_ADDRESS,
    "X-Real-IP": XAVIERS_ADDRESS,
    "Forwarded": f"for={XAVIERS_ADDRESS};host={XAVIER}.example",
    "Via": f"1.1 {XAVIER}.example",
    "From": EMAIL,
    "Referer": f"http://{XAVIER}.example/",
    "Cookie": f"user={XAVIER}",
    "X-User-Name": XAVIER,
    "X-Project-Name": PROJECT,
}


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


class From(HTTPAdapter):
    """Connections from one address."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, source_address=(XAVIERS_ADDRESS, 0))


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
        self.session = requests.Session()
        answer = self.session.post(f"{auth['auth_url']}/auth/tokens", json=body, timeout=120)
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
        return self.session.request(method, url, headers=headers, timeout=180, **more)

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
    tape: Tape = field(default_factory=Tape)  # what the two clouds said to each other

    def words(self) -> list[str]:
        """All that says who somebody at the aggregator is: ids of all, and names that stand nowhere else."""
        identity = ("RegionOne", "identity")
        ids = [one["id"] for kind in ("users", "projects") for one in self.rita.ask("GET", *identity, f"/{kind}")[kind]]
        return [*ids, XAVIER, PROJECT, PASSWORD, EMAIL, XAVIERS_ADDRESS]

    def event(self, person: Person, region: str, event: str, state: str) -> None:
        """Cause an event, and wait until both sides are there."""
        path = f"/v1/contracts/{self.contracts[region]}"
        person.ask("POST", "RegionOne", "virtual-region", f"{path}/events", json={"event": event})
        for side in (self.rita, self.pia):
            until(partial(_is_in, side, path, state))


def _is_in(side: Person, path: str, state: str) -> bool:
    return bool(side.ask("GET", "RegionOne", "virtual-region", path)["state"] == state)


@contextmanager
def opened(lab: Lab) -> Iterator[Market]:
    """Two regions of a lab that runs, and a user of them; recorders stand before each cloud's door."""
    tape, moved = Tape(), {name: partial(behind, cloud) for name, cloud in lab.clouds.items()}
    with reconfigured(lab, **moved), closing(Recorder()) as recorder:
        for cloud in lab.clouds.values():
            door, place = (address(url) for url in (cloud.peering, door_behind(cloud)))
            recorder.record(tape, door, place, (cloud.certificate, cloud.certificate_key))
        rita, pia = (Person(lab.clouds_yaml, f"{name}-admin") for name in lab.clouds)
        before = dict(rita.catalog)
        contracts = {region: sold(rita, pia, region, lab) for region in ("V1", "V2")}
        yield Market(lab, rita, pia, new_user(lab, rita), contracts, before, tape)


def door_behind(cloud: Cloud) -> str:
    """Where a cloud's peering listener is, behind the recorder."""
    return cloud.peering.replace(cloud.frontend_host, f"{cloud.frontend_host.rpartition('.')[0]}.6")


def behind(cloud: Cloud, config: Config) -> None:
    config["peering"]["listen"] = door_behind(cloud).partition("//")[2]


def address(url: str) -> tuple[str, int]:
    where = urlsplit(url)
    return where.hostname or "", where.port or 0


def sold(rita: Person, pia: Person, region: str, lab: Lab | None = None, **changed: Any) -> str:
    """Offer, request, accept, bind; returns the contract's id. With the lab the domain has a manager, so that the provider sets up by itself."""
    if lab is None:
        body = {"domain": {"name": f"of-{region}"}}
        domain = pia.ask("POST", "RegionOne", "identity", "/domains", 201, json=body)["domain"]["id"]
    else:
        domain, _ = managed(lab, pia, region)
    plane = ("RegionOne", "virtual-region")
    document: dict[str, Any] = {"name": f"part-{region}", "domain_id": domain, "services": SERVICES}
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
        "quota": QUOTA if region == "V2" else {},
        **changed,
    }
    asked = {"provider": "Provider", "terms": terms}
    contract = str(rita.ask("POST", *plane, "/v1/contracts", 201, json=asked)["id"])

    def state(side: Person) -> str:
        listed = side.ask("GET", *plane, "/v1/contracts")["contracts"]
        return next((str(row["state"]) for row in listed if row["id"] == contract), "")

    until(lambda: state(pia) == "requested")
    for event in ("accept", "provision", "activate") if lab is None else ("accept",):
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
    body = {"user": {"name": XAVIER, "password": PASSWORD, "email": EMAIL}}
    user = rita.ask("POST", *identity, "/users", 201, json=body)["user"]["id"]
    role = rita.ask("GET", *identity, "/roles?name=member")["roles"][0]["id"]
    rita.ask("PUT", *identity, f"/projects/{project}/users/{user}/roles/{role}", 204)
    document = yaml.safe_load(lab.clouds_yaml.read_text())
    entry = json.loads(json.dumps(document["clouds"]["Aggregator"]))
    entry["auth"] |= {"username": XAVIER, "password": PASSWORD, "project_name": PROJECT}
    file = lab.directory / "xavier.yaml"
    file.write_text(yaml.safe_dump({"clouds": {"xavier": entry}}))
    person = Person(file, "xavier")
    person.session.headers.update(TELLING)
    person.session.mount("http://", From())
    # Gateways of both sides read their databases twice a second.
    until(lambda: all(person.send("GET", f"{person.catalog[region, 'image']}/v2/images").ok for region in ("V1", "V2")))
    return person
