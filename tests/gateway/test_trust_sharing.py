"""Sharing between two projects of one home cloud, in another cloud: each is there the project that stands for it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.gateway.conftest import federated
from tests.gateway.owners import DEMO, Owner, refusal
from tests.gateway.wire import Answer, Gateway, ask, reply

from openstackoid.core import scope as scopes
from openstackoid.trust.claims import Named

OTHER = "0" * 31 + "1"
UNSEEN = "0" * 31 + "2"
SERVICES = ["image", "network", "compute"]


@dataclass
class Provider:
    """CloudEight, and users of CloudSeven in two projects."""

    seven: Owner
    eight: Owner
    gateway: Gateway
    here: dict[str, str]  # project of CloudSeven -> project of CloudEight

    def enter(self, path: str, body: Any = None, project: str = DEMO, method: str = "POST") -> Answer:
        there = scopes.parse(json.dumps({"*": "CloudEight", "identity": "CloudSeven"}))
        named = Named(project, "p", "default", "Default")
        token = self.seven.token(self.eight, scope=there, project=named)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        data = None if body is None else json.dumps(body).encode()
        return ask(self.eight.peering, path, headers, method=method, body=data, token=token)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder = tmp_path_factory.mktemp("sharing")
    seven, eight = (Owner(name, folder / name) for name in ("CloudSeven", "CloudEight"))
    seven.seen_by(eight)
    allow = {"services": SERVICES, "projects": "each:default", "most_projects": 3}
    with federated({eight: {"peers": {"CloudSeven": seven.entry(allow)}}}) as started:
        made = Provider(seven, eight, started[eight], {})
        for project in (DEMO, OTHER):
            assert made.enter(f"/image/v2/first/{project}", project=project, method="GET").status == 200
            made.here[project] = made.gateway.line(f"/v2/first/{project}")["local_project"]
        yield made
    seven.close()


def test_a_member_of_an_image(provider: Provider) -> None:
    here, images = provider.here, provider.eight["image"]
    member = {"schema": "/v2/schemas/member", "image_id": "i", "member_id": here[OTHER], "status": "pending"}
    images.on("/v2/images/i/members", reply(200, member))
    answer = provider.enter("/image/v2/images/i/members", {"member": OTHER})
    assert json.loads(images.seen("/v2/images/i/members").raw) == {"member": here[OTHER]}
    assert answer.json == member | {"member_id": OTHER}
    # The other project accepts, by its own id.
    answer = provider.enter(f"/image/v2/images/i/members/{OTHER}", {"status": "accepted"}, OTHER, "PUT")
    assert images.seen(f"/v2/images/i/members/{here[OTHER]}").method == "PUT"
    assert answer.json["member_id"] == OTHER
    # And the owner names it in paths, and finds it in lists.
    assert provider.enter(f"/image/v2/images/i/members/{OTHER}", method="DELETE").status == 200
    assert images.all("/v2/images/i/members")[-1].target == f"/v2/images/i/members/{here[OTHER]}"
    images.on("/v2/images/i/members", reply(200, {"members": [member], "schema": "/v2/schemas/members"}))
    listed = provider.enter("/image/v2/images/i/members", method="GET").json["members"]
    assert [each["member_id"] for each in listed] == [OTHER]


def test_network_rbac(provider: Provider) -> None:
    here, networks = provider.here, provider.eight["network"]
    policy = {"id": "r", "project_id": here[DEMO], "target_tenant": here[OTHER], "action": "access_as_shared"}
    networks.on("/v2.0/rbac-policies", reply(201, {"rbac_policy": policy}))
    sent = {"rbac_policy": {"object_type": "network", "object_id": "n", "target_tenant": OTHER}}
    answer = provider.enter("/network/v2.0/rbac-policies", sent)
    stored = json.loads(networks.seen("/v2.0/rbac-policies").raw)["rbac_policy"]
    assert stored["target_tenant"] == here[OTHER]
    assert answer.json["rbac_policy"] == policy | {"project_id": DEMO, "target_tenant": OTHER}
    provider.enter(f"/network/v2.0/rbac-policies?target_tenant={OTHER}", method="GET")
    assert networks.all("/v2.0/rbac-policies")[-1].target == f"/v2.0/rbac-policies?target_tenant={here[OTHER]}"
    everybody = {"rbac_policy": {"target_tenant": "*"}}
    provider.enter("/network/v2.0/rbac-policies", everybody)
    assert json.loads(networks.all("/v2.0/rbac-policies")[-1].raw) == everybody


def test_flavor_access(provider: Provider) -> None:
    here, compute = provider.here, provider.eight["compute"]
    access = {"flavor_access": [{"flavor_id": "f", "tenant_id": here[OTHER]}]}
    compute.on("/v2.1/flavors/f/action", reply(200, access))
    answer = provider.enter("/compute/v2.1/flavors/f/action", {"addTenantAccess": {"tenant": OTHER}})
    assert json.loads(compute.seen("/v2.1/flavors/f/action").raw) == {"addTenantAccess": {"tenant": here[OTHER]}}
    assert answer.json == {"flavor_access": [{"flavor_id": "f", "tenant_id": OTHER}]}


def test_a_project_is_made_where_there_is_none_yet_and_as_many_as_agreed(provider: Provider) -> None:
    images = provider.eight["image"]
    images.on("/v2/images/new/members", reply(200, {}))
    assert provider.enter("/image/v2/images/new/members", {"member": UNSEEN}).status == 200
    stored = json.loads(images.seen("/v2/images/new/members").raw)["member"]
    assert stored in set(provider.eight.keystone.projects.values()) - set(provider.here.values())
    full = provider.enter("/image/v2/images/new/members", {"member": "0" * 31 + "3"})
    assert refusal(full) == (503, "agreement.project")
    assert len(images.all("/v2/images/new/members")) == 1


def test_what_is_no_project_of_home_is_refused_by_name(provider: Provider) -> None:
    images = provider.eight["image"]
    answer = provider.enter("/image/v2/images/odd/members", {"member": "demo"})
    assert refusal(answer) == (403, "agreement.share")
    assert "'demo'" in answer.error
    long = provider.enter("/image/v2/images/odd/members", {"member": "x" * 70_000})
    assert refusal(long) == (413, "request.large")
    assert not images.all("/v2/images/odd/members")
