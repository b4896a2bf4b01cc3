"""An aggregator, its provider, who buys from it, and the people there: how tests negotiate about regions and use them, with every byte between the clouds recorded."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
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
from tests.market.endings import managed
from tests.real.tools import Config, reconfigured
from tests.real.wire import Recorder, Tape

from openstackoid.lab import Cloud, Lab

SERVICES: Final = ["compute", "image", "network"]
QUOTA: Final = {"instances": 3, "cores": 3, "networks": 5, "ports": 6}  # of V2
XAVIER: Final = "xavier-5c1f"  # names that stand nowhere else
PROJECT: Final = "blackboard-5c1f"
PASSWORD: Final = "a-password-of-the-tests-5c1f"
EMAIL: Final = "blue+chalk-5c1f@example.org"


@dataclass(frozen=True)
class Names:
    """What says who somebody is: each stands nowhere else."""

    user: str
    project: str
    password: str
    email: str
    address: str

    @property
    def telling(self) -> dict[str, str]:
        """All that clients, and proxies before a gateway, say of somebody."""
        return {
            "User-Agent": f"{self.user}-client/1.0",
            "X-Forwarded-For": self.address,
            "X-Real-IP": self.address,
            "Forwarded": f"for={self.address};host={self.user}.example",
            "Via": f"1.1 {self.user}.example",
            "From": self.email,
            "Referer": f"http://{self.user}.example/",
            "Cookie": f"user={self.user}",
            "X-User-Name": self.user,
            "X-Project-Name": self.project,
        }

    def words(self, operator: "Person") -> list[str]:
        """All that says who somebody at the operator's cloud is: these, and the ids of all users and projects there."""
        identity = ("RegionOne", "identity")
        ids = [one["id"] for kind in ("users", "projects") for one in operator.ask("GET", *identity, f"/{kind}")[kind]]
        return [*ids, self.user, self.project, self.password, self.email, self.address]


XAVIERS: Final = Names(XAVIER, PROJECT, PASSWORD, EMAIL, "127.77.66.55")


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

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, source_address=(self._address, 0))


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

    @property
    def cloud(self) -> str:
        """Of an operator: which cloud's."""
        return self.entry.removesuffix("-admin")

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
        return json.loads(self.run("openstack", *words, "-f", "json"))

    def run(self, program: str, *words: str) -> str:
        """What a command of the stock client prints."""
        assert program == "openstack"
        env = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        env |= {"OS_CLIENT_CONFIG_FILE": str(self.file), "OS_CLOUD": self.entry}
        line = [str(Path(sys.executable).with_name(program)), *words]
        done = commands.run(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)


@dataclass
class Market:
    """An aggregator with regions V1 and V2 of one provider; `tom`, if the lab has one, operates another aggregator that buys from it."""

    lab: Lab
    rita: Person  # operator of the aggregator
    pia: Person  # operator of the provider
    xavier: Person  # user of the aggregator
    contracts: dict[str, str]
    before: dict[tuple[str, str], str]  # the catalog without regions
    tapes: dict[str, Tape] = field(default_factory=dict)  # cloud -> what was said at its door

    @property
    def tom(self) -> Person:
        return Person(self.lab.clouds_yaml, f"{self.lab.state.buyer}-admin")

    def crossed(self, *clouds: str) -> bytes:
        """All that was said at these clouds' doors, or at all."""
        return b"\n".join(bytes(tape) for cloud, tape in self.tapes.items() if cloud in (clouds or self.tapes))

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
    tapes, moved = (
        {name: Tape() for name in lab.clouds},
        {name: partial(behind, cloud) for name, cloud in lab.clouds.items()},
    )
    with reconfigured(lab, **moved), closing(Recorder()) as recorder:
        for cloud in lab.clouds.values():
            door, place = (address(url) for url in (cloud.peering, door_behind(cloud)))
            recorder.record(tapes[cloud.name], door, place, (cloud.certificate, cloud.certificate_key))
        rita, pia = (Person(lab.clouds_yaml, f"{name}-admin") for name in ("Aggregator", "Provider"))
        before = dict(rita.catalog)
        contracts = {region: sold(rita, pia, region, lab) for region in ("V1", "V2")}
        yield Market(lab, rita, pia, new_user(lab, rita), contracts, before, tapes)


def door_behind(cloud: Cloud) -> str:
    """Where a cloud's peering listener is, behind the recorder."""
    return cloud.peering.replace(cloud.frontend_host, f"{cloud.frontend_host.rpartition('.')[0]}.6")


def behind(cloud: Cloud, config: Config) -> None:
    config["peering"]["listen"] = door_behind(cloud).partition("//")[2]


def address(url: str) -> tuple[str, int]:
    where = urlsplit(url)
    return where.hostname or "", where.port or 0


def sold(
    rita: Person,
    pia: Person,
    region: str,
    lab: Lab | None = None,
    choice: dict[str, Any] | None = None,
    countered: dict[str, Any] | None = None,
    **changed: Any,
) -> str:
    """Offer, request, accept, bind; returns the contract's id.

    Args:
        rita: buys.
        pia: sells.
        region: its name at the buyer.
        lab: with it, the domain has a manager, so that the provider sets up by itself.
        choice: the virtual region's resources; those of V2 are chosen here.
        countered: terms with which the seller answers; the buyer accepts them.
        changed: terms.
    """
    if lab is None:
        body = {"domain": {"name": f"of-{region}"}}
        domain = pia.ask("POST", "RegionOne", "identity", "/domains", 201, json=body)["domain"]["id"]
    else:
        domain, _ = managed(lab, pia, region)
    plane = ("RegionOne", "virtual-region")
    document: dict[str, Any] = {"name": f"part-{region}", "domain_id": domain}
    document["services"] = changed.get("services", SERVICES)
    if region == "V2":
        choice = resources(pia)
    if choice:
        document["resources"] = choice
    made = pia.ask("POST", *plane, "/v1/virtual-regions", 201, json=document)
    pia.ask("POST", *plane, f"/v1/virtual-regions/{made['id']}/offer", json={"peers": [rita.cloud]})
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
    asked = {"provider": pia.cloud, "terms": terms}
    contract = str(rita.ask("POST", *plane, "/v1/contracts", 201, json=asked)["id"])

    def state(side: Person) -> str:
        listed = side.ask("GET", *plane, "/v1/contracts")["contracts"]
        return next((str(row["state"]) for row in listed if row["id"] == contract), "")

    until(lambda: state(pia) == "requested")
    if countered:
        path = f"/v1/contracts/{contract}/events"
        pia.ask("POST", *plane, path, json={"event": "counter", "terms": terms | countered})
        until(lambda: state(rita) == "countered")
        rita.ask("POST", *plane, path, json={"event": "accept"})
        until(lambda: state(pia) != "countered")
    events = ("accept", "provision", "activate") if lab is None else ("accept",)
    for event in events[bool(countered) :]:
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


def new_user(lab: Lab, rita: Person, names: Names = XAVIERS, regions: Sequence[str] = ("V1", "V2")) -> Person:
    """A user and a project of an operator's cloud, when these regions serve them."""
    identity = ("RegionOne", "identity")
    project = rita.ask("POST", *identity, "/projects", 201, json={"project": {"name": names.project}})["project"]["id"]
    body = {"user": {"name": names.user, "password": names.password, "email": names.email}}
    user = rita.ask("POST", *identity, "/users", 201, json=body)["user"]["id"]
    role = rita.ask("GET", *identity, "/roles?name=member")["roles"][0]["id"]
    rita.ask("PUT", *identity, f"/projects/{project}/users/{user}/roles/{role}", 204)
    document = yaml.safe_load(lab.clouds_yaml.read_text())
    entry = json.loads(json.dumps(document["clouds"][rita.cloud]))
    entry["auth"] |= {"username": names.user, "password": names.password, "project_name": names.project}
    name = names.user.partition("-")[0]
    file = lab.directory / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"clouds": {name: entry}}))
    person = Person(file, name)
    person.session.headers.update(names.telling)
    person.session.mount("http://", From(names.address))
    # Gateways of both sides read their databases twice a second.
    until(lambda: all(person.send("GET", f"{person.catalog[region, 'image']}/v2/images").ok for region in regions))
    return person
