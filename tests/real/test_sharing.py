"""Two projects of CloudOne share what they have in CloudTwo, by the ids that they know."""

import secrets
from typing import Any

import pytest
import requests

from openstackoid.lab import Lab

from .conftest import User


class Member:
    """A user of CloudOne at CloudTwo's services."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.project = user.ids[1]
        self.token = user.token()

    def ask(self, kind: str, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        headers = {"X-Auth-Token": self.token, "X-Scope": f'{{"{kind}": "CloudTwo"}}'}
        url = self.user.frontend(kind) + path
        answer = requests.request(method, url, json=body, headers=headers, timeout=120)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.ok and answer.content else None


@pytest.fixture
def owner(alice: User) -> Member:
    return Member(alice)


@pytest.fixture
def other(lab: Lab) -> Member:
    return Member(User(lab, "CloudOne-admin"))


def test_an_image(owner: Member, other: Member) -> None:
    body = {"name": secrets.token_hex(4), "visibility": "shared", "disk_format": "raw", "container_format": "bare"}
    image = f"/v2/images/{owner.ask('image', 'POST', '/v2/images', body, 201)['id']}"
    try:
        other.ask("image", "GET", image, status=404)
        added = owner.ask("image", "POST", f"{image}/members", {"member": other.project})
        assert (added["member_id"], added["status"]) == (other.project, "pending")
        other.ask("image", "PUT", f"{image}/members/{other.project}", {"status": "accepted"})
        assert body["name"] in {each["name"] for each in other.ask("image", "GET", "/v2/images")["images"]}
        for member in (owner, other):
            members = member.ask("image", "GET", f"{image}/members")["members"]
            assert [(each["member_id"], each["status"]) for each in members] == [(other.project, "accepted")]
        owner.ask("image", "DELETE", f"{image}/members/{other.project}", status=204)
        other.ask("image", "GET", image, status=404)
    finally:
        owner.ask("image", "DELETE", image, status=204)


def test_a_network(owner: Member, other: Member) -> None:
    named = {"network": {"name": secrets.token_hex(4)}}
    network = owner.ask("network", "POST", "/v2.0/networks", named, 201)["network"]["id"]
    try:
        other.ask("network", "GET", f"/v2.0/networks/{network}", status=404)
        wanted = {"object_type": "network", "object_id": network, "action": "access_as_shared"}
        shared = {"rbac_policy": wanted | {"target_tenant": other.project}}
        policy = owner.ask("network", "POST", "/v2.0/rbac-policies", shared, 201)["rbac_policy"]
        assert (policy["target_tenant"], policy["project_id"]) == (other.project, owner.project)
        assert other.ask("network", "GET", f"/v2.0/networks/{network}")["network"]["shared"]
        path = f"/v2.0/rbac-policies?target_tenant={other.project}"
        assert [each["id"] for each in owner.ask("network", "GET", path)["rbac_policies"]] == [policy["id"]]
        owner.ask("network", "DELETE", f"/v2.0/rbac-policies/{policy['id']}", status=204)
    finally:
        owner.ask("network", "DELETE", f"/v2.0/networks/{network}", status=204)
