"""What is there at a provider, what a user makes there, and what a domain's manager may not do. `pia` and `xavier` are persons of `market`."""

from typing import Any, Final

import requests

from openstackoid.lab import Lab

_LEFT: Final = {
    ("identity", "/projects"): "projects",
    ("compute", "/servers?all_tenants=1"): "servers",
    ("network", "/v2.0/networks"): "networks",
    ("network", "/v2.0/subnets"): "subnets",
    ("network", "/v2.0/ports"): "ports",
    ("network", "/v2.0/routers"): "routers",
    ("network", "/v2.0/security-groups"): "security_groups",
    ("image", "/v2/images"): "images",
}


def managed(lab: Lab, pia: Any, region: str) -> tuple[str, str]:
    """A domain with a manager, for the provider's control plane; returns the ids of both."""
    identity = ("RegionOne", "identity")
    domain = pia.ask("POST", *identity, "/domains", 201, json={"domain": {"name": f"of-{region}"}})["domain"]["id"]
    password = lab.clouds[pia.cloud].trust_password.read_text().strip()
    body = {"user": {"name": "openstackoid", "domain_id": domain, "password": password}}
    user = pia.ask("POST", *identity, "/users", 201, json=body)["user"]["id"]
    role = pia.ask("GET", *identity, "/roles?name=manager")["roles"][0]["id"]
    pia.ask("PUT", *identity, f"/domains/{domain}/users/{user}/roles/{role}", 204)
    return domain, user


def everything(pia: Any) -> dict[str, set[str]]:
    """The ids of all that the provider has."""
    lists = {key: pia.ask("GET", "RegionOne", kind, path)[key] for (kind, path), key in _LEFT.items()}
    return {key: {item["id"] for item in items} for key, items in lists.items()}


def keypairs(pia: Any, user: str) -> list[str]:
    """Names of the keypairs of a user who is nobody in the provider's Keystone."""
    version = {"X-OpenStack-Nova-API-Version": "2.10"}
    url = f"{pia.catalog['RegionOne', 'compute']}/os-keypairs?user_id={user}"
    answer = pia.session.get(url, headers={"X-Auth-Token": pia.token} | version, timeout=120)
    assert answer.status_code == 200, answer.text
    return [row["keypair"]["name"] for row in answer.json()["keypairs"]]


def use(xavier: Any, region: str) -> str:
    """Make one of everything, tied together, by HTTP; returns the id of the server."""

    def made(kind: str, path: str, key: str, status: int = 201, **body: Any) -> str:
        answer = xavier.ask("POST", region, kind, path, status, json={key: body} if key else body)
        return str((answer[key] if key else answer)["id"])

    network = made("network", "/v2.0/networks", "network", name="n")
    subnet = made("network", "/v2.0/subnets", "subnet", network_id=network, ip_version=4, cidr="10.8.0.0/24")
    router = made("network", "/v2.0/routers", "router", name="r")
    path = f"/v2.0/routers/{router}/add_router_interface"
    xavier.ask("PUT", region, "network", path, json={"subnet_id": subnet})
    made("network", "/v2.0/security-groups", "security_group", name="web")
    made("network", "/v2.0/ports", "port", network_id=network)
    image = made("image", "/v2/images", "", name="i", disk_format="raw", container_format="bare", protected=True)
    xavier.ask("PUT", region, "image", f"/v2/images/{image}/file", 204, data=b"data")
    images = xavier.ask("GET", region, "image", "/v2/images?name=cirros")["images"]
    server: dict[str, Any] = {"name": "vm", "imageRef": images[0]["id"], "networks": [{"uuid": network}]}
    server["flavorRef"] = xavier.ask("GET", region, "compute", "/flavors")["flavors"][0]["id"]
    xavier.ask("POST", region, "compute", "/os-keypairs", json={"keypair": {"name": "k"}})
    return made("compute", "/servers", "server", 202, **server | {"key_name": "k"})


def check_manager(lab: Lab, pia: Any) -> None:
    """Try, as the manager of one domain, all that could touch another one."""
    url = pia.catalog["RegionOne", "identity"]
    mine, user = managed(lab, pia, "M1")
    other, _ = managed(lab, pia, "M2")
    body = {"project": {"name": "theirs", "domain_id": other}}
    project = pia.ask("POST", "RegionOne", "identity", "/projects", 201, json=body)["project"]["id"]
    role = pia.ask("GET", "RegionOne", "identity", "/roles?name=member")["roles"][0]["id"]
    admin = pia.ask("GET", "RegionOne", "identity", "/roles?name=admin")["roles"][0]["id"]
    password = lab.clouds["Provider"].trust_password.read_text().strip()
    identity = {"methods": ["password"], "password": {"user": {"id": user, "password": password}}}
    auth: Any = {"auth": {"identity": identity, "scope": {"domain": {"id": mine}}}}
    token = requests.post(f"{url}/auth/tokens", json=auth, timeout=120).headers["X-Subject-Token"]

    def status(method: str, path: str, document: Any = None) -> int:
        headers = {"X-Auth-Token": token}
        return requests.request(method, url + path, json=document, headers=headers, timeout=120).status_code

    assert status("POST", "/projects", {"project": {"name": "own", "domain_id": mine}}) == 201
    for method, path, document in (
        ("POST", "/projects", body | {"project": {"name": "more", "domain_id": other}}),
        ("GET", f"/projects?domain_id={other}", None),
        ("GET", f"/projects/{project}", None),
        ("PATCH", f"/projects/{project}", {"project": {"enabled": False}}),
        ("DELETE", f"/projects/{project}", None),
        ("PUT", f"/projects/{project}/users/{user}/roles/{role}", None),
        ("PUT", f"/domains/{mine}/users/{user}/roles/{admin}", None),
        ("PATCH", f"/domains/{other}", {"domain": {"enabled": False}}),
        ("DELETE", f"/domains/{mine}", None),
    ):
        listed_nothing = method == "GET" and path.startswith("/projects?")
        assert status(method, path, document) == 403 or listed_nothing, path
    scope: Any = {"auth": {"identity": identity, "scope": {"domain": {"id": other}}}}
    assert requests.post(f"{url}/auth/tokens", json=scope, timeout=120).status_code == 401
