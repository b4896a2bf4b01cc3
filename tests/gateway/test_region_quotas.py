"""The quota of a region over all its projects: two gateways of a provider before services that enforce quotas for each project, as nova and neutron do."""

import contextlib
import copy
import dataclasses
import json
import re
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.gateway.conftest import Owners
from tests.gateway.test_regions import PROVIDER, contract, put
from tests.gateway.wire import Answer, Gateway, Seen, Upstream, ask, reply, until
from tests.ports import free_ports
from tests.volume import volume

from openstackoid.core import scope as scopes
from openstackoid.trust.claims import Named
from openstackoid.trust.contracts import ContractGrant
from openstackoid.trust.grants import Projects

DOMAIN = "9" * 32  # of these tests alone
FLAVOR = {"id": "2", "vcpus": 2, "ram": 512}
SERVICES = ("compute", "image", "network")


def document(seen: Seen) -> Any:
    return json.loads(seen.raw or b"{}")


def marked(token: str | None) -> str:
    return (token or "").partition("~")[0]


@dataclass
class Services:
    """Nova, neutron and glance of a provider, as far as quotas go; a server takes a moment until it is there."""

    compute: Upstream
    network: Upstream
    image: Upstream
    owner: Any
    pause: float = 0.05
    quotas: dict[str, dict[str, int]] = field(default_factory=dict)
    servers: dict[str, list[str]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    peak: int = 0
    stuck: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.stuck.set()
        self.compute.on("/v2.1/servers", self._servers)
        self.compute.on("/v2.1/flavors/2", reply(200, {"flavor": FLAVOR}))
        self.compute.on("/v2.1/os-quota-sets/", self._quota_set)
        self.compute.on("/v2.1/limits", reply(200, {"limits": {"absolute": {"maxTotalCores": 1, "x": 1}}}))
        self.network.on("/v2.0/ports", self._port)
        self.network.on("/v2.0/quotas/", self._network_quota)
        self.image.on("/v2/images", self._images)

    def project(self, seen: Seen) -> str:
        """The project of a federated token, as the provider's gateway would tell nova."""
        return self.of[marked(seen.get("X-Auth-Token"))]

    of: dict[str, str] = field(default_factory=dict)

    def _servers(self, seen: Seen, _: socket.socket) -> bytes:
        query = {name: values[0] for name, values in parse_qs(urlsplit(seen.target).query).items()}
        if seen.method == "GET":
            with self.lock:
                mine = list(self.servers.get(query.get("project_id", ""), ()))
            return reply(200, {"servers": [{"id": one, "flavor": {"vcpus": 2, "ram": 512}} for one in mine]})
        if seen.method == "DELETE":
            with self.lock:
                for mine in self.servers.values():
                    if seen.target.rpartition("/")[2] in mine:
                        mine.remove(seen.target.rpartition("/")[2])
            return reply(204)
        time.sleep(self.pause)
        project, count = self.project(seen), int(document(seen)["server"].get("max_count", 1))
        with self.lock:
            mine = self.servers.setdefault(project, [])
            cores, most = 2 * (len(mine) + count), self.quotas.get(project, {}).get("cores", 20)
            if cores > most:
                return reply(
                    403, {"forbidden": {"code": 403, "message": f"Quota exceeded for cores: {cores} of {most}"}}
                )
            made = [secrets.token_hex(16) for _ in range(count)]
            mine.extend(made)
            self.peak = max(self.peak, sum(map(len, self.servers.values())))
        return reply(202, {"server": {"id": made[0]}})

    def _quota_set(self, seen: Seen, _: socket.socket) -> bytes:
        self.stuck.wait(30)
        project = seen.target.rpartition("/")[2]
        if seen.method == "PUT":
            with self.lock:
                self.puts.append(project)
                given = {name: value for name, value in document(seen)["quota_set"].items() if name != "force"}
                self.quotas.setdefault(project, {}).update(given)
        return reply(200, {"quota_set": self.quotas.get(project, {"cores": 20, "instances": 10})})

    def _network_quota(self, seen: Seen, _: socket.socket) -> bytes:
        project = seen.target.split("/")[3].partition(".")[0]
        if seen.method == "PUT":
            self.puts.append(project)
            self.quotas.setdefault(project, {}).update(document(seen)["quota"])
        limit = self.quotas.get(project, {}).get("port", 50)
        if seen.target.endswith("details"):
            shown = {"port": {"limit": limit, "used": self.ports.get(project, 0), "reserved": 0}}
            return reply(200, {"quota": shown | {"router": {"limit": 10, "used": 0, "reserved": 0}}})
        return reply(200, {"quota": {"port": limit, "router": 10}})

    def _port(self, seen: Seen, _: socket.socket) -> bytes:
        project = self.project(seen)
        if self.ports.get(project, 0) >= self.quotas.get(project, {}).get("port", 50):
            return reply(409, {"NeutronError": {"type": "OverQuota", "message": "", "detail": ""}})
        self.ports[project] = self.ports.get(project, 0) + 1
        return reply(201, {"port": {"id": secrets.token_hex(16)}})

    def _images(self, seen: Seen, _: socket.socket) -> bytes:
        if seen.method == "PUT":
            size = re.sub(rb"[0-9a-f]+\r\n(x*)\r\n", rb"\1", seen.raw) if seen.get("Transfer-Encoding") else seen.raw
            project = self.project(seen)
            self.images[project] = self.images.get(project, 0) + len(size)
            return reply(204)
        owner = parse_qs(urlsplit(seen.target).query).get("owner", [""])[0]
        return reply(200, {"images": [{"id": "i", "owner": owner, "size": self.images.get(owner, 0)}]})


@dataclass
class Region:
    """A region of CloudTwo under a contract, whose users come through either of two gateways."""

    owners: Owners
    doors: tuple[str, str]
    services: Services

    def token(self, under: ContractGrant, user: int) -> str:
        """A user of CloudOne with a project of its own, known to the services."""
        scope = scopes.parse(json.dumps({"*": "CloudTwo", "identity": "CloudOne"}))
        one = Named(f"{user:032x}", f"user-{user}", "default", "Default")
        project = Named(f"{user + 1000:032x}", f"project-{user}", "default", "Default")
        token = self.owners.one.token(self.owners.two, agreement=under.id, scope=scope, user=one, project=project)
        until(lambda: ask(self.doors[0], "/image/v2/images", token=token).status == 200)
        path = f"/v2/images/{secrets.token_hex(8)}"
        assert ask(self.doors[0], f"/image{path}", token=token).status == 200
        self.services.of[token] = str(self.owners.at_two.line(path)["local_project"])
        return token

    def post(self, door: int, token: str, path: str, body: Any, method: str = "POST") -> Answer:
        headers = {"Content-Type": "application/json"}
        return ask(self.doors[door], path, headers, method=method, body=json.dumps(body).encode(), token=token)

    def create(self, door: int, token: str, **more: Any) -> Answer:
        return self.post(door, token, "/compute/v2.1/servers", {"server": {"name": "x", "flavorRef": "2"} | more})

    def limited(self, **quota: int) -> ContractGrant:
        under = dataclasses.replace(
            contract("CloudOne", PROVIDER, services=SERVICES, projects=Projects("each", DOMAIN)), quota=quota
        )
        put(self.owners.two, under)
        return under


@pytest.fixture(scope="module")
def doors(owners: Owners, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The peering addresses of two gateways of CloudTwo."""
    other = second(owners, tmp_path_factory.mktemp("second"))
    try:
        other.ready()
        yield owners.two.peering, f"http://{other.config['peering']['listen']}"
    finally:
        other.end()
        other.stop()


def second(owners: Owners, folder: Path) -> Gateway:
    config = copy.deepcopy(owners.at_two.config)
    *ports, admin, peers = free_ports(len(config["services"]) + 2)
    for service, port in zip(config["services"].values(), ports, strict=True):
        service["listen"] = f"127.0.0.1:{port}"
    config["admin"] = {"listen": f"127.0.0.1:{admin}"}
    config["peering"]["listen"] = f"127.0.0.1:{peers}"
    config["trust"]["keys"] = str(owners.two.folder / "keys.json")
    config["trust"]["database"] = f"sqlite:///{owners.two.folder / 'trust.sqlite'}"
    config["trust"]["account"]["password_file"] = str(owners.two.folder / "password")
    return Gateway(folder, config)


@pytest.fixture
def region(owners: Owners, doors: tuple[str, str]) -> Iterator[Region]:
    two = owners.two
    before = {kind: dict(two[kind].handlers) for kind in SERVICES}
    yield Region(owners, doors, Services(two["compute"], two["network"], two["image"], two))
    for kind, handlers in before.items():
        two[kind].handlers = handlers
    put(two)


def test_users_in_parallel_get_what_there_is_and_not_one_more(region: Region) -> None:
    under = region.limited(cores=14, instances=20)
    # Each user has a project, and each that finds no room asks all others' leases.
    users = volume(20, 2)
    tokens = [region.token(under, user) for user in range(users)]
    services = region.services
    services.quotas["of somebody else"] = {"cores": 20}
    # All but five servers' worth is used, by two projects whose leases have something to spare.
    for token in tokens[:2]:
        assert region.create(0, token).status == 202
    with ThreadPoolExecutor(users) as pool:
        statuses = list(pool.map(lambda n: region.create(n % 2, tokens[n]).status, range(users)))
    assert statuses.count(202) == 5
    assert statuses.count(403) == users - 5
    assert services.peak == 7
    for name in ("cores", "instances"):
        leased = sum(
            quotas.get(name, 0) for project, quotas in services.quotas.items() if project in services.of.values()
        )
        assert leased <= under.quota[name]
    # Tenants that are not of the region keep what they have.
    assert set(services.puts) <= set(services.of.values())
    assert services.quotas["of somebody else"] == {"cores": 20}

    refused = region.create(1, tokens[0])
    assert (refused.status, refused.code) == (403, "region.quota")
    assert "cores" in refused.error
    # What is deleted is somebody else's at once.
    owner = next(project for project, mine in services.servers.items() if mine)
    gone = services.servers[owner][0]
    assert ask(region.doors[0], f"/compute/v2.1/servers/{gone}", method="DELETE", token=tokens[0]).status == 204
    free = next(token for token in tokens if services.of[token] != owner)
    assert region.create(0, free).status == 202
    assert region.create(0, free).code == "region.quota"


def test_a_create_of_several_and_a_resize_count_as_they_are(region: Region) -> None:
    under = region.limited(cores=6)
    token = region.token(under, 50)
    assert region.create(0, token, max_count=4).code == "region.quota"
    assert region.create(0, token, max_count=2).status == 202
    assert region.create(0, token, max_count=2).code == "region.quota"
    assert region.create(1, token).status == 202


def test_ports_that_nova_makes_for_its_users_count(region: Region) -> None:
    """They come through the frontend, with the inner mark on the token."""
    under = region.limited(ports=2)
    token, other = region.token(under, 60), region.token(under, 61)
    for one in (token, other):
        assert region.post(0, one, "/network/v2.0/ports", {"port": {}}).status == 201
    marked_token = region.owners.two["network"].seen("/v2.0/ports").get("X-Auth-Token")
    headers = {"Content-Type": "application/json", "X-Auth-Token": str(marked_token)}
    inner = ask(
        region.owners.at_two.url("network"), "/v2.0/ports", headers, method="POST", body=b'{"port": {}}', token=None
    )
    assert inner.code == "region.quota"


def test_limits_and_quotas_show_what_the_region_has_left(region: Region) -> None:
    under = region.limited(cores=10, ports=5)
    token, other = region.token(under, 70), region.token(under, 71)
    project = region.services.of[token]
    assert region.create(0, other).status == 202
    assert region.post(1, other, "/network/v2.0/ports", {"port": {}}).status == 201

    def shown(path: str) -> Any:
        return ask(region.doors[1], path, token=token).json

    assert shown("/compute/v2.1/limits")["limits"]["absolute"] == {"maxTotalCores": 8, "x": 1}
    assert shown(f"/compute/v2.1/os-quota-sets/{project}")["quota_set"] == {"cores": 8, "instances": 10}
    assert shown(f"/network/v2.0/quotas/{project}")["quota"] == {"port": 4, "router": 10}
    details = shown(f"/network/v2.0/quotas/{project}/details")["quota"]
    assert (details["port"]["limit"], details["router"]["limit"]) == (4, 10)


def test_uploads_are_counted_by_their_bytes(region: Region) -> None:
    under = region.limited(image_bytes=1 << 20)
    token = region.token(under, 80)
    path, data = "/image/v2/images/one/file", b"x" * (600 << 10)
    binary = {"Content-Type": "application/octet-stream"}
    assert ask(region.doors[0], path, binary, method="PUT", body=data, token=token).status == 204
    assert ask(region.doors[0], path, binary, method="PUT", body=data, token=token).code == "region.quota"

    def chunked(size: int) -> int:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size)
        sent = {**binary, "Transfer-Encoding": "chunked"}
        url = urlsplit(region.doors[0])
        with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=60) as connection:
            head = "".join(
                f"{name}: {value}\r\n" for name, value in ({"Host": url.netloc, "X-Auth-Token": token} | sent).items()
            )
            connection.sendall(f"PUT {path} HTTP/1.1\r\nConnection: close\r\n{head}\r\n".encode() + body)
            return int(connection.makefile("rb").readline().split()[1])

    assert chunked(600 << 10) == 403
    assert chunked(100 << 10) == 204
    imported = region.post(0, token, "/image/v2/images/one/import", {"method": {"name": "web-download"}})
    assert (imported.status, imported.code) == (400, "region.unmeasured")
    # Glance reads these as /v2/images, too (glance/api/middleware/version_negotiation.py).
    negotiated = {**binary, "Accept": "application/vnd.openstack.images-v2"}
    for images in ("/v2.9/images", "//v2/images", "/v2//images", "/images"):
        path = f"/image{images}/one/file"
        refused = ask(region.doors[0], path, negotiated, method="PUT", body=data, token=token)
        assert (refused.status, refused.code) == (403, "agreement.rule"), images


def test_a_gateway_that_is_killed_while_it_moves_a_lease_leaves_the_sum_as_it_was(
    region: Region, tmp_path: Path
) -> None:
    under = region.limited(cores=6)
    token, other = region.token(under, 90), region.token(under, 91)
    services = region.services
    victim = second(region.owners, tmp_path)
    victim.ready()
    services.stuck.clear()  # nova takes the new quota, and does not answer
    headers = {"Content-Type": "application/json"}
    body = json.dumps({"server": {"flavorRef": "2"}}).encode()
    door = f"http://{victim.config['peering']['listen']}"

    def asked() -> None:
        with pytest.raises(OSError):  # noqa: PT011 - whatever the client makes of a killed server
            ask(door, "/compute/v2.1/servers", headers, method="POST", body=body, token=token)

    began = len(region.owners.two["compute"].all("/v2.1/os-quota-sets/"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(asked)
        until(lambda: len(region.owners.two["compute"].all("/v2.1/os-quota-sets/")) > began)
        victim.process.kill()
        waiting.result(60)
    victim.process.wait(30)
    services.stuck.set()
    # What the killed gateway leased is found when its lock is over.
    database = sqlite3.connect(region.owners.two.folder / "trust.sqlite", timeout=30)
    with contextlib.closing(database), database:
        database.execute("UPDATE quota_locks SET until = 0")
    for _ in range(3):
        assert region.create(0, other).status == 202
    assert region.create(0, other).code == "region.quota"
    mine = [services.quotas.get(services.of[one], {}).get("cores", 0) for one in (token, other)]
    assert sum(mine) <= 6
    assert services.peak == 3


def test_a_service_that_does_not_take_quotas_serves_no_creates(region: Region) -> None:
    under = region.limited(cores=6)
    token = region.token(under, 95)
    region.owners.two["compute"].on("/v2.1/os-quota-sets/", reply(403, {"forbidden": {"code": 403, "message": "no"}}))
    refused = region.create(0, token)
    assert (refused.status, refused.code) == (503, "region.quota_unavailable")
    assert "trust.quota_account" in refused.error
    assert DOMAIN not in refused.error
