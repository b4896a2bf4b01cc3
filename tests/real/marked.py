"""A user whose every trace can be recognized, and everything that clouds do together, done by her with plain HTTP."""

import json
from secrets import token_hex
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from openstackoid.lab import Lab
from openstackoid.lab.seed import Api

from .conftest import login
from .tools import until

NAME, PROJECT, PASSWORD = (f"{word}-marker-{token_hex(4)}" for word in ("zerlina", "project", "password"))
ADDRESS, PROXIED = "127.77.66.55", "198.51.100.77"
# What clients and the proxies before a gateway say of users.
TELLING = {
    "X-Forwarded-For": PROXIED,
    "X-Forwarded-Host": f"{NAME}.example",
    "X-Real-IP": PROXIED,
    "True-Client-IP": PROXIED,
    "Forwarded": f"for={PROXIED};host={NAME}.example",
    "Via": f"1.1 {NAME}.example",
    "From": f"{NAME}@example.org",
    "Referer": f"http://{NAME}.example/",
    "Origin": f"http://{NAME}.example",
    "Cookie": f"user={NAME}",
    "Authorization": f"Basic {NAME}",
    "X-User-Name": NAME,
    "X-Project-Name": PROJECT,
    "X_User_Name": NAME,
}
CLIENT_ADDRESSES = (ADDRESS, PROXIED)
ELSEWHERE = {"compute": "CloudTwo", "network": "CloudTwo", "placement": "CloudTwo"}
IMAGES_THERE = {"image": "CloudTwo"}


class _From(HTTPAdapter):
    """Connections from one address."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, source_address=(ADDRESS, 0))


class Marked:
    """The user, made by CloudOne's admin."""

    def __init__(self, lab: Lab) -> None:
        self.cloud = lab.clouds["CloudOne"]
        admin = Api(self.cloud, lab.secrets("CloudOne"))
        body: Any = {"project": {"name": PROJECT, "domain_id": "default"}}
        self.project = str(admin.call("POST", "identity", "/v3/projects", body)["project"]["id"])
        body = {"user": {"name": NAME, "password": PASSWORD, "domain_id": "default"}}
        self.user = str(admin.call("POST", "identity", "/v3/users", body)["user"]["id"])
        roles = {role["name"]: role["id"] for role in admin.call("GET", "identity", "/v3/roles")["roles"]}
        grant = f"/v3/projects/{self.project}/users/{self.user}/roles/{roles['member']}"
        admin.call("PUT", "identity", grant)
        self.auth = {"username": NAME, "password": PASSWORD, "project_name": PROJECT}
        self.session = requests.Session()
        self.session.mount("http://", _From())
        answer = login(self.cloud.auth_url, self.auth)
        self.token = answer.headers["X-Subject-Token"]
        self.session.headers.update(TELLING | {"X-Auth-Token": self.token})

    def ask(
        self,
        method: str,
        kind: str,
        path: str,
        body: object = None,
        scope: dict[str, str] | None = None,
        more: dict[str, str] | None = None,
    ) -> requests.Response:
        headers = dict(more or {})
        if scope:
            headers["X-Scope"] = json.dumps(scope)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if body is not None:
            headers["Content-Type"] = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        url = self.cloud.frontend(kind) + path
        return self.session.request(method, url, data=data, headers=headers, timeout=120)

    def done(self, method: str, kind: str, path: str, body: object = None, scope: dict[str, str] | None = None) -> Any:
        """The same; it must be served."""
        answer = self.ask(method, kind, path, body, scope)
        assert answer.status_code < 400, f"{method} {kind} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content.startswith((b"{", b"[")) else answer.content

    # What clouds do together.

    def everything(self) -> None:
        """All of it: one tour over three clouds."""
        self.images()
        here = self.network({})
        there = self.network(ELSEWHERE)
        self.server(here, "cirros-cloudtwo", IMAGES_THERE)
        self.server(there, "cirros-cloudone", ELSEWHERE)
        self.server(there, "cirros-cloudthree", {**ELSEWHERE, "image": "CloudThree"})
        self.refused()

    def images(self) -> None:
        for listing in (
            self.ask("GET", "image", "/v2/images", scope=IMAGES_THERE),
            self.ask("GET", "image", "/scope/images-from-CloudTwo/v2/images"),
            self.ask(
                "GET", "image", "/v2/images", more={"X-Auth-Token": f"{self.token}!SCOPE!{json.dumps(IMAGES_THERE)}"}
            ),
        ):
            assert "cirros-cloudtwo" in listing.text, listing.text
        made = {"name": "plain", "disk_format": "raw", "container_format": "bare"}
        image = self.done("POST", "image", "/v2/images", made, IMAGES_THERE)
        assert image["owner"] == self.project
        data = b"data" * 100_000
        self.done("PUT", "image", f"/v2/images/{image['id']}/file", data, IMAGES_THERE)
        assert self.done("GET", "image", f"/v2/images/{image['id']}/file", None, IMAGES_THERE) == data
        self.done("DELETE", "image", f"/v2/images/{image['id']}", None, IMAGES_THERE)

    def network(self, scope: dict[str, str]) -> str:
        made = self.done("POST", "network", "/v2.0/networks", {"network": {"name": "plain"}}, scope)["network"]
        assert made["project_id"] == self.project
        subnet = {"network_id": made["id"], "ip_version": 4, "cidr": "10.98.0.0/24"}
        self.done("POST", "network", "/v2.0/subnets", {"subnet": subnet}, scope)
        listed = self.done("GET", "network", "/v2.0/networks", None, scope)["networks"]
        assert made["id"] in {network["id"] for network in listed}
        return str(made["id"])

    def server(self, network: str, image: str, scope: dict[str, str]) -> None:
        images = self.done("GET", "image", f"/v2/images?name={image}", None, scope)["images"]
        flavors = self.done("GET", "compute", "/v2.1/flavors", None, scope)["flavors"]
        wanted = {
            "name": "plain",
            "imageRef": images[0]["id"],
            "flavorRef": flavors[0]["id"],
            "networks": [{"uuid": network}],
        }
        made = self.done("POST", "compute", "/v2.1/servers", {"server": wanted}, scope)["server"]["id"]

        def state() -> Any:
            shown = self.done("GET", "compute", f"/v2.1/servers/{made}", None, scope)["server"]
            assert (shown["user_id"], shown["tenant_id"]) == (self.user, self.project)
            assert shown["status"] != "ERROR", shown
            return shown["status"]

        until(lambda: state() == "ACTIVE")
        self.done("DELETE", "compute", f"/v2.1/servers/{made}", None, scope)
        path = f"/v2.1/servers/{made}"
        until(lambda: self.ask("GET", "compute", path, scope=scope).status_code == 404)

    def refused(self) -> None:
        """What would carry passwords or tokens over, if it were served."""
        identity = {"identity": "CloudTwo"}
        secret = {"X-Subject-Token": self.token, "X-Service-Token": self.token}
        statuses = {
            login(self.cloud.auth_url, self.auth, json.dumps(identity)).status_code,
            self.ask("GET", "identity", "/v3/auth/tokens", scope=identity, more=secret).status_code,
            self.ask("DELETE", "identity", "/v3/auth/tokens", scope=identity, more=secret).status_code,
            self.ask("GET", "identity", f"/v3/users/{self.user}", scope=identity).status_code,
        }
        assert statuses == {403}
        # A service token of this cloud, as nova sends it along with its user's.
        assert self.ask("GET", "image", "/v2/images", scope=IMAGES_THERE, more=secret).status_code == 200
