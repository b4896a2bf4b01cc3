"""A home that is cut off stops nobody's running work: what began in CloudTwo ends well there, and ends when its time is over.

Federated tokens live for 45 seconds here, and CloudTwo's clock is believed to the second. Services are held to make work wait: it goes
on when CloudOne's gateway and Keystone are gone, and once more when the token's time is over.

Without HAProxy: it keeps connections to a held service that the service lets go of when it wakes, and nova does not ask again.
"""

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from openstackoid.lab import Lab
from openstackoid.lab.processes import stop

from .conftest import User
from .tools import Config, exchange, federated, part, reconfigure, until

LIFETIME = 45
SIZE = 64 << 20
Rows = Callable[[str, str, str], set[str]]
pytestmark = pytest.mark.topologies("gateway-only")


def short_lives(config: Config) -> None:
    config["trust"] |= {"lifetime": LIFETIME, "skew": 0}


@dataclass
class Traveller:
    """Alice, who went to CloudTwo herself, with a token for it."""

    lab: Lab
    token: str
    network: str = ""

    def ask(self, method: str, kind: str, path: str, **options: Any) -> requests.Response:
        url = self.lab.clouds["CloudTwo"].frontend(kind) + path
        headers = {"X-Auth-Token": self.token} | options.pop("headers", {})
        return requests.request(method, url, headers=headers, timeout=120, **options)

    def done(self, method: str, kind: str, path: str, **options: Any) -> Any:
        answer = self.ask(method, kind, path, **options)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def servers(self) -> set[str]:
        return {server["id"] for server in self.done("GET", "compute", "/v2.1/servers")["servers"]}

    def server(self) -> str:
        """One that is being built."""
        image = self.done("GET", "image", "/v2/images?name=cirros-cloudtwo")["images"][0]["id"]
        flavor = self.done("GET", "compute", "/v2.1/flavors")["flavors"][0]["id"]
        wanted = {"name": "vm", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": self.network}]}
        return str(self.done("POST", "compute", "/v2.1/servers", json={"server": wanted})["server"]["id"])


@pytest.fixture
def traveller(lab: Lab, alice: User) -> Iterator[Traveller]:
    for cloud in ("CloudOne", "CloudTwo"):
        reconfigure(lab, cloud, short_lives)
    there = Traveller(lab, token_for_two(alice))
    network = there.done("POST", "network", "/v2.0/networks", json={"network": {"name": "cut"}})["network"]["id"]
    subnet = {"network_id": network, "ip_version": 4, "cidr": "10.97.0.0/24"}
    there.done("POST", "network", "/v2.0/subnets", json={"subnet": subnet})
    there.network = network
    yield there
    lab.up()
    there.token = token_for_two(alice)
    for server in there.servers():
        there.ask("DELETE", "compute", f"/v2.1/servers/{server}")
    until(lambda: not there.servers())
    there.done("DELETE", "network", f"/v2.0/networks/{network}")


def token_for_two(alice: User) -> str:
    """Once both gateways, which may have just begun, know that they agree."""
    frontend, token = alice.frontend("identity"), alice.token()
    until(lambda: exchange(frontend, token, "CloudTwo").status_code == requests.codes.ok)
    return federated(frontend, token, "CloudTwo")


@contextmanager
def held(lab: Lab, service: str) -> Iterator[None]:
    """A service of CloudTwo that does not answer for a while."""
    process = part(lab, "CloudTwo", service)
    process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)


def cut(lab: Lab) -> None:
    """CloudOne is gone: nobody can ask its gateway, or its Keystone, about anything."""
    processes = [part(lab, "CloudOne", name) for name in ("gateway", "identity")]
    stop(processes, 0)
    until(lambda: not any(process.alive for process in processes))


def active(rows: Rows, server: str) -> bool:
    """What CloudTwo's own nova says."""
    return rows("CloudTwo", "nova", f"select vm_state from instances where uuid = '{server}'") == {"active"}


def test_servers_outlive_their_users_home_and_token(lab: Lab, traveller: Traveller, rows: Rows) -> None:
    with held(lab, "placement"):  # nova asks it when the user has had the answer
        first = traveller.server()
        cut(lab)
        assert not active(rows, first)
    until(lambda: active(rows, first))
    shown = traveller.ask("GET", "compute", f"/v2.1/servers/{first}").json()["server"]
    assert shown["status"] == "ACTIVE"

    # Its network and image are asked for after the token's time: with CloudTwo's own service token beside it.
    with held(lab, "placement"):
        second = traveller.server()
        until(lambda: traveller.ask("GET", "image", "/v2/images").status_code == 401)
        assert not active(rows, second)
    until(lambda: active(rows, second))
    for kind, path in (("image", "/v2/images"), ("compute", "/v2.1/servers"), ("network", "/v2.0/networks")):
        assert traveller.ask("GET", kind, path).status_code == 401
    assert traveller.ask("GET", "image", "/v2/images").json()["error"]["openstackoid_code"] == "token.invalid"


def test_a_download_outlives_its_users_home(lab: Lab, traveller: Traveller) -> None:
    made = {"name": "cut", "disk_format": "raw", "container_format": "bare"}
    image = traveller.done("POST", "image", "/v2/images", json=made)["id"]
    data, raw = os.urandom(SIZE), {"Content-Type": "application/octet-stream"}
    traveller.done("PUT", "image", f"/v2/images/{image}/file", data=data, headers=raw)
    with traveller.ask("GET", "image", f"/v2/images/{image}/file", stream=True) as download:
        came = hashlib.sha256(download.raw.read(1 << 16))
        cut(lab)
        assert traveller.ask("GET", "image", "/v2/images").status_code == 200
        while piece := download.raw.read(1 << 20):
            came.update(piece)
    assert came.digest() == hashlib.sha256(data).digest()
    lab.up()
    traveller.token = token_for_two(User(lab, "CloudOne"))
    traveller.done("DELETE", "image", f"/v2/images/{image}")
