"""CloudOne's admin is a plain member in CloudTwo: what only admins may do is refused there, whoever he is at home.

Each call is refused him in two ways, under a scope and at CloudTwo's own doors with a token for it; CloudTwo's databases stay as they were;
and CloudTwo's own admin may do it, which shows that the call itself is right.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from openstackoid.lab import Lab
from openstackoid.lab.service_types import SERVICES

from .conftest import User
from .tools import federated

# What changes by itself: heartbeats, and the project that stands for the admin's own.
RESTLESS = {"services", "compute_nodes", "agents", "project", "revocation_event"}
# Neutron says 400 to who names another project; that the call is right, CloudTwo's admin shows.
REFUSED = {400, 401, 403, 404}
MICROVERSIONS = {"OpenStack-API-Version": "compute 2.90, placement 1.30"}


@dataclass(frozen=True)
class Ask:
    """A call for admins; `{name}` stands for a thing that CloudTwo's admin has made."""

    kind: str
    method: str
    path: str
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.kind} {self.path}"


ASKS = [
    Ask("identity", "GET", "/v3/users"),
    Ask("identity", "GET", "/v3/projects"),
    Ask("identity", "GET", "/v3/role_assignments"),
    Ask("identity", "POST", "/v3/users", {"user": {"name": "intruder", "password": "x", "domain_id": "default"}}),
    Ask("identity", "POST", "/v3/roles", {"role": {"name": "intruder"}}),
    Ask("identity", "PATCH", "/v3/users/{user}", {"user": {"description": "mine"}}),
    Ask("image", "POST", "/v2/images", {"name": "intruder", "visibility": "public"}),
    Ask("image", "POST", "/v2/images/{image}/actions/deactivate"),
    Ask("image", "DELETE", "/v2/images/{image}"),
    Ask("image", "POST", "/v2/metadefs/namespaces", {"namespace": "intruder", "visibility": "public"}),
    Ask("image", "GET", "/v2/info/stores/detail"),
    Ask("compute", "GET", "/v2.1/os-hypervisors"),
    Ask("compute", "GET", "/v2.1/os-services"),
    Ask("compute", "GET", "/v2.1/servers/detail?all_tenants=1"),
    Ask("compute", "POST", "/v2.1/flavors", {"flavor": {"name": "intruder", "vcpus": 1, "ram": 64, "disk": 1}}),
    Ask("compute", "DELETE", "/v2.1/flavors/{flavor}"),
    Ask("compute", "POST", "/v2.1/os-aggregates", {"aggregate": {"name": "intruder"}}),
    Ask("compute", "PUT", "/v2.1/os-quota-sets/{project}", {"quota_set": {"instances": 99}}),
    Ask("network", "POST", "/v2.0/networks", {"network": {"name": "intruder", "shared": True}}),
    Ask("network", "POST", "/v2.0/networks", {"network": {"name": "intruder", "project_id": "{project}"}}),
    Ask("network", "PUT", "/v2.0/networks/{network}", {"network": {"name": "mine"}}),
    Ask("network", "DELETE", "/v2.0/networks/{network}"),
    Ask("network", "PUT", "/v2.0/quotas/{project}", {"quota": {"network": 99}}),
    Ask("placement", "GET", "/resource_providers"),
    Ask("placement", "POST", "/resource_providers", {"name": "intruder"}),
    Ask("placement", "PUT", "/traits/CUSTOM_INTRUDER"),
    Ask("placement", "PUT", "/resource_classes/CUSTOM_INTRUDER"),
]
# How CloudTwo's admin makes things that can be spared.
SPARE = {
    "project": Ask("identity", "POST", "/v3/projects", {"project": {"name": "spare"}}),
    "user": Ask("identity", "POST", "/v3/users", {"user": {"name": "spare", "password": "spare"}}),
    "image": Ask("image", "POST", "/v2/images", {"name": "spare", "disk_format": "raw", "container_format": "bare"}),
    "flavor": Ask("compute", "POST", "/v2.1/flavors", {"flavor": {"name": "spare", "vcpus": 1, "ram": 64, "disk": 1}}),
    "network": Ask("network", "POST", "/v2.0/networks", {"network": {"name": "spare"}}),
}


class Caller:
    """Somebody with a token and a place to go."""

    def __init__(self, frontends: dict[str, str], token: str, scope: str | None = None) -> None:
        self.frontends = frontends
        self.headers = {"X-Auth-Token": token, **MICROVERSIONS} | ({"X-Scope": scope} if scope else {})

    def ask(self, ask: Ask, things: dict[str, str], **headers: str) -> requests.Response:
        path = ask.path.format_map(things)
        url = self.frontends[ask.kind] + path
        return requests.request(
            ask.method, url, json=filled(ask.body, things), headers=self.headers | headers, timeout=60
        )


def filled(value: Any, things: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: filled(each, things) for key, each in value.items()}
    return value.format_map(things) if isinstance(value, str) and value.startswith("{") else value


@pytest.fixture(scope="module")
def frontends(lab: Lab) -> dict[str, dict[str, str]]:
    return {name: {kind: cloud.frontend(kind) for kind in SERVICES} for name, cloud in lab.clouds.items()}


@pytest.fixture(scope="module")
def theirs(lab: Lab, frontends: dict[str, dict[str, str]]) -> Caller:
    """CloudTwo's own admin."""
    return Caller(frontends["CloudTwo"], User(lab, "CloudTwo-admin").token())


@pytest.fixture(scope="module")
def strangers(lab: Lab, frontends: dict[str, dict[str, str]]) -> dict[str, Caller]:
    """CloudOne's admin, by the ways that he has."""
    admin = User(lab, "CloudOne-admin")
    token = admin.token()
    everything = '{"*": "CloudTwo", "identity": "CloudOne"}'
    scoped = Caller(frontends["CloudOne"], token, everything)
    direct = Caller(frontends["CloudTwo"], federated(admin.frontend("identity"), token, "CloudTwo"))
    for caller in (scoped, direct):
        for kind, path in (("image", "/v2/images"), ("network", "/v2.0/networks"), ("compute", "/v2.1/flavors")):
            seen = caller.ask(Ask(kind, "GET", path), {})
            assert seen.status_code == 200, f"as a member he may: {seen.text}"
    return {"under a scope": scoped, "at its doors": direct}


@contextmanager
def spared(theirs: Caller, ask: Ask) -> Iterator[dict[str, str]]:
    """The things that a call is about, by name."""
    made: dict[str, requests.Response] = {}
    for name, spare in SPARE.items():
        if f"{{{name}}}" in ask.path + repr(ask.body):
            made[name] = theirs.ask(spare, {})
            assert made[name].status_code < 300, made[name].text
    things = {name: identity(answer) for name, answer in made.items()}
    if "image" in things:
        url = f"{theirs.frontends['image']}/v2/images/{things['image']}/file"
        headers = theirs.headers | {"Content-Type": "application/octet-stream"}
        assert requests.put(url, data=b"spare", headers=headers, timeout=60).status_code == 204
    try:
        yield things
    finally:
        for name, answer in made.items():
            delete(theirs, SPARE[name], answer)


def identity(answer: requests.Response) -> str:
    document = answer.json()
    inner = next(iter(document.values())) if len(document) == 1 else document
    return str(inner.get("id") or inner.get("namespace") or inner.get("uuid"))


def delete(theirs: Caller, ask: Ask, answer: requests.Response) -> None:
    """Delete what a call of the admin has made."""
    if ask.method == "POST" and answer.content:
        theirs.ask(Ask(ask.kind, "DELETE", f"{ask.path}/{identity(answer)}"), {})
    elif ask.kind == "placement" and ask.method == "PUT":
        theirs.ask(Ask(ask.kind, "DELETE", ask.path), {})


def content(lab: Lab, kind: str) -> str:
    """A digest of all that a service of CloudTwo keeps."""
    digest = hashlib.sha256()
    for path in lab.clouds["CloudTwo"].databases(kind).values():
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as connection:
            names = connection.execute("select name from sqlite_master where type = 'table' order by name").fetchall()
            for (name,) in names:
                if name not in RESTLESS:
                    digest.update(repr(connection.execute(f'select * from "{name}"').fetchall()).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("ask", ASKS, ids=str)
def test_only_cloudtwos_own_admin_may(lab: Lab, strangers: dict[str, Caller], theirs: Caller, ask: Ask) -> None:
    with spared(theirs, ask) as things:
        before = content(lab, ask.kind)
        for way, stranger in strangers.items():
            asks_keystone = ask.kind == "identity" and way == "under a scope"
            headers = {"X-Scope": '{"identity": "CloudTwo"}'} if asks_keystone else {}
            answer = stranger.ask(ask, things, **headers)
            assert answer.status_code in REFUSED, f"{way}: {answer.status_code} {answer.text}"
        assert content(lab, ask.kind) == before
        allowed = theirs.ask(ask, things)
        assert allowed.status_code < 300, f"{allowed.status_code} {allowed.text}"
        delete(theirs, ask, allowed)


def test_agents_are_not_seen(strangers: dict[str, Caller]) -> None:
    """Neutron shows an empty list instead of refusing."""
    for stranger in strangers.values():
        assert stranger.ask(Ask("network", "GET", "/v2.0/agents"), {}).json() == {"agents": []}


def test_identity_headers_that_a_client_sends_count_nothing(strangers: dict[str, Caller]) -> None:
    """What keystonemiddleware tells services, sent from outside."""
    told = {
        "X-Roles": "admin",
        "X_Roles": "admin",
        "X-Role": "admin",
        "X-Is-Admin-Project": "True",
        "X-Identity-Status": "Confirmed",
        "X-Service-Roles": "service",
        "OpenStack-System-Scope": "all",
    }
    for stranger in strangers.values():
        answer = stranger.ask(Ask("compute", "GET", "/v2.1/os-hypervisors"), {}, **told)
        assert answer.status_code == 403, answer.text
