"""What a provider's own Keystone says holds for foreign users too: its catalog, and what its operators freeze."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import yaml

from openstackoid.lab import Lab

from .conftest import User, login
from .tools import federated, reconfigured, until

NETWORKS = "/v2.0/networks"


class Operator:
    """A cloud's admin, at its Keystone."""

    def __init__(self, lab: Lab, cloud: str = "CloudTwo") -> None:
        self.url = lab.clouds[cloud].auth_url
        self.token = User(lab, f"{cloud}-admin").token()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, self.url + path, json=body, headers={"X-Auth-Token": self.token}, timeout=60)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@pytest.fixture(scope="module")
def operator(lab: Lab) -> Operator:
    return Operator(lab)


@pytest.fixture
def stand_in(lab: Lab, alice: User, operator: Operator) -> Iterator[str]:
    """The project of CloudTwo in which Alice works."""
    assert post(lab, alice, f"first-{secrets.token_hex(4)}").status_code == 201
    projects = operator.ask("GET", "/projects")["projects"]
    (project,) = [each["id"] for each in projects if alice.ids[1] in each["description"]]
    yield project
    operator.ask("PATCH", f"/projects/{project}", {"project": {"enabled": True}})
    until(lambda: post(lab, alice, "again").status_code == 201)


def post(lab: Lab, alice: User, name: str) -> requests.Response:
    headers = {"X-Auth-Token": alice.token(), "X-Scope": '{"network": "CloudTwo"}'}
    body = {"network": {"name": name}}
    return requests.post(alice.frontend("network") + NETWORKS, json=body, headers=headers, timeout=120)


def test_a_disabled_project_makes_nothing_more(lab: Lab, alice: User, operator: Operator, stand_in: str) -> None:
    operator.ask("PATCH", f"/projects/{stand_in}", {"project": {"enabled": False}})

    def refused() -> bool:
        answer = post(lab, alice, "frozen")
        assert answer.status_code in {201, 403}, answer.text
        return answer.status_code == 403 and answer.json()["error"]["openstackoid_code"] == "agreement.frozen"

    until(refused)


def test_what_home_deleted_is_disabled_until_home_knows_it_again(lab: Lab, alice: User, operator: Operator) -> None:
    """A project of CloudOne's, with Alice in it: CloudTwo's gateway asks CloudOne's, and that its Keystone."""
    home = Operator(lab, "CloudOne")
    name = f"leaving-{secrets.token_hex(4)}"
    project = home.ask("POST", "/projects", {"project": {"name": name, "domain_id": "default"}})["project"]["id"]
    role = home.ask("GET", "/roles?name=member")["roles"][0]["id"]
    home.ask("PUT", f"/projects/{project}/users/{alice.ids[0]}/roles/{role}")
    auth = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]["CloudOne"]["auth"]
    token = login(home.url, auth | {"project_name": name}).headers["X-Subject-Token"]
    headers = {"X-Auth-Token": token, "X-Scope": '{"network": "CloudTwo"}'}
    url = alice.frontend("network") + NETWORKS
    assert requests.get(url, headers=headers, timeout=120).status_code == 200
    (ours,) = [each["id"] for each in operator.ask("GET", "/projects")["projects"] if project in each["description"]]
    living = {each["id"] for each in operator.ask("GET", "/projects")["projects"] if each["enabled"]}
    with reconfigured(lab, CloudTwo=lambda config: config["trust"].update(check_projects=1)):
        home.ask("DELETE", f"/projects/{project}")
        until(lambda: not operator.ask("GET", f"/projects/{ours}")["project"]["enabled"])
        gone = operator.ask("GET", f"/projects/{ours}")["project"]
        assert gone["tags"] == ["openstackoid-gone-at-home"]
        # Nobody else's: all other projects that stand for others' are as they were.
        after = {each["id"] for each in operator.ask("GET", "/projects")["projects"] if each["enabled"]}
        assert living - after == {ours}
    operator.ask("DELETE", f"/projects/{ours}")


@pytest.mark.parametrize("scope", ["filtered", "system"])
def test_the_catalog_is_not_that_of_whoever_logged_in_last(
    lab: Lab, alice: User, operator: Operator, scope: str
) -> None:
    token = federated(alice.frontend("identity"), alice.token(), "CloudTwo")

    def types() -> set[str]:
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        answer = requests.get(f"{operator.url}/auth/tokens", headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return {entry["type"] for entry in answer.json()["token"]["catalog"] if entry["endpoints"]}

    whole = types()
    assert {"image", "compute", "network", "identity", "placement"} <= whole
    user = operator.ask("GET", "/users?name=admin")["users"][0]["id"]
    role = operator.ask("GET", "/roles?name=admin")["roles"][0]["id"]
    project = operator.ask("POST", "/projects", {"project": {"name": secrets.token_hex(4)}})["project"]["id"]
    endpoint = operator.ask("GET", "/endpoints?interface=public")["endpoints"][0]["id"]
    operator.ask("PUT", f"/projects/{project}/users/{user}/roles/{role}")
    operator.ask("PUT", f"/system/users/{user}/roles/{role}")
    operator.ask("PUT", f"/OS-EP-FILTER/projects/{project}/endpoints/{endpoint}")
    try:
        auth: Any = {
            "identity": {"methods": ["password"], "password": {"user": {"id": user, "password": password(lab)}}},
            "scope": {"project": {"id": project}} if scope == "filtered" else {"system": {"all": True}},
        }
        # Under a scope the login passes the gateway, also with HAProxy in front.
        headers = {"X-Scope": '{"image": "CloudOne"}'}
        answer = requests.post(f"{operator.url}/auth/tokens", json={"auth": auth}, headers=headers, timeout=60)
        assert answer.status_code == 201, answer.text
        assert types() == whole
    finally:
        operator.ask("DELETE", f"/system/users/{user}/roles/{role}")
        operator.ask("DELETE", f"/projects/{project}")


def password(lab: Lab) -> str:
    return lab.clouds["CloudTwo"].trust_password.read_text().strip()
